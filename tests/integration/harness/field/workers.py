"""One of several workers is stuck."""

import contextlib
import os
import signal
import time

import psutil

from ..rated_requests import RatedRequests, Request
from ..waiting import wait_until
from .seen import AFTER, LATE, PATIENCE, restarts, running

TOLD_WITHIN = 5
REPLACED_WITHIN = 10
# Classes of one worker, by the way in which it is stuck.
WORKER_CLASSES = {"spin": ("spin",), "stop": ("stopped",), "lock": ("futex", "blocked_syscall", "handler")}
KILL = '[backend.server.hang.worker]\naction = "kill"\nreplaced = true\n'


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
    served = running(name, agent)
    server = served.server
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
    seen.expect(not (done := restarts(agent)), f"{way}: restarted: {done}")
    seen.expect(after["state"] != "hung", f"{way}: told as a hang of all: {after['health_reason']}")
    free(pid)
    connection.close()


def one_worker_killed(name, agent, seen):
    """The same where it is to be ended: the others go on. One that nobody replaces, against the word of the
    configuration, costs a restart of all."""
    served = running(name, agent, KILL)
    server, generation = served.server, agent.backend()["generation"]
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
            failed = len(load.failures)
            seen.expect(others - {pid} <= served.worker_pids(), "other workers were ended, too")
            seen.expect(not (done := restarts(agent)), f"all was restarted: {done}")
            seen.expect(failed <= server.loses, f"{failed} requests failed: {load.failures[:1]}")
        else:
            wait_until(lambda: agent.backend()["generation"] == generation + 1, REPLACED_WITHIN + LATE, "the restart")
    wait_until(lambda: agent.backend()["health"] == "healthy", 30, "well again")
    connection.close()
