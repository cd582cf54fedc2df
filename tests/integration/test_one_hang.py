"""One hang is one incident, one count and one deadline; and whatever it is taken for, liveness has its turn."""

import http.client
import json
import os
import threading
import time

import pytest

from harness.waiting import wait_until

# `/silence`: from then on no handler answers anybody; its event loop turns as before.
SILENT = """
const http = require('http');
let silent = false;
http.createServer((request, response) => {
  if (request.url === '/silence') silent = true;
  if (request.url === '/spin') for (;;);
  if (!silent) response.end('well');
}).listen(Number(process.env.PORT));
"""
LOCKED = """
import http.server, os, threading
LOCK = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with LOCK:
            if self.path == "/silence":
                LOCK.acquire()
            self.send_response(200)
            self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
SERVERS = {"node": (["node", "server.js"], "server.js", SILENT), "python threads": (["/usr/bin/python3", "server.py"], "server.py", LOCKED)}
SOON = '[backend.app.hang.handler]\nafter = "4s"\n'


def serve(agent, name, extra, period="1s"):
    command, file, program = SERVERS[name]
    (agent.directory / file).write_text(program, encoding="utf-8")
    agent.configure(command, f'path = "/"\ntimeout = "{period}"\n' + extra, period=period)
    agent.start()


def ask(agent, path, patience):
    """One request, by somebody who gives up; True if it was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=patience)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Deadlines(threading.Thread):
    """Notes when status says that something will be done, as often as it can."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.seen, self.states, self.enough = agent, [], [], threading.Event()

    def run(self):
        while not self.enough.is_set():
            backend = self.agent.backend()
            self.states.append(backend["state"])
            if backend["hang"] and backend["hang"]["due_at"]:
                self.seen.append(backend["hang"]["due_at"])
            time.sleep(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join(10)


@pytest.mark.parametrize("leave", [True, False], ids=["clients leave", "clients wait"])
@pytest.mark.parametrize("name", SERVERS)
def test_handlers_that_answer_nobody_are_one_hang_with_one_deadline(agent, name, leave):
    serve(agent, name, "failure_threshold = 60\n" + SOON)
    with Deadlines(agent) as deadlines:
        began = time.monotonic()
        waiting = [threading.Thread(target=ask, args=(agent, "/silence", 0.5 if leave else 30), daemon=True) for _ in range(3)]
        for client in waiting:
            client.start()
        again = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found,
                           30, "the restart", interval=0.05)
        took = time.monotonic() - began
    assert again["restarts"]["by_reason"]["hang"] == 1 and again["restarts"]["total"] == 1
    assert 3.5 < took < 4 + 3 + 2, "of the rule, and of stop and start"
    assert agent.metrics().value("codex_agent_backend_hangs_total", **{"class": "handler"}) == 1
    assert len(json.loads(agent.run("evidence", "--json").stdout)["incidents"]) == 1
    assert deadlines.seen and deadlines.seen == sorted(deadlines.seen, reverse=True), "the deadline moved back"
    hung = "".join("h" if state == "hung" else "-" for state in deadlines.states).strip("-")
    assert set(hung) == {"h"}, "it was no hang for a while"
    assert ask(agent, "/", 5), "and well again"


@pytest.mark.parametrize("path,name", [("/spin", "node"), ("/silence", "node"), ("/silence", "python threads")])
def test_liveness_has_its_turn_whatever_the_hang_watch_may_do(agent, path, name):
    serve(agent, name, '[backend.app.hang]\naction = "report"\n', period="500ms")
    ask(agent, path, 0.5)
    again = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found,
                       20, "the restart", interval=0.05)
    assert again["restarts"]["by_reason"]["probe_failure"] == 1 and again["restarts"]["by_reason"]["hang"] == 0


def test_a_hung_backend_of_one_probe_is_restarted_with_what_it_has_been_promised(agent):
    """Nobody but the agent asks: a probe that ran into its time limit waits until one is answered."""
    serve(agent, "node", "failure_threshold = 60\n" + SOON)
    os.kill(agent.backend()["pid"], 0)
    ask(agent, "/silence", 0.2)
    hung = wait_until(lambda: (found := agent.backend())["state"] == "hung" and found, 15, "hung", interval=0.05)
    assert hung["hang"]["class"] == "handler" and "HTTP probe" in hung["hang"]["detail"]
    wait_until(lambda: agent.backend()["generation"] == 2, 15, "the restart")
