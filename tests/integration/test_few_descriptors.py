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
    """The process may open so many descriptors more, and no other."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    unused = (number for number in itertools.count() if number not in used)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(itertools.islice(unused, count, None)), before[1]))
    try:
        yield
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


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_a_command_that_fails_inside_the_agent_is_answered_with_500(serving, command):
    daemon = psutil.Process(serving.pid)
    with descriptors_left(daemon.pid, 1):
        answer = ask(serving, f"POST /v1/{command}")
    assert processes.alive(daemon), f"{command} ended the agent"
    assert answer.startswith(b"HTTP/1.1 500 ") and answer.endswith(b"\r\n\r\n"), answer
    serving.stop()
    serving.assert_nothing_runs()


def test_the_command_line_says_where_the_reason_stands(serving):
    with descriptors_left(serving.pid, 1):
        done = serving.run("stop")
    assert done.returncode == 1 and done.stdout == "", done
    assert "the agent itself failed at this (HTTP status 500)" in done.stderr, done.stderr
    reasons = wait_until(lambda: [line for line in serving.log.splitlines() if " callback_failed " in line], 5, "the log")
    assert len(reasons) == 1 and "POST /v1/stop" in reasons[0] and "Too many open files" in reasons[0], reasons


def test_clients_that_hold_every_descriptor_do_not_end_the_agent(serving):
    daemon = psutil.Process(serving.pid)
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors_left(daemon.pid, 8))
        for _ in range(40):
            stack.enter_context(connect(serving))
        answer = ask(serving, "POST /v1/start")
    assert processes.alive(daemon), "the start ended the agent"
    assert answer.startswith(b"HTTP/1.1 500 "), answer
    serving.run("restart", expect=0)
