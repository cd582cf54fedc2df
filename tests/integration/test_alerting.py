"""From a hang to the page and back: a backend that hangs, the agent that notices and restarts it, Prometheus with the
shipped rules, Alertmanager with the shipped routes, and the receiver of what they send."""

import urllib.error
import urllib.request

import pytest

from harness.agent import NODE_BACKEND
from harness.alertmanager import Alertmanager
from harness.prometheus import Prometheus
from harness.quick_rules import alertmanager_configuration, prometheus_configuration
from harness.waiting import wait_until
from harness.webhook import Webhook


@pytest.fixture
def webhook():
    receiver = Webhook()
    yield receiver
    receiver.stop()


@pytest.fixture
def prometheus(agent, webhook, tmp_path):
    """Watches the agent, which supervises a Node backend, and tells the webhook."""
    agent.configure(NODE_BACKEND, period="1s")
    agent.start()
    for name in ("alertmanager", "prometheus"):
        (tmp_path / name).mkdir()
    manager = Alertmanager(tmp_path / "alertmanager", alertmanager_configuration(webhook.url))
    try:
        directory = tmp_path / "prometheus"
        server = Prometheus(directory, prometheus_configuration(
            directory, f"127.0.0.1:{agent.metrics_port}", manager.port))
        try:
            wait_until(lambda: server.query('count_over_time(codex_agent_backend_up{job="codex-agent"}[1m]) >= 2'), 60,
                       "two scrapes", interval=0.2)
            yield server
        finally:
            server.stop()
    finally:
        manager.stop()


def firing(prometheus):
    return {labels["alertname"] for labels, _ in prometheus.query('ALERTS{alertname=~"CodexBackend.*",alertstate="firing"}')}


def block(agent, milliseconds):
    """Holds the event loop; who asks gets no answer in time."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{agent.port}/block?ms={milliseconds}", timeout=1).close()
    except (TimeoutError, urllib.error.URLError):
        pass


def test_a_hang_pages_and_is_resolved(agent, prometheus, webhook):
    assert firing(prometheus) == set()
    block(agent, 3600_000)
    page, *_ = wait_until(lambda: webhook.received("/page", "firing", "CodexBackendHung"), 60, "the page", interval=0.1)
    instance = f"127.0.0.1:{agent.metrics_port}"
    assert page["labels"] == {"alertname": "CodexBackendHung", "severity": "critical", "job": "codex-agent",
                              "instance": instance, "backend": "app"}
    assert page["annotations"] == {
        "summary": "A backend hangs.",
        "description": f"app on {instance} runs and makes no progress.",
        "runbook": "dashboards/runbooks.md#codexbackendhung",
        "dashboard": f"/d/codex-agent-backend?var-instance={instance}&var-backend=app"}
    resolved = wait_until(lambda: webhook.received("/page", "resolved", "CodexBackendHung"), 60, "its end", interval=0.1)
    assert resolved[0]["labels"] == page["labels"]
    assert agent.backend()["restarts"]["by_reason"]["hang"] == 1
    assert prometheus.query('codex_agent_backend_state{state="running"} == 1')
    # What the page had suppressed is told now: which kind of hang it was, as a ticket.
    ticket, *_ = wait_until(lambda: webhook.received("/ticket", "firing", "CodexBackendHangConfirmed"), 60, "the ticket",
                           interval=0.1)
    assert ticket["labels"]["class"] == "spin"


def test_an_operator_stop_tells_nobody(agent, prometheus, webhook):
    agent.stop()
    stopped = 'codex_agent_backend_state{state="stopped"} == 1'
    wait_until(lambda: prometheus.query(f"count_over_time(({stopped})[1m:1s]) >= 8"), 60, "eight scrapes", interval=0.2)
    assert firing(prometheus) == set()
    agent.start()
    assert not any(webhook.received(path, "firing", name) for path in ("/page", "/ticket")
                   for name in ("CodexBackendDown", "CodexBackendUnresponsive", "CodexBackendFailed"))
