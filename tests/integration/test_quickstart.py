"""The one command of the README, as a newcomer runs it: in this very repository and on the real ports, so it
needs them free and has its own turn."""

import http.server
import json
import os
import shutil
import subprocess
import threading
import urllib.request

import pytest

from harness import processes
from harness.agent import REPOSITORY

PORTS = (5000, 9847)
EXAMPLE = REPOSITORY / "agent" / "examples" / "embedded"
GENERATED = ("logs", ".codex-agent", "demo.db")


def quickstart():
    environment = {**os.environ, processes.MARKER: "quickstart"}
    return subprocess.run([REPOSITORY / "agent" / "quickstart"], text=True, capture_output=True, timeout=500,
                          stdin=subprocess.DEVNULL, env=environment, cwd="/", check=False)


@pytest.fixture
def clean():
    for port in PORTS:
        assert not processes.listening(port), f"port {port} is in use; the quickstart needs it"
    before = {name for name in GENERATED if (EXAMPLE / name).exists()}
    yield
    agent = REPOSITORY / "build" / "release" / "codex-agent"
    subprocess.run([agent, "-C", EXAMPLE, "shutdown"], timeout=30, check=True, capture_output=True)
    left = processes.marked("quickstart")
    for name in set(GENERATED) - before:
        path = EXAMPLE / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    assert left == [], processes.describe(left)


def test_it_runs_twice_and_leaves_a_healthy_backend(clean):
    first = quickstart()
    assert first.returncode == 0, first.stdout + first.stderr
    for word in ("✅ Database connected", "http://127.0.0.1:9847/metrics", "http://127.0.0.1:5000/", "shutdown"):
        assert word in first.stdout
    with urllib.request.urlopen("http://127.0.0.1:5000/health", timeout=5) as answer:
        assert json.load(answer) == {"status": "ok", "database": "connected"}
    pids = sorted(process.pid for process in processes.marked("quickstart"))
    second = quickstart()
    assert second.returncode == 0, second.stdout + second.stderr
    assert sorted(process.pid for process in processes.marked("quickstart")) == pids
    with urllib.request.urlopen("http://127.0.0.1:9847/metrics", timeout=5) as answer:
        assert b'codex_agent_backend_up{backend="embedded"} 1\n' in answer.read()


@pytest.mark.parametrize("port,code", [(5000, 7), (9847, 1)], ids=["backend", "metrics"])
def test_a_taken_port_is_named(clean, port, code):
    server = http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = quickstart()
        assert done.returncode == code, done.stdout + done.stderr
        told = done.stdout + done.stderr
        assert str(port) in told and str(os.getpid()) in told
    finally:
        server.shutdown()
        server.server_close()
