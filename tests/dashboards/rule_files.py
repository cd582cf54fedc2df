"""The shipped Prometheus rules and their promtool tests, and runs of promtool on variants of both."""

import copy
import functools
import json
import os
import re
import subprocess

import yaml
from catalogue import REPOSITORY

PROMETHEUS = REPOSITORY / "dashboards" / "prometheus"
RECORDINGS = PROMETHEUS / "codex-agent.rules.yml"
ALERTS = PROMETHEUS / "codex-agent.alerts.yml"
RULE_TESTS = sorted((REPOSITORY / "tests" / "dashboards" / "rules").glob("*.test.yml"))
EVALUATION_INTERVAL = 15


@functools.cache
def _loaded(path):
    # The parser in C where PyYAML has it: the one in Python takes seconds for the tests of the rules.
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def load(path):
    """What the file says; the caller's own copy, as no file changes while the tests run."""
    return copy.deepcopy(_loaded(path))


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
    # With Go's own limit a quarter of its time goes into collections, for the sake of 40 MB.
    environment = {"GOGC": "400", **os.environ}
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=500, check=False,
                          cwd=cwd, env=environment)
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


def _write(path, document):
    """As JSON, which is YAML too: PyYAML needs a second for a long series."""
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def run_tests(directory, tests, document=None, interval=EVALUATION_INTERVAL):
    """promtool test rules with these test groups on the shipped alerts, or on `document` in their place."""
    rule_file = ALERTS
    if document is not None:
        rule_file = directory / "alerts.yml"
        _write(rule_file, document)
    groups = [*load(RECORDINGS)["groups"], *(load(ALERTS) if document is None else document)["groups"]]
    path = directory / "tests.yml"
    _write(path, {"rule_files": [str(RECORDINGS), str(rule_file)], "evaluation_interval": f"{interval}s",
                  "group_eval_order": [group["name"] for group in groups], "tests": tests})
    return promtool("test", "rules", path)
