"""The ground the bench stands on: compiled parts, services on ports of their own, and the truth about their
processes, taken from /proc. Everything carries a token in its environment and is ended by pid."""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
import uuid

from harness.ports import free_port

HERE = pathlib.Path(__file__).resolve().parent
MARK = "PEERS_LAB_MARK"  # of everything that a trial starts
BACKEND = "PEERS_LAB_BACKEND"  # of the backend only, set by its supervisor

_PR_SET_CHILD_SUBREAPER = 36


def below_a_prompt_reaper(main):
    """Runs main() in a child and reaps, as a good init does, whatever it leaves behind: a pid 1 that looks for
    orphans once a second would slow down every supervisor that waits for a pid to vanish. Returns the exit code."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = main()
        except BaseException:  # pylint: disable=broad-except  # the interpreter's own last words end here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # for the child to decide; SIGINT reaches it by the terminal
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def marked(variable, token):
    """(pid, start time) of the living processes whose environment says variable=token; zombies are dead."""
    needle = f"{variable}={token}".encode()
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/environ", "rb") as file:
                carries = needle in file.read().split(b"\0")
            identity = identify(int(name)) if carries else None
            if identity:
                found.add(identity)
    return found


def identify(pid):
    """(pid, start time), or None if it is dead or a zombie (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (pid, int(fields[19]))


def alive(identity):
    return identify(identity[0]) == identity


def children(pid):
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    return found


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(gone)"


def kill(identity, number=signal.SIGKILL):
    """Signals this very process: its pidfd is held before its start time is compared."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(identity[0])
        try:
            if alive(identity):
                signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)


def cpu_seconds(pid):
    """Scheduler time in seconds, ended threads included (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def wait_for(predicate, timeout, interval=0.005):
    """The first true value within `timeout` seconds, else the last one."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()) and time.monotonic() < deadline:
        time.sleep(interval)
    return value


@dataclasses.dataclass
class Service:
    """One backend: what its supervisor has to know."""

    directory: pathlib.Path
    command: list
    graceful_ms: int = 0
    grace: float = 3.0  # seconds from the polite signal to SIGKILL, wherever that can be set
    notifies: bool = False  # tells its readiness to a descriptor (static backend only)
    token: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    port: int = dataclasses.field(default_factory=free_port)

    @property
    def log(self):
        return self.directory / "journal"

    @property
    def variables(self):
        """For the backend alone."""
        return {BACKEND: self.token, "PORT": str(self.port), "LAB_LOG": str(self.log),
                "LAB_GRACEFUL_MS": str(self.graceful_ms)}

    @property
    def environment(self):
        """For its supervisor."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LANG") if name in os.environ}
        return {"HOME": str(self.directory), **kept, MARK: self.token, "LAB_LOG": str(self.log),
                "PORT": str(self.port), "npm_config_update_notifier": "false"}

    def journal(self, what=None):
        """The journal's lines as (what, pid, ns)."""
        try:
            lines = self.log.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        entries = [(word, int(pid), int(at)) for word, pid, at in (line.split() for line in lines)]
        return [entry for entry in entries if what in (None, entry[0])]

    def count(self, what):
        return len(self.journal(what))

    def answering(self):
        """Pid that answers on the port, or None."""
        return answering(self.port)

    def listening(self):
        return listening(self.port)

    def processes(self):
        return marked(BACKEND, self.token)


def answering(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=0.5) as answer:
            return int(answer.read())
    except (OSError, ValueError):
        return None


def listening(port):
    """Whether anybody LISTENs on the port (state 0A of /proc/net/tcp)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as file:
            for row in file.readlines()[1:]:
                fields = row.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    return True
    return False


class Lab:
    """A temporary directory with the compiled parts; closes with nothing left."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="codex-peers-"))
        self._services = []
        for name in ("backend", "floor", "poller"):
            subprocess.run(["gcc", "-O2", "-static", "-o", self.part(name), HERE / f"{name}.c"], check=True)
        npm = self.directory / "npm"
        npm.mkdir()
        shutil.copy(HERE / "server.js", npm)
        (npm / "package.json").write_text('{"private": true, "scripts": {"serve": "node server.js"}}\n',
                                          encoding="ascii")

    def part(self, name):
        return str(self.directory / name)

    def service(self, kind, **options):
        """`kind`: static, node, npm (npm run → sh → node), or a list of arguments of the static backend."""
        commands = {"static": [self.part("backend")], "node": ["node", self.part("npm/server.js")],
                    "npm": ["npm", "--prefix", self.part("npm"), "run", "-s", "serve"]}
        command = commands[kind] if isinstance(kind, str) else [self.part("backend"), *kind]
        # By name, not by count: scenarios that run side by side make theirs at the same time.
        directory = pathlib.Path(tempfile.mkdtemp(prefix="service-", dir=self.directory))
        service = Service(directory, command, **options)
        self._services.append(service)
        return service

    def end(self, service):
        """Whatever lives of a service, its supervisor included."""
        for _ in range(200):
            left = marked(MARK, service.token) | service.processes()
            if not left:
                return
            for identity in left:
                kill(identity)
            time.sleep(0.01)
        raise RuntimeError("unkillable: " + ", ".join(f"{pid} {command_of(pid)}" for pid, _ in left))

    def close(self):
        for service in self._services:
            self.end(service)
        shutil.rmtree(self.directory, ignore_errors=True)
