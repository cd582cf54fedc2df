"""What an agent must make of a server of field_servers.py: of quiet, of a hang, of one stuck worker. Each check starts the
server under an agent of its own, and answers what it saw, in words, and what of it was wrong."""

import contextlib
import datetime
import json
import os
import signal
import threading
import time

import psutil

from .field_servers import Served
from .new_connections import NewConnections
from .rated_requests import RatedRequests, Request
from .waiting import wait_until

# Seconds after which a hang of a class is restarted, see agent/docs/hangs.md, and how much later it may be.
AFTER = {"spin": 5, "futex": 5, "blocked_syscall": 5, "fd_exhausted": 5, "stopped": 1, "handler": 10,
         "pool_exhausted": 10, "threadpool": 10}
LATE = 3
# The longest that is looked at, from when everything stood still.
PATIENCE = 25
TOLD_WITHIN = 5
# What status says is older at most, so that no probe's connection is seen and its attempt is not.
SNAPSHOT = 1.2
# A deadline that is the same may be told with some milliseconds more.
GROWN = 0.5
# Classes of one worker, by the way in which it is stuck.
WORKER_CLASSES = {"spin": ("spin",), "stop": ("stopped",), "lock": ("futex", "blocked_syscall", "handler")}
KILL = '[backend.server.hang.worker]\naction = "kill"\n'


class Seen:
    """Words about one check."""

    def __init__(self):
        self.told, self.wrong = [], []

    def expect(self, true, text):
        if not true:
            self.wrong.append(text)
        return bool(true)

    def tell(self, text):
        self.told.append(text)


def hangs(agent):
    """Class: how often it was told."""
    return {dict(labels)["class"]: int(value) for (name, labels), value in agent.metrics().values.items()
            if name == "codex_agent_backend_hangs_total" and value}


def incidents(agent):
    return json.loads(agent.run("evidence", "--json", expect=0).stdout)["incidents"]


def probed(backend):
    return sum(probe["attempts"] for probe in backend["probes"])


def quiet(name, agent, seen, seconds):
    """Nobody but the probes asks, and nothing happens; nothing has happened during the start either."""
    with running(name, agent) as served:
        seen.expect(not (at_start := hangs(agent)), f"hangs at the start: {at_start}")
        events, before = len(agent.events()), agent.backend()
        with NewConnections(served.port) as connections:
            time.sleep(seconds)
        time.sleep(SNAPSHOT)
        after = agent.backend()
        probes, told = probed(after) - probed(before), sum(hangs(agent).values()) - sum(at_start.values())
        later = agent.events()[events:]
        seen.expect(not later, "events: " + ", ".join(f"{each['reason']} {each['detail']}" for each in later[:3]))
        seen.expect(told == 0, f"{told} hangs told")
        seen.expect(after["restarts"]["total"] == 0, f"{after['restarts']['total']} restarts")
        seen.expect(after["health"] == "healthy", f"is {after['health']} ({after['health_reason']})")
        seen.expect(len(connections.opened) <= probes + 2, f"{len(connections.opened)} connections, {probes} probes")
        seen.tell(f"{len(connections.opened)} connections")


@contextlib.contextmanager
def running(name, agent, extra=""):
    """A server that answers."""
    served = Served(name, agent, extra)
    wait_until(served.answers, 10, "an answer")
    yield served


class Deadline:
    """Of a hang, as status shows it again and again: `due_at`, since `due_in_seconds` is as old as the last snapshot."""

    def __init__(self):
        self._least, self.grown = None, 0.0

    def see(self, due_at):
        at = datetime.datetime.fromisoformat(due_at.replace("Z", "+00:00")).timestamp()
        self._least = at if self._least is None else min(at, self._least)
        self.grown = max(self.grown, at - self._least)


def watch_restart(agent, seen, began, generation):
    """Follows one hang from its beginning to the restart; the classes that it was called, in their order."""
    deadline, classes, told_after, flips, was_hung = Deadline(), [], None, 0, False
    while (now := time.monotonic()) < began + PATIENCE:
        backend = agent.backend()
        hang = backend["hang"]
        if backend["generation"] != generation or backend["state"] in ("stopping", "backoff", "starting"):
            break
        is_hung = hang is not None and backend["state"] == "hung"
        flips += was_hung and not is_hung
        was_hung = is_hung
        if is_hung and hang["class"] not in classes[-1:]:
            classes.append(hang["class"])
        if is_hung and told_after is None:
            told_after = now - began
        if hang and hang["due_at"]:
            deadline.see(hang["due_at"])
        time.sleep(0.1)
    else:
        now = None
    seen.expect(flips == 0, f"{flips} times no longer hung")
    seen.expect(deadline.grown < GROWN, f"the deadline went {deadline.grown:.1f} s away")
    seen.tell(f"told {told_after:.1f} s" if told_after is not None else "not told")
    seen.tell(" ".join(classes) or "-")
    return now, classes


def all_blocked(name, agent, seen, patient):
    """Every handler waits for ever: one hang, one incident, one deadline, one restart."""
    with running(name, agent) as served:
        generation, told_before, evidence_before = agent.backend()["generation"], hangs(agent), len(incidents(agent))
        clients, began = served.block_all(patient)
        restarted, classes = watch_restart(agent, seen, began, generation)
        allowed = set(served.server.classes)
        seen.expect(classes and set(classes) <= allowed, f"called {' '.join(classes) or 'nothing'}, not one of {sorted(allowed)}")
        if seen.expect(restarted, f"not restarted in {PATIENCE} s"):
            after, due = restarted - began, min(AFTER.get(kind, 10) for kind in classes or ["handler"])
            seen.tell(f"restart {after:.1f} s")
            seen.expect(after <= due + LATE, f"restarted after {after:.1f} s, not {due}")
            seen.expect(after >= due - 1, f"restarted after {after:.1f} s, already")
            wait_until(lambda: agent.backend()["state"] == "running" and served.answers(1), 30, "well again")
            restarts = agent.backend()["restarts"]
            seen.expect(restarts["by_reason"] == {**restarts["by_reason"], "hang": 1} and restarts["total"] == 1,
                        f"restarts {restarts}")
        told = sum(hangs(agent).values()) - sum(told_before.values())
        seen.expect(told == 1, f"{told} hangs told")
        evidence = len(incidents(agent)) - evidence_before
        seen.expect(evidence == 1, f"{evidence} incidents")
        for client in clients:
            client.close()


def stick(served, way):
    """Makes one worker stuck; (its pid, the connection that keeps it so)."""
    workers = served.worker_pids()
    connection = served.send({"spin": "/spin", "lock": "/block", "stop": "/"}[way], timeout=60)

    def worker():
        """Who has the connection: a worker, and no master that is about to pass it on."""
        owner = served.owner(connection)
        return owner if owner in workers or not workers else None

    if way != "stop":
        return wait_until(worker, 5, "a worker that has the request"), connection
    pid = max(workers) if workers else wait_until(worker, 5, "a worker")
    os.kill(pid, signal.SIGSTOP)
    return pid, connection


def told_worker(agent, pid):
    """What status says of it, with the backend's health."""
    backend = agent.backend()
    workers = backend.get("workers") or {"list": []}
    return next(((each, workers, backend) for each in workers["list"] if each["pid"] == pid), None)


def free(pid):
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).resume()


def one_worker(name, agent, seen, way, watched=6.0):
    """One of several is stuck: told by pid and class, and nothing else."""
    with running(name, agent) as served:
        server, before = served.server, agent.backend()
        pid, connection = stick(served, way)
        began = time.monotonic()
        try:
            told = wait_until(lambda: told_worker(agent, pid), TOLD_WITHIN, f"worker {pid} in status", interval=0.03)
        except AssertionError:
            told = None
        if seen.expect(told, f"{way}: not told in {TOLD_WITHIN} s"):
            worker, workers, backend = told
            seen.tell(f"{worker['class']} {time.monotonic() - began:.1f} s")
            reason = f"{backend['health_reason']} {backend['problem']}"
            seen.expect(worker["class"] in WORKER_CLASSES[way], f"{way}: called {worker['class']}")
            seen.expect((workers["serving"], workers["hung"]) == (server.workers, 1),
                        f"{way}: {workers['hung']} of {workers['serving']} workers, not 1 of {server.workers}")
            seen.expect(backend["health"] == "degraded", f"{way}: health is {backend['health']}")
            seen.expect(f"1 of {server.workers} workers" in reason and str(pid) in reason, f"{way}: reason is {reason!r}")
        time.sleep(max(0, began + watched - time.monotonic()))
        failed = sum(not served.answers(2) for _ in range(6))
        after = agent.backend()
        seen.expect(failed <= server.loses, f"{way}: {failed} of 6 requests failed")
        seen.expect(after["generation"] == before["generation"] and after["restarts"]["total"] == 0, f"{way}: restarted")
        seen.expect(not (told := hangs(agent)) or way == "stop", f"{way}: told as a hang of all: {told}")
        free(pid)
        connection.close()


def one_worker_killed(name, agent, seen):
    """The same where it is to be ended: the others go on. One that nobody replaces costs a restart of all."""
    with running(name, agent, KILL) as served:
        server, before = served.server, agent.backend()
        others = served.worker_pids()
        if server.replaces:  # its master shows that it does
            psutil.Process(others.pop()).kill()
            wait_until(lambda: len(served.worker_pids(1)) == server.workers, 5, "another worker")
            time.sleep(SNAPSHOT)
            others = served.worker_pids()
        pid, connection = stick(served, "lock")
        began = time.monotonic()
        with RatedRequests(served.port, [Request("/")], rate=10, timeout=PATIENCE) as load:
            victim = psutil.Process(pid)
            wait_until(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE, PATIENCE,
                       f"the end of worker {pid}")
            ended = time.monotonic() - began
            seen.tell(f"ended {ended:.1f} s")
            seen.expect(ended <= max(AFTER[kind] for kind in WORKER_CLASSES["lock"]) + LATE, f"ended after {ended:.1f} s")
            if server.replaces:
                wait_until(lambda: len(served.worker_pids(1)) == server.workers, 5, "another worker")
                after, failed = agent.backend(), len(load.failures)
                seen.expect(others - {pid} <= served.worker_pids(), "other workers were ended, too")
                seen.expect(after["restarts"]["total"] == 0 and after["pid"] == before["pid"], "all was restarted")
                seen.expect(failed <= server.loses, f"{failed} requests failed: {load.failures[:1]}")
            else:
                wait_until(lambda: agent.backend()["generation"] == before["generation"] + 1, 10, "the restart")
        wait_until(lambda: agent.backend()["health"] == "healthy", 30, "well again")
        connection.close()


def edited(name, agent, seen):
    """A server that reloads itself does so: no hang, and no restart by the agent."""
    with running(name, agent) as served:
        before, file = served.ask()[1], agent.directory / served.server.edits

        def reloaded():
            """Edits it once more if it is still the same: it may not have begun to watch before."""
            if served.ask()[1] not in (0, before):
                return True
            file.write_text(file.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
            return False

        wait_until(reloaded, 20, "an answer of another process", interval=4)
        wait_until(lambda: agent.backend()["health"] == "healthy", 5, "well again")
        seen.expect(not (told := hangs(agent)), f"told as a hang: {told}")
        seen.expect(agent.backend()["restarts"]["total"] == 0, "restarted")


# One spinning program at a time: two of them and an agent want more processors than there are.
_one_spins = threading.Lock()


def checks(server, quiet_seconds):
    """Name: function of (name, agent, seen)."""
    found = {
        "quiet": lambda *about: quiet(*about, quiet_seconds),
        "all blocked": lambda *about: all_blocked(*about, patient=True),
        "and left": lambda *about: all_blocked(*about, patient=False),
    }
    for way in server.ways:
        found[f"one: {way}"] = lambda *about, way=way: one_worker(*about, way)
    if "lock" in server.ways:
        found["one: killed"] = one_worker_killed
    if server.edits:
        found["edited"] = edited
    return found


def perform(name, check, agent, function):
    """One check of one server; what was seen. The agent must be closed afterwards."""
    seen = Seen()
    with _one_spins if check.endswith("spin") else contextlib.nullcontext():
        try:
            function(name, agent, seen)
        except (AssertionError, OSError, KeyError, ValueError, psutil.Error) as error:
            seen.wrong.append(" ".join(str(error).split())[:300] or repr(error))
    return seen
