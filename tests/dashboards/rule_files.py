"""The shipped Prometheus rules and their promtool tests, and runs of promtool on variants of both."""

import re
import subprocess

import yaml
from catalogue import REPOSITORY

PROMETHEUS = REPOSITORY / "dashboards" / "prometheus"
RECORDINGS = PROMETHEUS / "codex-agent.rules.yml"
ALERTS = PROMETHEUS / "codex-agent.alerts.yml"
RULE_TESTS = sorted((REPOSITORY / "tests" / "dashboards" / "rules").glob("*.test.yml"))
EVALUATION_INTERVAL = 15


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules(path):
    return [rule for group in load(path)["groups"] for rule in group["rules"]]


def alerts():
    """The shipped alerts by name."""
    return {rule["alert"]: rule for rule in rules(ALERTS)}


def seconds(duration):
    """Seconds of a Prometheus duration; 0 of none."""
    units = {"ms": .001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|[smhd])", str(duration or "")))


def promtool(*arguments, cwd=None):
    """(whether promtool is content, what it said)"""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=500, check=False,
                          cwd=cwd)
    return done.returncode == 0, done.stdout + done.stderr


def alerts_with(change):
    """The alerts file in which `change(alerts by name)` has made a mistake."""
    document = load(ALERTS)
    change({rule["alert"]: rule for group in document["groups"] for rule in group["rules"]})
    return document


def one_alert(alert, change=lambda rule: None):
    """A file of one alert, in which `change(rule)` has made a mistake."""
    rule = alerts()[alert]
    change(rule)
    return {"groups": [{"name": "one", "rules": [rule]}]}


def run_tests(directory, tests, document=None, interval=EVALUATION_INTERVAL):
    """promtool test rules with these test groups on the shipped alerts, or on `document` in their place."""
    rule_file = ALERTS
    if document is not None:
        rule_file = directory / "alerts.yml"
        rule_file.write_text(yaml.safe_dump(document), encoding="utf-8")
    order = [group["name"] for path in (RECORDINGS, rule_file) for group in load(path)["groups"]]
    path = directory / "tests.yml"
    path.write_text(yaml.safe_dump({
        "rule_files": [str(RECORDINGS), str(rule_file)], "evaluation_interval": f"{interval}s",
        "group_eval_order": order, "tests": tests}), encoding="utf-8")
    return promtool("test", "rules", path)
