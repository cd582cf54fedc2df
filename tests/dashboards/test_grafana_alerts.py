"""The Grafana-managed alerts are the Prometheus alerts of the same names: word for word, and in verdict at every moment of
the generated history, where promtool's own rule engine is the judge of the Prometheus side."""

import copy
import functools
import textwrap

import grafana_rules
import history
import pytest
import rule_files
from grafana_rules import CONTACT_POINTS, POLICIES, RULES, load, problems, query_of, replay
from promql import Named

(GROUP,) = load(RULES)["groups"]
GRAFANA = {rule["title"]: rule for rule in GROUP["rules"]}
INTERVAL = rule_files.seconds(GROUP["interval"])
HANG_ALERTS = {"CodexBackendHung", "CodexBackendHangConfirmed", "CodexBackendHeldUp", "CodexBackendHangsRecurring"}


def test_grafana_would_load_every_key():
    assert problems(load(RULES)) == []


def test_all_that_pages_and_all_about_hangs_is_there():
    critical = {name for name, rule in rule_files.alerts().items() if rule["labels"]["severity"] == "critical"}
    assert set(GRAFANA) == critical | HANG_ALERTS


@pytest.mark.parametrize("name", GRAFANA)
def test_it_is_the_prometheus_rule_of_the_same_name(name):
    ours, theirs = GRAFANA[name], rule_files.alerts()[name]
    expression, limit = query_of(ours)
    counted = f"(\n{textwrap.indent(theirs['expr'].strip(), '  ')}\n)\nor 0 * count by ("
    assert expression.startswith("count by (") and counted in expression and limit == 0
    assert ours["labels"] == theirs["labels"]
    assert ours.get("for", "0s") == theirs.get("for", "0s")
    assert ours.get("keepFiringFor") == theirs.get("keep_firing_for")
    for key in ("summary", "runbook", "dashboard"):
        assert ours["annotations"][key] == theirs["annotations"][key]


def test_data_sources_are_provisioned():
    directory = grafana_rules.DIRECTORY.parent / "datasources"
    uids = {source["uid"] for path in directory.glob("*.yaml") for source in load(path)["datasources"]}
    assert {rule["data"][0]["datasourceUid"] for rule in GRAFANA.values()} <= uids


def test_policies_name_contact_points_that_exist():
    points = {point["name"]: point["receivers"] for point in load(CONTACT_POINTS)["contactPoints"]}
    assert all(receiver["uid"] and receiver["type"] and receiver["settings"] for receivers in points.values()
               for receiver in receivers)
    (policy,) = load(POLICIES)["policies"]
    assert policy["receiver"] == "codex-agent-ticket" and policy["receiver"] in points
    assert [(route["receiver"], route["object_matchers"]) for route in policy["routes"]] == [
        ("codex-agent-page", [["severity", "=", "critical"]])]
    assert "codex-agent-page" in points


@functools.cache
def seen_by_promtool():
    return history.generate(origin=0)


def prometheus_agrees(name, firing, directory):
    """Whether Prometheus' rule engine lets the alert fire over the history exactly in the evaluations `firing`, {labels:
    [seconds]}; and what it said."""
    by = ", ".join(sorted({label for labels in firing for label, _ in labels}))
    query = f'sum by ({by}) (ALERTS{{alertname="{name}",alertstate="firing"}})'
    total = f'sum by ({by}) (count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[1d]))'

    def text(labels):
        return "{" + ",".join(f'{label}="{value}"' for label, value in sorted(labels)) + "}"

    def check(expression, at, samples):
        return {"expr": expression, "eval_time": f"{at}s", "exp_samples": [
            {"labels": text(labels), "value": value} for labels, value in samples]}

    edges = set()
    for times in firing.values():
        edges |= {at for at in times if at - INTERVAL not in times} | {at for at in times if at + INTERVAL not in times}
    moments = {at + near for at in edges for near in (-INTERVAL, 0, INTERVAL)}
    checks = [check(query, at, [(labels, 1) for labels, times in firing.items() if at in times])
              for at in sorted(moments) if 0 <= at <= history.SECONDS]
    checks.append(check(total, history.SECONDS, [(labels, len(times)) for labels, times in firing.items()]))
    wanted = {metric for metric, _ in Named(rule_files.alerts()[name]["expr"]).selectors}
    series = {key: samples for key, samples in seen_by_promtool().items() if key[0] in wanted}
    return rule_files.run_tests(
        directory, [{"name": name, "interval": f"{history.STEP}s", "input_series": history.promtool_series(series),
                     "promql_expr_test": checks}],
        rule_files.one_alert(name), interval=INTERVAL)


def replayed(rule, prometheus):
    firing = replay(rule, prometheus, history.START, history.END, INTERVAL)
    return {labels: [at - history.START for at in times] for labels, times in firing.items()}


# Nothing of the kind happens in the history: there is always an agent.
@pytest.mark.parametrize("name", [name for name in GRAFANA if name != "CodexAgentAbsent"])
def test_both_say_the_same_at_every_moment_of_the_history(name, history_prometheus, tmp_path):
    firing = replayed(GRAFANA[name], history_prometheus)
    assert firing, "it never fires in the history"
    agrees, said = prometheus_agrees(name, firing, tmp_path)
    assert agrees, said


def test_an_agent_that_is_absent_is_told(history_prometheus):
    assert replayed(GRAFANA["CodexAgentAbsent"], history_prometheus) == {}
    before = replay(GRAFANA["CodexAgentAbsent"], history_prometheus, history.START - 900, history.START - INTERVAL, INTERVAL)
    (times,) = before.values()
    assert times[0] == history.START - 900 + 300 and times[-1] == history.START - INTERVAL


@pytest.mark.parametrize("name,key,value", [
    ("CodexBackendDown", "for", "90s"), ("CodexBackendHung", "keepFiringFor", "30s"), ("CodexBackendFailed", "for", "30s")])
def test_a_wrong_time_is_noticed(name, key, value, history_prometheus, tmp_path):
    agrees, _ = prometheus_agrees(name, replayed({**GRAFANA[name], key: value}, history_prometheus), tmp_path)
    assert not agrees


@pytest.mark.parametrize("change,expected", [
    (lambda group, rule: rule.update(executionErrorState="OK"), "CodexAgentAbsent: key executionErrorState is ignored"),
    (lambda group, rule: rule["labels"].update(team="$labels.backend"),
     "CodexAgentAbsent: label team: a single $ is taken for an environment variable"),
    (lambda group, rule: rule.update(condition="B"), "CodexAgentAbsent: condition or refId"),
    (lambda group, rule: rule["data"][1]["model"].update(expression="B"),
     "CodexAgentAbsent: C is about B, which is no query"),
    (lambda group, rule: rule.update(uid=group["rules"][1]["uid"]), "uid codex-agent-down twice"),
    (lambda group, rule: rule["data"][0].pop("relativeTimeRange"), "CodexAgentAbsent: relativeTimeRange"),
    (lambda group, rule: group.update(interval="15s"), "interval 15s is no multiple of 10 s"),
])
def test_a_mistake_in_the_file_is_noticed(change, expected):
    document = copy.deepcopy(load(RULES))
    (group,) = document["groups"]
    change(group, group["rules"][0])
    assert problems(document) == [expected]
