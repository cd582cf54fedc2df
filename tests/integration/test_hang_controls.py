"""What looks like a hang, or loads the machine, under the real agent with its defaults: nothing is restarted, and
nothing is confirmed but what is there. tests/bench/hang_controls does the same for ten minutes."""

import dataclasses

import pytest

from harness.hang_controls import CONTROLS, hang_for
from harness.waiting import holds_for, wait_until
from harness.zoo import get
from harness.zoo_cases import NODE

SECONDS = 3.5
# Three failures in three seconds: the probe has its own opinion long before the hang ends, and keeps it for a while.
IMPATIENT = '[backend.app.probe.http]\nperiod = "1s"\ntimeout = "500ms"\n'
HUNG = {"sync_child": {"again": hang_for("exec", 5, pause=1)}, "report": {"again": hang_for("work", 5, pause=1)},
        "debugger": {}}


def check(control, surroundings, agent, seconds=SECONDS):
    found = control.run(surroundings, agent, seconds)
    assert not control.wrong(found), (control.wrong(found), agent.run("evidence", "latest").stdout)


@pytest.mark.parametrize("name", [name for name in CONTROLS if name not in HUNG])
def test_it_is_left_alone(surroundings, agent, name):
    check(CONTROLS[name], surroundings, agent)


@pytest.mark.parametrize("name", ["slow_handlers", "new_connections"])
def test_a_failing_probe_restarts_no_overloaded_server_and_says_so(surroundings, agent, name):
    told = set()

    def note(around, agent):
        told.add((agent.backend()["state"], agent.backend()["health_reason"]))

    check(dataclasses.replace(CONTROLS[name], extra=IMPATIENT, again=note), surroundings, agent, 8)
    assert ("degraded", "overloaded") in told, told


def test_a_health_endpoint_that_answers_slowly_is_no_reason_to_restart(surroundings, agent):
    agent.environment.update(surroundings.environment())
    agent.configure([*NODE, agent.port], 'timeout = "500ms"\n', period="1s")
    agent.start()
    get(agent.port, "/hang?m=drip")
    wait_until(lambda: agent.backend()["health_reason"] == "slow", 20, "slow")
    holds_for(lambda: agent.backend()["restarts"]["total"] == 0, 5, "no restart")
    assert "degraded (slow)" in agent.run("status", expect=5).stdout
    assert any(event["reason"] == "slow" and "answers, but not within" in event["detail"] for event in agent.events())


@pytest.mark.parametrize("name", HUNG)
def test_a_failing_probe_restarts_no_hang_that_is_to_be_left_alone(surroundings, agent, name):
    control = CONTROLS[name]
    check(dataclasses.replace(control, extra=control.extra + IMPATIENT, **HUNG[name]), surroundings, agent, 5)
