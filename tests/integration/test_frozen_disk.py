"""The file system with the state and the logs freezes (fsfreeze(8)): the agent goes on, and so does the truth."""

import os
import pathlib
import subprocess

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.waiting import wait_until

if os.getuid() != 0:
    pytest.skip("only root may mount and freeze a file system", allow_module_level=True)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


class Disk:
    """A file system in a file, on a loop device."""

    def __init__(self, directory):
        self.image, self.mount_point = directory / "disk.img", directory / "disk"
        with open(self.image, "wb") as file:
            file.truncate(64 << 20)
        run("/usr/sbin/mkfs.ext4", "-q", "-O", "^has_journal", str(self.image))
        self.mount_point.mkdir()
        run("mount", "-o", "loop", str(self.image), str(self.mount_point))
        self.frozen = False

    def freeze(self):
        run("/usr/sbin/fsfreeze", "--freeze", str(self.mount_point))
        self.frozen = True

    def thaw(self):
        if self.frozen:
            run("/usr/sbin/fsfreeze", "--unfreeze", str(self.mount_point))
            self.frozen = False

    def remove(self):
        self.thaw()
        run("umount", "--lazy", str(self.mount_point))


@pytest.fixture
def disk(tmp_path):
    try:
        made = Disk(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop mount to be had here: {error}")
    yield made
    made.remove()


@pytest.fixture
def frozen_agent(disk, make_agent, tmp_path):
    """Its project is on the disk, the program and its journal are not."""
    agent = make_agent("disk/project")
    agent.environment["BACKEND_JOURNAL"] = str(tmp_path / "journal.jsonl")
    agent.journal.path = tmp_path / "journal.jsonl"
    agent.configure([*PYTHON_BACKEND, "--numbered"])
    agent.start()
    yield agent
    disk.thaw()


def test_a_frozen_disk_makes_no_second_generation_and_no_lies(frozen_agent, disk):
    agent = frozen_agent
    before = agent.backend()
    metrics_port = agent.metrics_port
    disk.freeze()
    # The backend's output cannot be stored; it must neither block the backend nor the agent.
    dropped = before["output"]["dropped_bytes"]
    wait_until(lambda: agent.backend()["output"]["dropped_bytes"] > dropped, 30, "dropped output", interval=0.2)
    now = agent.backend()
    assert (now["pid"], now["state"]) == (before["pid"], "running")
    # It is killed: supervised as ever, with the truth in the status.
    psutil.Process(before["pid"]).kill()
    after = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found, 30,
                       "the restart", interval=0.1)
    assert processes.listening(agent.port)
    agent.run("stop", "--timeout", "20s", expect=0)
    agent.assert_nothing_runs()
    agent.run("start", "--timeout", "20s", expect=0)
    assert agent.metrics_port == metrics_port
    disk.thaw()
    lines = agent.backend()["output"]["lines"]["stdout"]
    wait_until(lambda: agent.backend()["output"]["lines"]["stdout"] > lines, 10, "output after the thaw")
    size = os.path.getsize(agent.directory / "logs" / "server.log")
    wait_until(lambda: os.path.getsize(agent.directory / "logs" / "server.log") != size, 20, "stored output after the thaw")
    agent.run("status", expect=0)
    agent.journal.check_no_overlap()


def test_an_agent_that_is_killed_on_a_frozen_disk_leaves_one_tree(frozen_agent, disk):
    agent = frozen_agent
    before, daemon = agent.backend(), psutil.Process(agent.pid)
    disk.freeze()
    # Its disk thread may be stuck in the kernel: then it dies when the disk thaws, and not before.
    daemon.kill()
    successor = agent.popen("run", "--background")
    disk.thaw()
    _, err = successor.communicate(timeout=60)
    if successor.returncode != 0:  # It came while the dead one still had the lock.
        assert "already runs" in err
        wait_until(lambda: not processes.alive(daemon), 20, "the death of the old agent")
        agent.run("run", "--background", expect=0)
    agent.wait_for_agent()
    after = agent.wait_for_state("running", 30)
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    assert len(agent.journal.starts()) == 1


def test_the_state_is_on_the_disk(frozen_agent):
    """So that the tests above test what they say."""
    mounted = pathlib.Path(frozen_agent.state_directory).resolve()
    assert os.path.ismount(mounted.parents[1])
