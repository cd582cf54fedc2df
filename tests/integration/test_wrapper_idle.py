"""The application has ended and what started it lives on: nodemon and node --watch wait for an edit, for ever."""

import itertools
import json
import time

import pytest

from harness import processes
from harness.agent import sanitized
from harness.waiting import holds_for, wait_until

APPLICATION = """
const http = require('http');
http.createServer((request, response) => {
  if (request.url === '/crash') setImmediate(() => { throw new Error('broken on request'); });
  response.end('ok\\n');
}).listen(Number(process.env.PORT), '127.0.0.1');
"""
WRAPPERS = {"nodemon": "nodemon app.js", "node --watch": "node --watch app.js"}


@pytest.fixture(params=WRAPPERS.values(), ids=WRAPPERS.keys())
def wrapped(request, agent, node_modules):
    def configure(policy):
        agent.directory.joinpath("package.json").write_text(
            json.dumps({"name": "app", "scripts": {"dev": request.param}}), encoding="ascii")
        agent.directory.joinpath("app.js").write_text(APPLICATION, encoding="ascii")
        agent.directory.joinpath("node_modules").symlink_to(node_modules)
        agent.configure(["npm", "run", "dev"], f'[backend.app.restart]\non_wrapper_idle = "{policy}"\n',
                        period="1s")
        agent.start(timeout=90)
        return agent

    return configure


def crash(agent):
    import urllib.request
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{agent.port}/crash", timeout=5).read()
    except OSError:
        pass


def edit(agent, source):
    """Saves and waits for the reload. nodemon misses an edit now and then; who waits for it saves once more."""
    owner = agent.backend()["port"]["owner_pid"]
    edits = itertools.count()

    def reloaded():
        found = agent.backend()["port"]
        if found["ours"] and found["owner_pid"] not in (None, owner):
            return True
        if next(edits) % 40 == 0:
            (agent.directory / "app.js").write_text(source + f"// {next(edits)}\n", encoding="ascii")
        return False

    wait_until(reloaded, 30, "the reload", interval=0.05)


def test_it_is_noticed_within_two_seconds_and_restarted(wrapped):
    agent = wrapped("restart")
    before = agent.backend()
    crash(agent)
    wait_until(lambda: not processes.listening(agent.port), 5, "the crash", interval=0.005)
    crashed = time.monotonic()
    event = wait_until(lambda: next((event for event in agent.events() if event["reason"] == "wrapper_idle"), None), 5,
                       "wrapper_idle", interval=0.02)
    assert time.monotonic() - crashed < (4 if sanitized() else 2)
    assert "waits for an edit: Error: broken on request (app.js:4)" in event["detail"]
    after = wait_until(lambda: (found := agent.backend())["generation"] == before["generation"] + 1 and
                       found["state"] == "running" and found, 30, "the restart", interval=0.05)
    assert after["restarts"]["by_reason"]["wrapper_idle"] == 1
    assert after["last_end"]["told"] == event["detail"] and event["detail"] in agent.run("status").stdout
    assert after["exit_causes"]["wrapper_idle"] == 1
    assert agent.metrics().value("codex_agent_backend_exit_causes_total", cause="wrapper_idle") == 1


def test_in_development_it_is_shown_and_left_to_the_next_edit(wrapped):
    agent = wrapped("wait")
    before = agent.backend()
    crash(agent)
    backend = wait_until(lambda: (found := agent.backend())["health_reason"] == "wrapper_idle" and found, 5, "wrapper_idle")
    assert backend["state"] == "degraded"
    assert "wrapper_idle" in agent.run("status", expect=5).stdout
    holds_for(lambda: agent.backend()["generation"] == before["generation"], 2, "no restart")
    (agent.directory / "app.js").write_text(APPLICATION + "// edited\n", encoding="ascii")
    after = agent.wait_for_state("running", 30)
    assert after["generation"] == before["generation"]
    assert after["restarts"]["total"] == 0


def test_an_edit_that_reloads_the_application_is_no_idle_wrapper(wrapped):
    agent = wrapped("restart")
    for i in range(3):
        edit(agent, APPLICATION + f"// edit {i} ")
    backend = agent.wait_for_state("running")
    assert backend["restarts"]["total"] == 0
    assert backend["exit_causes"]["wrapper_idle"] == 0


def test_a_start_that_ends_below_its_wrapper_fails_with_its_own_cause(agent, node_modules):
    agent.directory.joinpath("package.json").write_text('{"name": "app", "scripts": {"dev": "nodemon app.js"}}',
                                                        encoding="ascii")
    agent.directory.joinpath("app.js").write_text("require('missing-thing');\n", encoding="ascii")
    agent.directory.joinpath("node_modules").symlink_to(node_modules)
    agent.configure(["npm", "run", "dev"], start_timeout="60s")
    told = agent.start(expect=1, timeout=40)
    assert "nodemon waits for an edit: Error: Cannot find module 'missing-thing' (app.js:1)" in told.stderr
    assert agent.backend()["exit_causes"]["module_not_found"] == 1
    assert agent.backend()["awaiting"] == "file_change"
    agent.assert_nothing_runs()


@pytest.fixture
def reloaded(agent, node_modules):
    """A running application below nodemon, with a short retry."""
    agent.directory.joinpath("package.json").write_text('{"name": "app", "scripts": {"dev": "nodemon app.js"}}',
                                                        encoding="ascii")
    agent.directory.joinpath("app.js").write_text(APPLICATION, encoding="ascii")
    agent.directory.joinpath("node_modules").symlink_to(node_modules)
    agent.configure(["npm", "run", "dev"], '[backend.app.restart]\nretry_interval = "3s"\n', start_timeout="60s")
    agent.start(timeout=90)
    return agent


def test_what_only_an_edit_can_mend_is_left_to_the_wrapper_and_tried_again_by_the_clock(reloaded):
    """An edit may never come, or be missed."""
    agent = reloaded
    before = agent.backend()
    broken = (f"// {i}\n{APPLICATION}}};\n" for i in itertools.count())
    waits = "nodemon waits for an edit: SyntaxError: Unexpected token '}' (app.js:"

    def told():
        found = agent.backend()
        if found["health_reason"] == "wrapper_idle":
            return found
        (agent.directory / "app.js").write_text(next(broken), encoding="ascii")  # nodemon may miss an edit.
        return None

    found = wait_until(told, 20, "wrapper_idle", interval=0.7)
    assert found["generation"] == before["generation"], "left to the wrapper at first"
    assert waits in found["problem"] and waits in agent.run("status", expect=5).stdout
    assert any(waits in event["detail"] for event in agent.events())
    (agent.directory / "app.js").write_text(APPLICATION, encoding="ascii")
    agent.wait_for_state("running", 30)


def test_a_missing_module_of_code_that_has_been_good_is_no_reason_to_wait_for_an_edit(reloaded):
    agent = reloaded
    edit(agent, APPLICATION.replace("throw new Error('broken on request')", "require('missing-thing')"))
    # Answered probes say that this code is good.
    asked = agent.backend()["probes"][0]["attempts"]
    wait_until(lambda: agent.backend()["probes"][0]["attempts"] > asked + 2, 10, "answered probes")
    before = agent.backend()
    crash(agent)
    wait_until(lambda: (found := agent.backend())["generation"] > before["generation"] and found["state"] == "running", 2.5,
               "the restart, before the slow retry")
