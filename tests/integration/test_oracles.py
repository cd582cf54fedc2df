"""The witnesses of the other tests must catch what they are there for: each is shown the mistake once."""

import os
import socket
import subprocess
import uuid

import pytest

from harness import processes
from harness.agent import NODE_BACKEND, PYTHON_BACKEND
from harness.field.checks import Deadline
from harness.journal import Journal
from harness.new_connections import NewConnections
from harness.ports import free_port
from harness.waiting import holds_for, wait_until


@pytest.fixture
def spawn(tmp_path):
    """Starts backends without any agent, all with one token and one journal."""
    token = uuid.uuid4().hex
    journal = Journal(tmp_path / "journal.jsonl")
    started = []

    def start(command, port=None):
        environment = {"PATH": os.environ["PATH"], processes.MARKER: token, "PORT": str(port or free_port()),
                       "BACKEND_JOURNAL": str(journal.path)}
        count = len(journal.starts())
        started.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL))
        wait_until(lambda: len(journal.starts()) > count, 10, "the start")
        return started[-1]

    start.token, start.journal = token, journal
    yield start
    for process in processes.marked(token):
        process.kill()
    for process in started:
        process.wait()


@pytest.mark.parametrize("first,second", [(PYTHON_BACKEND, NODE_BACKEND), (NODE_BACKEND, PYTHON_BACKEND)])
def test_the_journal_convicts_two_generations_at_once(spawn, first, second):
    spawn(first)
    spawn(second)
    wait_until(lambda: spawn.journal.events("overlap"), 5, "the overlap line")
    with pytest.raises(AssertionError):
        spawn.journal.check_no_overlap()


@pytest.mark.parametrize("command", [PYTHON_BACKEND, NODE_BACKEND])
def test_the_journal_acquits_one_after_the_other(spawn, command):
    for _ in range(3):
        process = spawn(command)
        process.terminate()
        assert process.wait(10) == 0
    process = spawn(command)
    process.kill()
    process.wait()
    spawn(command)
    assert len(spawn.journal.starts()) == 5
    spawn.journal.check_no_overlap()


def test_the_sampler_counts_copies(spawn):
    with processes.CopySampler(spawn.token, "backend.py") as sampler:
        spawn(PYTHON_BACKEND)
        wait_until(lambda: sampler.most == 1, 5, "the first copy")
        spawn(PYTHON_BACKEND)
        wait_until(lambda: sampler.most == 2, 5, "the second copy")


def test_an_escaped_process_is_found_by_its_token(spawn):
    port = free_port()
    leader = spawn([*PYTHON_BACKEND, "--double-fork-holder"], port)
    wait_until(lambda: processes.listening(port), 10, "the listener")
    leader.kill()
    leader.wait()
    holder = next(process for process in processes.marked(spawn.token) if processes.alive(process))
    assert holder.pid != leader.pid and os.getsid(holder.pid) != os.getsid(0)
    assert processes.listening(port)


def test_a_zombie_is_dead(spawn):
    process = spawn(PYTHON_BACKEND)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert processes.marked(spawn.token) == []
    assert not processes.alive(processes.psutil.Process(process.pid))


def test_waiting_reports_what_did_not_happen():
    with pytest.raises(AssertionError, match="the moon did not happen"):
        wait_until(lambda: False, 0.05, "the moon")
    with pytest.raises(AssertionError, match="calm stopped to hold"):
        holds_for(lambda: False, 1, "calm")


def test_every_connection_to_the_port_is_counted_and_no_other():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        with NewConnections(server.getsockname()[1]) as connections:
            for listener in (server, other, server, other, server):
                with socket.create_connection(listener.getsockname()) as client:
                    client.sendall(b"no packet of a connection is another connection")
        assert len(connections.opened) == 3


@pytest.mark.parametrize("seconds,grown", [((5, 5, 5), 0), ((5, 9, 7), 4), ((9, 5, 8), 3)])
def test_a_deadline_that_recedes_is_noticed(seconds, grown):
    deadline = Deadline()
    for second in seconds:
        deadline.see(f"2026-12-01T00:00:{second:02}.000Z")
    assert deadline.grown == grown
