"""What looks like a hang, or loads the machine, under the real agent with its defaults: nothing is restarted, and
nothing is confirmed but what is there. tests/bench/hang_controls does the same for ten minutes."""

import dataclasses

import pytest

from harness import lanes
from harness.hang_controls import CONTROLS
from harness.waiting import holds_for, wait_until
from harness.zoo import get
from harness.zoo_cases import NODE

SECONDS = 3.5
# Three failures in three seconds: the probe has its own opinion long before the hang ends, and keeps it for a while.
IMPATIENT = '[backend.app.probe.http]\nperiod = "1s"\ntimeout = "500ms"\n'
HUNG = {"debugger": {}}
OVERLOADED = ["slow_handlers", "new_connections"]


def check(control, surroundings, agent, seconds=SECONDS):
    found = control.run(surroundings, agent, seconds)
    assert not control.wrong(found), (control.wrong(found), agent.run("evidence", "latest").stdout)


def left_alone(name):
    return lambda surroundings, agent: check(CONTROLS[name], surroundings, agent)


def overloaded(name):
    def job(surroundings, agent):
        told = set()

        def note(around, agent):
            told.add((agent.backend()["state"], agent.backend()["health_reason"]))

        check(dataclasses.replace(CONTROLS[name], extra=IMPATIENT, again=note), surroundings, agent, 8)
        assert ("degraded", "overloaded") in told, told

    return job


def slow(surroundings, agent):
    agent.environment.update(surroundings.environment())
    agent.configure([*NODE, agent.port], 'timeout = "500ms"\n', period="1s")
    agent.start()
    get(agent.port, "/hang?m=drip")
    wait_until(lambda: agent.backend()["health_reason"] == "slow", 20, "slow")
    holds_for(lambda: agent.backend()["restarts"]["total"] == 0, 5, "no restart")
    assert "degraded (slow)" in agent.run("status", expect=5).stdout
    assert any(event["reason"] == "slow" and "answers, but not within" in event["detail"] for event in agent.events())


def hung(name):
    control = dataclasses.replace(CONTROLS[name], extra=CONTROLS[name].extra + IMPATIENT, **HUNG[name])
    return lambda surroundings, agent: check(control, surroundings, agent, 5)


LEFT_ALONE = {name: left_alone(name) for name in CONTROLS if name not in HUNG}
PROBED = {f"{name}, probed": overloaded(name) for name in OVERLOADED}
SLOW = {"drip, probed": slow}
HANGING = {f"{name}, probed": hung(name) for name in HUNG}
JOBS = {**LEFT_ALONE, **PROBED, **SLOW, **HANGING}

# In the first lane what takes a processor, in the second what waits. Hogs take all; they come when those are done.
BUSY = ["slow_handlers", "new_connections", "collections", *PROBED]
HOGS = "cpu_hogs"
LANES = [BUSY, [name for name in JOBS if name not in (*BUSY, HOGS)]]


@pytest.fixture(scope="module")
def run(request, surroundings, tmp_path_factory):
    """Waits for a control, and raises what it has found wrong. Each has an agent of its own."""
    job = lanes.with_agent(tmp_path_factory, lambda name, agent: JOBS[name](surroundings, agent))
    with lanes.running(request, LANES, job) as result:
        yield lambda name: job(name) if name == HOGS else result(name)


@pytest.mark.parametrize("name", [name for name in LEFT_ALONE if name != HOGS])
def test_it_is_left_alone(run, name):
    run(name)


@pytest.mark.parametrize("name", PROBED)
def test_a_failing_probe_restarts_no_overloaded_server_and_says_so(run, name):
    run(name)


@pytest.mark.parametrize("name", SLOW)
def test_a_health_endpoint_that_answers_slowly_is_no_reason_to_restart(run, name):
    run(name)


@pytest.mark.parametrize("name", HANGING)
def test_a_failing_probe_restarts_no_hang_that_is_to_be_left_alone(run, name):
    run(name)


@pytest.mark.parametrize("name", [HOGS])
def test_it_is_left_alone_beside_hogs(run, name):
    """The last one: every other has been waited for."""
    run(name)
