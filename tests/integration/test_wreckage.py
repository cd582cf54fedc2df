"""What earlier agents, crashes and people leave lying about: no wrong signal, and the right outcome."""

import os
import pathlib
import shutil
import socket
import subprocess

import psutil
import pytest

from harness.agent import PYTHON_BACKEND
from harness.waiting import holds_for, wait_until

WITNESS = """
import os, signal
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: os.write(1, b"signal"))
os.write(1, b"ready")
while True:
    signal.pause()
"""


class Witness:
    """A stranger that tells whether it ever got a signal."""

    def __init__(self):
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", WITNESS], stdout=subprocess.PIPE)
        assert self.process.stdout.read(5) == b"ready"

    @property
    def pid(self):
        return self.process.pid

    def check_untouched(self):
        assert self.process.poll() is None, "the stranger was killed"
        self.process.kill()
        assert self.process.communicate(timeout=10)[0] == b"", "the stranger got a signal"


@pytest.fixture
def witness():
    stranger = Witness()
    yield stranger
    stranger.process.kill()
    stranger.process.wait(10)


@pytest.fixture
def serving(agent):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    return agent


def test_a_pid_file_that_names_a_stranger_harms_nobody(agent, witness):
    agent.configure(PYTHON_BACKEND)
    pid_file = agent.directory / "logs" / "server.pid"
    pid_file.parent.mkdir()
    pid_file.write_text(f"{witness.pid}\n", encoding="ascii")
    agent.run("stop", expect=0)
    agent.start()
    agent.kill_daemon()
    pid_file.write_text(f"{witness.pid}\n", encoding="ascii")
    agent.run("restart", expect=0)
    wait_until(lambda: pid_file.read_text(encoding="ascii") == f"{agent.backend()['pid']}\n", 10, "the pid file")
    pid_file.write_text(f"{witness.pid}\n", encoding="ascii")
    agent.stop()
    agent.assert_nothing_runs()
    witness.check_untouched()


def test_a_lock_file_that_names_a_stranger_harms_nobody(agent, witness):
    agent.configure(PYTHON_BACKEND)
    agent.state_directory.mkdir(mode=0o700)
    (agent.state_directory / "lock").write_text(f"{witness.pid}\n", encoding="ascii")
    agent.start()
    agent.stop()
    witness.check_untouched()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may choose the next pid (ns_last_pid)")
def test_a_pid_that_was_used_again_is_another_process(serving):
    backend = serving.backend()["pid"]
    serving.kill_daemon()
    psutil.Process(backend).kill()
    wait_until(lambda: not psutil.pid_exists(backend), 10, "the end of the backend")
    stranger = None
    for _ in range(200):
        pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(backend - 1), encoding="ascii")
        candidate = Witness()
        if candidate.pid == backend:
            stranger = candidate
            break
        candidate.process.kill()
        candidate.process.communicate()
    assert stranger, "the pid could not be had again"
    serving.run("restart", expect=0)
    assert serving.backend()["pid"] != backend
    serving.stop()
    stranger.check_untouched()


def test_a_stale_socket_is_replaced(agent):
    agent.configure(PYTHON_BACKEND)
    agent.state_directory.mkdir(mode=0o700)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(agent.state_directory / "control.sock"))
    stale.close()
    agent.start()
    agent.stop()


@pytest.mark.parametrize("damage", [b"", b"{", "half", b"\xff\xfe\x00"], ids=["empty", "a brace", "half", "garbage"])
def test_a_damaged_state_file_is_no_reason_to_lose_the_backend(serving, damage):
    before = serving.backend()
    serving.kill_daemon()
    state = serving.state_directory / "state.json"
    text = state.read_bytes()
    state.write_bytes(text[:len(text) // 2] if damage == "half" else damage)
    serving.run("run", "--background", expect=0)
    after = serving.wait_for_state("running")
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    assert "state_file_ignored" in serving.log
    assert len(serving.journal.starts()) == 1


def check_one_agent_with_its_backend(agent, pid):
    backend = agent.wait_for_state("running")
    assert backend["pid"] == pid
    told = agent.run("run", "--background")
    assert [process.name() for process in agent.processes()].count("codex-agentd") == 1, told.stderr
    assert len(agent.journal.starts()) == 1


def test_a_deleted_lock_lets_no_second_agent_in(serving):
    pid = serving.backend()["pid"]
    (serving.state_directory / "lock").unlink()
    check_one_agent_with_its_backend(serving, pid)


def test_a_wiped_run_directory_is_made_anew(serving):
    pid, daemon = serving.backend()["pid"], serving.pid
    shutil.rmtree(serving.state_directory)
    second = serving.run("run", "--background")
    assert "already runs" in second.stderr or second.returncode == 0, second.stderr
    serving.wait_for_agent()
    assert serving.pid == daemon, "not the same agent"
    check_one_agent_with_its_backend(serving, pid)
    serving.run("restart", expect=0)
    serving.stop()
    serving.assert_nothing_runs()


def test_a_wiped_run_directory_and_a_killed_agent_lose_nothing(agent):
    agent.configure([*PYTHON_BACKEND, "--numbered"])
    agent.start()
    pid = agent.backend()["pid"]
    agent.kill_daemon()
    shutil.rmtree(agent.state_directory)
    agent.run("run", "--background", expect=0)
    backend = agent.wait_for_state("running")
    assert backend["pid"] == pid and backend["generation"] == 1
    lines = agent.backend()["output"]["lines"]["stdout"]
    wait_until(lambda: agent.backend()["output"]["lines"]["stdout"] > lines + 50, 10, "more output")
    agent.stop()
    agent.assert_nothing_runs()


def test_half_a_start_is_no_second_copy(agent):
    """The agent dies right after it has spawned: the next one finds the process by its token."""
    agent.configure([*PYTHON_BACKEND, "--listen-after", "1500"])
    start = agent.popen("start")
    wait_until(lambda: agent.journal.starts(), 10, "the spawn")
    agent.kill_daemon()
    start.communicate(timeout=20)
    agent.run("run", "--background", expect=0)
    agent.wait_for_state("running")
    assert len(agent.journal.starts()) == 1
    holds_for(lambda: len(agent.journal.starts()) == 1, 1, "one copy")
