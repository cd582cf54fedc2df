"""Why a backend ended, and what follows: the cause in status, event and metric, and the policy that fits it."""

import socket

import psutil
import pytest

from harness.agent import PYTHON_BACKEND
from harness.waiting import holds_for, wait_until

SERVER = """
const http = require('http');
const server = http.createServer((request, response) => response.end('ok\\n'));
"""
LISTEN = "server.listen(Number(process.env.PORT), '127.0.0.1');\n"


@pytest.fixture
def npm(agent, node_modules):
    """An npm project whose program is `source`."""

    def configure(source, extra="", script="node app.js", **options):
        agent.directory.joinpath("package.json").write_text(
            '{"name": "app", "scripts": {"dev": "%s"}}' % script, encoding="ascii")
        agent.directory.joinpath("app.js").write_text(source, encoding="utf-8")
        agent.configure(["npm", "run", "dev"], extra, **options)
        return agent

    return configure


def check_told(agent, cause, state, awaiting):
    """The same cause everywhere."""
    backend = wait_until(lambda: (found := agent.backend())["state"] == state and found["awaiting"] == awaiting and found,
                         20, f"state {state}, awaiting {awaiting}", interval=0.05)
    assert backend["desired"] == "running"
    assert backend["exit_causes"][cause] >= 1
    if backend["last_exit"]:
        assert backend["last_exit"]["cause"] == cause
    assert agent.metrics().value("codex_agent_backend_exit_causes_total", cause=cause) >= 1
    assert [event for event in agent.events() if event["reason"] == cause], f"no event tells {cause}"
    agent.assert_nothing_runs()
    return backend


def test_a_missing_module_is_not_retried_until_a_file_changes(npm):
    agent = npm("const thing = require('missing-thing');\n" + SERVER + LISTEN)
    told = agent.start(expect=1, timeout=60)
    assert "module_not_found" in told.stderr and "missing-thing" in told.stderr
    backend = check_told(agent, "module_not_found", "failed", "file_change")
    assert backend["next_attempt_at"] is None
    assert "waits for a file to change" in agent.run("status", expect=3).stdout
    holds_for(lambda: agent.backend()["starts"] == 1, 2, "a single start")
    module = agent.directory / "node_modules" / "missing-thing"
    module.mkdir(parents=True)
    (module / "index.js").write_text("", encoding="ascii")
    agent.wait_for_state("running", 30)


def test_a_syntax_error_is_not_retried_until_a_file_changes(npm):
    agent = npm("const = ;\n" + SERVER + LISTEN)
    told = agent.start(expect=1, timeout=60)
    assert "syntax_error" in told.stderr
    check_told(agent, "syntax_error", "failed", "file_change")
    holds_for(lambda: agent.backend()["starts"] == 1, 2, "a single start")
    (agent.directory / "app.js").write_text(SERVER + LISTEN, encoding="ascii")
    agent.wait_for_state("running", 30)
    assert agent.backend()["exit_causes"]["syntax_error"] == 1


def test_a_command_that_is_not_there_waits_for_a_change(agent):
    agent.configure(["./serve"])
    agent.start(expect=1)
    check_told(agent, "exec_error", "failed", "file_change")
    program = agent.directory / "serve"
    program.write_text(f"#!/bin/sh\nexec {' '.join(PYTHON_BACKEND)}\n", encoding="ascii")
    program.chmod(0o755)
    agent.wait_for_state("running", 30)


def test_a_full_heap_is_named_and_restarted(npm):
    agent = npm(SERVER + LISTEN + "const kept = []; setTimeout(() => { for (;;) kept.push(new Array(1e5).fill('x')); }, 700);",
                script="node --max-old-space-size=30 app.js")
    agent.start(timeout=60)
    backend = wait_until(lambda: (found := agent.backend())["exit_causes"]["heap_oom"] >= 1 and found["generation"] >= 2
                         and found, 30, "the restart", interval=0.05)
    assert backend["restarts"]["by_reason"]["crash"] >= 1
    assert agent.metrics().value("codex_agent_backend_exit_causes_total", cause="heap_oom") >= 1
    told = [event for event in agent.events() if event["reason"] == "heap_oom"]
    assert told and "heap" in told[0]["detail"]


class Stranger:
    """Takes a port, and gives it back."""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()

    def leave(self):
        self.socket.close()


def test_a_clash_found_by_the_program_itself_waits_for_the_release(npm):
    agent = npm(SERVER + f"setTimeout(() => {{ {LISTEN} }}, 1500);", start_timeout="40s")
    agent.start(timeout=60)
    backend = agent.backend()
    psutil.Process(backend["port"]["owner_pid"]).kill()
    wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "starting", 20, "the restart")
    stranger = Stranger(agent.port)
    backend = wait_until(lambda: (found := agent.backend())["awaiting"] == "port" and found, 20, "the clash")
    assert backend["state"] == "backoff"
    assert backend["exit_causes"]["port_taken"] == 1
    assert backend["last_exit"]["cause"] == "port_taken"
    assert agent.metrics().value("codex_agent_backend_exit_causes_total", cause="port_taken") == 1
    starts = backend["starts"]
    holds_for(lambda: agent.backend()["starts"] == starts, 2, "no start while the port is held")
    assert "waits for the port" in agent.run("status", expect=3).stdout
    stranger.leave()
    agent.wait_for_state("running", 30)


def test_a_clash_during_a_commanded_start_is_refused(npm):
    agent = npm(SERVER + f"setTimeout(() => {{ {LISTEN} }}, 1500);", start_timeout="40s")
    start = agent.popen("start")
    agent.wait_for_agent()
    agent.wait_for_state("starting")
    stranger = Stranger(agent.port)
    _, err = start.communicate(timeout=40)
    assert start.returncode == 7, err
    assert agent.backend()["desired"] == "stopped"
    stranger.leave()


def test_a_database_that_refuses_at_boot_is_waited_for(npm, postgres, node_modules):
    agent = npm("""
const { Client } = require('pg');
const client = new Client({ connectionString: process.env.DATABASE_URL });
client.connect().then(() => { %s }, (error) => { console.error(error); process.exit(1); });
""" % (SERVER + LISTEN), database=postgres.url, start_timeout="20s")
    (agent.directory / "node_modules").symlink_to(node_modules)
    (agent.directory / ".env").write_text(f"DATABASE_URL={postgres.url}\n", encoding="ascii")
    postgres.stop()
    start = agent.popen("start")
    agent.wait_for_agent()
    backend = check_told(agent, "db_refused", "backoff", "database")
    assert "the database" in backend["problem"]
    starts = backend["starts"]
    holds_for(lambda: agent.backend()["starts"] == starts, 2, "no start without the database")
    assert agent.backend()["restart_budget"]["remaining"] >= 4, "waiting costs no restarts"
    postgres.start()
    agent.wait_for_state("running", 30)
    start.communicate(timeout=30)
    assert start.returncode == 0
