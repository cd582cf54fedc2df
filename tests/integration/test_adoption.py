"""An agent may be killed at any moment: the backend serves on, and the next agent takes it over as it is."""
import psutil
import pytest

from harness.agent import PYTHON_BACKEND
from harness.load import Requests
from harness.waiting import wait_until


@pytest.fixture
def serving(agent):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    return agent


def test_the_next_agent_takes_the_backend_over_without_a_failed_request(serving):
    before = serving.backend()
    started = serving.metrics().value("codex_agent_backend_start_time_seconds")
    with Requests(serving.port) as requests:
        wait_until(lambda: requests.served > 20, 10, "requests")
        serving.kill_daemon()
        serving.start()
        served = requests.served
        wait_until(lambda: requests.served > served + 20, 10, "more requests")
    assert requests.failures == []
    after = serving.backend()
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    assert after["restarts"]["total"] == 0
    assert after["started_at"] == before["started_at"] and after["uptime_seconds"] - before["uptime_seconds"] < 30
    assert after["last_transition"]["reason"] == "ready"
    assert "adopted" in serving.run("events", expect=0).stdout
    assert serving.metrics().value("codex_agent_backend_start_time_seconds") == started, "another one of the same process"


def test_the_death_of_an_adopted_backend_is_seen_and_it_is_restarted(serving):
    serving.kill_daemon()
    serving.start()
    adopted = serving.backend()
    psutil.Process(adopted["pid"]).kill()
    wait_until(lambda: serving.backend()["generation"] == adopted["generation"] + 1
               and serving.backend()["state"] == "running", 10, "the restart")
    serving.journal.check_no_overlap()


def test_what_an_ended_backend_left_behind_is_not_taken_for_it(agent):
    """It ends while no agent looks; its helper, a session leader as it was one itself, lives on."""
    agent.configure([*PYTHON_BACKEND, "--detached-grandchild"])
    agent.start()
    before = agent.backend()
    agent.kill_daemon()
    psutil.Process(before["pid"]).kill()
    agent.start()
    after = agent.backend()
    assert after["generation"] == before["generation"] + 1 and "adopted" not in agent.run("events").stdout
    assert len(agent.backend_processes()) == 2, "the old helper is gone"
    agent.journal.check_no_overlap()


def test_stop_without_an_agent_stops_what_a_killed_one_left(serving):
    serving.kill_daemon()
    serving.run("stop", expect=0)
    serving.assert_nothing_runs()


def test_restart_without_an_agent_never_runs_two_generations(serving):
    generation = serving.backend()["generation"]
    serving.kill_daemon()
    serving.run("restart", expect=0)
    serving.journal.check_no_overlap()
    assert serving.backend()["state"] == "running"
    assert len(serving.journal.events("start")) == generation + 1


def test_a_backend_that_was_told_to_end_is_not_taken_over(agent):
    """It still listens and answers when the next agent comes, but it is on its way out."""
    agent.configure([*PYTHON_BACKEND, "--drain", "1500"], stop_timeout="5s")
    agent.start()
    before = agent.backend()
    stopping = agent.popen("stop")
    wait_until(lambda: agent.journal.events("signal"), 10, "the stop signal")
    agent.kill_daemon()
    stopping.communicate(timeout=20)
    agent.start()
    after = agent.backend()
    assert after["state"] == "running"
    assert after["generation"] == before["generation"] + 1
    agent.journal.check_no_overlap()
