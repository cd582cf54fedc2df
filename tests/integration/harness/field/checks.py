"""What an agent must make of a server of servers.py: of quiet, of a hang, of one stuck worker, of an edit.
Each check starts the server under an agent of its own, and notes what it saw, and what of it was wrong."""

import contextlib
import datetime
import threading
import time

import psutil

from ..new_connections import NewConnections
from ..rated_requests import RatedRequests, Request
from ..waiting import wait_until
from .seen import AFTER, LATE, PATIENCE, SNAPSHOT, Seen, hangs, incidents, restarts, running

PROBE_PERIOD = 5
from .workers import one_worker, one_worker_killed

# A deadline that is the same may be told with some milliseconds more.
GROWN = 0.5


def probed(backend):
    return sum(probe["attempts"] for probe in backend["probes"])


def quiet(name, agent, seen, seconds):
    """Nobody but the probes asks, and nothing happens; nothing has happened during the start either."""
    served = running(name, agent)
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
    seen.expect(not (done := restarts(agent)), f"restarted: {done}")
    seen.expect(after["health"] == "healthy", f"is {after['health']} ({after['health_reason']})")
    seen.expect(len(connections.opened) <= probes + 2, f"{len(connections.opened)} connections, {probes} probes")
    seen.tell(f"{len(connections.opened)} connections")


class Deadline:
    """Of a hang, as status shows it again and again: `due_at`, for `due_in_seconds` is as old as the last snapshot."""

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
    served = running(name, agent)
    generation, told_before, evidence_before = agent.backend()["generation"], hangs(agent), len(incidents(agent))
    clients, first, began = served.block_all(patient)
    restarted, classes = watch_restart(agent, seen, began, generation)
    allowed = served.server.classes
    seen.expect(classes and set(classes) <= set(allowed),
                f"called {' '.join(classes) or 'nothing'}, not {' or '.join(allowed)}")
    if seen.expect(restarted, f"not restarted in {PATIENCE} s"):
        after, due = restarted - began, min(AFTER.get(kind, 10) for kind in classes or ["handler"])
        seen.tell(f"restart {after:.1f} s")
        # From outside a TLS request looks like the handshake before it: the agent's own next probe is the first to tell.
        late = LATE + (PROBE_PERIOD if served.server.tls else 0)
        seen.expect(after <= due + late, f"restarted after {after:.1f} s, not {due}")
        seen.expect(restarted - first >= due - 1, f"restarted after {after:.1f} s, already")
        wait_until(lambda: agent.backend()["state"] == "running" and served.answers(1), 30, "well again")
        seen.expect((done := restarts(agent)) == {"hang": 1}, f"restarted: {done}")
    told = sum(hangs(agent).values()) - sum(told_before.values())
    seen.expect(told == 1, f"{told} hangs told")
    evidence = len(incidents(agent)) - evidence_before
    seen.expect(evidence == 1, f"{evidence} incidents")
    for client in clients:
        client.close()


def edited(name, agent, seen):
    """A server that reloads itself does so while it is asked: no hang, and no restart by the agent."""
    served = running(name, agent)
    before, file = served.ask()[1], agent.directory / served.server.edits

    def reloaded():
        """Edits it once more if it is still the same: it may not have begun to watch before."""
        if served.ask()[1] not in (0, before):
            return True
        file.write_text(file.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
        return False

    with RatedRequests(served.port, [Request("/")], rate=10):
        wait_until(reloaded, 20, "an answer of another process", interval=4)
        wait_until(lambda: agent.backend()["health"] == "healthy", 5, "well again")
    seen.expect(not (told := hangs(agent)), f"told as a hang: {told}")
    seen.expect(not (done := restarts(agent)), f"restarted: {done}")


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
