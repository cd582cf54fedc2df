"""What looks like a hang, or loads the machine, under the real agent with its defaults: nothing is restarted, and
nothing is confirmed but what is there. tests/bench/hang_controls does the same for ten minutes."""

import dataclasses

import pytest

from harness.hang_controls import CONTROLS, hang_for

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


@pytest.mark.parametrize("name", HUNG)
def test_a_failing_probe_restarts_no_hang_that_is_to_be_left_alone(surroundings, agent, name):
    control = CONTROLS[name]
    check(dataclasses.replace(control, extra=control.extra + IMPATIENT, **HUNG[name]), surroundings, agent, 5)
