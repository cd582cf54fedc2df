"""The dashboards keep to Grafana's types and to our rules, name only what the agent exports, and leave nothing out."""

import json
import os
import re
import subprocess
import tomllib

import pytest
import rule_files
from catalogue import OF_PROMETHEUS, REPOSITORY, read_catalogue, stored_series
from dashboard_json import formatted
from dashboard_lint import lint
from grafana_dashboard import FILES, shipped, shipped_named
from promql import Named, problems

SCHEMA = REPOSITORY / "tests/dashboards/schema"
PACKAGES = os.environ.get("CODEX_SCHEMA_PACKAGES", str(REPOSITORY / "build/npm-dashboards"))
EXCEPTIONS = tomllib.loads((REPOSITORY / "tests/dashboards/exceptions.toml").read_text(encoding="utf-8"))
NAMES = [dashboard.name for dashboard in shipped()]
BY_UID = {dashboard.uid: dashboard for dashboard in shipped()}


def unknown_names(dashboard, known):
    """Faults of metrics and labels; what label_join and label_replace make is known."""
    found = []
    for place, expression in dashboard.expressions():
        made = re.findall(r',\s*"(\w+)",\s*"[^"]*",\s*"', expression)
        found += [f"{place}: {fault}" for fault in problems(expression, known)
                  if fault not in {f"no metric has a label {label}" for label in made}]
    return found


def used_series(dashboards):
    """Of dashboards, alerts and recording rules."""
    expressions = [expression for dashboard in dashboards for _, expression in dashboard.expressions()]
    expressions += [rule["expr"] for path in (rule_files.ALERTS, rule_files.RECORDINGS)
                    for rule in rule_files.rules(path)]
    return {metric for expression in expressions for metric, _ in Named(expression).selectors}


def of_grafanas_types(*paths):
    """(whether they are, what the comparison said)"""
    assert os.path.isdir(f"{PACKAGES}/node_modules/@grafana/schema"), (
        f"{PACKAGES} is not installed; run: cp {SCHEMA}/package*.json {PACKAGES}/ && npm ci --prefix {PACKAGES}")
    done = subprocess.run(["node", SCHEMA / "validate.mjs", PACKAGES, *paths], capture_output=True, text=True,
                          timeout=240, check=False)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_has_its_layout(path):
    text = path.read_text(encoding="utf-8")
    assert text == formatted(json.loads(text)), f"run: python3 tests/dashboards/dashboard_json.py {path}"


@pytest.mark.parametrize("name", NAMES)
def test_the_dashboard_keeps_to_the_rules(name):
    assert lint(shipped_named(name), BY_UID) == []


def test_the_dashboards_are_of_grafanas_types():
    assert of_grafanas_types(*FILES) == (True, "")


@pytest.mark.parametrize("name", NAMES)
def test_the_dashboard_names_only_what_is_exported(name):
    assert unknown_names(shipped_named(name), stored_series()) == []


def unused_metrics(dashboards):
    used = used_series(dashboards)
    return {name for name, family in read_catalogue().items() if not used & set(family.series())}


def test_every_metric_is_used_or_left_for_exploration_with_a_reason():
    assert unused_metrics(shipped()) == set(EXCEPTIONS["for_exploration"])


def test_provisioning_is_of_one_piece():
    """The data source scrapes as Prometheus does and is the one that the alerts ask; the provider looks where
    `cmake --install` puts the dashboards."""
    provisioning = FILES[0].parent / "provisioning"
    (source,) = rule_files.load(provisioning / "datasources/codex-agent.yaml")["datasources"]
    prometheus = rule_files.load(rule_files.PROMETHEUS / "prometheus.yml")
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    alerts = (provisioning / "alerting/codex-agent-rules.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"datasourceUid: (\S+)", alerts)) == {source["uid"], "__expr__"}
    (provider,) = rule_files.load(provisioning / "dashboards/codex-agent.yaml")["providers"]
    install = (REPOSITORY / "agent/packaging/install.cmake").read_text(encoding="utf-8")
    assert "${CMAKE_INSTALL_DATADIR}/codex-agent/dashboards" in install
    assert provider["options"]["path"] == "/usr/share/codex-agent/dashboards/grafana"


def test_alerts_lead_to_dashboards_and_variables_that_exist():
    for name, alert in rule_files.alerts().items():
        uid, _, query = alert["annotations"]["dashboard"].removeprefix("/d/").partition("?")
        variables = {part.partition("=")[0] for part in query.split("&") if part}
        assert uid in BY_UID, name
        assert variables <= {f"var-{variable['name']}" for variable in BY_UID[uid].variables}, name


# Mistakes that must be noticed.

def panel(document, title):
    return next(panel for panel in document["panels"] if panel.get("title") == title)


def query(document, title):
    return panel(document, title)["targets"][0]


def replaced(title, right, wrong):
    def change(document):
        target = query(document, title)
        assert right in target["expr"]
        target["expr"] = target["expr"].replace(right, wrong)
    return change


MISTAKES = {
    "its description is not a sentence": lambda d: panel(d, "Hung").update(description=""),
    "it has no unit": lambda d: panel(d, "CPU")["fieldConfig"]["defaults"].pop("unit"),
    "it says nothing when": lambda d: panel(d, "CPU")["fieldConfig"]["defaults"].pop("noValue"),
    "panel ids are not unique": lambda d: panel(d, "CPU").update(id=1),
    "it lies on panel": lambda d: panel(d, "CPU")["gridPos"].update(x=6),
    "it is wider than the grid": lambda d: panel(d, "CPU")["gridPos"].update(w=25),
    "not the variable": lambda d: query(d, "CPU").update(datasource={"type": "prometheus", "uid": "P1809F7CD0C75ACF3"}),
    "the first variable is not": lambda d: d["templating"]["list"].reverse(),
    "several values go with All": lambda d: d["templating"]["list"][2].pop("allValue") and
    d["templating"]["list"][2].update(allValue=None),
    "it is not refreshed": lambda d: d["templating"]["list"][2].update(refresh=1),
    "editable is not": lambda d: d.update(editable=True),
    "has no legend": lambda d: query(d, "CPU").pop("legendFormat"),
    "its tooltip shows one": lambda d: panel(d, "CPU")["options"]["tooltip"].update(mode="single"),
    "has a colour and no word": lambda d: panel(d, "Hung")["fieldConfig"]["defaults"]["mappings"][0]["options"]["0"].pop(
        "text"),
    "its states have no words": lambda d: panel(d, "States")["fieldConfig"]["defaults"].update(mappings=[]),
    "query A has an unknown": lambda d: query(d, "CPU").update(legendFromat="{{backend}}"),
    "is not selected by backend": replaced("CPU", ',backend=~"$backend"', ""),
    "is not matched with =~": replaced("Hung", "instance=~", "instance="),
    "[5m] does not follow": replaced("CPU", "$__rate_interval", "5m"),
    "misses what lies between": replaced("CPU", "$__rate_interval", "$__interval"),
    "is a counter and shown as it is": replaced("Hung", "backend_hung", "backend_hangs_total"),
    "leads to none": lambda d: d["links"][0].update(url="/d/codex-agent-backends?${datasource:queryparam}"),
    "forgets the data source": lambda d: d["links"][0].update(url="/d/codex-agent-backend?"),
    "there is no variable service": lambda d: d["links"][0].update(
        url="/d/codex-agent-backend?${datasource:queryparam}&var-service=x"),
}


@pytest.mark.parametrize("fault", MISTAKES)
def test_a_breach_of_the_rules_is_noticed(fault):
    found = lint(shipped_named("fleet").changed(MISTAKES[fault]), BY_UID)
    assert any(fault in one for one in found), found


def test_a_misspelled_metric_or_label_is_noticed():
    for right, wrong, fault in [("backend_hung", "backend_hunk", "there is no metric codex_agent_backend_hunk"),
                                ("backend=~", "backends=~", "codex_agent_backend_hung has no label backends")]:
        dashboard = shipped_named("fleet").changed(replaced("Hung", right, wrong))
        assert unknown_names(dashboard, stored_series()) == [f"fleet: panel Hung, A: {fault}"]


def test_a_removed_metric_is_noticed():
    known = {name: labels for name, labels in stored_series().items() if name != "codex_agent_backend_hung"}
    assert unknown_names(shipped_named("fleet"), known) == [
        "fleet: panel Hung, A: there is no metric codex_agent_backend_hung"]
    assert set(OF_PROMETHEUS) < set(known)


def test_a_metric_that_no_panel_shows_any_more_is_noticed():
    def drop(document):
        document["panels"] = [one for one in document["panels"] if one.get("title") != "Loop lags"
                              and one.get("title") != "Loop lag"]

    dashboards = [dashboard.changed(drop) if dashboard.name == "agent" else dashboard for dashboard in shipped()]
    assert unused_metrics(dashboards) - unused_metrics(shipped()) == {"codex_agent_loop_lag_seconds"}


def test_a_misspelled_option_of_a_panel_is_noticed(tmp_path):
    def misspell(document):
        fields = panel(document, "CPU")["fieldConfig"]
        fields["defaults"]["custom"]["lineWidht"] = fields["defaults"]["custom"].pop("lineWidth")
        fields["defaults"]["custom"]["drawStyle"] = "lines"
        fields["overrides"].append({"matcher": {"id": "byName", "options": "x"}, "properties": [
            {"id": "custom.axisPlacment", "value": "right"}, {"id": "unitt", "value": "s"}]})
        panel(document, "Hung")["options"]["colorMode"] = "valu"
        panel(document, "Hung")["options"]["reduceOptions"]["calcs"] = "last"
        document["graphToolTip"] = document.pop("graphTooltip")
        document["templating"]["list"][1]["refresh"] = 3

    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(shipped_named("fleet").changed(misspell).document), encoding="utf-8")
    content, said = of_grafanas_types(path)
    lines = [line.removeprefix("fleet.json: ").partition(") ")[0] for line in said.splitlines()]
    assert not content and len(lines) == 8, said
    for fault in ("custom.lineWidht: FieldConfig has no such property", 'custom.drawStyle: "lines" is not',
                  "override custom.axisPlacment: there is no such property", "override unitt: there is no such property",
                  'options.colorMode: "valu" is not', 'options.reduceOptions.calcs: "last" is not string[]',
                  "graphToolTip: Dashboard has no such property", "templating.list[1].refresh: 3 is not"):
        assert fault in said, said
