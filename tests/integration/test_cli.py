"""The command line: one document, one exit code, never a hang."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND, command_line
from harness.ports import free_port
from harness.waiting import wait_until


@pytest.fixture
def ready(agent):
    agent.configure(PYTHON_BACKEND)
    return agent


def document(text):
    """The text as one JSON document and nothing else."""
    return json.loads(text)


def test_json_is_one_document_for_every_command_in_every_state(ready):
    assert document(ready.run("status", "--json", expect=4).stdout)["agent"] is None
    for command in (["start"], ["start"], ["status"], ["events"], ["ports"], ["check"], ["config", "check"],
                    ["config", "show"], ["restart"], ["stop"], ["status"], ["stop"], ["start", "--no-wait"],
                    ["shutdown"]):
        done = ready.run(*command, "--json")
        document(done.stdout)


def test_exit_codes_are_the_same_in_both_formats(ready):
    def both(code):
        ready.run("status", expect=code)
        ready.run("status", "--json", expect=code)

    both(4)
    ready.stop()
    ready.start()
    both(0)
    ready.start()
    assert len(ready.journal.starts()) == 1, "the second start started something"
    ready.stop()
    ready.stop()
    both(3)
    ready.run("no-such-verb", expect=2)
    ready.run("start", "--no-such-option", expect=2)
    ready.run("start", "no-such-backend", expect=4)
    ready.run("shutdown", expect=0)
    ready.run("shutdown", expect=0)
    both(4)


def test_start_without_waiting_returns_at_once(agent):
    agent.configure([*PYTHON_BACKEND, "--listen-after", "1500"])
    begin = time.monotonic()
    agent.start("--no-wait")
    assert time.monotonic() - begin < 1.4
    assert agent.backend()["state"] == "starting"
    agent.run("status", expect=3)
    agent.wait_for_state("running")


def test_a_wait_that_times_out_exits_99_and_the_start_goes_on(agent):
    agent.configure([*PYTHON_BACKEND, "--listen-after", "2500"])
    begin = time.monotonic()
    agent.start("--timeout", "1s", expect=99)
    assert time.monotonic() - begin < 2.4
    agent.wait_for_state("running")
    assert len(agent.journal.starts()) == 1


def test_an_interrupted_wait_leaves_the_backend(agent):
    agent.configure([*PYTHON_BACKEND, "--listen-after", "1500"])
    start = agent.popen("start", start_new_session=True)
    wait_until(lambda: agent.journal.starts(), 10, "the spawn")
    os.killpg(start.pid, signal.SIGINT)
    out, err = start.communicate(timeout=10)
    assert start.returncode == 130, out + err
    agent.wait_for_state("running")
    assert len(agent.journal.starts()) == 1


def test_the_agent_survives_its_terminal(agent):
    """SIGHUP to the session in which `start` ran reaches neither agent nor backend."""
    agent.configure(PYTHON_BACKEND)
    start = agent.popen("start", start_new_session=True)
    start.communicate(timeout=30)
    with pytest.raises(ProcessLookupError):
        os.killpg(start.pid, signal.SIGHUP)
    assert os.getsid(agent.pid) != start.pid
    assert agent.backend()["state"] == "running"


def test_two_starts_at_once_make_one_agent_and_one_tree(ready):
    starts = [ready.popen("start") for _ in range(6)]
    answers = [(start.communicate(timeout=60), start.returncode) for start in starts]
    assert [code for _, code in answers] == [0] * 6, answers
    assert len(ready.journal.starts()) == 1
    ready.journal.check_no_overlap()
    daemons = [process for process in ready.processes() if process.name().startswith("codex-agent")]
    assert len(daemons) == 1, processes.describe(daemons)


def test_commands_from_many_sides_end_in_the_last_stop(ready):
    ready.start()
    commands = [ready.popen(verb) for verb in ("restart", "start", "restart", "stop", "start", "restart") * 3]
    for command in commands:
        command.communicate(timeout=120)
        assert command.returncode in (0, 1), command.args
    ready.stop()
    ready.assert_nothing_runs()
    assert ready.backend()["state"] == "stopped"
    ready.journal.check_no_overlap()


def test_several_backends_are_addressed_by_name(agent):
    second = free_port()
    table = '[backend.{0}]\ncommand = {1}\nport = {2}\n[backend.{0}.probe.port]\nperiod = "200ms"\n' \
            '[backend.{0}.probe.http]\nperiod = "200ms"\n'
    command = json.dumps(PYTHON_BACKEND)
    agent.write(table.format("api", command, agent.port) + table.format("web", command, second))
    agent.start()
    assert processes.listening(agent.port) and processes.listening(second)
    agent.stop("web")
    assert processes.listening(agent.port) and not processes.listening(second)
    agent.run("status", "api", expect=0)
    agent.run("status", "web", expect=3)
    agent.run("status", expect=3)
    assert agent.backend("web")["state"] == "stopped"
    generation = agent.backend("api")["generation"]
    agent.run("restart", "api", expect=0)
    assert agent.backend("api")["generation"] == generation + 1
    assert agent.backend("web")["state"] == "stopped"
    told = agent.run("start", "wbe", expect=4)
    assert "api" in told.stderr and "web" in told.stderr
    told = agent.run("logs", expect=2)
    assert "api" in told.stderr and "web" in told.stderr


def test_logs_show_the_last_lines_and_follow(agent):
    agent.configure([*PYTHON_BACKEND, "--print-env", "PORT"])
    agent.start()
    wait_until(lambda: "cannot connect" in agent.output, 5, "the output")
    assert f"PORT={agent.port}" in agent.run("logs", expect=0).stdout
    assert len(agent.run("logs", "-n", "1", expect=0).stdout.splitlines()) == 1
    assert agent.run("logs", "-n", "0", expect=0).stdout == ""
    follow = agent.popen("logs", "-f", "-n", "0")
    try:
        wait_until(lambda: any(os.readlink(f"/proc/{follow.pid}/fd/{fd}").endswith(("inotify", "server.log"))
                               for fd in os.listdir(f"/proc/{follow.pid}/fd")), 5, "the follower")
        agent.run("restart", expect=0)
        assert follow.stdout.readline().strip() == f"PORT={agent.port}"
    finally:
        follow.terminate()
        follow.communicate()


def test_events_tell_the_story_and_outlive_the_agent(ready):
    ready.start()
    ready.stop()
    story = [(event["from"], event["to"]) for event in ready.events()]
    for step in (("stopped", "starting"), ("starting", "running"), ("running", "stopping"), ("stopping", "stopped")):
        assert step in story
    numbers = [event["seq"] for event in ready.events()]
    assert numbers == sorted(set(numbers))
    ready.run("shutdown", expect=0)
    after = [event["seq"] for event in ready.events()]
    assert after[:len(numbers)] == numbers
    ready.start()
    assert ready.events()[-1]["seq"] > numbers[-1], "numbers start again"


def test_a_stopped_agent_does_not_hang_the_command_line(ready):
    ready.start()
    agent = psutil.Process(ready.pid)
    agent.suspend()
    try:
        for command in (["status"], ["events"], ["start"]):
            begin = time.monotonic()
            done = ready.run(*command, timeout=20)
            assert time.monotonic() - begin < 5
            assert done.returncode == 4, (command, done.stdout, done.stderr)
            assert str(agent.pid) in done.stderr
    finally:
        agent.resume()
    wait_until(lambda: ready.run("status").returncode == 0, 10, "the agent's recovery")
    assert len(ready.journal.starts()) == 1


def test_an_agent_that_dies_during_a_wait_ends_the_wait(agent):
    agent.configure([*PYTHON_BACKEND, "--never-listen"])
    start = agent.popen("start")
    wait_until(lambda: agent.journal.starts(), 10, "the spawn")
    psutil.Process(agent.pid).kill()
    begin = time.monotonic()
    out, err = start.communicate(timeout=20)
    assert time.monotonic() - begin < 5
    assert start.returncode == 4, out + err
    agent.start("--no-wait")  # the next agent finds what the dead one left, and can stop it
    agent.stop()
    agent.assert_nothing_runs()


def test_check_needs_no_agent(ready):
    assert ready.run("check").returncode in (1, 3, 5)
    assert ready.processes() == []
    ready.start()
    checked = document(ready.run("check", "--json", expect=0).stdout)
    assert checked


def test_ports_names_who_listens(ready):
    ready.start()
    told = ready.run("ports", expect=0).stdout
    assert str(ready.port) in told and str(ready.backend()["port"]["owner_pid"]) in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered_for_every_shell(agent, shell):
    script = agent.run("completion", shell, expect=0).stdout
    for verb in ("start", "stop", "restart", "status", "logs", "shutdown"):
        assert verb in script


def test_the_bash_completion_completes(ready, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(ready.run("completion", "bash", expect=0).stdout, encoding="utf-8")
    code = r"""
set -eu
source "$1"
function_name=$(complete -p codex-agent | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=(codex-agent sta); COMP_CWORD=1; COMP_LINE="codex-agent sta"; COMP_POINT=15; COMPREPLY=()
"$function_name" codex-agent sta codex-agent
printf '%s\n' "${COMPREPLY[@]}"
"""
    directory = os.path.dirname(command_line())
    done = subprocess.run(["bash", "--norc", "-c", code, "bash", str(script)], text=True, capture_output=True,
                          env={**ready.environment, "PATH": f"{directory}:{ready.environment['PATH']}"}, timeout=20,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert {word.strip() for word in done.stdout.splitlines()} == {"stack", "start", "status"}


def test_output_that_nobody_reads_is_no_accident(ready):
    ready.start()
    for command in (["status"], ["logs"], ["events"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        process = ready.popen(*command, stdout=write)
        os.close(write)
        _, err = process.communicate(timeout=20)
        assert "terminate" not in err and "what()" not in err and process.returncode != -signal.SIGABRT


def test_version_and_help_need_nothing(agent):
    assert agent.run("--version", expect=0).stdout.startswith("codex-agent ")
    told = agent.run("--help", expect=0).stdout
    for verb in ("start", "stop", "restart", "status", "check", "logs", "events", "ports", "shutdown", "completion"):
        assert verb in told
    assert agent.processes() == []
