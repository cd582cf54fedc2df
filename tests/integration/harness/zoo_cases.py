"""The cases of the hang zoo: what to start, how to make it hang, and what the detector is expected to say."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import typing

from . import zoo
from .debugger import Debugger
from .ports import free_port
from .postgres import Postgres

NODE = ["node", zoo.PROGRAMS / "zoo.js"]
PYTHON = ["/usr/bin/python3", zoo.PROGRAMS / "zoo.py"]


class Silence:
    """A server that accepts and never answers."""

    def __init__(self):
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)


class Surroundings:
    """What the programs need around them, made when first asked for."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.directory = tempfile.mkdtemp(prefix="codex-zoo-")
        self.fifo = os.path.join(self.directory, "fifo")
        os.mkfifo(self.fifo)
        self._postgres = None
        self._silence = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()
        shutil.rmtree(self.directory)

    @property
    def postgres(self):
        if self._postgres is None:
            self._postgres = Postgres()
            self._stack.callback(self._postgres.remove)
            self._postgres.sql_in("codex", "CREATE TABLE zoo(id int primary key, n int); INSERT INTO zoo VALUES (1, 0);"
                                  "GRANT ALL ON zoo TO codex")
        return self._postgres

    @property
    def silence(self):
        if self._silence is None:
            self._silence = Silence()
        return self._silence

    def environment(self, **more):
        modules = os.environ.get("CODEX_NODE_MODULES", str(zoo.REPOSITORY / "build" / "npm" / "node_modules"))
        return {"FIFO": self.fifo, "NODE_PATH": modules, **{name: str(value) for name, value in more.items()}}


@dataclasses.dataclass
class Found:
    suspect: typing.Optional[float] = None  # seconds after the injection
    confirm: typing.Optional[float] = None
    hang: typing.Optional[str] = None  # class of the first confirmation that is not later corrected within 1 s
    since: float = 0.0  # when it was made to hang, CLOCK_MONOTONIC
    events: list = dataclasses.field(default_factory=list)
    cpu_percent: float = 0.0


@dataclasses.dataclass
class Case:
    expected: typing.Optional[str]  # the class; None: nothing is confirmed
    mode: str = ""
    command: typing.Any = tuple(NODE)  # or what makes it, given the surroundings
    node: tuple = ()  # options of node
    environment: typing.Callable = lambda around: {}
    traffic: str = ""  # path of 5 requests a second; "": none
    health: str = "/health"
    wait: float = 8.0  # how long to wait for a confirmation, or to see none
    beside: typing.Callable = lambda around, animal: contextlib.nullcontext()  # entered before the hang
    inject: typing.Optional[typing.Callable] = None  # instead of mode; may answer a context manager
    start: bool = False
    nice: int = 0
    limit: int = 0  # open files

    def run(self, around, record=None):
        environment = around.environment(**self.environment(around))
        command = self.command(around) if callable(self.command) else self.command
        command = [command[0], *[str(o() if callable(o) else o) for o in self.node], *command[1:]]
        if self.limit:
            command = ["/usr/bin/prlimit", f"--nofile={self.limit}", *command]
        database = around.postgres.port if "PG_URL" in environment else None
        found = Found()
        animal = zoo.Animal(command, environment, health=self.health, start=self.start, record=record,
                            database=database, nice=self.nice)
        with contextlib.ExitStack() as stack:
            if self.traffic:
                stack.enter_context(contextlib.closing(zoo.Traffic(animal.port, self.traffic)))
            stack.enter_context(self.beside(around, animal))
            if not self.start:
                time.sleep(1.2)
            since = animal.began if self.start else time.monotonic()
            if self.inject:
                held = self.inject(around, animal)
                since = time.monotonic()
                if held is not None:
                    stack.enter_context(held)
            elif self.mode:
                since = animal.hang(self.mode)
            found.since = since
            if self.expected is None:
                time.sleep(self.wait)
            event, found.confirm = animal.wait_for("confirm", since, self.wait if self.expected else 0.1)
            _, found.suspect = animal.wait_for("suspect", since, 0.1)
            if event is not None:
                time.sleep(0.3)
                found.hang = animal.told("confirm", since)[-1]["class"]
            found.events = list(animal.events)
        cost = animal.close()
        if cost:
            found.cpu_percent = cost["looks_cpu_ms"] / cost["seconds"] / 10
        return found


@contextlib.contextmanager
def processes(*commands, **options):
    started = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, **options) for command in commands]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def hogs(number, nice=0):
    return lambda around, animal: processes(*[["nice", "-n", str(nice), "sh", "-c", "while :; do :; done"]] * number)


def load(connections, *how):
    return lambda around, animal: processes(
        ["node", str(zoo.PROGRAMS / "load.js"), str(animal.port), str(connections), *how])


@contextlib.contextmanager
def clients(around, animal, *paths):
    stop = threading.Event()

    def again(path):
        while not stop.is_set():
            zoo.get(animal.port, path, timeout=2 if "events" in path else 60)

    threads = [threading.Thread(target=again, args=(path,), daemon=True) for path in paths]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()


def database(around, **more):
    return {"PG_URL": around.postgres.url, **more}


def lock_row(around, animal=None):
    return around.postgres.lock("codex", "SELECT * FROM zoo WHERE id = 1 FOR UPDATE")


@contextlib.contextmanager
def resumed(postgres):
    try:
        yield
    finally:
        postgres.resume()


def pause_postgres(around, animal):
    around.postgres.pause()
    return resumed(around.postgres)


def blocks(mode, times, gap):
    def inject(around, animal):
        for _ in range(times):
            animal.hang(mode)
            time.sleep(gap)
    return inject


def debugged(port):
    """A debugger is attached and the program reaches `debugger;`."""
    def inject(around, animal):
        attached = Debugger(port())
        animal.hang("debugger")
        return attached
    return inject


def starve(around, animal):
    """A busy program, and everybody else gets the CPUs."""
    animal.hang("loop")
    os.sched_setscheduler(animal.program.pid, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        # Between sessions it is the autogroups' nice values that count (sched(7)).
        pathlib.Path(f"/proc/{animal.program.pid}/autogroup").write_text("19", encoding="ascii")
    return processes(*[["sh", "-c", "while :; do :; done"]] * 2 * (os.cpu_count() or 1), start_new_session=True)


def save_file(around, animal):
    """nodemon sees a change and starts the program again."""
    pathlib.Path(around.directory, "app.js").write_text(
        pathlib.Path(zoo.PROGRAMS, "zoo.js").read_text(encoding="utf-8"), encoding="utf-8")


def nodemon(around):
    save_file(around, None)
    return ["node", os.path.join(around.environment()["NODE_PATH"], "nodemon", "bin", "nodemon.js"), "-q",
            "--watch", around.directory, os.path.join(around.directory, "app.js")]


INSPECTOR = functools.cache(free_port)

CASES = {
    # The event loop does not turn; nobody asks for anything.
    "loop": Case("spin", "loop"),
    "regex": Case("spin", "regex"),
    "microtasks": Case("spin", "microtasks"),
    "json": Case("spin", "json"),
    "exec": Case("sync_child", "exec"),
    "fifo": Case("blocked_syscall", "fifo"),
    "atomics": Case("futex", "atomics"),
    "sigstop": Case("stopped", "sigstop"),
    "gc": Case("gc", "gc", node=("--max-old-space-size=400",), environment=lambda a: {"FULL_HEAP": 0.8}, wait=15),
    "debugger": Case("paused", node=(lambda: f"--inspect=127.0.0.1:{INSPECTOR()}",), inject=debugged(INSPECTOR)),
    "starved": Case("starved", inject=starve, wait=12),
    # It turns, and requests are not answered.
    "handler": Case("handler", "handler", traffic="/", health="/"),
    "row_locked": Case("db_wait", environment=lambda a: database(a, POOL_MAX=10), traffic="/db", inject=lock_row),
    "row_locked_pool_1": Case("db_wait", environment=lambda a: database(a, POOL_MAX=1), traffic="/db", inject=lock_row),
    "pool_leak": Case("pool_exhausted", "leak", environment=lambda a: database(a, POOL_MAX=2), traffic="/db"),
    "database_stopped": Case("db_wait", environment=database, traffic="/db", inject=pause_postgres),
    "upstream": Case("upstream", "upstream", environment=lambda a: {"UPSTREAM": a.silence.port}, traffic="/"),
    "pool4": Case("threadpool", "pool4", traffic="/"),
    "files": Case("fd_exhausted", "files", limit=64),
    # It never listens.
    "start_await": Case("startup_stuck", environment=lambda a: {"START_MODE": "await"}, start=True, wait=12),
    "start_exec": Case("startup_stuck", environment=lambda a: {"START_MODE": "exec"}, start=True, wait=12),
    "start_loop": Case("startup_stuck", environment=lambda a: {"START_MODE": "loop"}, start=True, wait=25),
    # Programs without V8.
    "python_loop": Case("spin", "loop", command=tuple(PYTHON)),
    "python_child": Case("sync_child", "exec", command=tuple(PYTHON)),
    "python_fifo": Case("blocked_syscall", "fifo", command=tuple(PYTHON)),
    "python_sigstop": Case("stopped", "sigstop", command=tuple(PYTHON)),
    # Nothing is wrong.
    "idle": Case(None, wait=15),
    "python_idle": Case(None, wait=10, command=tuple(PYTHON)),
    "load_64": Case(None, wait=12, beside=load(64)),
    "load_800": Case(None, wait=12, beside=load(800)),
    "hogs_8": Case(None, wait=15, beside=hogs(8), traffic="/"),
    "hogs_8_idle": Case(None, wait=12, beside=hogs(8)),
    "long_poll": Case(None, wait=15, beside=lambda a, animal: clients(a, animal, *["/poll?ms=8000"] * 4)),
    "server_events": Case(None, wait=12, beside=lambda a, animal: clients(a, animal, *["/events?ms=1500"] * 4)),
    "immediates": Case(None, "immediates", wait=8, traffic="/"),
    "nodemon_restart": Case(None, wait=6, command=nodemon, inject=save_file, traffic="/"),
    "block_200": Case(None, wait=2, inject=blocks("block200", 5, 0.8)),
    "block_1000": Case(None, wait=2, inject=blocks("block1000", 3, 2)),
}
