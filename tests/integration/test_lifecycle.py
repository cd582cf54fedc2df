"""The everyday way of the npm, nodemon, node and PostgreSQL project: zero configuration, one final truth."""

import re

import psutil
import pytest

from harness import processes
from harness.agent import BACKENDS
from harness.waiting import wait_until

BACKEND_KEYS = {
    "name", "state", "health", "desired", "pid", "generation", "uptime_seconds", "restarts", "last_exit",
    "last_transition", "port", "probes", "startup", "resources", "hang",
}
NESTED_KEYS = {
    "restarts": {"total", "by_reason"},
    "last_transition": {"at", "from", "to", "reason"},
    "port": {"number", "listening", "owner_pid", "accept_queue"},
    "startup": {"duration_seconds", "phases"},
    "resources": {"processes", "threads", "resident_memory_bytes", "cpu_seconds_total", "open_fds"},
}
PROBE_KEYS = {"name", "kind", "role", "outcome", "reason", "elapsed_seconds", "consecutive_failures",
              "failure_threshold", "detail"}


@pytest.fixture
def project(agent, postgres, node_modules):
    """The example as it is, with only .env adapted to the ports of this test."""
    agent.copy_example("node-postgres", node_modules)
    (agent.directory / ".env").write_text(
        f"PORT={agent.port}\nDATABASE_URL={postgres.url}\nNODE_ENV=development\n", encoding="ascii")
    agent.environment["NODE_OPTIONS"] = f"--require {BACKENDS / 'journal.cjs'}"
    return agent


def test_start_reports_the_three_checks_and_stop_leaves_nothing(project):
    started = project.start(timeout=90)
    for line in (f"✅ Server is listening on port {project.port}", "✅ Health endpoint responding", "✅ Database connected"):
        assert line in started.stdout
    pid_file = project.directory / "logs" / "server.pid"
    backend = project.backend()
    assert int(pid_file.read_text(encoding="ascii")) == backend["pid"]

    shown = project.run("status", expect=0)
    assert "✅ Database connected" in shown.stdout
    project.stop()
    project.assert_nothing_runs()
    wait_until(lambda: not pid_file.exists(), 2, "the removal of the pid file")
    project.run("status", expect=3)

    project.start(timeout=90)
    project.run("status", expect=0)
    assert int(pid_file.read_text(encoding="ascii")) == project.backend()["pid"]
    daemon = psutil.Process(project.pid)
    project.run("shutdown", expect=0)
    assert project.processes() == []
    assert not processes.alive(daemon)
    assert not pid_file.exists()
    project.run("status", expect=4)
    for operation in ("agent_started", "start_requested", "stop_requested", "agent_ended"):
        assert re.search(rf"\b{operation}\b", project.log), f"{operation} is not in process-monitor.log"


def test_status_document_has_every_documented_key(project):
    project.start(timeout=90)
    document = project.status()
    assert document["schema"] == 1
    assert {"version", "pid", "uptime_seconds", "metrics_url"} <= document["agent"].keys()
    (backend,) = document["backends"]
    assert BACKEND_KEYS <= backend.keys()
    for name, keys in NESTED_KEYS.items():
        assert keys <= backend[name].keys(), name
    assert [probe["name"] for probe in backend["probes"]] == ["port", "http", "database"]
    for probe in backend["probes"]:
        assert PROBE_KEYS <= probe.keys()
        assert probe["outcome"] == "success"
    assert backend["name"] == "codex"
    assert (backend["state"], backend["health"], backend["desired"]) == ("running", "healthy", "running")
    assert backend["port"]["number"] == project.port and backend["port"]["listening"]
    assert backend["resources"]["processes"] >= 3
    owner = psutil.Process(backend["port"]["owner_pid"])
    assert owner in processes.tree(backend["pid"])


def test_twenty_restarts_are_twenty_healthy_starts(project):
    project.start(timeout=90)
    first = project.backend()["generation"]
    with processes.CopySampler(project.token, "server.js") as sampler:
        for _ in range(20):
            restarted = project.run("restart", timeout=90, expect=0)
            assert "✅ Health endpoint responding" in restarted.stdout
    backend = project.backend()
    assert backend["generation"] == first + 20
    assert backend["restarts"]["by_reason"]["manual"] == 20
    assert backend["restarts"]["total"] == 20
    assert "EADDRINUSE" not in project.output
    assert len(project.journal.starts()) == 21
    project.journal.check_no_overlap()
    assert sampler.samples > 100 and len(sampler.seen) >= 20
    assert sampler.most == 1, "two copies of the server lived at the same time"
    tree = {process.pid for process in processes.tree(backend["pid"])}
    assert {process.pid for process in project.backend_processes()} == tree, "something of an earlier start lives"


def test_the_application_gets_one_stop_signal(project):
    """npm and nodemon pass signals on; a program that takes the second one as an order to hurry loses its work."""
    project.start(timeout=90)
    project.stop()
    assert [line["signal"] for line in project.journal.events("signal")] == ["SIGTERM"]
    assert [line["code"] for line in project.journal.events("exit")] == [0]


def test_a_file_change_makes_nodemon_reload_without_a_restart_of_the_backend(project):
    project.start(timeout=90)
    before = project.backend()
    server = project.directory / "server.js"
    server.write_text(server.read_text(encoding="utf-8") + "// changed\n", encoding="utf-8")
    wait_until(lambda: len(project.journal.starts()) == 2, 20, "nodemon's reload")
    wait_until(lambda: project.backend()["port"]["owner_pid"] not in (None, before["port"]["owner_pid"]), 20,
               "the new process on the port")
    after = project.wait_for_state("running")
    assert after["generation"] == before["generation"]
    assert after["restarts"]["total"] == 0
