"""A stranger on the port: named, refused, left alone."""

import datetime
import getpass
import subprocess
import sys

import psutil
import pytest

from harness import processes
from harness.agent import PYTHON_BACKEND
from harness.waiting import wait_until

STRANGER = """\
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def stranger(agent):
    process = subprocess.Popen(["/usr/bin/python3", "-c", STRANGER, str(agent.port)], cwd=agent.directory,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: processes.listening(agent.port), 10, "the stranger's listener")
    yield process
    process.kill()
    process.wait()


def test_start_is_refused_and_names_the_holder(agent, stranger):
    agent.configure(PYTHON_BACKEND)
    told = agent.start(expect=7)
    text = told.stdout + told.stderr
    for word in (str(agent.port), str(stranger.pid), "python3", getpass.getuser()):
        assert word in text, f"{word!r} is not in: {text}"
    # psutil knows the boot time to a second only.
    since = psutil.Process(stranger.pid).create_time()
    clocks = {datetime.datetime.fromtimestamp(since + off).strftime("%H:%M") for off in (-1, 1)}
    assert any(clock in text for clock in clocks), f"none of {clocks} is in: {text}"
    assert stranger.poll() is None, "the stranger was killed"
    assert agent.journal.starts() == [], "the backend was started although its port was taken"
    backend = agent.backend()
    assert backend["state"] == "failed"
    assert backend["last_transition"]["reason"] == "port_taken"
    assert str(stranger.pid) in backend["problem"]
    agent.stop()
    assert stranger.poll() is None and processes.listening(agent.port)


def test_the_stranger_gets_no_signal_at_all(agent):
    """A program that logs every signal sees none through start, stop, restart and shutdown."""
    code = STRANGER.replace("import http.server, sys", """\
import http.server, signal, sys
def told(number, frame): print(number, flush=True)
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    try: signal.signal(number, told)
    except (OSError, ValueError): pass""")
    process = subprocess.Popen([sys.executable, "-c", code, str(agent.port)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_until(lambda: processes.listening(agent.port), 10, "the stranger's listener")
        agent.configure(PYTHON_BACKEND)
        agent.start(expect=7)
        agent.run("restart", expect=7)
        agent.stop()
        agent.run("shutdown", expect=0)
    finally:
        process.kill()
        out, _ = process.communicate()
    assert out == ""


def test_a_strangers_answer_never_counts_as_our_health(agent):
    """The stranger takes the port after our backend, which does not listen itself, was spawned."""
    agent.configure([*PYTHON_BACKEND, "--never-listen"], '[backend.app.restart]\npolicy = "never"\n', start_timeout="4s")
    start = agent.popen("start")
    wait_until(lambda: agent.journal.starts(), 10, "the spawn")
    process = subprocess.Popen([sys.executable, "-c", STRANGER, str(agent.port)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        out, err = start.communicate(timeout=30)
        assert start.returncode == 1, out + err
        assert process.poll() is None, "the stranger was killed"
        assert agent.backend_processes() == []
        assert agent.backend()["state"] == "failed"
    finally:
        process.kill()
        process.wait()


def test_the_start_works_as_soon_as_the_stranger_is_gone(agent, stranger):
    agent.configure(PYTHON_BACKEND)
    agent.start(expect=7)
    stranger.kill()
    stranger.wait()
    agent.start()
    assert agent.backend()["state"] == "running"
