import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request
import uuid

import psutil

from . import processes
from .exposition import Exposition
from .journal import Journal
from .ports import free_port
from .waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BACKENDS = REPOSITORY / "tests" / "backends"
PYTHON_BACKEND = ["/usr/bin/python3", str(BACKENDS / "backend.py")]
NODE_BACKEND = ["node", str(BACKENDS / "backend.js")]

_KEPT_VARIABLES = ("PATH", "HOME", "USER", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


def command_line():
    """Path of the CLI under test."""
    path = os.environ.get("CODEX_AGENT", str(REPOSITORY / "build" / "release" / "codex-agent"))
    assert os.access(path, os.X_OK), f"{path} is not built; set CODEX_AGENT to the codex-agent to test"
    return path


def sanitized():
    """Whether the binaries under test carry AddressSanitizer: their memory says nothing about the product."""
    return os.environ.get("CODEX_SANITIZED", "0") not in ("", "0", "OFF")


class Agent:
    """The real CLI and its agent in a project directory of their own, on ports of their own. Every process that
    comes out of it carries a token in its environment, so that none can hide at the end."""

    def __init__(self, directory, environment=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.token = uuid.uuid4().hex
        self.port = free_port()
        self.journal = Journal(self.directory / "journal.jsonl")
        self.environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self.environment.update({
            processes.MARKER: self.token,
            "BACKEND_JOURNAL": str(self.journal.path),
            "CODEX_AGENT_LISTEN": "127.0.0.1:0",
            **(environment or {}),
        })

    # Files

    @property
    def state_directory(self):
        return self.directory / ".codex-agent"

    @property
    def log(self):
        return self._text("logs/process-monitor.log")

    @property
    def output(self):
        return self._text("logs/server.log")

    def _text(self, name):
        path = self.directory / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def write(self, text):
        """Writes codex-agent.toml."""
        (self.directory / "codex-agent.toml").write_text(text, encoding="utf-8")

    def configure(self, command, extra="", *, period="200ms", stop_timeout="2s", start_timeout="20s", database=None):
        """One backend named `app` with quick probes. `extra` is TOML that follows the http probe's table."""
        quick = f'[backend.app.probe.port]\nperiod = "{period}"\n'
        if database:
            quick += f'[backend.app.probe.database]\nurl = "{database}"\nperiod = "{period}"\ntimeout = "1s"\n'
        quick += f'[backend.app.probe.http]\nperiod = "{period}"\n'
        self.write(f"""\
[backend.app]
command = {json.dumps([str(part) for part in command])}
port = {self.port}
[backend.app.start]
timeout = "{start_timeout}"
[backend.app.stop]
timeout = "{stop_timeout}"
{quick}{extra}
""")

    def copy_example(self, name, node_modules=None):
        """Makes the project a copy of agent/examples/NAME, with the installed packages linked in."""
        shutil.copytree(REPOSITORY / "agent" / "examples" / name, self.directory, dirs_exist_ok=True)
        if node_modules:
            (self.directory / "node_modules").symlink_to(node_modules)

    # Commands

    def popen(self, *arguments, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        environment = {**self.environment, **options.pop("environment", {})}
        return subprocess.Popen([command_line(), "-C", str(self.directory), *map(str, arguments)], text=True,
                                stdin=subprocess.DEVNULL, env=environment, cwd="/", **options)

    def run(self, *arguments, timeout=60, expect=None, **options):
        """Runs one command to its end; `expect` is the exit code that it must have."""
        process = self.popen(*arguments, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"codex-agent {' '.join(map(str, arguments))} hung for {timeout} s") from None
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if expect is not None:
            assert done.returncode == expect, (
                f"codex-agent {' '.join(map(str, arguments))} exited {done.returncode}, not {expect}\n"
                f"stdout: {out}\nstderr: {err}\nlog: {self.log[-3000:]}")
        return done

    def start(self, *arguments, expect=0, **options):
        return self.run("start", *arguments, expect=expect, **options)

    def stop(self, *arguments, expect=0, **options):
        return self.run("stop", *arguments, expect=expect, **options)

    # What it tells

    def status(self):
        """The status document, whatever state it tells about."""
        done = self.run("status", "--json")
        return json.loads(done.stdout)

    def backend(self, name=None):
        backends = self.status()["backends"]
        if name is None:
            assert len(backends) == 1
            return backends[0]
        return next(backend for backend in backends if backend["name"] == name)

    def wait_for_agent(self, timeout=15):
        """Until an agent answers; the exit code 4 says that none does."""
        wait_until(lambda: self.run("status").returncode != 4, timeout, "an agent")

    def wait_for_state(self, state, timeout=15, name=None):
        return wait_until(lambda: (found := self.backend(name))["state"] == state and found, timeout,
                          f"state {state}", interval=0.05)

    def events(self):
        return json.loads(self.run("events", "--json", "-n", 1000).stdout)["events"]

    @property
    def metrics_url(self):
        return self.status()["agent"]["metrics_url"]

    @property
    def metrics_port(self):
        return int(self.metrics_url.split(":")[2].split("/")[0])

    def http(self, path="/metrics", headers=None, method="GET", data=None):
        """One request to the TCP front: (status, headers, body)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.metrics_port}{path}", method=method, data=data,
                                         headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def metrics(self):
        status, _, body = self.http()
        assert status == 200
        return Exposition(body.decode())

    @property
    def pid(self):
        """Pid of the agent, from its lock file."""
        return int((self.state_directory / "lock").read_text(encoding="ascii").split()[0])

    def kill_daemon(self):
        """kill -9 of the agent; its backends stay."""
        daemon = psutil.Process(self.pid)
        daemon.kill()
        wait_until(lambda: not processes.alive(daemon), 10, "the agent's death")

    # The truth, seen from outside

    def processes(self):
        """Everything that lives and came out of this test: agent, backends, commands."""
        return processes.marked(self.token)

    def backend_processes(self):
        """As processes(), without the agent and running commands."""
        own = ("codex-agent", "codex-agentd")
        found = []
        for process in self.processes():
            try:
                if process.name()[:15] not in own:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def assert_nothing_runs(self):
        """No process of the backend lives and its port is free: right now, not soon."""
        left = self.backend_processes()
        assert not left, "still alive:\n" + processes.describe(left)
        assert not processes.listening(self.port), f"port {self.port} still LISTENs"

    # The end

    def close(self):
        """Ends everything; fails if the agent left anything alive. What is left is killed by pid."""
        try:
            code, said = self._shut_down()
        finally:
            left = self._kill_what_is_left()
        assert not left, f"left behind after shutdown (exit {code}):\n{left}\n{said}\n{self.log[-3000:]}"
        assert code == 0, f"shutdown exited {code}: {said}\n{self.log[-3000:]}"

    def _shut_down(self):
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()
        done = self.popen("shutdown", "--timeout", "20s")
        try:
            out, err = done.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            done.kill()
            out, err = done.communicate()
        # A command that was interrupted by its test may still be on its way out.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.processes(), 3)
        return done.returncode, out + err

    def _kill_what_is_left(self):
        left = self.processes()
        text = processes.describe(left)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return text
