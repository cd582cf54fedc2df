"""Scenarios about a backend that dies at once, or whose port is taken. They mostly wait: all peers run side by side."""

import concurrent.futures
import contextlib
import subprocess
import sys
import time
import urllib.request

from . import lab
from .supervisors import CodexAgent
from .table import Table, shorten


def side_by_side(trial, peers):
    with concurrent.futures.ThreadPoolExecutor(len(peers)) as pool:
        return list(pool.map(trial, peers))


class WithoutWaiting(CodexAgent):
    def launch(self):
        return self.cli("start", "--no-wait")


def crash_loop(ground, peers, quick):
    seconds = 10 if quick else 30
    table = Table(f"Crash loop: listens and exits with 1 at once, {seconds} s", "supervisor", "starts", "first gaps s",
                  "EADDRINUSE", "CPU s", "what it says")
    table.note("n=1 each. CPU: scheduler time of the supervisor's own processes over the whole time, their start "
               "included. codex-agent: defaults, 5 automatic restarts in 60 s, after 0, 1, 2, 4, 8 s.")

    def trial(peer):
        service = ground.service(["--crash"])
        supervisor = (WithoutWaiting if peer is CodexAgent else peer)(service)
        supervisor.launch()
        time.sleep(seconds)
        cpu = sum(lab.cpu_seconds(pid) for pid in supervisor.pids())
        said = supervisor.says()
        entered = [at / 1e9 for what, _, at in service.journal() if what == "E"]
        in_use = service.count("X")
        supervisor.close()
        ground.end(service)
        return entered, in_use, cpu, said

    for peer, (entered, in_use, cpu, said) in zip(peers, side_by_side(trial, peers)):
        gaps = [later - earlier for earlier, later in zip(entered, entered[1:])]
        table.row(peer.name, len(entered), ", ".join(f"{gap:.3f}" for gap in gaps[:5]), in_use, f"{cpu:.3f}",
                  shorten(said, 90))
        if peer is CodexAgent:
            # The default delays of `restart.*`, with their 10 % jitter.
            waited = all(gap >= delay * 0.9 for gap, delay in zip(gaps, (0, 1, 2, 4, 8)))
            told = said.startswith(("failed (exit 3)", "backoff (exit 3)"))
            table.promise("at most 1 + 5 starts with growing gaps, no EADDRINUSE, says failed or backoff (exit 3)",
                          1 < len(entered) <= 6 and waited and told and not in_use)
    return table


def foreign_port(ground, peers, quick):
    seconds = 4 if quick else 8
    table = Table("Somebody else holds the port, then start", "supervisor", "starts of the backend", "EADDRINUSE",
                  "stranger", "exit code of start", "what it says")
    table.note(f"n=1 each. The stranger is a Python HTTP server that the supervisor knows nothing of. Watched for "
               f"{seconds} s. `-`: it has no such command.")

    def trial(peer):
        service = ground.service("static")
        with subprocess.Popen([sys.executable, lab.HERE / "stranger.py", str(service.port)], env=service.environment,
                              stdout=subprocess.PIPE) as stranger:
            try:
                stranger.stdout.readline()
                supervisor = peer(service)
                done = supervisor.launch()
                time.sleep(seconds)
                untouched = stranger.poll() is None and lab.wait_for(lambda: _strangers_answer(service.port), 2)
                said = supervisor.says()
                told = done.stdout if done else ""
                supervisor.close()
            finally:
                stranger.kill()
        result = service.count("E"), service.count("X"), untouched, done.returncode if done else "-", said, told, service.port
        ground.end(service)
        return result

    for peer, (tries, in_use, untouched, code, said, told, service_port) in zip(peers, side_by_side(trial, peers)):
        # The line that names the stranger, from the command that was refused.
        text = next((line for line in told.splitlines() if str(service_port) in line), said)
        table.row(peer.name, tries, in_use, "serves on" if untouched else "HARMED", code, shorten(text, 130))
        if peer is CodexAgent:
            table.promise("stranger untouched, nothing started, refused with exit 7",
                          untouched and tries == 0 and code == 7)
    return table


def _strangers_answer(port):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
        return answer.read() == b"stranger"
    return False
