import os
import pathlib

import pytest

from harness.agent import REPOSITORY, Agent
from harness.postgres import Postgres
from harness.prometheus import Prometheus, scraping
from harness.zoo_cases import Surroundings


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Lets fixtures see whether their test failed."""
    report = (yield).get_result()
    setattr(item, "outcome_" + report.when, report)


def _show(agent):
    for path in (agent.directory / "codex-agent.toml", *sorted(agent.directory.glob("logs/*"))):
        if path.is_file():
            print(f"--- {path}\n{path.read_text(encoding='utf-8', errors='replace')[-4000:]}")


@pytest.fixture
def make_agent(request, tmp_path):
    """Makes agents in directories of their own; each is shut down at the end and must leave nothing behind."""
    agents = []

    def make(name="project", environment=None):
        agents.append(Agent(tmp_path / name, environment))
        return agents[-1]

    yield make
    failed = getattr(request.node, "outcome_call", None)
    problems = []
    for agent in reversed(agents):
        if failed is None or failed.failed:
            _show(agent)
        try:
            agent.close()
        except (AssertionError, OSError) as error:
            _show(agent)
            problems.append(str(error))
    assert not problems, "\n".join(problems)


@pytest.fixture
def agent(make_agent):
    return make_agent()


@pytest.fixture(scope="session")
def node_modules():
    """The installed packages of agent/examples/node-postgres; tests/run puts them there with `npm ci`."""
    default = REPOSITORY / "build" / "npm" / "node_modules"
    path = pathlib.Path(os.environ.get("CODEX_NODE_MODULES", default))
    assert (path / "express").is_dir(), (
        f"{path} is missing; run: cp agent/examples/node-postgres/package*.json {path.parent}/ && npm ci --prefix "
        f"{path.parent}")
    return path


@pytest.fixture(scope="session")
def postgres_server():
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def postgres(postgres_server):
    """The real server, running at the begin of every test."""
    yield postgres_server
    postgres_server.ensure_running()


@pytest.fixture
def make_prometheus(tmp_path):
    servers = []

    def make(target):
        directory = tmp_path / f"prometheus{len(servers)}"
        directory.mkdir()
        servers.append(Prometheus(directory, scraping(target)))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def surroundings():
    """What the programs of the hang zoo need around them."""
    with Surroundings() as made:
        yield made
