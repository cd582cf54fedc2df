"""A database that is down makes the backend degraded; it never restarts it."""

import os

import pytest

from harness.waiting import holds_for, wait_until

# Minutes of a real outage are the same story: CODEX_OUTAGE_SECONDS=300 tells it in full.
OUTAGE = float(os.environ.get("CODEX_OUTAGE_SECONDS", "20"))


@pytest.fixture(params=["1s", "5s"], ids=["database asked as often", "health asked more often"])
def project(request, agent, postgres, node_modules):
    """/health fails with the database; the agent may see either of them first."""
    agent.copy_example("node-postgres", node_modules)
    (agent.directory / ".env").write_text(f"DATABASE_URL={postgres.url}\n", encoding="ascii")
    agent.configure(["node", "server.js"], f"""\
timeout = "1s"
[backend.app.probe.database]
period = "{request.param}"
timeout = "1s"
""", period="1s")
    agent.start()
    return agent


def unchanged(agent, before):
    now = agent.backend()
    assert now["pid"] == before["pid"] and now["generation"] == before["generation"], "the backend was restarted"
    assert now["restarts"]["total"] == 0
    return now["state"] == "degraded"


@pytest.mark.parametrize("outage,reason", [("stop", "refused"), ("pause", "timeout")])
def test_an_outage_degrades_and_heals_without_a_restart(project, postgres, outage, reason):
    assert project.backend()["health"] == "healthy"
    before = project.backend()
    getattr(postgres, outage)()
    project.wait_for_state("degraded", 20)
    degraded = wait_until(lambda: (found := project.backend())["health_reason"].startswith("database") and found, 30,
                          "the database as the reason", interval=0.1)
    assert degraded["state"] == "degraded"
    probe = next(probe for probe in degraded["probes"] if probe["name"] == "database")
    assert (probe["outcome"], probe["reason"]) == ("failure", reason)
    told = project.run("status", expect=5)
    assert "❌ Database not connected" in told.stdout and reason in told.stdout
    holds_for(lambda: unchanged(project, before), OUTAGE if outage == "stop" else OUTAGE / 2, "degraded", 0.5)
    metrics = project.metrics()
    assert metrics.value("codex_agent_backend_state", state="degraded") == 1
    assert metrics.value("codex_agent_probe_failures_total", probe="database", reason=reason) >= 3
    assert metrics.value("codex_agent_backend_up") == 1

    postgres.ensure_running()
    project.wait_for_state("running", 30)
    project.run("status", expect=0)
    assert not unchanged(project, before), "still degraded"


def test_a_wrong_password_is_told_apart_from_an_outage(agent, postgres):
    agent.configure(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(agent.port)],
                    'path = "/"\n', database=postgres.url_with_password("not-the-password"), start_timeout="3s")
    told = agent.start(expect=1)
    probe = next(probe for probe in agent.backend()["probes"] if probe["name"] == "database")
    assert probe["reason"] == "auth"
    assert "not-the-password" not in told.stdout + told.stderr


def test_a_database_restart_between_two_probes_is_no_news(project, postgres):
    before = project.backend()
    postgres.stop()
    postgres.start()
    wait_until(lambda: project.backend()["state"] == "running", 30, "healthy again")
    assert project.backend()["generation"] == before["generation"]
