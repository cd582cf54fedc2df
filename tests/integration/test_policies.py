"""Restarts that follow from a configured policy: the memory limit, and an application that does not reconnect."""

import psutil

from harness.agent import PYTHON_BACKEND
from harness.waiting import holds_for, wait_until

# Healthy until its database has been away once, and never again: it does not reconnect.
FORGETFUL = """
const http = require('http');
const { Client } = require('pg');
const client = new Client({ connectionString: process.env.DATABASE_URL });
let connected = false;
client.on('error', () => { connected = false; });
client.on('end', () => { connected = false; });
client.connect().then(() => { connected = true; });
http.createServer((request, response) => {
  response.statusCode = connected ? 200 : 503;
  response.end();
}).listen(Number(process.env.PORT), '127.0.0.1');
"""


def limit_memory(agent, limit):
    config = agent.directory / "codex-agent.toml"
    config.write_text(config.read_text(encoding="ascii").replace("[backend.app]\n", f'[backend.app]\nmemory_limit = "{limit}"\n', 1),
                      encoding="ascii")


def test_a_tree_above_its_memory_limit_is_restarted_with_evidence(agent):
    agent.configure([*PYTHON_BACKEND, "--hog", "150"])
    limit_memory(agent, "120MiB")
    agent.start()
    assert agent.metrics().value("codex_agent_backend_memory_limit_bytes") == 120 << 20
    backend = wait_until(lambda: (found := agent.backend())["restarts"]["by_reason"]["memory_limit"] and found, 30,
                         "the restart", interval=0.1)
    assert backend["memory_limit_bytes"] == 120 << 20
    event = next(event for event in agent.events() if event["reason"] == "memory_limit")
    assert "the limit is 120 MiB" in event["detail"] and "backend.py" in event["detail"]
    assert [line["signal"] for line in agent.journal.events("signal")][:1] == ["SIGTERM"], "it was not asked to leave"
    agent.journal.check_no_overlap()


def test_a_tree_below_its_limit_is_left_alone(agent):
    agent.configure([*PYTHON_BACKEND, "--hog", "60"])
    limit_memory(agent, "400MiB")
    agent.start()
    holds_for(lambda: agent.backend()["restarts"]["total"] == 0, 8, "no restart", interval=0.5)


# Fills OWN MiB by itself and SHARED MiB before it forks four workers, which only read what they share.
FORKING = """
import http.server, os, sys
shared = bytearray(os.urandom(1 << 20)) * int(sys.argv[1])
children = []
for _ in range(4):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        own = bytearray(os.urandom(1 << 20)) * int(sys.argv[2])
        sum(shared[::4096])
        os.write(writing, b"1")
        while True:
            __import__("time").sleep(3600)
    os.read(reading, 1)

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


def forking(agent, shared, own, limit):
    (agent.directory / "forking.py").write_text(FORKING, encoding="ascii")
    agent.configure(["/usr/bin/python3", "forking.py", str(shared), str(own)])
    limit_memory(agent, limit)
    agent.start()


def test_what_workers_share_counts_once_and_all_show_the_same_figure(agent):
    forking(agent, 100, 0, "256MiB")
    backend = wait_until(lambda: (found := agent.backend())["resources"]["used_memory_source"] != "resident" and found, 10,
                         "what it really uses")
    resources = backend["resources"]
    assert resources["resident_memory_bytes"] > 400 << 20
    assert 100 << 20 < resources["used_memory_bytes"] < 180 << 20
    assert abs(agent.metrics().value("codex_agent_backend_used_memory_bytes") - resources["used_memory_bytes"]) < 8 << 20
    assert ", limit 256 MiB" in agent.run("status").stdout
    holds_for(lambda: agent.backend()["restarts"]["total"] == 0, 8, "no restart", interval=0.5)


def test_what_workers_have_for_themselves_counts(agent):
    forking(agent, 20, 40, "150MiB")
    wait_until(lambda: agent.backend()["restarts"]["by_reason"]["memory_limit"], 30, "the restart", interval=0.1)
    detail = next(event["detail"] for event in agent.events() if event["reason"] == "memory_limit")
    assert "MiB (shared pages once), the limit is 150 MiB" in detail or "(of its cgroup)" in detail


def forgetful(agent, postgres, node_modules, reconnect_timeout):
    (agent.directory / "app.js").write_text(FORGETFUL, encoding="ascii")
    (agent.directory / "node_modules").symlink_to(node_modules)
    (agent.directory / ".env").write_text(f"DATABASE_URL={postgres.url}\n", encoding="ascii")
    agent.configure(["node", "app.js"], f"""\
role = "readiness"
[backend.app.restart]
reconnect_timeout = "{reconnect_timeout}"
""", database=postgres.url)
    agent.start()
    postgres.stop()
    agent.wait_for_state("degraded", 20)
    before = agent.backend()
    holds_for(lambda: agent.backend()["generation"] == 1, 3, "no restart without the database")
    postgres.start()
    return before


def test_an_application_that_does_not_reconnect_is_restarted_once(agent, postgres, node_modules):
    forgetful(agent, postgres, node_modules, "2s")
    backend = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found, 20,
                         "the restart")
    assert backend["restarts"]["by_reason"]["dependency"] == 1
    assert backend["restarts"]["total"] == 1
    event = next(event for event in agent.events() if event["reason"] == "dependency")
    assert "database is back" in event["detail"]


def test_by_default_it_is_shown_and_left(agent, postgres, node_modules):
    before = forgetful(agent, postgres, node_modules, "0s")
    wait_until(lambda: agent.backend()["health_reason"].startswith("http"), 20, "the database is back")
    holds_for(lambda: agent.backend()["generation"] == 1, 4, "no restart")
    assert psutil.pid_exists(before["pid"])
