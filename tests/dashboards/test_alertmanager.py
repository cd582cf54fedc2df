"""The routing example: who is told of what, and of what not, because it follows from something else."""

import subprocess

import pytest
from catalogue import REPOSITORY
from harness.alertmanager import Alertmanager
from harness.waiting import wait_until
from promql import Named
from rule_files import alerts, load

CONFIGURATION = REPOSITORY / "dashboards" / "alertmanager" / "alertmanager.yml"


def amtool(*arguments):
    done = subprocess.run(["amtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def test_amtool_accepts_the_configuration():
    content, said = amtool("check-config", CONFIGURATION)
    assert content and "SUCCESS" in said, said


@pytest.mark.parametrize("alert", sorted(alerts()))
def test_critical_pages_and_warning_is_a_ticket(alert):
    severity = alerts()[alert]["labels"]["severity"]
    receiver = {"critical": "page", "warning": "ticket"}[severity]
    labels = [f"alertname={alert}", f"severity={severity}", "instance=shop:9847", "backend=app"]
    content, said = amtool("config", "routes", "test", f"--config.file={CONFIGURATION}",
                           f"--verify.receivers={receiver}", *labels)
    assert content, said


def test_a_wrong_route_is_noticed():
    content, _ = amtool("config", "routes", "test", f"--config.file={CONFIGURATION}", "--verify.receivers=ticket",
                        "severity=critical")
    assert not content


def test_inhibition_names_alerts_that_exist():
    for rule in load(CONFIGURATION)["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            for _, matched in Named(f"{{{matcher}}}").selectors:
                names = set(matched["alertname"].split("|")) - {"Codex.+"}
                assert names <= set(alerts()), names - set(alerts())


@pytest.fixture
def alertmanager(tmp_path):
    server = Alertmanager(tmp_path, CONFIGURATION.read_text(encoding="utf-8"))
    yield server
    server.stop()


def label(alert, instance="shop:9847", backend="app"):
    labels = {"alertname": alert, "severity": alerts()[alert]["labels"]["severity"], "job": "codex-agent",
              "instance": instance}
    return labels if alert.startswith("CodexAgent") else {**labels, "backend": backend}


@pytest.mark.parametrize("cause,suppressed,told", [
    ("CodexAgentDown", ["CodexAgentProbeStale", "CodexBackendHung", "CodexBackendDegraded"], []),
    ("CodexBackendHung", ["CodexBackendUnresponsive", "CodexBackendCPUSpin", "CodexBackendHangConfirmed"],
     ["CodexBackendHangsRecurring"]),
    ("CodexBackendDatabaseDown", ["CodexBackendDegraded", "CodexProbeErrorRatioHigh"], ["CodexBackendHung"]),
    ("CodexBackendFailed", ["CodexBackendDown", "CodexBackendCrashLooping"], ["CodexBackendMemoryNearLimit"]),
])
def test_who_knows_the_cause_is_not_told_what_follows(alertmanager, cause, suppressed, told):
    elsewhere = [label(alert, instance="jobs:9847") for alert in suppressed]
    if cause != "CodexAgentDown":
        elsewhere += [label(alert, backend="other") for alert in suppressed]
    expected = {frozenset(label(alert).items()): "suppressed" for alert in suppressed}
    expected |= {frozenset(labels.items()): "active" for labels in [label(cause), *map(label, told), *elsewhere]}
    alertmanager.post(*map(dict, expected))
    wait_until(lambda: {frozenset(labels.items()): state for labels, state in alertmanager.alerts()} == expected, 30,
               f"what follows from {cause}", interval=0.2)
