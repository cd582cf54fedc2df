"""The backend's output: always drained, whatever the disk or the agent does."""

import os
import subprocess
import time

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.waiting import holds_for, wait_until

MEBIBYTE = 1 << 20


def chatter_is_over(agent):
    return agent.journal.events("chatter_over")


def log_files(agent):
    return sorted((agent.directory / "logs").glob("server.log*"))


def test_a_burst_of_100_megabytes_is_drained_and_rotated(agent):
    size = 100 * MEBIBYTE
    agent.configure([*PYTHON_BACKEND, "--chatty", str(size)])
    text = (agent.directory / "codex-agent.toml").read_text(encoding="utf-8")
    agent.write(text.replace("[backend.app]\n", '[backend.app]\noutput_max_size = "1MiB"\noutput_keep = 3\n'))
    agent.start()
    wait_until(lambda: chatter_is_over(agent), 60, "the end of the burst")
    wait_until(lambda: agent.metrics().value("codex_agent_backend_output_bytes_total", stream="stdout") >= size, 20,
               "the agent's count")
    assert agent.backend()["state"] == "running"
    files = log_files(agent)
    assert 1 < len(files) <= 1 + 3
    assert all(path.stat().st_size <= MEBIBYTE + 128 * 1024 for path in files)


def test_a_flood_without_a_newline_is_bounded(agent):
    size = 20 * MEBIBYTE
    agent.configure([*PYTHON_BACKEND, "--chatty", str(size), "--no-newline"])
    agent.start()
    wait_until(lambda: chatter_is_over(agent), 60, "the end of the flood")
    assert agent.backend()["state"] == "running"
    wait_until(lambda: "chatter is over" in agent.output, 20, "the last line")


@pytest.fixture
def tiny_disk(agent):
    """logs/ on a file system of 64 KiB."""
    if os.getuid() != 0:
        pytest.skip("mounting a small file system needs root")
    logs = agent.directory / "logs"
    logs.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(logs)], check=True)
    yield logs
    subprocess.run(["umount", "--lazy", str(logs)], check=True)


def test_a_full_disk_stops_neither_the_backend_nor_the_agent(tiny_disk, agent):
    agent.configure([*PYTHON_BACKEND, "--chatty", str(4 * MEBIBYTE)])
    agent.start()
    wait_until(lambda: chatter_is_over(agent), 30, "the end of the output")
    wait_until(lambda: agent.metrics().value("codex_agent_backend_output_dropped_bytes_total") > 0, 10, "the count")
    assert agent.backend()["state"] == "running"
    for command in ("restart", "stop", "start"):
        agent.run(command, expect=0)
    agent.run("status", expect=0)
    agent.journal.check_no_overlap()


def test_a_log_that_is_moved_away_is_made_again(agent):
    agent.configure([*PYTHON_BACKEND, "--print-env", "PORT"])
    agent.start()
    wait_until(lambda: "PORT=" in agent.output, 5, "the output")
    log = agent.directory / "logs" / "server.log"
    log.rename(log.with_name("server.log.yesterday"))
    agent.run("restart", expect=0)
    wait_until(lambda: log.exists() and "PORT=" in agent.output, 10, "the new file")


def test_the_backend_serves_on_when_the_agent_is_killed_and_is_never_doubled(agent):
    agent.configure([*PYTHON_BACKEND, "--chatty", str(200 * MEBIBYTE)])
    agent.start()
    tree = agent.backend_processes()
    psutil.Process(agent.pid).kill()
    wait_until(lambda: agent.run("status").returncode == 4, 10, "the agent's death")
    holds_for(lambda: all(processes.alive(process) for process in tree), 1, "the backend's life")
    assert processes.listening(agent.port)
    with processes.CopySampler(agent.token, "backend.py") as sampler:
        agent.start()
        agent.wait_for_state("running")
    assert sampler.most == 1
    agent.journal.check_no_overlap()
    agent.run("restart", expect=0)
    agent.journal.check_no_overlap()
    agent.stop()
    agent.assert_nothing_runs()


@pytest.mark.parametrize("moment", range(8))
def test_an_agent_killed_during_a_restart_leaves_a_state_the_next_one_repairs(agent, moment):
    agent.configure([*PYTHON_BACKEND, "--drain", "150", "--listen-after", "150"])
    agent.start()
    restart = agent.popen("restart")
    end = time.monotonic() + moment * 0.08
    wait_until(lambda: time.monotonic() > end, 5, interval=0.002)
    agent.kill_daemon()
    restart.communicate(timeout=20)
    agent.start()
    assert agent.backend()["state"] == "running"
    agent.journal.check_no_overlap()
    copies = [process for process in agent.backend_processes() if processes.runs_program(process, "backend.py")]
    assert len(copies) == 1, processes.describe(copies)
    agent.stop()
    agent.assert_nothing_runs()


def test_terminating_the_agent_follows_the_documented_order(agent):
    """SIGTERM to the agent is an orderly shutdown: backend first, then the agent, lock and socket gone."""
    agent.configure(PYTHON_BACKEND)
    agent.start()
    daemon = psutil.Process(agent.pid)
    daemon.terminate()
    wait_until(lambda: not processes.alive(daemon), 10, "the agent's end")
    agent.assert_nothing_runs()
    assert [line["signal"] for line in agent.journal.events("signal")] == ["SIGTERM"]
    assert "Traceback" not in agent.output
