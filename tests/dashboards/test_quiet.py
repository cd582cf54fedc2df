"""Nothing fires when nothing is wrong: all alerts at once over everything that an agent exports, while an operator stops
a backend, while one starts, over one missed scrape, and after a restart of the agent."""

import functools

import history
import pytest
from rule_files import alerts_with, run_tests
from simulated_agent import SimulatedAgent
from simulated_backend import Change, SimulatedBackend

STEP = history.STEP
HEALTHY = history.started(0)
LOADING = {"http": "refused", "port": "refused", "database": "refused"}


def starting(at, took):
    """A start that takes all of a core and fails every probe until it is complete."""
    return [Change(at, "starting", failing=LOADING, cores=1.2, queue=2), Change(at + took, "running")]


def operator_stop(at):
    return [Change(at, "stopping", wanted=False, failing=LOADING),
            Change(at + 2, "stopped", wanted=False, exit=history.KILLED, failing=LOADING)]


def minutes(n):
    return n * 60


# Story of the backend, what the agent does, when Prometheus begins to scrape and for how long.
SCENARIOS = {
    "after an operator stop": ([
        *HEALTHY, Change(minutes(10) - 20, "degraded", failing={"http": "timeout"}), *operator_stop(minutes(10))],
        {}, 0, minutes(60)),
    "after an operator stop of a failed one": (
        [*HEALTHY, *history.crash_loop(1, until=60)[:-2], *operator_stop(minutes(60))], {}, minutes(61), minutes(60)),
    "while starting": (starting(60, 45), {}, 0, minutes(30)),
    "while starting after a stop": (
        [*HEALTHY, *operator_stop(minutes(5)), *starting(minutes(20), 45)], {}, 0, minutes(60)),
    "over one missed scrape": (HEALTHY, {"away": (minutes(10), minutes(10) + STEP)}, 0, minutes(40)),
    "after a restart of the agent": (
        [*HEALTHY, *history.hang(1, "spin", 60), *history.hang(3, "db_wait", 60), *history.crash_loop(5, until=20)],
        {"away": (minutes(120), minutes(121))}, minutes(90), minutes(80)),
}


@functools.cache
def input_series(scenario):
    """What Prometheus gets, in promtool's notation; its clock begins at `begin`."""
    story, agent, begin, lasts = SCENARIOS[scenario]
    backend = SimulatedBackend("app", story, memory_limit=512 * history.MIB)
    simulated = SimulatedAgent("shop:9847", [backend], **agent)
    target, series = (("job", history.JOB), ("instance", simulated.instance)), {}
    for now in range(0, begin + lasts + 1, STEP):
        for name, labels, value in simulated.scrape(now, -begin):
            if now >= begin:
                series.setdefault((name, target + labels), []).append((now - begin, value))
    return history.promtool_series(series, lasts)


def quiet(scenario, directory, document=None):
    lasts = SCENARIOS[scenario][3]
    return run_tests(directory, [{
        "name": scenario, "interval": f"{STEP}s", "input_series": input_series(scenario),
        "promql_expr_test": [
            {"expr": 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1d]))', "eval_time": f"{lasts}s",
             "exp_samples": []},
            {"expr": 'count(codex_agent_build_info{job="codex-agent"})', "eval_time": f"{lasts}s",
             "exp_samples": [{"labels": "{}", "value": 1}]}],
    }], document)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_alert_fires(scenario, tmp_path):
    content, said = quiet(scenario, tmp_path)
    assert content, said


# Each of these parts of an expression is there for the sake of a scenario.
@pytest.mark.parametrize("alert,part,without,scenario", [
    ("CodexBackendDown", "== 0\nand on", "== 0\nor on", "after an operator stop"),
    ("CodexBackendUnresponsive", "running|degraded|hung", "running|degraded|hung|stopped", "after an operator stop"),
    ("CodexBackendStartupStuck", "0.8 *", "0.2 *", "while starting"),
    ("CodexAgentRestarting", "> 2", "> 0", "after a restart of the agent"),
    ("CodexBackendHangsRecurring", "increase(", "(", "after a restart of the agent"),
])
def test_an_alert_without_its_guard_fires(alert, part, without, scenario, tmp_path):
    def unguarded(rules):
        assert part in rules[alert]["expr"]
        rules[alert]["expr"] = rules[alert]["expr"].replace(part, without)

    content, said = quiet(scenario, tmp_path, alerts_with(unguarded))
    assert not content and alert in said


def test_an_alert_that_does_not_wait_fires_over_a_missed_scrape(tmp_path):
    content, said = quiet("over one missed scrape", tmp_path,
                          alerts_with(lambda rules: rules["CodexAgentDown"].update({"for": "0s"})))
    assert not content and "CodexAgentDown" in said
