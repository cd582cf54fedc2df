"""A new agent takes over from one that was killed or that hands over: no request fails, no line is lost."""

import datetime
import json
import re
import signal
import sqlite3
import subprocess

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.load import Requests
from harness.ports import free_port
from harness.waiting import holds_for, wait_until


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


def with_database(agent, **options):
    """A backend whose database is a file, and that file."""
    file = agent.directory / "app.db"
    sqlite3.connect(file).close()
    agent.configure(PYTHON_BACKEND, database=f"sqlite:{file}", **options)
    agent.run("run", "--background", expect=0)
    return file, agent.wait_for_state("running")


@pytest.mark.parametrize("change", [kill_agent, replace_agent], ids=["kill -9", "run --replace"])
def test_what_was_running_is_judged_as_running_while_its_database_is_down(agent, change):
    database, before = with_database(agent, start_timeout="3s")
    database.unlink()
    agent.wait_for_state("degraded")
    change(agent)
    after = agent.wait_for_state("degraded", timeout=3)
    assert after["health_reason"].startswith("database"), after
    holds_for(lambda: agent.backend()["pid"] == before["pid"], 4, "the backend beyond the time of a start", interval=0.2)
    sqlite3.connect(database).close()
    assert agent.wait_for_state("running")["generation"] == before["generation"]
    assert agent.backend()["restarts"]["total"] == 0 and agent.backend()["starts"] == 1


def test_a_start_that_is_taken_over_half_way_still_has_its_time_limit(agent):
    agent.configure([*PYTHON_BACKEND, "--never-answer"], start_timeout="3s")
    start = agent.popen("start", "--no-wait")
    start.communicate(timeout=20)
    wait_until(lambda: processes.listening(agent.port), 10, "the listener")
    agent.kill_daemon()
    agent.run("run", "--background", expect=0)
    wait_until(lambda: [event for event in agent.events() if event["reason"] == "start_timeout"], 15, "the end of the start")


def test_a_server_that_is_stopped_is_continued_by_the_next_agent(serving):
    before = serving.backend()
    serving.kill_daemon()
    server = psutil.Process(before["pid"])
    server.suspend()
    serving.start()
    wait_until(lambda: server.status() != psutil.STATUS_STOPPED, 10, "SIGCONT")
    after = serving.wait_for_state("running")
    assert (after["pid"], after["restarts"]["total"]) == (before["pid"], 0)


def replace_amid(agent, command, amid, still=lambda: True):
    """Takes over while `command` waits for its answer; what it says in the end. `still`: what must hold when the new
    agent is there, for it waits for nothing that is under way."""
    old = agent.pid if agent.state_directory.joinpath("lock").exists() else None
    waiting = agent.popen(*command)
    wait_until(amid, 15, f"the {command[0]} under way", interval=0.05)
    old = old or agent.pid
    agent.run("run", "--replace", "--background", expect=0)
    assert agent.pid != old and still() and waiting.poll() is None
    out, err = waiting.communicate(timeout=40)
    assert [process.name() for process in agent.processes()].count("codex-agentd") == 1
    assert waiting.returncode == 0, out + err
    return out


def test_who_waits_for_a_start_gets_the_answer_from_the_next_agent(agent):
    agent.configure([*PYTHON_BACKEND, "--listen-after", "5000"])
    said = replace_amid(agent, ["start"], agent.journal.starts, still=lambda: not processes.listening(agent.port))
    assert "app: running" in said or "already running" in said, said
    assert agent.backend()["state"] == "running"
    assert len(agent.journal.starts()) == 1


def test_who_waits_for_a_restart_gets_the_answer_from_the_next_agent(agent):
    agent.configure([*PYTHON_BACKEND, "--drain", "1500", "--listen-after", "500"], stop_timeout="10s")
    agent.start()
    replace_amid(agent, ["restart"], lambda: agent.backend()["state"] == "stopping")
    assert agent.backend()["state"] == "running"
    assert len(agent.journal.starts()) == 2


def test_who_waits_for_a_stop_gets_the_answer_from_the_next_agent(agent):
    agent.configure([*PYTHON_BACKEND, "--drain", "1500"], stop_timeout="10s")
    agent.start()
    said = replace_amid(agent, ["stop"], lambda: agent.backend()["state"] == "stopping")
    assert "app: stopped" in said, said
    agent.assert_nothing_runs()


def two_backends(agent):
    second = free_port()
    agent.write(f"""
[backend.a]
command = {json.dumps(PYTHON_BACKEND)}
port = {agent.port}
[backend.b]
command = {json.dumps(PYTHON_BACKEND)}
port = {second}
""")
    agent.run("run", "--background", expect=0)
    for name in "ab":
        agent.wait_for_state("running", name=name)


@pytest.mark.parametrize("dead", ["b", "ab"])
def test_a_stop_of_one_backend_forgets_nothing_of_the_others(agent, dead):
    """As the first command after the agent's death, with backends that have died as well."""
    two_backends(agent)
    backends = [psutil.Process(agent.backend(name)["pid"]) for name in dead]
    agent.kill_daemon()
    for backend in backends:
        backend.kill()
        wait_until(lambda gone=backend: not processes.alive(gone), 10, "its death")
    starts = len(agent.journal.starts())
    agent.stop("a")
    assert agent.wait_for_state("running", name="b")["desired"] == "running"
    a = agent.backend("a")
    assert (a["state"], a["desired"]) == ("stopped", "stopped")
    assert len(agent.journal.starts()) == starts + 1, "nothing is started only for being stopped"
    assert not processes.listening(agent.port)


def test_a_shutdown_as_the_first_command_starts_nothing(agent):
    two_backends(agent)
    victim = psutil.Process(agent.backend("b")["pid"])
    agent.kill_daemon()
    victim.kill()
    wait_until(lambda: not processes.alive(victim), 10, "its death")
    starts = len(agent.journal.starts())
    agent.run("shutdown", expect=0)
    assert len(agent.journal.starts()) == starts
    agent.assert_nothing_runs()


@pytest.mark.parametrize("command", ["start", "restart", "stop"])
def test_a_command_that_meets_a_dying_agent_is_carried_out_by_the_next(serving, command):
    """It is connected already when the agent is killed."""
    daemon = psutil.Process(serving.pid)
    daemon.suspend()
    asking = serving.popen(command)
    wait_until(lambda: processes.connected(serving.state_directory / "control.sock"), 10, "the connection")
    daemon.kill()
    out, err = asking.communicate(timeout=40)
    assert asking.returncode == 0, out + err
    assert serving.backend()["state"] == ("stopped" if command == "stop" else "running")


def seconds_between(log, first, second):
    """By the log's own clock."""
    at = {event: datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00"))
          for line in log.splitlines() for event in (first, second) if event in line}
    return (at[second] - at[first]).total_seconds()


def test_an_agent_ends_as_soon_as_nothing_runs(make_agent):
    """The quickest of three, so that a busy host is no reason to fail."""
    def shut_down(number):
        agent = make_agent(f"project{number}")
        agent.configure(PYTHON_BACKEND)
        agent.start()
        agent.run("shutdown", expect=0)
        return seconds_between(agent.log, "to=stopped", "agent_ended")

    took = min(shut_down(number) for number in range(3))
    assert took < 0.5, took
