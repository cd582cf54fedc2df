"""Programs that hang in every known way, traffic for them, and the hang detector beside them."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from .ports import free_port
from .processes import listening
from .waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = REPOSITORY / "tests" / "backends" / "hang-zoo"


def watcher():
    """Path of the detector's bench program of the build under test."""
    agent = os.environ.get("CODEX_AGENT", str(REPOSITORY / "build" / "release" / "codex-agent"))
    return str(pathlib.Path(agent).parent / "tests" / "hang_zoo_watch")


def get(port, path, timeout=5):
    """One request on a connection of its own; the whole answer, b"" when there was none in time."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            while part := connection.recv(65536):
                answer += part
    except OSError:
        pass
    return answer


class Traffic:
    """Requests at a steady rate, each on a connection of its own, whether or not the ones before were answered."""

    def __init__(self, port, path, rate=5, timeout=30):
        self._stop = threading.Event()
        self._arguments = (port, path, timeout)
        self._rate = rate
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(1 / self._rate):
            threading.Thread(target=get, args=self._arguments, daemon=True).start()

    def close(self):
        self._stop.set()
        self._thread.join()


class Animal:
    """One program of the zoo with a detector of its own. Times are seconds of CLOCK_MONOTONIC."""

    def __init__(self, command, environment=None, *, health="/health", database=None, start=False, record=None,
                 nice=0, port=None):
        self.port = port or free_port()
        self._environment = {**os.environ, **(environment or {})}
        self.program = subprocess.Popen([*map(str, command), str(self.port)], env=self._environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True,
                                        preexec_fn=(lambda: os.nice(nice)) if nice else None)
        if not start:
            wait_until(lambda: listening(self.port), 60, "the program to listen")
        options = ["--start"] if start else []
        if health:
            options += ["--health", health]
        if database:
            options += ["--database", str(database)]
        if record:
            options += ["--record", str(record)]
        self.began = time.monotonic()
        self._watch = subprocess.Popen([watcher(), str(self.program.pid), str(self.port), *options],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.events = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not start:
            wait_until(lambda: self.told("watching"), 30, "the detector to begin")

    def _read(self):
        for line in self._watch.stdout:
            self.events.append(json.loads(line))

    def told(self, event, since=0.0):
        return [e for e in list(self.events) if e["event"] == event and e.get("at", 0) / 1e9 >= since]

    @property
    def server(self):
        """Pid of the process that listens: the program itself or its last descendant."""
        pid = self.program.pid
        while True:
            try:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                    children = file.read().split()
            except OSError:
                return pid
            if not children:
                return pid
            pid = int(children[-1])

    def hang(self, mode):
        """Makes it hang; the moment it did."""
        if mode == "sigstop":
            os.kill(self.program.pid, signal.SIGSTOP)
        else:
            answer = get(self.port, f"/hang?m={mode}")
            assert b"200" in answer, f"no answer to /hang?m={mode}: {answer!r}"
        return time.monotonic()

    def wait_for(self, event, since, timeout):
        """The first such event and its delay; (None, None) if there is none in time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if found := self.told(event, since):
                return found[0], found[0]["at"] / 1e9 - since
            time.sleep(0.02)
        return None, None

    def close(self):
        """Ends both; the detector's cost."""
        self._watch.stdin.close()
        self._watch.wait(30)
        self._reader.join(30)
        self._watch.stdout.close()
        pids = [self.program.pid]
        for pid in pids:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                        pids += [int(child) for child in file.read().split()]
            except OSError:
                continue
        for pid in reversed(pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.program.wait(30)
        cost = self.told("cost")
        return cost[0] if cost else None
