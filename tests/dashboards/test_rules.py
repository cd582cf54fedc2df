"""The Prometheus rules: every alert fires when it should and not just below, says where to read on, and names only what
the agent exports. The promtool tests are in rules/*.test.yml, two groups an alert and more where it can be mistaken."""

import copy
import functools
import json
import re
import shutil
import urllib.parse

import history
import pytest
import rule_files
from catalogue import REPOSITORY, stored_series
from harness.prometheus import Prometheus
from harness.waiting import wait_until
from promql import Named, problems
from rule_files import ALERTS, PROMETHEUS, RECORDINGS, RULE_TESTS, alerts, one_alert, promtool, run_tests, seconds

ALERT_NAMES = sorted(alerts())
RUNBOOKS = REPOSITORY / "dashboards" / "runbooks.md"


@functools.cache
def all_groups():
    return [group for path in RULE_TESTS for group in rule_files.load(path)["tests"]]


def groups_of(alert):
    return copy.deepcopy([group for group in all_groups() if group["name"].startswith(alert + ":")])


def known_series():
    """With what the recording rules add."""
    recorded = {}
    for rule in rule_files.rules(RECORDINGS):
        level = rule["record"].split(":")[0].split("_")  # level:metric:operation
        recorded[rule["record"]] = {"job", *level}
    return {**stored_series(), **recorded}


def verdicts(alert, group):
    """{seconds: samples that are expected} of the checks of ALERTS in a test group."""
    query = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    return {seconds(check["eval_time"]): check["exp_samples"] for check in group["promql_expr_test"]
            if check["expr"] == query}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A Prometheus with the shipped files as they are. It takes fifteen seconds until it has evaluated every group, so
    it begins with the module and is asked at the end."""
    directory = tmp_path_factory.mktemp("shipped")
    shutil.copytree(PROMETHEUS, directory, dirs_exist_ok=True)
    server = Prometheus(directory, (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    yield server
    server.stop()


@pytest.mark.usefixtures("shipped")
def test_promtool_accepts_configuration_and_rules():
    content, said = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert content and "rules found" in said, said


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_the_rules_do_what_their_tests_say(path):
    content, said = promtool("test", "rules", path)
    assert content, said


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_every_alert_is_tested_on_time_and_just_below(alert):
    groups = {group["name"].split(": ")[1]: verdicts(alert, group) for group in groups_of(alert)}
    fires, below = groups["fires"], groups["just below"]
    first = min(at for at, expected in fires.items() if expected)
    assert fires[first - rule_files.EVALUATION_INTERVAL] == [], "nobody looks just before it fires"
    assert below and not any(below.values()), "just below something is expected"
    assert max(below) >= first


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_an_alert_with_the_wrong_for_is_noticed(alert, tmp_path):
    def later(rule):
        rule["for"] = f"{seconds(rule.get('for')) + rule_files.EVALUATION_INTERVAL}s"

    content, said = run_tests(tmp_path, groups_of(alert), one_alert(alert))
    assert content, said
    content, said = run_tests(tmp_path, groups_of(alert), one_alert(alert, later))
    assert not content and f'alertname=\\"{alert}\\"' in said


@pytest.mark.parametrize("alert", [alert for alert in ALERT_NAMES if seconds(alerts()[alert].get("for"))])
def test_an_alert_that_does_not_wait_is_noticed(alert, tmp_path):
    def sooner(rule):
        rule["for"] = f"{seconds(rule['for']) - rule_files.EVALUATION_INTERVAL}s"

    content, said = run_tests(tmp_path, groups_of(alert), one_alert(alert, sooner))
    assert not content and f'alertname=\\"{alert}\\"' in said


# A missed scrape is what CodexAgentDown is about.
@pytest.mark.parametrize("alert", [alert for alert in ALERT_NAMES
                                   if "keep_firing_for" in alerts()[alert] and alert != "CodexAgentDown"])
def test_a_missed_scrape_would_end_it_without_keep_firing_for(alert, tmp_path):
    content, said = run_tests(tmp_path, groups_of(alert), one_alert(alert, lambda rule: rule.pop("keep_firing_for")))
    assert not content and f'alertname=\\"{alert}\\"' in said


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_an_alert_says_what_whom_and_where_to_read_on(alert):
    rule = alerts()[alert]
    assert re.fullmatch(r"Codex(Agent|Backend|Probe)[A-Z]\w+", alert)
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook", "dashboard"}
    assert "{{" not in notes["summary"] and notes["summary"].endswith(".") and notes["description"].endswith(".")
    assert notes["runbook"] == f"dashboards/runbooks.md#{alert.lower()}"
    (fires,) = [verdicts(alert, group) for group in groups_of(alert) if group["name"].endswith(": fires")]
    (sample, *_) = [expected[0] for expected in fires.values() if expected]
    have = set(re.findall(r'(\w+)="', sample["labels"]))
    used = set(re.findall(r"\$labels\.(\w+)", "".join(notes.values())))
    assert used <= have, "annotations name labels that the alert does not have"


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_prometheus_can_fill_in_the_annotations(alert, tmp_path):
    (group,) = [group for group in groups_of(alert) if group["name"].endswith(": fires")]
    first = min(at for at, expected in verdicts(alert, group).items() if expected)
    del group["promql_expr_test"]
    group["alert_rule_test"] = [{"alertname": alert, "eval_time": f"{first}s", "exp_alerts": []}]
    content, said = run_tests(tmp_path, [group], one_alert(alert))  # promtool shows what it did not expect
    (shown,) = re.findall(r"Annotations:(\{.*\})", said)
    assert not content and not re.search(r"\{\{|<no value>|<error|%!|NaN|\d\.\d{4}", shown), shown


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_an_alert_links_to_a_dashboard_and_variables_that_exist(alert):
    dashboards = {}
    for path in (REPOSITORY / "dashboards" / "grafana").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        dashboards[document["uid"]] = {variable["name"] for variable in document["templating"]["list"]}
    link = urllib.parse.urlparse(alerts()[alert]["annotations"]["dashboard"])
    variables = {name.removeprefix("var-") for name in urllib.parse.parse_qs(link.query)}
    assert variables <= dashboards[link.path.removeprefix("/d/")]


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_every_alert_has_its_runbook(alert):
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS.read_text(encoding="utf-8"), re.M | re.S))
    for part in ("Meaning", "Impact", "Look at", "Do", "False alarm"):
        assert f"**{part}.**" in sections[alert], f"the runbook of {alert} has no {part}"
    assert "codex-agent" in sections[alert].split("**Look at.**")[1]


def test_every_runbook_has_its_alert():
    named = re.findall(r"^## (Codex\w+)$", RUNBOOKS.read_text(encoding="utf-8"), re.M)
    assert sorted(named) == ALERT_NAMES and len(named) == len(set(named))


def test_the_document_counts_the_alerts():
    document = (REPOSITORY / "dashboards" / "README.md").read_text(encoding="utf-8")
    assert f"lists the {len(ALERT_NAMES)} alerts" in document


def test_commands_in_the_runbooks_exist():
    shown = set(re.findall(r"`codex-agent ([a-z]+)", RUNBOOKS.read_text(encoding="utf-8")))
    document = (REPOSITORY / "agent" / "docs" / "commands.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"^\| (?:`[^|]*)?`([a-z]+)[ `\[]", document, re.M))
    assert shown <= commands, shown - commands


@pytest.mark.parametrize("rule", rule_files.rules(RECORDINGS) + rule_files.rules(ALERTS),
                         ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_what_the_agent_exports(rule):
    assert problems(rule["expr"], known_series()) == []
    for metric, matched in Named(rule["expr"]).selectors:
        assert matched.get("job") == "codex-agent", f"{metric} of any job"


def test_label_values_in_the_rules_exist():
    values = {}
    for name, labels in history.generate():
        for label, value in labels:
            values.setdefault((name, label), set()).add(value)
    for rule in rule_files.rules(RECORDINGS) + rule_files.rules(ALERTS):
        for metric, matched in Named(rule["expr"]).selectors:
            for label, text in matched.items():
                if metric in stored_series():
                    assert set(text.split("|")) <= values[metric, label], f"{rule}: {label}={text}"


def test_every_class_of_hang_has_its_alert():
    named = {matched["class"] for alert in ("CodexBackendHangConfirmed", "CodexBackendHeldUp")
             for _, matched in Named(alerts()[alert]["expr"]).selectors}
    known = {value for name, labels in history.generate() if name == "codex_agent_backend_hangs_total"
             for label, value in labels if label == "class"}
    assert {value for text in named for value in text.split("|")} == known - {"paused"}  # a debugger is attached


@pytest.mark.parametrize("mistake,expected", [
    ("codex_agent_backend_hunk == 1", "there is no metric codex_agent_backend_hunk"),
    ('codex_agent_backend_state{stat="failed"} == 1', "codex_agent_backend_state has no label stat"),
    ("sum without (reson) (rate(codex_agent_probe_failures_total[5m]))", "no metric has a label reson"),
    ("codex_agent_backend_up{backend='{}'} and on (instance, bakend) up", "no metric has a label bakend"),
    ("rate(codex_agent_probe_duration_seconds[5m])", "there is no metric codex_agent_probe_duration_seconds"),
])
def test_a_misspelled_name_is_noticed(mistake, expected):
    assert problems(mistake, known_series()) == [expected]


def test_a_removed_metric_is_noticed():
    left = known_series()
    del left["codex_agent_backend_hung"]
    assert problems(alerts()["CodexBackendHung"]["expr"], left) == ["there is no metric codex_agent_backend_hung"]


def test_prometheus_runs_with_the_shipped_files_as_they_are(shipped):
    def evaluated():
        rules = [rule for group in shipped.api("rules")["groups"] for rule in group["rules"]]
        assert not [rule for rule in rules if rule["health"] == "err"]
        return len(rules) == len(rule_files.rules(RECORDINGS)) + len(ALERT_NAMES) and all(
            rule["health"] == "ok" for rule in rules)

    wait_until(evaluated, 90, "the first evaluation of all rules", interval=0.5)
    (target,) = shipped.api("targets")["activeTargets"]
    assert target["labels"] == {"job": "codex-agent", "instance": "127.0.0.1:9847"}
