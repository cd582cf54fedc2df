"""Why a backend ended, and what follows: the cause in status, event and metric, and the policy that fits it."""

import contextlib
import http.client
import socket
import urllib.parse
import urllib.request

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


def test_a_missing_module_waits_for_a_file_to_change(npm):
    agent = npm("const thing = require('missing-thing');\n" + SERVER + LISTEN)
    told = agent.start(expect=1, timeout=60)
    assert "module_not_found" in told.stderr and "missing-thing" in told.stderr
    backend = check_told(agent, "module_not_found", "failed", "file_change")
    assert backend["next_attempt_at"], "no wait is for ever"
    assert "waits for a file to change" in agent.run("status", expect=3).stdout
    holds_for(lambda: agent.backend()["starts"] == 1, 2, "a single start")
    module = agent.directory / "node_modules" / "missing-thing"
    module.mkdir(parents=True)
    (module / "index.js").write_text("", encoding="ascii")
    agent.wait_for_state("running", 30)


def test_a_syntax_error_waits_for_a_file_to_change(npm):
    agent = npm("const = ;\n" + SERVER + LISTEN)
    told = agent.start(expect=1, timeout=60)
    assert "syntax_error" in told.stderr
    check_told(agent, "syntax_error", "failed", "file_change")
    holds_for(lambda: agent.backend()["starts"] == 1, 2, "a single start")
    (agent.directory / "app.js").write_text(SERVER + LISTEN, encoding="ascii")
    agent.wait_for_state("running", 30)
    assert agent.backend()["exit_causes"]["syntax_error"] == 1


@pytest.mark.parametrize("source", ["require('missing-thing');\n", "const = ;\n"], ids=["module", "syntax"])
def test_what_waits_for_a_file_to_change_is_also_tried_again_by_the_clock(agent, source):
    agent.directory.joinpath("app.js").write_text(source, encoding="ascii")
    agent.configure(["node", "app.js"], '[backend.app.restart]\nretry_interval = "1s"\n')
    told = agent.start(expect=1)
    assert "or in 1s" in told.stderr
    wait_until(lambda: agent.backend()["starts"] >= 3, 20, "two slow retries")


# Says what it is told to say, and ends when it is told to.
SAYS = """
const http = require('http');
http.createServer((request, response) => {
  const url = new URL(request.url, 'http://x');
  if (url.searchParams.has('say')) console.log(url.searchParams.get('say'));
  if (url.pathname === '/crash') process.exit(1);
  if (url.pathname === '/load') require('./gone');
  response.end('ok');
}).listen(Number(process.env.PORT), '127.0.0.1');
"""

LINES_THAT_NAME_A_CAUSE = [
    "Error [ERR_MODULE_NOT_FOUND]: x",
    "Error: Cannot find module 'optional'",
    "ModuleNotFoundError: No module named 'x'",
    "src/app.ts(3,7): error TS1005: ';' expected.",
    "[api] Error: Cannot find module 'optional'",
]


@pytest.fixture
def says(agent):
    """A running backend that says what it is told to say."""
    agent.directory.joinpath("app.js").write_text(SAYS, encoding="ascii")
    agent.configure(["node", "app.js"])
    agent.start()
    return agent


def request(agent, path, **query):
    with contextlib.suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(f"http://127.0.0.1:{agent.port}{path}?{urllib.parse.urlencode(query)}", timeout=5).read()


def wait_for_restart(agent):
    wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running", 15, "the restart")


def wait_for_answered_probes(agent):
    asked = agent.backend()["probes"][0]["attempts"]
    wait_until(lambda: agent.backend()["probes"][0]["attempts"] > asked + 2, 10, "answered probes")


@pytest.mark.parametrize("line", LINES_THAT_NAME_A_CAUSE)
def test_what_a_backend_has_outlived_is_no_cause_of_its_end(says, line):
    """Logged about an optional module, or by a client as its name; and a crash another day."""
    request(says, "/", say=line)
    wait_until(lambda: line in says.output, 10, "the line")
    wait_for_answered_probes(says)
    request(says, "/crash")
    wait_for_restart(says)
    backend = says.backend()
    assert backend["exit_causes"]["crash"] == 1 and backend["last_exit"]["cause"] == "crash"


@pytest.mark.parametrize("line", LINES_THAT_NAME_A_CAUSE)
def test_no_line_keeps_a_backend_down_that_was_well_with_this_code(says, line):
    """Said in the very moment of the crash."""
    request(says, "/crash", say=line)
    wait_for_restart(says)
    assert says.backend()["restarts"]["total"] == 1


def test_a_module_that_is_gone_while_the_backend_runs_is_a_cause_of_the_next_start(says):
    request(says, "/load")
    wait_for_restart(says)
    assert says.backend()["last_exit"]["cause"] == "module_not_found", "told all the same"
    says.directory.joinpath("app.js").write_text("require('./gone');\n" + SAYS, encoding="ascii")
    request(says, "/crash")
    check_told(says, "module_not_found", "failed", "file_change")


def test_a_worker_has_outlived_what_it_wrote_long_before_its_end(agent):
    """It has no probe that could tell; what it wrote in its last seconds may say why."""
    worker = "import sys, time\nprint(sys.argv[1], flush=True)\ntime.sleep(float(sys.argv[2]))\nsys.exit(1)\n"
    agent.directory.joinpath("worker.py").write_text(worker, encoding="ascii")
    agent.write("""
[backend.app]
command = ["/usr/bin/python3", "worker.py", "ModuleNotFoundError: No module named 'x'", "6"]
port = "none"
""")
    agent.start()
    wait_until(lambda: agent.backend()["starts"] == 2, 20, "the restart")
    assert agent.backend()["last_exit"]["cause"] == "crash"


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
    assert "started again" not in err, "nobody waits for it"
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
