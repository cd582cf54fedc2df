"""Scenarios in milliseconds: how soon a dead backend runs again, and how long a restart is not answered."""

import contextlib
import random
import signal
import statistics
import subprocess
import time

from . import lab
from .supervisors import S6, CodexAgent, Floor
from .table import Table, spread


class Steady(CodexAgent):
    """A run of half a second is a stable one, so that no restart is delayed."""

    restart_table = 'stable_after = "500ms"'


def crash(ground, peers, quick):
    """All supervisors are up at the same time and are struck in turn: noise of the machine meets them alike."""
    rounds = {True: (12, 5), False: (40, 20)}[quick]
    table = Table("Crash: SIGKILL of the backend → the next one", "supervisor", "kill → exec ms", "kill → listening ms")
    table.note("Static C backend that stamps CLOCK_MONOTONIC at main() and after listen(). min / median / max. Supervisors "
               "are struck in turn in the same minutes, at an uptime of at least 1.3 s. codex-agent: "
               "restart.stable_after = 500ms (default 10s), else defaults.")
    table.note(Floor.note)
    with contextlib.ExitStack() as stack:
        running = []
        for peer in [Floor, *peers]:
            service = ground.service("static", notifies=peer is S6)
            supervisor = (Steady if peer is CodexAgent else peer)(service)
            stack.callback(ground.end, service)
            stack.callback(supervisor.close)
            supervisor.launch()
            if lab.wait_for(service.answering, 20):
                running.append((peer, service, [], []))
            else:
                table.row(peer.name, "did not start", "")
        for number in range(rounds[0]):
            for peer, service, execs, listens in running:
                if number >= rounds[1] and peer not in (Floor, CodexAgent):
                    continue
                _strike(service, execs, listens)
    medians = {}
    for peer, _, execs, listens in running:
        table.row(peer.name, spread(execs, digits=2), spread(listens, digits=2))
        medians[peer] = statistics.median(execs) if execs else None
    if CodexAgent in peers:
        ours, floor = medians.get(CodexAgent), medians.get(Floor)
        table.promise("median crash → exec at most twice the floor's", ours and floor and ours <= 2 * floor)
    return table


def _strike(service, execs, listens):
    """Kills the backend once; after 6 s without a successor the trial counts for nothing."""
    started = service.journal("L")[-1]
    uptime = 1.3 + random.random() * 0.2
    time.sleep(max(0.0, uptime - (time.monotonic() - started[2] / 1e9)))
    before = service.count("L")
    identity = lab.identify(started[1])
    if identity is None:
        return
    at = time.monotonic_ns()
    lab.kill(identity, signal.SIGKILL)
    if lab.wait_for(lambda: service.count("L") > before, 6, 0.01):
        execs.append((next(entry for entry in service.journal("E") if entry[2] > at)[2] - at) / 1e6)
        listens.append((service.journal("L")[-1][2] - at) / 1e6)


def down_time(ground, peers, quick):
    times = 5 if quick else 12
    table = Table("Down time of a restart", "backend", "supervisor", "down ms", "bad answers", "command → up again ms",
                  "CLI back ms")
    table.note("Polled every 1 ms with a new connection: between the last good answer before and the first one after. The "
               "backend ends at once on SIGTERM. min / median / max. `own start`: spawn → listening under the floor. The "
               "floor and codex-agent are restarted in turn, the others one after the other.")
    together = [Floor] + [peer for peer in peers if peer is CodexAgent]
    for kind in ("static", "node"):
        outages = _restart_in_turn(ground, together, kind, times)
        for peer in peers:
            if peer is not CodexAgent:
                outages += _restart_in_turn(ground, [peer], kind, times)
        for outage in outages:
            table.row(kind, outage.name, *outage.cells())
        own = statistics.median(outages[0].own_starts)
        table.row(kind, "(own start)", spread(outages[0].own_starts), "", "", "")
        if CodexAgent in peers:
            # Where even the floor takes longer (node has to end first), nobody can be quicker than it.
            limit = max(own, outages[0].median()) + 10
            table.promise(f"{kind}: median down time at most 10 ms over the backend's own start ({own:.1f} ms) or the "
                          f"floor's down time ({outages[0].median():.1f} ms)",
                          len(outages[1].down) == times and outages[1].median() <= limit)
    return table


class Outages:
    """A supervisor whose backend is polled while it is restarted."""

    def __init__(self, ground, peer, kind, stack):
        self.name = peer.name
        self.service = ground.service(kind, notifies=peer is S6 and kind == "static")
        self.down, self.bad, self.up, self.cli, self.own_starts = [], [], [], [], []
        stack.callback(ground.end, self.service)
        self._supervisor = peer(self.service)
        stack.callback(self._supervisor.close)
        self._supervisor.launch()
        self._poller = None
        if lab.wait_for(self.service.answering, 20):
            self._poller = stack.enter_context(Poller(ground.part("poller"), self.service.port))
            self._poller.wait_ready()

    def restart(self):
        if self._poller is None:
            return
        time.sleep(1.3)
        listens = self.service.count("L")
        begin = time.monotonic_ns()
        self._supervisor.restart()
        self.cli.append((time.monotonic_ns() - begin) / 1e6)
        if not lab.wait_for(lambda: self.service.count("L") > listens, 8, 0.002):
            return
        time.sleep(0.1)  # for the poller's first good answer
        gaps = [gap for gap in self._poller.gaps() if gap[1] >= begin]
        listening = self.service.journal("L")[-1][2]
        self.down.append(sum(good - last for last, good, _ in gaps) / 1e6)
        self.bad.append(sum(count for _, _, count in gaps))
        self.up.append((max((good for _, good, _ in gaps), default=listening) - begin) / 1e6)

    def median(self):
        return statistics.median(self.down) if self.down else float("inf")

    def cells(self):
        if self._poller is None:
            return "did not start", "", "", ""
        return spread(self.down), spread(self.bad, digits=0), spread(self.up), spread(self.cli)


def _restart_in_turn(ground, peers, kind, times):
    with contextlib.ExitStack() as stack:
        outages = [Outages(ground, peer, kind, stack) for peer in peers]
        for _ in range(times):
            for outage in outages:
                outage.restart()
        for outage in outages:
            outage.own_starts = _own_starts(outage.service)
        return outages


def _own_starts(service):
    """Spawn → listening in ms, where the supervisor journals its spawns (the floor)."""
    starts, spawned = [], None
    for what, _, at in service.journal():
        if what == "S":
            spawned = at
        elif what == "L" and spawned:
            starts.append((at - spawned) / 1e6)
    return starts


class Poller:
    """poller.c, and what it has seen so far."""

    def __init__(self, program, port):
        self._path = f"{program}-{port}.out"
        with open(self._path, "wb") as out:
            self._process = subprocess.Popen([program, str(port)], stdout=out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def _lines(self):
        with open(self._path, encoding="ascii") as file:
            return [line.split() for line in file.read().splitlines()]

    def wait_ready(self):
        assert lab.wait_for(lambda: ["ready"] in self._lines(), 10), "the poller got no answer"

    def gaps(self):
        """(last good, first good, bad answers) of the ended outages."""
        return [tuple(map(int, line[1:])) for line in self._lines() if line and line[0] == "gap" and len(line) == 4]
