"""A database that is down makes the backend degraded; it never restarts it."""

import os
import socket

import pytest

from harness.agent import PYTHON_BACKEND
from harness.waiting import holds_for, wait_until

# Minutes of a real outage are the same story: CODEX_OUTAGE_SECONDS=300 tells it in full.
OUTAGE = float(os.environ.get("CODEX_OUTAGE_SECONDS", "20"))


@pytest.fixture
def projects(make_agent, postgres, node_modules):
    """/health fails with the database; the agent may see either of them first: of the one project both are asked as
    often, of the other /health is. They live through the same outages at the same time."""
    made = []
    for period in ("1s", "5s"):
        agent = make_agent(f"asked-every-{period}")
        agent.copy_example("node-postgres", node_modules)
        (agent.directory / ".env").write_text(f"DATABASE_URL={postgres.url}\n", encoding="ascii")
        agent.configure(["node", "server.js"], f"""\
timeout = "1s"
[backend.app.probe.database]
period = "{period}"
timeout = "1s"
""", period="1s")
        agent.start()
        made.append(agent)
    return made


def test_health_does_not_stand_above_a_check_that_fails(agent):
    with socket.socket() as database:
        database.bind(("127.0.0.1", 0))
        port = database.getsockname()[1]
        agent.configure(PYTHON_BACKEND, f"""\
[backend.app.probe.second]
kind = "port"
port = {port}
role = "readiness"
period = "500ms"
failure_threshold = 100
""")
        database.listen()
        agent.start()
    wait_until(lambda: agent.backend()["health_reason"], 10, "the doubt")
    backend = agent.backend()
    assert backend["state"] == "running" and backend["health"] == "healthy"
    assert backend["health_reason"].startswith("second failing ") and backend["health_reason"].endswith(" of 100")
    shown = agent.run("status", expect=0).stdout
    assert "running, second failing " in shown and "healthy" not in shown


class Outage:
    """What an outage does to a project; `before` is its backend as it was."""

    def __init__(self, project):
        self._project = project
        self.before = project.backend()
        assert self.before["health"] == "healthy"

    def degraded(self):
        """Whether it is, after a look at whether it is the same process."""
        now, where = self._project.backend(), self._project.directory.name
        assert now["pid"] == self.before["pid"] and now["generation"] == self.before["generation"], (
            f"{where}: the backend was restarted")
        assert now["restarts"]["total"] == 0, where
        return now["state"] == "degraded"

    def is_told(self, reason):
        project = self._project
        project.wait_for_state("degraded", 20)
        degraded = wait_until(
            lambda: (found := project.backend())["health_reason"].startswith("database") and found, 30,
            "the database as the reason", interval=0.1)
        assert degraded["state"] == "degraded"
        probe = next(probe for probe in degraded["probes"] if probe["name"] == "database")
        assert (probe["outcome"], probe["reason"]) == ("failure", reason)
        told = project.run("status", expect=5)
        assert "❌ Database not connected" in told.stdout and reason in told.stdout

    def is_counted(self, reason):
        metrics = self._project.metrics()
        assert metrics.value("codex_agent_backend_state", state="degraded") == 1
        assert metrics.value("codex_agent_probe_failures_total", probe="database", reason=reason) >= 3
        assert metrics.value("codex_agent_backend_up") == 1

    def heals(self):
        self._project.wait_for_state("running", 30)
        self._project.run("status", expect=0)
        assert not self.degraded(), "still degraded"


@pytest.mark.parametrize("outage,reason", [("stop", "refused"), ("pause", "timeout")])
def test_an_outage_degrades_and_heals_without_a_restart(projects, postgres, outage, reason):
    outages = [Outage(project) for project in projects]
    getattr(postgres, outage)()
    for each in outages:
        each.is_told(reason)
    holds_for(lambda: all([each.degraded() for each in outages]), OUTAGE if outage == "stop" else OUTAGE / 2,
              "degraded", 0.5)
    for each in outages:
        each.is_counted(reason)
    postgres.ensure_running()
    for each in outages:
        each.heals()


def test_a_wrong_password_is_told_apart_from_an_outage(agent, postgres):
    agent.configure(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(agent.port)],
                    'path = "/"\n', database=postgres.url_with_password("not-the-password"), start_timeout="3s")
    told = agent.start(expect=1)
    probe = next(probe for probe in agent.backend()["probes"] if probe["name"] == "database")
    assert probe["reason"] == "auth"
    assert "not-the-password" not in told.stdout + told.stderr


def test_a_database_restart_between_two_probes_is_no_news(projects, postgres):
    before = [project.backend() for project in projects]
    postgres.stop()
    postgres.start()
    for project, known in zip(projects, before):
        wait_until(lambda: project.backend()["state"] == "running", 30, "healthy again")
        assert project.backend()["generation"] == known["generation"]
