"""Scenarios about one tree at a time: stop, restart under npm, and the death of the supervisor itself."""

import threading
import time

from harness.load import Requests

from . import lab
from .table import Table, shorten, spread, tally

UP = 1.2  # seconds after which every peer counts a service as up (startsecs, min_uptime: 1 s)
HOPELESS = 5


def launched(peer, service):
    """The peer with its service answering, or None."""
    supervisor = peer(service)
    supervisor.launch()
    if not lab.wait_for(service.answering, 20):
        supervisor.close()
        return None
    time.sleep(UP)
    return supervisor


# Stop


def stop_once(ground, peer, kind, options, cap):
    """(ms of the CLI, ms until everything was dead, survivors, ms until the port was free, what is said)"""
    service = ground.service(kind, **options)
    supervisor = launched(peer, service)
    if supervisor is None:
        return None
    names = {pid: what for what, pid, _ in service.journal() if what in "CD"}
    tree = service.processes()
    times = {}
    begin = time.monotonic()

    def command():
        supervisor.stop()
        times["cli"] = (time.monotonic() - begin) * 1e3

    caller = threading.Thread(target=command)
    caller.start()
    while time.monotonic() - begin < service.grace + cap:
        left = {identity for identity in tree if lab.alive(identity)}
        if not left and "dead" not in times:
            times["dead"] = (time.monotonic() - begin) * 1e3
        if not service.listening() and "port" not in times:
            times["port"] = (time.monotonic() - begin) * 1e3
        if {"dead", "port"} <= times.keys() and not caller.is_alive():
            break
        time.sleep(0.002)
    left = service.processes()
    held = service.listening()
    who = "+".join(sorted(names.get(pid, "P" if names else lab.command_of(pid).split()[0].rpartition("/")[2])
                          for pid, _ in left)) or "none"
    caller.join()
    said = supervisor.says() if left else ""
    supervisor.close()
    ground.end(service)
    return times.get("cli"), None if left else times.get("dead"), who, None if held else times.get("port"), said


def stop(ground, peers, quick):
    table = Table("Stop: is it all gone?", "tree", "supervisor", "survivors", "port", "everything dead ms",
                  "port free ms", "CLI back ms", "what it says of the survivors")
    grace, cap, times = 1.0, (2.0 if quick else 3.0), (1 if quick else 3)
    cases = (("A: P, C, D stubborn", ["--tree", "stubborn"], {}),
             ("B: P obeys, C, D stubborn", ["--tree", "obeys"], {}),
             ("npm run, 0.5 s shutdown", "npm", {"graceful_ms": 500}))
    table.note("P is the command, C its plain child, D a grandchild (double fork, setsid) and the only holder of the "
               f"port. Grace {grace:.0f} s; ms from the stop command; watched for grace + {cap:.0f} s. min / median / max. "
               "npm's tree dead before 500 ms means that node's shutdown was cut short.")
    for case, kind, options in cases:
        for peer in peers:
            trials = [stop_once(ground, peer, kind, {"grace": grace, **options}, cap) for _ in range(times)]
            if None in trials:
                table.row(case, peer.name, "did not start", "", "", "", "", "")
                kept = False
            else:
                cli, dead, who, port, said = zip(*trials)
                table.row(case, peer.name, tally(who),
                          tally("free" if at is not None else "HELD" for at in port), spread(dead, digits=0),
                          spread(port, digits=0), spread(cli, digits=0), shorten(said[0], 48))
                kept = all(at is not None and at <= grace * 1e3 + 200 for at in dead + port)
            if peer.name == "codex-agent":
                table.promise(f"{case}: no survivor, port free, within grace + 200 ms", kept)
    return table


# Restart


def restart(ground, peers, quick):
    times, graceful = (4, 1000) if quick else (20, 1000)
    table = Table(f"Restart × {times} of `npm run` with a graceful shutdown of {graceful / 1e3:.0f} s", "supervisor",
                  "new copy answered", "EADDRINUSE", "command → new copy answers ms", "CLI exit codes", "at the end",
                  "copies at the end", "what it says")
    table.note("npm → sh → node; on SIGTERM node serves on for 1 s. Grace 3 s. A restart counts when another pid answers "
               "within 5 s of the CLI's return; copies are servers alive 2 s after the last one. "
               f"After {HOPELESS} in a row that do not count no more are tried.")
    for peer in peers:
        service = ground.service("npm", graceful_ms=graceful)
        supervisor = launched(peer, service)
        if supervisor is None:
            table.row(peer.name, "did not start", *[""] * 6)
            table.promise("serving", peer.name != "codex-agent")
            continue
        codes, took, misses = [], [], 0
        while len(codes) < times and misses < HOPELESS:
            before = service.answering()
            begin = time.monotonic()
            codes.append(supervisor.restart().returncode)
            # pylint: disable=cell-var-from-loop
            if lab.wait_for(lambda: service.answering() not in (None, before), 5, 0.01):
                took.append((time.monotonic() - begin) * 1e3)
                misses = 0
            else:
                misses += 1
        time.sleep(2)
        copies = [pid for pid, _ in service.processes() if "server.js" in lab.command_of(pid).split()[-1]
                  and lab.command_of(pid).startswith("node")]
        serving = service.answering() is not None
        in_use = service.count("X")
        table.row(peer.name, f"{len(took)} of {len(codes)}", in_use, spread(took, digits=0), tally(codes),
                  "serving" if serving else "NOT serving", len(copies), shorten(supervisor.says(), 48))
        if peer.name == "codex-agent":
            table.promise("no EADDRINUSE, every restart serves, one copy",
                          not in_use and serving and len(took) == times and len(copies) == 1)
        supervisor.close()
        ground.end(service)
    return table


# Death of the supervisor


def death(ground, peers, quick):
    times, watched = (1, 4.0) if quick else (3, 6.0)
    table = Table("SIGKILL of the supervisor, then start it again", "supervisor", "old pid serves on", "copies",
                  "EADDRINUSE", "failed requests", "at the end", "what it says")
    table.note(f"npm → sh → node. All processes of the supervisor itself are killed, 0.5 s later it is started again and "
               f"watched for {watched:.0f} s, with a request every 5 ms. Copies are trees of npm alive at the end. "
               "min / median / max.")
    for peer in peers:
        kept_pid, copies, in_use, failed, end, says, good = [], [], [], [], [], [], True
        for _ in range(times):
            service = ground.service("npm")
            supervisor = launched(peer, service)
            if supervisor is None:
                good = False
                continue
            before = service.answering()
            with Requests(service.port, pause=0.005, timeout=2) as requests:
                supervisor.kill()
                time.sleep(0.5)
                supervisor.start()
                time.sleep(watched)
            kept_pid.append("yes" if service.answering() == before else "no")
            tops = [pid for pid, _ in service.processes() if lab.command_of(pid).startswith("npm run")]
            copies.append(len(tops))
            in_use.append(service.count("X"))
            failed.append(len(requests.failures))
            end.append("serving" if service.answering() else "NOT serving")
            says.append(supervisor.says())
            supervisor.close()
            ground.end(service)
        good = good and set(kept_pid) == {"yes"} and not any(in_use) and not any(failed) and set(copies) == {1}
        table.row(peer.name, tally(kept_pid or ["did not start"]), spread(copies, digits=0), spread(in_use, digits=0),
                  spread(failed, digits=0), tally(end or ["-"]), shorten(says[0] if says else "", 48))
        if peer.name == "codex-agent":
            table.promise("the old tree and no other, no EADDRINUSE, no failed request", good)
    return table
