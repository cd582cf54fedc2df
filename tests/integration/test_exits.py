"""Ends that nobody asked for: seen at once, classified the same everywhere, repaired within the budget."""

import socket
import time

import psutil
import pytest

from harness import processes
from harness.agent import NODE_BACKEND, PYTHON_BACKEND
from harness.waiting import wait_until

ENDS = {
    "exit 0": (["--exit", "0", "--after", "1000"], "exit_zero", 0, None, "exit"),
    "exit 3": (["--exit", "3", "--after", "1000"], "exit_nonzero", 3, None, "crash"),
    "SIGKILL": (["--kill-self", "SIGKILL", "--after", "1000"], "signal", 137, "SIGKILL", "crash"),
}


@pytest.mark.parametrize("flags,outcome,code,signal,reason", ENDS.values(), ids=ENDS.keys())
def test_an_end_is_classified_and_repaired(agent, flags, outcome, code, signal, reason):
    agent.configure([*PYTHON_BACKEND, *flags], '[backend.app.restart]\npolicy = "always"\nstart_limit = "50 in 60s"\n')
    agent.start()
    assert agent.backend()["generation"] == 1
    backend = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found,
                         15, "the restart")
    assert (backend["last_exit"]["outcome"], backend["last_exit"]["code"]) == (outcome, code)
    assert backend["last_exit"]["signal"] == signal
    assert backend["restarts"]["by_reason"][reason] >= 1
    metrics = agent.metrics()
    assert metrics.value("codex_agent_backend_exits_total", outcome=outcome) >= 1
    assert metrics.value("codex_agent_backend_restarts_total", reason=reason) >= 1
    assert metrics.value("codex_agent_backend_last_exit_code") == code
    for other in {"exit_zero", "exit_nonzero", "signal"} - {outcome}:
        assert metrics.value("codex_agent_backend_exits_total", outcome=other) == 0
    told = [event for event in agent.events() if event["reason"] == reason]
    assert told and (signal or f"exit code {code}") in told[0]["detail"]
    agent.journal.check_no_overlap()


def test_a_kill_from_outside_is_repaired_and_the_port_is_never_fought_for(agent):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    for generation in range(2, 5):
        psutil.Process(agent.backend()["pid"]).kill()
        wait_until(lambda: (found := agent.backend())["generation"] == generation and found["state"] == "running", 15,
                   f"generation {generation}")
    assert "Address already in use" not in agent.output
    agent.journal.check_no_overlap()


def test_policy_on_failure_leaves_a_clean_exit_alone(agent):
    agent.configure([*PYTHON_BACKEND, "--exit", "0", "--after", "800"], '[backend.app.restart]\npolicy = "on_failure"\n')
    agent.start()
    backend = agent.wait_for_state("stopped")
    assert backend["generation"] == 1
    assert backend["last_exit"]["outcome"] == "exit_zero"
    agent.assert_nothing_runs()


def test_a_crash_loop_backs_off_and_then_gives_up_without_costing_cpu(agent):
    agent.configure([*PYTHON_BACKEND, "--exit", "1", "--after", "1500"],
                    '[backend.app.restart]\nstart_limit = "3 in 60s"\nmax_delay = "1s"\n')
    agent.start()
    agent.wait_for_state("backoff")
    backend = agent.wait_for_state("failed", 30)
    assert len(agent.journal.starts()) == 1 + 3
    assert backend["problem"]
    assert backend["last_exit"]["code"] == 1
    agent.assert_nothing_runs()
    agent.run("status", expect=3)
    metrics = agent.metrics()
    assert metrics.value("codex_agent_backend_state", state="failed") == 1
    assert metrics.value("codex_agent_backend_state_entries_total", state="backoff") >= 1
    before, begin = processes.cpu_seconds(agent.pid), time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 3, 10)
    assert processes.cpu_seconds(agent.pid) - before < 0.15, "the agent is busy although there is nothing to do"
    assert len(agent.journal.starts()) == 4
    agent.journal.check_no_overlap()


def test_a_backend_that_hangs_is_restarted_with_the_reason(agent):
    agent.configure(NODE_BACKEND, 'timeout = "500ms"\nfailure_threshold = 2\n')
    agent.start()
    with socket.create_connection(("127.0.0.1", agent.port)) as connection:
        connection.sendall(b"GET /block?ms=600000 HTTP/1.0\r\n\r\n")
        after = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found,
                           20, "the restart")
    assert after["restarts"]["by_reason"]["probe_failure"] + after["restarts"]["by_reason"]["hang"] == 1
    agent.journal.check_no_overlap()
