"""The truth about processes and listeners, taken from /proc and not from the agent."""

import os
import threading
import time

import psutil

MARKER = "CODEX_TEST_MARK"


def marked(token):
    """Living processes (zombies are dead) whose environment carries the token of a test."""
    needle = f"{MARKER}={token}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if needle not in file.read():
                    continue
            process = psutil.Process(int(name))
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def describe(processes):
    lines = []
    for process in processes:
        try:
            lines.append(f"{process.pid} {process.status()} {' '.join(process.cmdline())}")
        except psutil.Error:
            lines.append(f"{process.pid} (gone)")
    return "\n".join(lines)


def alive(process):
    """Whether this very process (pid and start time) lives and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tree(pid):
    """The process and all its descendants by parent links."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def listening(port):
    """Whether anybody LISTENs on the port, IPv4 or IPv6 (state 0A of /proc/net/tcp)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = file.readlines()[1:]
        except FileNotFoundError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return True
    return False


def cpu_seconds(pid):
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def runs_program(process, program):
    """Whether the process is an interpreter that runs the script `program` (not a wrapper that names it)."""
    command = process.cmdline()
    interpreter = os.path.basename(command[0]) if command else ""
    return interpreter.startswith(("node", "python")) and any(
        os.path.basename(argument) == program for argument in command[1:2])


class CopySampler:
    """Looks every 10 ms how many processes of a test run the program; `most` is the largest number seen."""

    def __init__(self, token, program):
        self._token, self._program = token, program
        self._decided = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.most = 0
        self.samples = 0
        self.seen = set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _run(self):
        while not self._end.is_set():
            now = self._copies()
            self.most = max(self.most, len(now))
            self.seen |= now
            self.samples += 1
            time.sleep(0.01)

    def _copies(self):
        """Without a copy's children: between fork and exec those look like it."""
        copies, parents = set(), {}
        needle = f"{MARKER}={self._token}".encode()
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                process = psutil.Process(int(name))
                key = (process.pid, process.create_time())
                # A command line changes once, at exec: only the final answer is worth remembering.
                mine = self._decided.get(key)
                if mine is None:
                    with open(f"/proc/{name}/environ", "rb") as file:
                        mine = needle in file.read()
                    if not mine:
                        self._decided[key] = False
                if mine and runs_program(process, self._program) and process.status() != psutil.STATUS_ZOMBIE:
                    self._decided[key] = True
                    copies.add(key)
                    parents[key] = process.ppid()
            except (OSError, psutil.Error):
                continue
        pids = {pid for pid, _ in copies}
        return {key for key in copies if parents[key] not in pids}
