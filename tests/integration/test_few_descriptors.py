"""An agent without a descriptor to spare: a command may fail, the agent lives."""

import contextlib
import itertools
import os
import resource
import socket

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.waiting import wait_until


@pytest.fixture
def serving(agent):
    """A backend whose probes rest, so that descriptors can be counted."""
    agent.configure(PYTHON_BACKEND, period="60s")
    agent.start()
    return agent


@contextlib.contextmanager
def descriptors_left(pid, count):
    """The process may open so many descriptors more, and no other. Yields what to call while it works: a descriptor that
    was open for a moment only, when the others were counted, is one that it could open more."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    steady = None

    def count_again():
        nonlocal steady
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        steady = used if steady is None else steady & used
        unused = (number for number in itertools.count() if number not in steady)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(itertools.islice(unused, count, None)), before[1]))

    count_again()
    try:
        yield count_again
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def connect(agent):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(agent.state_directory / "control.sock"))
    return client


def ask(agent, request):
    """The whole answer to one request on the control socket."""
    with connect(agent) as client:
        client.sendall(f"{request} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize("command,state,generation", [("start", "running", 1), ("stop", "stopped", 1), ("restart", "running", 2)])
def test_a_command_that_cannot_look_at_the_processes_is_carried_out_all_the_same(serving, command, state, generation):
    """As soon as there are descriptors again."""
    daemon = psutil.Process(serving.pid)
    with descriptors_left(daemon.pid, 1):
        answer = ask(serving, f"POST /v1/{command}")
    assert processes.alive(daemon), f"{command} ended the agent"
    assert answer.startswith(b"HTTP/1.1 202 "), answer
    wait_until(lambda: (found := serving.backend())["state"] == state and found["generation"] == generation, 20, state)
    serving.stop()
    serving.assert_nothing_runs()


def test_clients_that_hold_every_descriptor_do_not_end_the_agent(serving):
    daemon = psutil.Process(serving.pid)
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors_left(daemon.pid, 8))
        for _ in range(40):
            stack.enter_context(connect(serving))
        answer = ask(serving, "POST /v1/start")
    assert processes.alive(daemon), "the start ended the agent"
    assert answer.startswith(b"HTTP/1.1 202 "), answer
    serving.run("restart", expect=0)


@pytest.mark.parametrize("left", [2, 3, 5])
def test_a_server_that_cannot_be_watched_when_it_begins_to_listen_is_watched_later(agent, left):
    agent.configure([*PYTHON_BACKEND, "--listen-after", "1500"])
    agent.start("--no-wait")
    daemon = psutil.Process(agent.pid)
    with descriptors_left(daemon.pid, left) as count_again:
        wait_until(lambda: count_again() or processes.listening(agent.port), 15, "the listener")
        # Where not even the port can be looked at, the watch is not begun either.
        fails = ('look="hang watch"', "look=port")
        wait_until(lambda: not processes.alive(daemon) or any(look in agent.log for look in fails), 15,
                   "the look that fails")
        assert processes.alive(daemon), "it ended the agent"
    backend = agent.wait_for_state("running")
    assert backend["generation"] == 1
    assert all(agent.log.count(f"look_fails backend=app {look}") <= 1 for look in fails), "told once"
    psutil.Process(backend["port"]["owner_pid"]).suspend()
    wait_until(lambda: "class=stopped action=continue" in agent.log, 15, "a hang that is seen")
