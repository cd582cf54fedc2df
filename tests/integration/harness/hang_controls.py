"""Negative controls of hang detection: what looks like a hang, or loads the machine, under the real agent with its
defaults. It must restart for none of it, and confirm only what is really there."""

import contextlib
import dataclasses
import functools
import json
import os
import threading
import time
import typing

from . import zoo_cases
from .debugger import Debugger
from .ports import free_port
from .rated_requests import RatedRequests, Request
from .waiting import wait_until
from .web_socket import WebSocket
from .zoo import get


@dataclasses.dataclass
class Found:
    seconds: float
    states: set
    confirmed: dict  # class: times
    suspected: int  # suspicions that lasted half a second; looked at once a minute at most
    restarts: int  # that nobody has asked for
    cpu_percent: float  # of the backend's tree


@dataclasses.dataclass
class Control:
    share: float  # of the bench's time
    beside: typing.Callable = lambda around, agent: contextlib.nullcontext()  # entered before, left before the end
    again: typing.Optional[typing.Callable] = None  # called with (around, agent) again and again
    command: typing.Callable = lambda around: zoo_cases.NODE
    may_confirm: tuple = ()  # classes
    extra: str = ""  # configuration
    commanded: bool = False  # `again` is a restart by command

    def run(self, around, agent, seconds):
        """At least for so long; what was found."""
        command = [str(part) for part in [*self.command(around), agent.port]]
        agent.write(f"[backend.app]\ncommand = {json.dumps(command)}\nport = {agent.port}\n{self.extra}")
        agent.environment.update(around.environment())
        agent.start()
        states, times, cpu = set(), 0, []
        with self.beside(around, agent):
            began = time.monotonic()
            while time.monotonic() - began < seconds:
                if self.again:
                    self.again(around, agent)
                    times += 1
                backend = agent.backend()
                states.add(backend["state"])
                cpu.append((time.monotonic(), backend["resources"]["cpu_seconds_total"]))
                time.sleep(0.2)
            lasted = time.monotonic() - began
        after = wait_until(lambda: (backend := agent.backend())["state"] == "running" and backend, 60, "running again")
        wait_until(lambda: b" 200 " in get(agent.port, "/health"), 60, "an answer")
        metrics = agent.metrics()
        confirmed = {dict(labels)["class"]: int(value) for (name, labels), value in metrics.values.items()
                     if name == "codex_agent_backend_hangs_total" and value}
        used = (cpu[-1][1] - cpu[0][1]) / max(cpu[-1][0] - cpu[0][0], 0.1)
        incidents = json.loads(agent.run("evidence", "--json", expect=0).stdout)["incidents"]
        return Found(lasted, states, confirmed, len(incidents), after["generation"] - 1 - (times if self.commanded else 0),
                     100 * used)

    def wrong(self, found):
        """What should not have been, in words; "" if all is well."""
        confirmed = sorted(set(found.confirmed) - set(self.may_confirm))
        return "; ".join([f"{found.restarts} restarts"] * (found.restarts != 0) +
                         [f"confirmed {', '.join(confirmed)}"] * bool(confirmed))


def block(milliseconds, pause):
    def again(around, agent):
        assert b" 200 " in get(agent.port, f"/hang?m=block{milliseconds}", timeout=30), "it was not blocked"
        time.sleep(milliseconds / 1000 + pause)
    return again


@contextlib.contextmanager
def open_requests(around, agent):
    """Long polls, server-sent events, and WebSockets whose clients talk to a server that does not answer them."""
    end, said = threading.Event(), []

    def talk():
        with WebSocket(agent.port, "/") as connection:
            while not end.wait(2):
                connection.send("anybody there?")
                said.append(connection)

    talkers = [threading.Thread(target=talk, daemon=True) for _ in range(4)]
    for talker in talkers:
        talker.start()
    with zoo_cases.clients(around, agent, *["/poll?ms=8000", "/events?ms=1500"] * 4):
        yield
    end.set()
    for talker in talkers:
        talker.join()
    assert len(set(said)) == len(talkers), "not all of them talked"


def hang_for(mode, seconds, pause=3):
    """A hang that ends by itself, and some seconds in which the server is itself again."""
    def again(around, agent):
        assert b" 200 " in get(agent.port, f"/hang?m={mode}&s={seconds}"), "it does not serve"
        time.sleep(seconds + pause)
    return again


INSPECTOR = functools.cache(free_port)


@contextlib.contextmanager
def paused(around, agent):
    """A breakpoint, for as long as it takes."""
    with Debugger(INSPECTOR()) as debugger:
        debugger.pause()
        get(agent.port, "/", timeout=1)
        assert get(agent.port, "/", timeout=1) == b"", "it is not paused"
        yield


def save(around, agent):
    """nodemon starts the program again, and it is used for a while."""
    server = agent.backend()["port"]["owner_pid"]

    def restarted():
        zoo_cases.save_file(around, None)  # nodemon may not look yet
        with contextlib.suppress(AssertionError):
            return wait_until(lambda: agent.backend()["port"]["owner_pid"] not in (server, None), 3)

    wait_until(restarted, 60, "another server")
    time.sleep(2)


def deploy(around, agent):
    agent.run("restart", expect=0)
    time.sleep(3)


@contextlib.contextmanager
def collections(around, agent):
    assert b" 200 " in get(agent.port, "/hang?m=collects"), "it does not collect"
    with RatedRequests(agent.port, [Request("/")]):
        yield


# A liveness probe has its turn whatever the hang watch says: here the watch is asked alone.
PATIENT = '[backend.app.probe.http]\nfailure_threshold = 60\n'
REPORT = PATIENT + '[backend.app.hang]\naction = "report"\n'

CONTROLS = {
    "idle": Control(50),
    "keep_alive_1000": Control(70, beside=zoo_cases.load(1000)),
    # More work than it can do: whoever asks waits for many seconds, the probes too.
    "slow_handlers": Control(60, beside=zoo_cases.load(40, "/work?ms=200")),
    "new_connections": Control(60, beside=zoo_cases.load(700, "/work?ms=5", "close")),
    # Nearly all its time goes into collections of half a second; it still serves in between.
    "collections": Control(50, beside=collections, may_confirm=("gc",),
                           command=lambda around: ["/usr/bin/env", "FULL_HEAP=0.6", "node", "--max-old-space-size=400",
                                                   *zoo_cases.NODE[1:]]),
    "cpu_hogs": Control(70, beside=zoo_cases.hogs(4 * (os.cpu_count() or 1))),
    "open_requests": Control(80, beside=open_requests),
    "block_200": Control(45, again=block(200, 0.6)),
    # Blocked for a second is blocked: told, and healed before anything is done.
    "block_1000": Control(45, again=block(1000, 1.5), may_confirm=("spin",)),
    # Hangs, but none that may be restarted: less than the 30 s of their class, by an operator's word, by a debugger.
    "sync_child": Control(50, again=hang_for("exec", 20), may_confirm=("sync_child",), extra=PATIENT),
    "report": Control(50, again=hang_for("work", 20), may_confirm=("spin",), extra=REPORT),
    "debugger": Control(45, beside=paused, may_confirm=("paused",),
                        command=lambda around: ["node", f"--inspect=127.0.0.1:{INSPECTOR()}", *zoo_cases.NODE[1:]]),
    "nodemon_restart": Control(50, again=save, command=zoo_cases.nodemon,
                               beside=lambda around, agent: RatedRequests(agent.port, [Request("/")])),
    "deploy_restart": Control(50, again=deploy, commanded=True,
                              beside=lambda around, agent: RatedRequests(agent.port, [Request("/")], rate=50)),
}
