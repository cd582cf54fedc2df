"""The truth about processes and listeners, taken from /proc and not from the agent."""

import contextlib
import os
import time

import psutil

from .background import Background

MARKER = "CODEX_TEST_MARK"


def _read(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()


def _living(token):
    """(pid, parent's pid) of every process that carries the token of a test in its environment. Zombies are dead; and
    a number listed as a process may be a thread's by now, which /proc shows without ever listing it."""
    needle = f"{MARKER}={token}".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if needle not in _read(name, "environ"):
                continue
            status = dict(line.split(":\t", 1) for line in _read(name, "status").decode("latin-1").splitlines())
        except OSError:
            continue
        if status["Tgid"] == name and not status["State"].startswith("Z"):
            yield int(name), int(status["PPid"])


def marked(token):
    """Living processes whose environment carries the token of a test."""
    found = []
    for pid, _ in _living(token):
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


def connected(socket_path):
    """How many connections a Unix socket has that nobody has accepted or closed yet (proc_net(5): St 02 or 03)."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        lines = [line.split(maxsplit=7) for line in file]
    return sum(1 for line in lines if len(line) == 8 and line[7].strip() == str(socket_path) and line[5] in ("02", "03"))


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


def listening(port, pid="self"):
    """Whether anybody LISTENs on the port, IPv4 or IPv6 (state 0A of /proc/net/tcp), in the network of a process."""
    for table in (f"/proc/{pid}/net/tcp", f"/proc/{pid}/net/tcp6"):
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


class CopySampler(Background):
    """Looks every 10 ms how many processes of a test run the program; `most` is the largest number seen."""

    def __init__(self, token, program):
        super().__init__()
        self._token, self._program = token, program
        self.most = 0
        self.samples = 0
        self.seen = set()

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
        for pid, parent in _living(self._token):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if runs_program(process, self._program):
                    copies.add((pid, process.create_time()))
                    parents[pid] = parent
        return {copy for copy in copies if parents[copy[0]] not in parents}
