"""The password of DATABASE_URL appears in nothing that the agent writes, shows or passes on."""

import threading
import time

import psutil
import pytest

from harness.agent import PYTHON_BACKEND
from harness.waiting import wait_until

# The URL carries it percent-encoded; both spellings and the wrong one of the second test are looked for.
SECRET = "S3cr%t/Canary+Q7x"
ENCODED = "S3cr%25t%2FCanary%2BQ7x"


class CommandLines(threading.Thread):
    """Collects /proc/PID/cmdline of everything the test started, as often as it can."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self._agent, self._end = agent, threading.Event()
        self.seen = set()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def run(self):
        while not self._end.is_set():
            for process in self._agent.processes():
                try:
                    self.seen.add(" ".join(process.cmdline()))
                except psutil.Error:
                    pass
            time.sleep(0.02)


def everything(agent):
    """All that the agent shows or wrote, by where it was found; FIFOs and the project's own input are left out."""
    found = {}
    for arguments in (["status"], ["status", "--json"], ["events"], ["events", "--json"], ["logs", "-n", "1000"],
                      ["ports"], ["ports", "--json"], ["check"], ["check", "--json"], ["config", "show"],
                      ["config", "show", "--json"], ["config", "check"], ["restart"], ["status", "app"]):
        done = agent.run(*arguments)
        found["codex-agent " + " ".join(arguments)] = done.stdout + done.stderr
    for path in ("/metrics", "/", "/api/v1/status", "/-/ready", "/-/healthy"):
        _, headers, body = agent.http(path)
        found["GET " + path] = str(headers) + body.decode()
    for directory in (agent.directory / "logs", agent.state_directory):
        for path in directory.rglob("*"):
            if path.is_file():
                found[str(path)] = path.read_text(encoding="utf-8", errors="surrogateescape")
    return found


def assert_clean(found, secrets):
    leaks = [f"{where}: {line[:200]}" for where, text in found.items() for line in text.splitlines()
             for secret in secrets if secret in line]
    assert not leaks, "\n".join(leaks)


@pytest.fixture
def telling(agent, postgres):
    """The backend itself prints its DATABASE_URL, plain and inside an error; the probe's password is wrong."""
    url = postgres.url_with_password(ENCODED)
    (agent.directory / ".env").write_text(f"DATABASE_URL={url}\nAPI_TOKEN=Canary-Token-93ab\n", encoding="ascii")
    agent.configure([*PYTHON_BACKEND, "--print-env", "DATABASE_URL", "--print-env", "API_TOKEN"],
                    '[backend.app.probe.database]\nperiod = "200ms"\n')
    return agent


def test_the_canary_is_found_nowhere(telling):
    with CommandLines(telling) as lines:
        started = telling.run("start", "--timeout", "5s")
        backend = wait_until(lambda: (found := telling.backend()) and
                             found["probes"][2]["reason"] == "auth" and found, 15, "the refused log-in")
        assert backend["probes"][2]["name"] == "database"
        wait_until(lambda: "API_TOKEN=" in telling.output, 10, "the backend's output")
        found = everything(telling)
    found["start"] = started.stdout + started.stderr
    found["command lines"] = "\n".join(lines.seen)
    assert any("codex-agentd" in line for line in lines.seen)
    assert "DATABASE_URL=" in telling.output, "the backend's line itself must be kept"
    assert_clean(found, (SECRET, ENCODED, "Canary"))


@pytest.mark.parametrize("url", [
    "postgres://bob:p@Canary@127.0.0.1:1/x",
    "postgres://bob:Canary/et@127.0.0.1:1/x",
    "postgres://bob:S3%Canary@127.0.0.1:1/x",
    "postgresq://bob:Canary@db/x",
    "postgres://bob:Canary@[::1/x",
])
def test_a_malformed_url_is_refused_or_used_without_being_repeated(agent, url):
    (agent.directory / ".env").write_text(f"DATABASE_URL={url}\n", encoding="ascii")
    agent.configure([*PYTHON_BACKEND, "--print-env", "DATABASE_URL"], start_timeout="2s")
    done = agent.run("start", timeout=30)
    found = {"start": done.stdout + done.stderr}
    for arguments in (["config", "check"], ["config", "show"], ["status"], ["check"]):
        shown = agent.run(*arguments)
        found[" ".join(arguments)] = shown.stdout + shown.stderr
    for directory in (agent.directory / "logs", agent.state_directory):
        for path in directory.rglob("*"):
            if path.is_file():
                found[str(path)] = path.read_text(encoding="utf-8", errors="surrogateescape")
    assert_clean(found, ("Canary",))
