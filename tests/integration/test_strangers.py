"""Users of the host who are not trusted: what they run is never taken for the agent's own, and they keep nobody from
working."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.waiting import holds_for, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may start processes of another user")

NOBODY = 65534
TOKEN = "CODEX_AGENT_TOKEN"
# Tells its own pid in the token, as an agent does.
LEAD = 'export {token}="$PREFIX$$"; exec "$@"'.format(token=TOKEN)
SERVE = ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/usr/share/doc"]


def public_id(directory):
    """What everybody can work out of a project: FNV-1a of its state directory's path."""
    value = 14695981039346656037
    for byte in str(directory).encode():
        value = ((value ^ byte) * 1099511628211) % 2**64
    return f"{value:016x}"


@pytest.fixture
def stranger():
    """Starts processes of another user; they are ended with the test."""
    started = []

    def start(command, user=NOBODY, prefix="", **variables):
        process = subprocess.Popen(["/bin/sh", "-c", LEAD if prefix else 'exec "$@"', "sh", *map(str, command)], user=user,
                                   group=user, extra_groups=[], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={"PATH": "/usr/bin:/bin", "PREFIX": prefix, **variables}, start_new_session=True)
        started.append(process)
        wait_until(lambda: psutil.Process(process.pid).name() != "sh", 10, "the stranger's program")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def project(agent):
    """A project directory that everybody may enter and read."""
    agent.configure(PYTHON_BACKEND)
    for directory in (agent.directory, *agent.directory.parents):
        with contextlib.suppress(PermissionError):
            directory.chmod(directory.stat().st_mode | 0o055)
        if directory == pathlib.Path("/tmp"):
            break
    return agent


def forged(agent, name="app", generation=99):
    """Prefixes of tokens that can be made up by who has no secret of the agent's, of 0.1.0 and of now."""
    identity = public_id(agent.state_directory)
    return [f"{identity}/{name}/{generation}/", f"{identity}./{name}/{generation}/",
            f"{identity}.{'0' * 32}/{name}/{generation}/"]


@pytest.mark.parametrize("user", [NOBODY, 0], ids=["of another user", "of our own user"])
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["as of 0.1.0", "without a secret", "with a wrong secret"])
def test_a_forged_token_on_the_port_is_a_strangers(project, stranger, kind, user):
    server = stranger([*SERVE, project.port], user=user, prefix=forged(project)[kind])
    wait_until(lambda: processes.listening(project.port), 10, "the stranger's listener")
    told = project.start(expect=7)
    assert f"held by pid {server.pid}" in told.stderr, told.stderr
    assert project.backend()["pid"] is None
    assert json.loads(project.run("ports", "--json").stdout)["ports"][0]["listeners"][0]["ours"] is False
    assert server.poll() is None


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["as of 0.1.0", "without a secret", "with a wrong secret"])
def test_a_forged_token_displaces_no_backend(project, stranger, kind):
    """A higher generation, and a leader by its own word: the next agent takes over what is its own."""
    project.start()
    before = project.backend()
    project.kill_daemon()
    liar = stranger(["/bin/sleep", 1000], prefix=forged(project)[kind])
    project.run("run", "--background", expect=0)
    after = project.wait_for_state("running")
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    liar.kill()
    liar.wait(10)
    holds_for(lambda: project.backend()["pid"] == before["pid"], 1, "the same backend", interval=0.2)
    assert len(project.journal.starts()) == 1


def test_no_process_without_the_secret_is_ended_at_a_stop(project, stranger):
    project.start()
    project.kill_daemon()
    liars = [stranger(["/bin/sleep", 1000], user=user, prefix=prefix) for prefix in forged(project) for user in (NOBODY, 0)]
    project.run("restart", expect=0)
    project.stop()
    assert [liar.poll() for liar in liars] == [None] * len(liars)


def test_who_reads_one_backends_environment_cannot_speak_for_another(agent, stranger):
    """A backend that runs as another user shows its token to everything that this user runs."""
    # Each with a port that is free for it, and one that drops its rights as services do.
    agent.write(f"""
[backend.app]
command = {json.dumps(PYTHON_BACKEND)}
port = {agent.port}
[backend.low]
command = ["/usr/bin/setpriv", "--reuid={NOBODY}", "--clear-groups", "/bin/sleep", "1000"]
port = "none"
""")
    agent.start()
    before = agent.backend("app")
    low = agent.backend("low")["pid"]
    wait_until(lambda: psutil.Process(low).uids().real == NOBODY, 10, "the dropped rights")
    token = psutil.Process(low).environ()[TOKEN]
    assert "/low/" in token
    agent.kill_daemon()
    stolen = stranger(["/bin/sleep", 1000], prefix=token.split("/")[0] + "/app/99/")
    agent.run("run", "--background", expect=0)
    assert agent.wait_for_state("running", name="app")["pid"] == before["pid"]
    assert agent.wait_for_state("running", name="low")["pid"] == low, "a backend that drops to another user stays ours"
    agent.stop()
    assert stolen.poll() is None
    assert not psutil.pid_exists(low) or psutil.Process(low).status() == psutil.STATUS_ZOMBIE


def as_of_0_1_0(agent, stranger, user):
    """What 0.1.0 leaves when it is killed: its state file, and a backend with its token."""
    agent.start()
    state = json.loads((agent.state_directory / "state.json").read_text(encoding="utf-8"))
    agent.run("shutdown", expect=0)
    (agent.state_directory / "secrets").unlink()
    saved = state["backends"]["app"]
    del saved["ready"]
    (agent.state_directory / "state.json").write_text(json.dumps(state), encoding="utf-8")
    prefix = f"{public_id(agent.state_directory)}/app/{saved['generation']}/"
    server = stranger([*SERVE, agent.port], user=user, prefix=prefix)
    wait_until(lambda: processes.listening(agent.port), 10, "the listener")
    return server


def test_what_0_1_0_left_running_is_found_at_the_upgrade(project, stranger):
    project.configure(PYTHON_BACKEND, 'path = "/"\n')
    server = as_of_0_1_0(project, stranger, user=0)
    project.run("run", "--background", expect=0)
    assert project.wait_for_state("running")["pid"] == server.pid
    listener = json.loads(project.run("ports", "--json").stdout)["ports"][0]["listeners"][0]
    assert (listener["pid"], listener["ours"]) == (server.pid, True)
    project.kill_daemon()
    project.run("run", "--background", expect=0)
    assert project.wait_for_state("running")["pid"] == server.pid, "nor is it lost by the agents that follow"
    project.run("restart", expect=0)
    assert server.wait(10) == -signal.SIGTERM


def test_what_0_1_0_left_is_of_our_own_user_only(project, stranger):
    server = as_of_0_1_0(project, stranger, user=NOBODY)
    project.start(expect=7)
    assert server.poll() is None


def test_who_may_read_the_directory_cannot_keep_the_agent_from_starting(project, stranger):
    holder = stranger(["/usr/bin/flock", project.directory, "/bin/sleep", "1000"])
    wait_until(lambda: not can_lock(project.directory), 10, "the stranger's lock")
    project.start()
    project.run("run", "--replace", "--background", expect=0)
    project.wait_for_state("running")
    assert holder.poll() is None


def can_lock(directory):
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def test_the_secret_is_nobodys_to_read_and_never_shown(project):
    project.configure([*PYTHON_BACKEND, "--print-env", TOKEN])
    project.start()
    secrets = project.state_directory / "secrets"
    assert secrets.stat().st_mode & 0o7777 == 0o600 and secrets.stat().st_uid == os.getuid()
    secret = json.loads(secrets.read_text(encoding="utf-8"))["secrets"]["app"]
    wait_until(lambda: f"{TOKEN}=" in project.output, 10, "the printed variable")
    shown = [project.output, project.log, project.run("status", "--json").stdout, project.run("events", "--json").stdout,
             project.http()[2].decode(), project.http("/")[2].decode(), project.run("config", "show").stdout]
    assert [text for text in shown if secret in text] == []
