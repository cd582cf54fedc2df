"""A start that does not succeed: in time, with the phase it hung in, and with nothing left."""

import time

import pytest

from harness.agent import NODE_BACKEND, PYTHON_BACKEND
from harness.debugger import Debugger
from harness.ports import free_port
from harness.waiting import holds_for, wait_until

TIMEOUT = 3.0
NO_RETRY = '[backend.app.restart]\npolicy = "never"\n'

CASES = {
    "never listens": (["--never-listen"], "listen"),
    "listens but never answers": (["--never-answer"], "respond"),
    "answers 503": (["--health-status", "503"], "503"),
}


def failed_start(agent):
    begin = time.monotonic()
    done = agent.start(expect=1)
    took = time.monotonic() - begin
    # The end of the start is followed by a stop, which may take its grace.
    assert TIMEOUT - 0.1 < took < TIMEOUT + 2 + 1.5
    backend = agent.backend()
    assert backend["state"] == "failed"
    assert backend["last_transition"]["reason"] == "start_timeout"
    agent.assert_nothing_runs()
    agent.run("status", expect=3)
    assert agent.metrics().value("codex_agent_backend_start_failures_total", reason="ready_timeout") == 1
    return done.stdout + done.stderr


@pytest.mark.parametrize("program", [PYTHON_BACKEND, NODE_BACKEND], ids=["python", "node"])
@pytest.mark.parametrize("flags,word", CASES.values(), ids=CASES.keys())
def test_start_fails_at_the_timeout_and_names_what_it_waited_for(agent, program, flags, word):
    agent.configure([*program, *flags], NO_RETRY, start_timeout=f"{TIMEOUT:g}s")
    told = failed_start(agent)
    assert word in told
    assert f"{TIMEOUT:g}" in told, "the limit is not named"


def test_start_names_the_port_on_which_the_backend_listens_instead(agent):
    elsewhere = free_port()
    agent.configure(["env", f"PORT={elsewhere}", *PYTHON_BACKEND], NO_RETRY, start_timeout=f"{TIMEOUT:g}s")
    told = failed_start(agent)
    assert f"nothing listens on port {agent.port}; the backend listens on port {elsewhere} instead" in told


def test_start_names_the_database_that_does_not_answer(agent):
    closed = free_port()
    agent.configure(PYTHON_BACKEND, NO_RETRY, start_timeout=f"{TIMEOUT:g}s",
                    database=f"postgresql://codex:codex@127.0.0.1:{closed}/codex")
    told = failed_start(agent)
    assert "database" in told.lower() and "refused" in told.lower()


def test_a_paused_database_is_a_timeout_and_not_a_hang_of_the_agent(agent, postgres):
    agent.configure(PYTHON_BACKEND, NO_RETRY, start_timeout=f"{TIMEOUT:g}s", database=postgres.url)
    postgres.pause()
    told = failed_start(agent)
    assert "database" in told.lower()


def test_a_program_that_ends_at_once_fails_the_start_at_once(agent):
    agent.configure([*PYTHON_BACKEND, "--never-listen", "--exit", "3"], NO_RETRY)
    begin = time.monotonic()
    told = agent.start(expect=1)
    assert time.monotonic() - begin < 5
    assert "exit code 3" in told.stdout + told.stderr
    assert agent.backend()["state"] == "failed"
    agent.assert_nothing_runs()


@pytest.mark.parametrize("mode,word", [(None, "No such file or directory"), (0o644, "Permission denied"),
                                       (0o755, "Exec format error")],
                         ids=["missing", "not executable", "no program"])
def test_a_program_that_cannot_be_executed_is_named_with_the_reason(agent, mode, word):
    program = agent.directory / "program"
    if mode:
        program.write_text("neither ELF nor a script\n", encoding="ascii")
        program.chmod(mode)
    agent.configure([program], NO_RETRY)
    told = agent.start(expect=1)
    assert str(program) in told.stdout + told.stderr
    assert word in told.stdout + told.stderr
    assert agent.metrics().value("codex_agent_backend_start_failures_total", reason="exec_error") == 1
    agent.assert_nothing_runs()


def test_a_debugger_that_is_awaited_holds_the_time_limit_of_a_start(agent):
    (agent.directory / "app.js").write_text(
        "require('http').createServer((q, r) => r.end()).listen(Number(process.env.PORT), '127.0.0.1')\n", encoding="ascii")
    inspector = free_port()
    agent.configure(["node", f"--inspect-brk={inspector}", "app.js"], start_timeout="3s")
    start = agent.popen("start")
    agent.wait_for_agent()
    problem = wait_until(lambda: agent.backend()["problem"], 10, "the debugger's part in it")
    assert "debugger holds the start" in problem and "(node) waits for one" in problem
    pid = agent.backend()["pid"]
    holds_for(lambda: agent.backend()["state"] == "starting" and agent.backend()["pid"] == pid, 5, "still the same start",
              interval=0.5)
    with Debugger(inspector) as debugger:
        wait_until(lambda: "one is connected to" in agent.backend()["problem"], 5, "who holds it now")
        debugger.run()
    assert start.wait(20) == 0
    backend = agent.backend()
    assert backend["pid"] == pid and not backend["problem"] and not backend["last_hang"]
