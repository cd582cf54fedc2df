"""What Prometheus sees: valid, stable, honest series."""

import subprocess
import time
import urllib.request

import psutil
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.agent import PYTHON_BACKEND
from harness.waiting import wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=30,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_real_prometheus_scrapes_the_agent(agent, make_prometheus):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    prometheus = make_prometheus(f"127.0.0.1:{agent.metrics_port}")
    wait_until(lambda: prometheus.target() == ("up", ""), 20, "the scrape", interval=0.2)
    wait_until(lambda: prometheus.query('codex_agent_backend_up{backend="app"} == 1'), 20, "the series", interval=0.2)
    assert len(prometheus.query('codex_agent_backend_state{backend="app"} == 1')) == 1
    (found,) = prometheus.query('codex_agent_backend_state{backend="app",state="running"}')
    assert found[1] == 1
    agent.stop()
    wait_until(lambda: prometheus.query('codex_agent_backend_up{backend="app"} == 0'), 20, "the stop", interval=0.2)
    assert prometheus.target() == ("up", "")


def test_both_formats_are_valid_in_every_state(agent):
    agent.configure(PYTHON_BACKEND)
    agent.run("start", "--no-wait", expect=0)
    for prepare in (lambda: None, agent.start, agent.stop):
        prepare()
        status, headers, body = agent.http()
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert promtool(body.decode()) == (0, "")
        status, headers, body = agent.http(headers={"Accept": OPENMETRICS})
        assert status == 200 and headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = body.decode()
        assert text.endswith("# EOF\n")
        names = {family.name for family in text_string_to_metric_families(text)}
        assert {"codex_agent_backend_up", "codex_agent_backend_restarts", "codex_agent_probe_duration_seconds"} <= names


def test_what_does_not_change_is_told_with_one_value(agent):
    """changes() counts every last digit that differs."""
    agent.configure([*PYTHON_BACKEND, "--exit", "1", "--after", "1000"], '[backend.app.restart]\ninitial_delay = "25s"\n')
    agent.start()
    agent.wait_for_state("backoff")
    values = {}
    for _ in range(200):
        for line in agent.http()[2].decode().splitlines():
            name, _, value = line.rpartition(" ")
            if "start_time" in name or "timestamp" in name or name.endswith("_info") or "_max_" in name:
                values.setdefault(name, set()).add(value)
    values.pop('codex_agent_loop_last_iteration_timestamp_seconds{loop="main"}')
    assert "process_start_time_seconds" in values and 'codex_agent_backend_next_attempt_timestamp_seconds{backend="app"}' in values
    assert {name: seen for name, seen in values.items() if len(seen) > 1 and not name.startswith("#")} == {}


def test_series_are_the_same_after_twenty_restarts_and_counters_only_grow(agent):
    agent.configure([*PYTHON_BACKEND, "--burn-children"])
    agent.start()
    agent.run("restart", expect=0)  # from here on everything that can exist was seen once
    before = agent.metrics()
    last = before.counters()
    for _ in range(20):
        agent.run("restart", expect=0)
        now = agent.metrics()
        for key, value in now.counters().items():
            assert value >= last.get(key, 0), f"{key} went down from {last[key]} to {value}"
        last = now.counters()
    after = agent.metrics()
    assert set(after.values) == set(before.values)
    assert after.value("codex_agent_backend_starts_total") == before.value("codex_agent_backend_starts_total") + 20
    assert after.value("codex_agent_backend_restarts_total", reason="manual") == 21
    agent.journal.check_no_overlap()


def test_cpu_of_short_lived_children_is_counted_and_never_goes_down(agent):
    """The kernel's own account of the children that their parent waited for (proc(5), cutime) is the truth."""
    agent.configure([*PYTHON_BACKEND, "--burn-children"])
    agent.start()
    backend = psutil.Process(agent.backend()["pid"])
    samples = []

    def counted():
        metrics = agent.metrics()
        samples.append(sum(metrics.value("codex_agent_backend_cpu_seconds_total", mode=mode)
                           for mode in ("user", "system")))
        return samples[-1]

    def children():
        times = backend.cpu_times()
        return times.children_user + times.children_system

    wait_until(lambda: counted() >= 0 and children() > 1, 60, "a second of CPU time in children", interval=0.1)
    truth = sum(backend.cpu_times()[:4])
    wait_until(lambda: counted() >= 0.95 * truth, 5, f"the count of {truth:.2f} s", interval=0.1)
    assert samples == sorted(samples), "CPU time went down"
    assert samples[-1] < 1.5 * sum(backend.cpu_times()[:4]) + 0.5


def test_gzip_is_given_to_who_asks(agent):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    _, headers, body = agent.http(headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and body[:2] == b"\x1f\x8b"
    _, headers, body = agent.http(headers={"Accept-Encoding": "gzip;q=0"})
    assert headers["Content-Encoding"] is None and body.startswith(b"# ")


def test_a_scrape_of_a_hung_backend_is_quick(agent):
    agent.configure([*PYTHON_BACKEND, "--slow-health", "60000"], '[backend.app.restart]\npolicy = "never"\n')
    agent.run("start", "--no-wait", expect=0)
    url = f"http://127.0.0.1:{agent.metrics_port}/metrics"
    for _ in range(20):
        begin = time.monotonic()
        with urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
        assert time.monotonic() - begin < 1
