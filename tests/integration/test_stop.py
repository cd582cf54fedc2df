"""Stopped means: the whole tree is gone and its port no longer LISTENs, at the moment at which `stop` returns."""

import json
import time

import pytest

from harness.agent import BACKENDS, NODE_BACKEND, PYTHON_BACKEND, sanitized
from harness import processes
from harness.waiting import wait_until

GRACE = 2.0
# 200 ms beyond the grace, and the start of the command line itself. A sanitized build is slower at everything, and its
# tests run beside others: there it shows only that a stop ends.
SLACK = 20 if sanitized() else 0.2 + 0.1

COMMANDS = {
    "plain node": NODE_BACKEND,
    "sigterm ignored": [*NODE_BACKEND, "--ignore-term"],
    "detached grandchild": [*NODE_BACKEND, "--detached-grandchild"],
    "double fork in its own session holds the port": [*PYTHON_BACKEND, "--double-fork-holder"],
    "stopped child": [*PYTHON_BACKEND, "--stopped-child"],
    "a child that forks away from every look": [*PYTHON_BACKEND, "--hop"],
    "500 processes": [*PYTHON_BACKEND, "--children", "500"],
    "npm, sh, nodemon, node": ["npm", "run", "dev"],
}


@pytest.fixture(params=["cgroup", "subreaper"])
def any_agent(request, make_agent):
    """With a cgroup where the machine gives one, and without."""
    return make_agent(environment={} if request.param == "cgroup" else {"CODEX_AGENT_CGROUP": "off"})


def prepare(agent, command, node_modules, script="nodemon backend.js"):
    if command[0] == "npm":
        agent.directory.joinpath("package.json").write_text(
            json.dumps({"name": "app", "scripts": {"dev": script}}), encoding="ascii")
        for name in ("backend.js", "journal.cjs"):
            agent.directory.joinpath(name).write_text(BACKENDS.joinpath(name).read_text(encoding="utf-8"),
                                                      encoding="utf-8")
        agent.directory.joinpath("node_modules").symlink_to(node_modules)
    agent.configure(command, stop_timeout=f"{GRACE:g}s")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_nothing_lives_and_nothing_listens_when_stop_returns(any_agent, node_modules, command):
    prepare(any_agent, command, node_modules)
    any_agent.start(timeout=90)
    tree = any_agent.backend_processes()
    assert tree and processes.listening(any_agent.port)
    begin = time.monotonic()
    any_agent.stop()
    took = time.monotonic() - begin
    any_agent.assert_nothing_runs()
    assert not [process for process in tree if processes.alive(process)]
    # To end 500 processes is the kernel's work, and takes a slow machine most of a second.
    slack = SLACK + (3 if "500" in command else 0)
    assert took < GRACE + slack, f"stop took {took:.2f} s with {GRACE} s of grace"
    any_agent.run("status", expect=3)


@pytest.mark.parametrize("script", ["node backend.js", "nodemon backend.js", "node --watch backend.js"])
def test_the_application_gets_exactly_one_stop_signal(any_agent, node_modules, script):
    prepare(any_agent, ["npm", "run", "dev"], node_modules, script)
    any_agent.start(timeout=90)
    any_agent.stop()
    any_agent.assert_nothing_runs()
    assert [line["signal"] for line in any_agent.journal.events("signal")] == ["SIGTERM"]
    assert [line["code"] for line in any_agent.journal.events("exit")] == [0]


def test_a_process_that_was_stopped_by_a_signal_is_stopped_for_good(any_agent):
    any_agent.configure(PYTHON_BACKEND, stop_timeout=f"{GRACE:g}s")
    any_agent.start()
    (process,) = any_agent.backend_processes()
    process.suspend()
    begin = time.monotonic()
    any_agent.stop()
    assert time.monotonic() - begin < GRACE + 1
    any_agent.assert_nothing_runs()


def test_a_slow_but_willing_program_is_given_its_grace(any_agent):
    any_agent.configure([*NODE_BACKEND, "--drain", "1200"], stop_timeout="5s")
    any_agent.start()
    begin = time.monotonic()
    any_agent.stop()
    took = time.monotonic() - begin
    assert 1.1 < took < 4
    assert [line["signal"] for line in any_agent.journal.events("signal")] == ["SIGTERM"]
    assert [line["code"] for line in any_agent.journal.events("exit")] == [0]
    assert any_agent.metrics().value("codex_agent_backend_stop_signals_total", signal="SIGKILL") == 0


def test_stop_wins_over_a_restart_under_way(any_agent):
    any_agent.configure([*PYTHON_BACKEND, "--drain", "500", "--listen-after", "300"])
    any_agent.start()
    restart = any_agent.popen("restart")
    wait_until(lambda: any_agent.backend()["state"] != "running", 5, "the restart")
    any_agent.stop()
    any_agent.assert_nothing_runs()
    restart.communicate(timeout=30)
    assert restart.returncode != 0
    backend = any_agent.backend()
    assert (backend["state"], backend["desired"]) == ("stopped", "stopped")
    any_agent.assert_nothing_runs()


def test_a_stop_during_the_start_ends_the_start(any_agent):
    any_agent.configure([*PYTHON_BACKEND, "--never-listen"])
    start = any_agent.popen("start")
    wait_until(lambda: any_agent.journal.starts(), 10, "the spawn")
    any_agent.stop()
    any_agent.assert_nothing_runs()
    start.communicate(timeout=30)
    assert start.returncode == 1
    assert len(any_agent.journal.starts()) == 1
