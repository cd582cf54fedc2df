"""Hangs of a supervised backend: seen without traffic, named, and dealt with as their kind deserves."""

import json
import os
import re
import signal

import psutil
import pytest

from harness import lanes
from harness.agent import PYTHON_BACKEND
from harness.hanging_backend import REPORT_ONLY, hang, start_hanging_backend
from harness.waiting import holds_for, wait_until
from harness.zoo_cases import NODE, database, lock_row


def test_the_function_that_hangs_is_named(agent):
    start_hanging_backend(agent, REPORT_ONLY)
    hang(agent, "loop")
    agent.wait_for_state("hung")
    shown = agent.run("stack", expect=0).stdout
    assert "at loop (app.js" in shown
    frames = json.loads(agent.run("stack", "--json", expect=0).stdout)["stacks"][0]["frames"]
    assert frames[0]["function"] == "loop" and frames[0]["file"].endswith("app.js")
    assert agent.backend()["generation"] == 1, "looking at it ended it"
    agent.stop()
    assert "no process of it listens" in agent.run("stack", expect=1).stderr


def test_an_answer_from_before_a_hang_is_shown_as_such(agent):
    start_hanging_backend(agent, REPORT_ONLY)
    hang(agent, "loop")
    agent.wait_for_state("hung")
    lines = agent.run("status", expect=5).stdout.splitlines()
    health = next(line for line in lines if "Health endpoint" in line)
    assert health.startswith("  –") and "before the hang" in health


@pytest.mark.parametrize("mode,kind", [("loop", "spin"), ("regex", "spin"), ("atomics", "futex")])
def test_a_blocked_event_loop_is_named_and_restarted(agent, mode, kind):
    start_hanging_backend(agent)
    before = agent.backend()
    hang(agent, mode)
    hung = wait_until(lambda: (found := agent.backend())["state"] == "hung" and found, 15, "hung", interval=0.05)
    assert hung["hang"]["class"] == kind and hung["hang"]["detail"]
    assert f"hung ({kind})" in agent.run("status", expect=5).stdout
    assert agent.metrics().value("codex_agent_backend_hung") == 1
    after = wait_until(lambda: (found := agent.backend())["generation"] == before["generation"] + 1 and
                       found["state"] == "running" and found, 30, "the restart", interval=0.1)
    assert after["restarts"]["by_reason"]["hang"] == 1
    metrics = agent.metrics()
    assert metrics.value("codex_agent_backend_hangs_total", **{"class": kind}) == 1
    assert metrics.value("codex_agent_backend_hung") == 0
    told = [event for event in agent.events() if event["reason"] == "hang"]
    assert told and kind in told[0]["detail"]


def test_a_stopped_process_is_continued_and_not_restarted(agent):
    start_hanging_backend(agent)
    backend = agent.backend()
    server = psutil.Process(backend["pid"])
    os.kill(server.pid, signal.SIGSTOP)
    wait_until(lambda: agent.metrics().value("codex_agent_backend_hangs_total", **{"class": "stopped"}) == 1, 15, "the hang")
    wait_until(lambda: server.status() != psutil.STATUS_STOPPED, 15, "SIGCONT")
    after = agent.wait_for_state("running")
    assert after["pid"] == backend["pid"] and after["restarts"]["total"] == 0


def test_report_restarts_for_none(agent):
    start_hanging_backend(agent, REPORT_ONLY)
    before = agent.backend()
    hang(agent, "loop")
    agent.wait_for_state("hung")
    holds_for(lambda: agent.backend()["generation"] == before["generation"], 8, "no restart", interval=0.5)


def test_a_short_block_is_no_reason_to_restart(agent):
    start_hanging_backend(agent)
    before = agent.backend()
    server = psutil.Process(before["pid"])
    for _ in range(3):
        server.suspend()
        holds_for(lambda: True, 0.6)
        server.resume()
        holds_for(lambda: agent.backend()["pid"] == before["pid"], 1, "the same process", interval=0.2)
    assert agent.backend()["restarts"]["total"] == 0


def start_deferring_backend(agent):
    """Its kernel keeps a connection that says nothing from it for a minute, as Apache's does. Its main thread is in no
    event loop, so that the agent has to ask by connections; nobody sends requests."""
    agent.write(f"""\
[backend.app]
command = {json.dumps([*PYTHON_BACKEND, "--defer-accept", "60"])}
port = {agent.port}
[backend.app.probe.port]
period = "100ms"
[backend.app.probe.http]
period = "60s"
""")
    agent.start()


def test_a_server_that_defers_silent_connections_is_not_taken_for_hung(agent):
    start_deferring_backend(agent)

    def looked_at():
        assert "hang_confirmed" not in agent.log
        # Between two attempts of this probe lie two looks at the server.
        return agent.metrics().value("codex_agent_probe_attempts_total", probe="port") > 25

    wait_until(looked_at, 30, "some fifty looks")
    assert agent.backend()["state"] == "running"


def test_a_server_that_defers_silent_connections_and_is_stopped_is_continued(agent):
    start_deferring_backend(agent)
    server = psutil.Process(agent.backend()["pid"])
    server.suspend()
    wait_until(lambda: "hang_action backend=app class=stopped action=continue" in agent.log, 15, "the hang")
    wait_until(lambda: server.status() != psutil.STATUS_STOPPED, 15, "SIGCONT")
    assert agent.wait_for_state("running")["generation"] == 1


def stuck_start(agent, around, mode, database=None, **environment):
    """Starts the zoo so that it hangs at its start; what is told before the start's time is up."""
    agent.environment.update(around.environment(START_MODE=mode, **environment))
    agent.configure([*NODE, agent.port], start_timeout="60s", database=database)
    agent.start("--no-wait")
    backend = wait_until(lambda: (found := agent.backend())["hang"] and found, 40, "the hang", interval=0.1)
    assert backend["state"] == "starting" and backend["hang"]["class"] == "startup_stuck", backend
    return backend["hang"]["detail"]


STUCK = {
    "a child": ("exec", "does nothing; it waits for sleep, which is in clock_nanosleep.*", None),
    "a file": ("fifo", "does nothing; it waits for node, which is in openat.*", "fifo (zoo.js"),
    "nothing": ("await", "does nothing", None),
    "another server": ("upstream", "does nothing; it waits for 127.0.0.1:{silence}", None),
    "a loop": ("loop", "only uses CPU", "loop (zoo.js"),
}


@pytest.fixture(scope="module")
def stuck(request, surroundings, tmp_path_factory):
    """Waits for a start that is stuck, and raises what is wrong with what was told of it. A loop is told late; the
    others have their turns meanwhile."""
    silence = surroundings.silence.port

    def check(name, agent):
        mode, what, where = STUCK[name]
        told = stuck_start(agent, surroundings, mode, UPSTREAM=silence)
        assert re.fullmatch("does not listen on its port, and " + what.format(silence=silence), told), told
        if where:
            found = wait_until(lambda: agent.backend()["hang"]["where"], 20, "the function")
            assert found.startswith(where), found

    with lanes.running(request, [["a loop"], [name for name in STUCK if name != "a loop"]],
                       lanes.with_agent(tmp_path_factory, check)) as result:
        yield result


@pytest.mark.parametrize("name", STUCK)
def test_a_start_that_is_stuck_says_in_what(stuck, name):
    stuck(name)


def test_a_start_that_waits_for_a_lock_names_the_database_and_who_holds_it(agent, surroundings):
    postgres = surroundings.postgres
    with lock_row(surroundings):
        told = stuck_start(agent, surroundings, "database", postgres.url, **database(surroundings))
        assert told == ("does not listen on its port, and does nothing; "
                        f"it waits for the database at 127.0.0.1:{postgres.port}")
        report = wait_until(lambda: "blocked by pid" in (text := agent.run("evidence", "latest").stdout) and text, 20,
                            "the evidence")
        assert "waits for Lock: " in report and "for update" in report, report
    agent.wait_for_state("running")
    assert agent.backend()["generation"] == 1, "it was given up before its time was up"
