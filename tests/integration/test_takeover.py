"""A new agent takes over from one that was killed or that hands over: no request fails, no line is lost."""

import re
import signal
import subprocess

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.load import Requests
from harness.waiting import wait_until


@pytest.fixture
def serving(agent):
    """A backend that serves and, at the same time, writes numbered lines without a pause."""
    agent.configure([*PYTHON_BACKEND, "--numbered"])
    agent.run("run", "--background", expect=0)
    agent.wait_for_state("running")
    return agent


def kill_agent(agent):
    agent.kill_daemon()
    agent.run("run", "--background", expect=0)


def replace_agent(agent):
    agent.run("run", "--replace", "--background", expect=0)


def numbers(agent):
    text = "".join(path.read_text(encoding="ascii", errors="replace")
                   for path in sorted((agent.directory / "logs").glob("server.log*"), reverse=True))
    return [int(number) for number in re.findall(r"^line (\d+) of \d+ bytes *$", text, re.MULTILINE)]


@pytest.mark.parametrize("change", [kill_agent, replace_agent], ids=["kill -9", "run --replace"])
def test_no_request_fails_and_no_line_is_lost(serving, change):
    before = serving.backend()
    agents = {serving.pid}
    with Requests(serving.port) as requests:
        for _ in range(5):
            served, written = requests.served, len(numbers(serving))
            wait_until(lambda: requests.served > served + 20 and len(numbers(serving)) > written, 20, "requests and lines")
            change(serving)
            agents.add(serving.pid)
            serving.wait_for_state("running")
        served, written = requests.served, len(numbers(serving))
        wait_until(lambda: requests.served > served + 20 and len(numbers(serving)) > written, 20, "requests and lines")
    assert requests.failures == []
    assert len(agents) == 6, "not every agent was a new one"
    after = serving.backend()
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    assert after["starts"] == 1 and after["restarts"]["total"] == 0
    assert len(serving.journal.starts()) == 1
    serving.stop()
    found = numbers(serving)
    # The agent may die between the write of a line and its acknowledgement: then it stands there twice.
    assert sorted(set(found)) == list(range(found[-1] + 1)), "lines are missing"
    if change is replace_agent:
        assert found == list(range(found[-1] + 1)), "lines stand there twice or in disorder"


def test_the_history_goes_on(serving):
    psutil.Process(serving.backend()["pid"]).kill()
    wait_until(lambda: (found := serving.backend())["generation"] == 2 and found["state"] == "running", 10, "the restart")
    before = serving.backend()
    kill_agent(serving)
    after = serving.wait_for_state("running")
    assert after["restarts"] == before["restarts"] and after["restarts"]["total"] == 1
    assert after["exits"] == before["exits"] and after["starts"] == 2
    assert after["last_exit"] == before["last_exit"]
    assert after["restart_budget"] == before["restart_budget"]
    assert serving.metrics().value("codex_agent_backend_restarts_total", reason="crash") == 1


def test_an_operators_stop_outlives_the_agent(serving):
    serving.stop()
    kill_agent(serving)
    assert serving.backend()["state"] == "stopped"
    assert serving.backend()["desired"] == "stopped"
    serving.assert_nothing_runs()


def test_a_backend_in_backoff_is_started_by_the_next_agent(agent):
    agent.configure([*PYTHON_BACKEND, "--exit", "1", "--after", "50"],
                    '[backend.app.restart]\ninitial_delay = "30s"\nmax_delay = "30s"\n')
    agent.popen("start", "--no-wait").communicate(timeout=20)
    agent.wait_for_state("backoff")
    starts = len(agent.journal.starts())
    kill_agent(agent)
    wait_until(lambda: len(agent.journal.starts()) > starts, 10, "another start")


def test_an_orderly_end_leaves_no_wish_behind(serving):
    serving.stop()
    serving.run("shutdown", expect=0)
    serving.run("run", "--background", expect=0)
    serving.wait_for_state("running")


def test_replace_without_an_agent_is_a_plain_run(agent):
    agent.configure(PYTHON_BACKEND)
    agent.run("run", "--replace", "--background", expect=0)
    agent.wait_for_state("running")


def test_an_agent_that_does_not_answer_is_not_replaced_and_nothing_is_harmed(serving):
    before = serving.backend()
    daemon = psutil.Process(serving.pid)
    daemon.suspend()
    try:
        told = serving.run("run", "--replace", "--background", timeout=60)
        assert told.returncode == 1
        assert "does not answer" in told.stderr and "SIGKILL" in told.stderr
    finally:
        daemon.resume()
    assert serving.backend()["pid"] == before["pid"]


def test_replace_in_the_foreground_ends_the_other_agent(serving):
    old = psutil.Process(serving.pid)
    process = serving.popen("run", "--replace", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not processes.alive(old), 20, "the end of the old agent")
        serving.wait_for_agent()
        assert serving.wait_for_state("running")["generation"] == 1
        assert serving.pid == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    serving.assert_nothing_runs()
