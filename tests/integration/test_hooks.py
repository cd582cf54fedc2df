"""The on_event command: gets every event in order, and can neither delay nor outlive anything."""

import json
import os
import signal
import time

import psutil
import pytest

from harness.agent import PYTHON_BACKEND
from harness.waiting import wait_until

HISTORY_KEYS = ["seq", "at", "backend", "event", "from", "to", "reason", "detail"]


def use_hook(agent, script, command=("./notify.sh",), timeout="10s", backend=PYTHON_BACKEND, extra=""):
    """Makes `script` (sh) the hook of an agent with one backend."""
    path = agent.directory / "notify.sh"
    path.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    path.chmod(0o755)
    agent.configure(backend, extra)
    toml = (agent.directory / "codex-agent.toml").read_text(encoding="utf-8")
    agent.write(f'[agent]\non_event = {json.dumps(list(command))}\non_event_timeout = "{timeout}"\n{toml}')


def delivered(agent):
    path = agent.directory / "delivered"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def history(agent):
    return (agent.state_directory / "events.jsonl").read_text(encoding="utf-8").splitlines()


def runs(agent, result):
    return agent.metrics().value("codex_agent_event_hook_runs_total", result=result)


def gone(agent, name):
    path = agent.directory / name
    return path.exists() and path.read_text(encoding="ascii").strip() and not psutil.pid_exists(int(path.read_text()))


def test_the_hook_gets_the_whole_history_in_order_and_the_last_event(agent):
    use_hook(agent, 'cat >>delivered\necho "$CODEX_AGENT_BACKEND $CODEX_AGENT_EVENT $CODEX_AGENT_STATE" >>variables\n')
    agent.start()
    psutil.Process(agent.backend()["pid"]).kill()
    wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running", 15, "the restart")
    agent.stop()
    agent.start()
    wait_until(lambda: len(delivered(agent)) == len(history(agent)), 10, "the delivery")
    assert runs(agent, "success") == len(history(agent))
    for result in ("failure", "timeout", "dropped"):
        assert runs(agent, result) == 0
    agent.run("shutdown", expect=0)

    assert delivered(agent) == history(agent), "complete, in order, and the same text; also after the agent's end"
    events = [json.loads(line) for line in delivered(agent)]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert all(list(event) == HISTORY_KEYS for event in events)
    told = [event["to"] for event in events]
    assert told[:2] == ["starting", "running"] and told[-2:] == ["stopping", "stopped"]
    variables = (agent.directory / "variables").read_text(encoding="ascii").splitlines()
    assert variables == [f"app state_changed {state}" for state in told]


def test_a_hook_that_hangs_delays_neither_the_backend_nor_the_end(agent):
    # Everything but the last event hangs, deaf to SIGTERM.
    use_hook(agent, """
case $CODEX_AGENT_STATE in
  stopped) cat >>delivered ;;
  *) trap '' TERM; while :; do sleep 1; done ;;
esac
""")
    begin = time.monotonic()
    agent.start()
    agent.run("restart", expect=0)
    agent.http()
    assert time.monotonic() - begin < 10, "as long as the first hook may take"
    begin = time.monotonic()
    agent.run("shutdown", expect=0)
    assert time.monotonic() - begin < 6
    assert agent.processes() == []
    assert [json.loads(line)["to"] for line in delivered(agent)] == ["stopped"]


def test_a_hook_that_hangs_is_killed_and_the_next_one_runs(agent):
    use_hook(agent, """
case $CODEX_AGENT_STATE in
  starting) echo $$ >hung; exec sleep 1000 ;;
  *) cat >>delivered ;;
esac
""", timeout="300ms")
    agent.start()
    wait_until(lambda: delivered(agent), 10, "the second event")
    assert json.loads(delivered(agent)[0])["to"] == "running"
    assert gone(agent, "hung")
    assert runs(agent, "timeout") == 1
    assert "event_hook_failed on_event=./notify.sh seq=1 result=timeout" in agent.log
    assert agent.log.count("event_hook_recovered") == 1


def test_a_hook_that_fails_is_logged_once_without_secrets(agent):
    agent.environment["HOOK_PASSWORD"] = "hunter2secret"
    use_hook(agent, 'cat >>delivered\necho "no route with $HOOK_PASSWORD" >&2\nexit 3\n')
    agent.start()
    wait_until(lambda: runs(agent, "failure") == 2, 10, "the failures")
    assert len(delivered(agent)) == 2
    failed = [line for line in agent.log.splitlines() if "event_hook_failed" in line]
    assert len(failed) == 1
    assert 'why="exit code 3" stderr="no route with ***"' in failed[0]
    assert "hunter2" not in agent.log


def test_what_a_hook_leaves_behind_ends_with_its_time_and_is_no_part_of_the_backend(agent):
    use_hook(agent, """
cat >>delivered
[ "$CODEX_AGENT_STATE" = running ] || exit 0
setsid sh -c 'echo $$ >daemon; exec sleep 1000' >/dev/null 2>&1 &
""", timeout="3s")
    agent.start()
    daemon = int(wait_until(lambda: (agent.directory / "daemon").exists() and
                            (agent.directory / "daemon").read_text(encoding="ascii").strip(), 10, "the daemon"))
    # The backend ends while the hook's daemon lives: none of its business.
    assert agent.backend()["resources"]["processes"] == 1
    agent.stop()
    assert psutil.pid_exists(daemon), "a stop of the backend is no reason to end it"
    wait_until(lambda: [json.loads(line)["to"] for line in delivered(agent)][-1:] == ["stopped"], 10, "the last event")
    wait_until(lambda: not psutil.pid_exists(daemon), 10, "the daemon's end")
    assert runs(agent, "success") == 4 and runs(agent, "timeout") == 0


def test_a_missing_hook_is_a_warning_and_harms_nothing(agent):
    use_hook(agent, "", command=("./missing.sh",))
    checked = agent.run("config", "check", expect=0)
    assert "missing.sh cannot be executed: No such file or directory" in checked.stdout + checked.stderr
    agent.start()
    wait_until(lambda: runs(agent, "failure") == 2, 10, "the failures")
    agent.stop()
    assert agent.log.count("event_hook_failed") == 1
    assert "Check `on_event`" in agent.log


def test_the_shown_configuration_has_the_hook(agent):
    use_hook(agent, "", command=("./notify.sh", "a b"), timeout="1500ms")
    shown = agent.run("config", "show", expect=0).stdout
    assert 'on_event = ["./notify.sh", "a b"]' in shown
    assert 'on_event_timeout = "1500ms"' in shown
    document = json.loads(agent.run("config", "show", "--json", expect=0).stdout)
    assert document["agent"]["on_event"] == ["./notify.sh", "a b"]
    assert document["agent"]["on_event_timeout_seconds"] == 1.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_last_event_arrives_also_when_a_signal_ends_the_agent(agent, number):
    use_hook(agent, "cat >>delivered\n")
    agent.start()
    process = psutil.Process(agent.pid)
    os.kill(agent.pid, number)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 15, "the agent's end")
    assert delivered(agent) == history(agent)
    assert json.loads(delivered(agent)[-1])["to"] == "stopped"
