import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import psutil

from .ports import free_port
from .waiting import wait_until


def _binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    assert found, "PostgreSQL's server is not installed (Debian package postgresql)"
    return found[-1]


class Postgres:
    """A real PostgreSQL server in a directory of its own, TCP with passwords. PostgreSQL refuses to run as root,
    so root runs it as user postgres."""

    password = "codex"

    def __init__(self):
        self._binaries = _binaries()
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self._directory = tempfile.mkdtemp(prefix="codex-pg-")
        self._process = None
        self._stopped = []
        self.port = free_port()
        if self._user:
            account = pwd.getpwnam("postgres")
            os.chown(self._directory, account.pw_uid, account.pw_gid)
        self._run("initdb", "--no-sync", "--username=admin", "--auth=trust", "-D", self._data)
        with open(os.path.join(self._data, "pg_hba.conf"), "w", encoding="ascii") as file:
            file.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.start()
        self.sql(f"CREATE ROLE codex LOGIN PASSWORD '{self.password}'")
        self.sql("CREATE DATABASE codex OWNER codex")

    @property
    def _data(self):
        return os.path.join(self._directory, "data")

    @property
    def url(self):
        return self.url_with_password(self.password)

    def url_with_password(self, password):
        return f"postgresql://codex:{password}@127.0.0.1:{self.port}/codex"

    def _run(self, program, *arguments):
        done = subprocess.run([os.path.join(self._binaries, program), *arguments], cwd=self._directory, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, **self._user)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def sql(self, statement):
        return self._run("psql", "-X", "-q", "-h", self._directory, "-p", str(self.port), "-U", "admin", "-d",
                         "postgres", "-c", statement)

    def sql_in(self, database, statement):
        """As sql(), in a database other than postgres."""
        return self._run("psql", "-X", "-q", "-h", self._directory, "-p", str(self.port), "-U", "admin", "-d",
                         database, "-c", statement)

    @contextlib.contextmanager
    def lock(self, database, statement):
        """A transaction of somebody else that has run `statement` and stays open."""
        session = subprocess.Popen(
            [os.path.join(self._binaries, "psql"), "-X", "-q", "-h", self._directory, "-p", str(self.port), "-U",
             "admin", "-d", database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self._directory,
            **self._user)
        session.stdin.write(f"BEGIN;\n{statement};\n\\echo locked\n")
        session.stdin.flush()
        while "locked" not in session.stdout.readline():
            assert session.poll() is None
        try:
            yield
        finally:
            session.communicate("ROLLBACK;\n\\q\n", timeout=30)

    def start(self):
        assert self._process is None
        log = open(os.path.join(self._directory, "log"), "ab")
        with log:
            self._process = subprocess.Popen(
                [os.path.join(self._binaries, "postgres"), "-D", self._data, "-p", str(self.port), "-c",
                 "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._directory}", "-c", "fsync=off",
                 "-c", "shared_buffers=16MB"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._directory, **self._user)
        wait_until(self._ready, 30, "PostgreSQL's start")

    def _ready(self):
        assert self._process.poll() is None, open(os.path.join(self._directory, "log"), encoding="utf-8").read()
        done = subprocess.run([os.path.join(self._binaries, "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                               str(self.port)], timeout=10, check=False)
        return done.returncode == 0

    def stop(self):
        """Fast shutdown (SIGINT): clients are disconnected, the port is closed when this returns."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        self._process = None

    def pause(self):
        """Stops every process of the server (SIGSTOP): connections open, nothing answers."""
        self._stopped = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children()]
        for process in self._stopped:
            process.suspend()

    def resume(self):
        for process in self._stopped:
            if process.is_running():
                process.resume()
        self._stopped = []

    def ensure_running(self):
        """Heals whatever a test did to the server."""
        self.resume()
        if self._process is None:
            self.start()

    def remove(self):
        self.stop()
        shutil.rmtree(self._directory)
