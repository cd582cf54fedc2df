"""The agent is killed at random moments, again and again; a fresh one always ends up in the wanted state, with one
tree. CODEX_CHAOS_ROUNDS and CODEX_CHAOS_SEED choose how often and which moments. Two projects share the rounds: each
mostly waits."""

import concurrent.futures
import os
import random
import subprocess
import time

import psutil

from harness import processes
from harness.agent import PYTHON_BACKEND, sanitized
from harness.waiting import wait_until

ROUNDS = int(os.environ.get("CODEX_CHAOS_ROUNDS", "30" if sanitized() else "200"))
LIMIT = 30 if sanitized() else 10
PROJECTS = 2
SEED = int(os.environ.get("CODEX_CHAOS_SEED", "20261126"))

STRANGER = """
import os, signal, sys
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: os.write(1, f"{number}\\n".encode()))
while True:
    signal.pause()
"""


def copies(agent):
    """Processes that run the backend's program."""
    return [process for process in agent.backend_processes() if processes.runs_program(process, "backend.py")]


def settled(agent, wanted):
    backend = agent.backend()
    if backend["state"] not in wanted:
        return None
    running = len(copies(agent))
    return backend if running == (1 if backend["state"] == "running" else 0) else None


def run_agent(agent):
    return agent.popen("run", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def configure(agent):
    # A drain makes stops last; small log files rotate all the time.
    agent.configure([*PYTHON_BACKEND, "--drain", "60", "--numbered", "--detached-grandchild"], """\
[backend.app.restart]
start_limit = "1000 in 60s"
max_delay = "0s"
""", stop_timeout="1s")
    text = agent.directory / "codex-agent.toml"
    text.write_text(text.read_text(encoding="ascii").replace("[backend.app]\n", """\
[backend.app]
output_max_size = "16KiB"
""", 1), encoding="ascii")


class Life:
    """A project whose agent is killed in every round."""

    def __init__(self, agent, seed):
        configure(agent)
        self._agent = agent
        self._seed = seed
        self._chance = random.Random(seed)
        self._wanted = {"running"}

    def live(self, rounds):
        agent = self._agent
        stranger = subprocess.Popen(["/usr/bin/python3", "-c", STRANGER], stdout=subprocess.PIPE, text=True)
        self._daemon = run_agent(agent)
        try:
            agent.wait_for_agent()
            agent.wait_for_state("running")
            with processes.CopySampler(agent.token, "backend.py") as sampler:
                for number in range(rounds):
                    self._round(number)
            assert sampler.most <= 1, "two copies of the backend were alive at once"
            agent.journal.check_no_overlap()
            assert len(agent.journal.starts()) > rounds / 10
            assert psutil.Process(stranger.pid).is_running()
        finally:
            stranger.kill()
            signals, _ = stranger.communicate(timeout=10)
            # A command that met no agent has started one of its own; then that is the one that runs.
            agent.run("shutdown")
            self._daemon.terminate()
            self._daemon.wait(30)
        assert signals == "", "a stranger got signals"
        agent.assert_nothing_runs()

    def _round(self, number):
        agent, process = self._agent, None
        command = self._chance.choice(["start", "stop", "stop", "restart", "restart", "crash", "nothing"])
        if command == "crash":
            for victim in copies(agent):
                victim.kill()
        elif command != "nothing":
            process = agent.popen(command)
        time.sleep(self._chance.uniform(0, 0.25))
        self._daemon.kill()
        self._daemon.wait(10)
        if process is not None:
            process.communicate(timeout=60)
            after = {"stopped"} if command == "stop" else {"running"}
            # What was answered holds; of what was not, either end is right.
            self._wanted = after if process.returncode == 0 else self._wanted | after
        self._daemon = run_agent(agent)
        began = time.monotonic()
        agent.wait_for_agent()
        backend = wait_until(lambda: settled(agent, self._wanted), LIMIT,
                             f"seed {self._seed}, round {number} ({command}): one of {self._wanted}", interval=0.02)
        self._wanted = {backend["state"]}
        assert time.monotonic() - began < LIMIT


def test_a_fresh_agent_always_ends_in_the_wanted_state_with_one_tree(make_agent):
    lives = [Life(make_agent(f"project{number}"), SEED + number) for number in range(PROJECTS)]
    with concurrent.futures.ThreadPoolExecutor(PROJECTS) as pool:
        for done in [pool.submit(life.live, ROUNDS // PROJECTS) for life in lives]:
            done.result()
