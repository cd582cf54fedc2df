"""Servers as people run them, of which tests/backends/field/servers has the programs. Each answers `/`, waits for ever
for a lock at `/block`, and loops at `/spin`. The checks are in checks.py."""

import concurrent.futures
import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time

import psutil

from ..agent import REPOSITORY

PROGRAMS = REPOSITORY / "tests" / "backends" / "field" / "servers"
BUILT = REPOSITORY / "build" / "field-servers"
NPM = REPOSITORY / "build" / "npm-servers"

# How the thread that serves waits for a lock: of the runtime, or of the file system.
ONE_THREAD = ("futex", "blocked_syscall")
POOL = ("handler", "pool_exhausted")


@dataclasses.dataclass
class Server:
    program: str  # folder
    command: str  # with {port}, {built} and {npm}
    handlers: int = 1  # so many requests for /block, and nobody answers any more
    classes: tuple = ONE_THREAD  # what that may be called
    workers: int = 0  # processes that serve; 0: there is but one
    ways: tuple = ()  # how one of several workers can be stuck: spin, stop, lock
    replaces: bool = True  # its master starts a new worker for one that has ended
    loses: int = 0  # requests that its master gives to a stuck worker
    variables: dict = dataclasses.field(default_factory=dict)
    tls: bool = False
    edits: str = ""  # a file that it watches, to reload itself
    build: str = ""  # with {program} and {built}


SLOW_IMPORT = {"IMPORT_SECONDS": "2"}  # so that a reload takes its time
ALL_WAYS = ("spin", "stop", "lock")
PYTHON = "/usr/bin/python3"
GUNICORN = "/usr/bin/gunicorn -b 127.0.0.1:{port}"
UVICORN = "/usr/bin/uvicorn --port {port}"
JAVA = "java -XX:+UseSerialGC -Xmx128m -cp {built}"
JAVAC = "javac -d {built}"
TOMCAT = ":".join(f"/usr/share/java/tomcat10-{part}.jar" for part in ("embed-core", "embed-el", "annotations-api"))

SERVERS = {
    "node": Server("node-http", "node server.js"),
    "node-cluster": Server("node-http", "node server.js", 3, workers=3, ways=ALL_WAYS, loses=1,
                           variables={"WORKERS": "3"}),
    "node-cluster-shared": Server("node-http", "node server.js", 3, workers=3, ways=ALL_WAYS,
                                  variables={"WORKERS": "3", "SHARED": "1"}),
    "bun": Server("bun", "{npm}/bun server.ts"),
    "deno": Server("deno", "{npm}/deno run -A server.ts"),
    "gunicorn-sync-1": Server("wsgi", GUNICORN + " app:app"),
    "gunicorn-sync-3": Server("wsgi", GUNICORN + " -w 3 app:app", 3, workers=3, ways=ALL_WAYS),
    "gunicorn-gthread-1": Server("wsgi", GUNICORN + " --threads 4 app:app", 4, POOL),
    "gunicorn-gthread-3": Server("wsgi", GUNICORN + " -w 3 --threads 4 app:app", 12, POOL, workers=3, ways=("stop",)),
    "uvicorn-3": Server("asgi", UVICORN + " --workers 3 app:app", 3, workers=3, ways=ALL_WAYS, replaces=False),
    "uvicorn-reload": Server("asgi", UVICORN + " --reload app:app", edits="app.py", variables=SLOW_IMPORT),
    "django": Server("django", PYTHON + " manage.py runserver {port}", 1, POOL, edits="manage.py", variables=SLOW_IMPORT),
    "flask-reload": Server("flask", PYTHON + " -m flask --debug run --port {port}", 1, POOL, edits="app.py",
                           variables=SLOW_IMPORT),
    "python-threads": Server("python-threads", PYTHON + " server.py", 1, POOL),
    "python-threads-tls": Server("python-threads", PYTHON + " server.py", 1, POOL, tls=True,
                                 variables={"CERTIFICATE": str(BUILT / "python-threads-tls" / "server.pem")},
                                 build="openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost "
                                       "-keyout {built}/server.pem -out {built}/certificate.pem"),
    "prefork": Server("prefork", PYTHON + " server.py", 3, workers=3, ways=ALL_WAYS, variables={"WORKERS": "3"}),
    "php-S": Server("php", "php -S 127.0.0.1:{port} router.php"),
    "php-S-workers": Server("php", "php -S 127.0.0.1:{port} router.php", 5, workers=5, ways=ALL_WAYS, replaces=False,
                            variables={"PHP_CLI_SERVER_WORKERS": "4"}),
    "nginx-php-fpm": Server("nginx-php", "./run", 3, POOL),
    "apache-prefork": Server("apache", "./run prefork.conf", 3, workers=3, ways=ALL_WAYS),
    "apache-event": Server("apache", "./run event.conf", 8, ONE_THREAD + POOL, workers=2, ways=("stop",)),
    "puma": Server("puma", "puma -b tcp://127.0.0.1:{port} -t 5:5", 5, ONE_THREAD + POOL),
    "puma-cluster": Server("puma", "puma -b tcp://127.0.0.1:{port} -t 4:4 -w 3", 12, ONE_THREAD + POOL, workers=3,
                           ways=("stop",)),
    "java-pool": Server("java-pool", JAVA + " Main", 4, POOL, build=JAVAC + " {program}/Main.java"),
    "tomcat": Server("tomcat", f"{JAVA}:{TOMCAT} Main", 4, POOL, build=f"{JAVAC} -cp {TOMCAT} {{program}}/Main.java"),
    "go": Server("go-http", "{built}/server", 1, POOL,
                 build="env GOCACHE={built}/cache go build -o {built}/server {program}/server.go"),
    "c-threads": Server("c-pool", "{built}/server", 4, ONE_THREAD + POOL,
                        build="cc -O1 -pthread -o {built}/server {program}/server.c"),
    "c-queue": Server("c-pool", "{built}/server", 4, POOL,
                      build="cc -O1 -pthread -DQUEUE -o {built}/server {program}/server.c"),
}

SHARED_FILES = {"nginx-php": ["php/router.php"], "apache": ["php/router.php"]}
PACKAGES = ["gunicorn", "uvicorn", "python3-flask", "python3-django", "php-cli", "php-fpm", "nginx-light", "apache2",
            "libapache2-mod-php", "puma", "default-jdk-headless", "libtomcat10-java", "libtomcat10-embed-java",
            "golang-go", "openssl"]
NPM_PACKAGES = ["bun", "deno"]


def paths(name):
    return {"built": BUILT / name, "npm": NPM / "node_modules" / ".bin", "program": PROGRAMS / SERVERS[name].program}


def missing(name):
    """Whether a program of others that starts or builds it is not there."""
    words = [text.format(port=0, **paths(name)).split()[0] for text in (SERVERS[name].command, SERVERS[name].build) if text]
    return any(not shutil.which(word) for word in words if not word.startswith((".", str(BUILT))))


def build(name):
    """What its programs need, once: they are rebuilt when one is newer."""
    server, done = SERVERS[name], BUILT / name / "done"
    sources = [path.stat().st_mtime for path in paths(name)["program"].iterdir()]
    if not server.build or (done.exists() and done.stat().st_mtime > max(sources)):
        return
    done.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(server.build.format(**paths(name)).split(), check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    if server.tls:
        pem = done.parent / "server.pem"
        pem.write_text(pem.read_text(encoding="ascii") + (done.parent / "certificate.pem").read_text(encoding="ascii"),
                       encoding="ascii")
    done.touch()


class Served:
    """A server under an agent, from its start on, and clients for it."""

    def __init__(self, name, agent, extra=""):
        self.server, self.agent, self.port = SERVERS[name], agent, agent.port
        shutil.copytree(paths(name)["program"], agent.directory, dirs_exist_ok=True)
        for file in SHARED_FILES.get(self.server.program, []):
            shutil.copy(PROGRAMS / file, agent.directory)
        command = self.server.command.format(port=self.port, **paths(name)).split()
        common = (PROGRAMS / "codex-agent.toml").read_text(encoding="utf-8")
        probe = f'url = "https://127.0.0.1:{self.port}/"\ntls_verify = false' if self.server.tls else 'path = "/"'
        agent.write(f"[backend.server]\ncommand = {json.dumps(command)}\nport = {self.port}\n{common}{probe}\n{extra}")
        agent.environment.update(self.server.variables)
        agent.start("--timeout", "60s")

    def connect(self, timeout):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        if not self.server.tls:
            return connection
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(connection)

    def send(self, path, timeout=5):
        """A request whose answer nobody has read yet."""
        connection = self.connect(timeout)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n\r\n".encode())
        return connection

    def ask(self, path="/", timeout=5):
        """The answer, and the pid that it tells, else 0; b"" is no answer."""
        answer = b""
        with contextlib.suppress(OSError), self.send(path, timeout) as connection:
            while part := connection.recv(65536):
                answer += part
        told = re.search(rb"pid=(\d+)", answer)
        return answer if b" 200 " in answer[:20] else b"", int(told[1]) if told else 0

    def answers(self, timeout=5):
        return bool(self.ask("/", timeout)[0])

    def owner(self, connection):
        """Pid of the process that has the server's end of a connection; None as long as nobody does."""
        client = connection.getsockname()[1]
        for process in self.agent.backend_processes():
            with contextlib.suppress(psutil.Error):
                if any(each.raddr and (each.laddr.port, each.raddr.port) == (self.port, client)
                       for each in process.connections("tcp")):
                    return process.pid
        return None

    def worker_pids(self, seconds=5):
        """Those that answer: as many as there are workers, or as were seen."""
        seen, end = set(), time.monotonic() + seconds
        while len(seen) < self.server.workers and time.monotonic() < end:
            seen.add(self.ask(timeout=1)[1])
        return seen - {0}

    def nobody_answers(self):
        """Of several workers one may be free while another one has taken more than it can do."""
        many = max(1, 2 * self.server.workers)
        with concurrent.futures.ThreadPoolExecutor(many) as pool:
            return not any(pool.map(lambda _: self.answers(0.7), range(many)))

    def block_all(self, patient):
        """Requests for /block until no other is answered any more. Clients that wait are returned; others have gone
        after a second. The moment of the first, too, and the one from which it was so."""
        clients, first = [], time.monotonic()
        for number in [self.server.handlers, *[max(1, self.server.workers)] * 12]:
            for _ in range(number):
                clients.append(self.send("/block"))
                time.sleep(0.02)
            began = time.monotonic()
            if self.nobody_answers():
                break
        else:
            raise AssertionError(f"still answers after {len(clients)} requests for /block")
        if patient:
            return clients, first, began
        time.sleep(max(0, 1 - (time.monotonic() - began)))
        for client in clients:
            client.close()
        return [], first, began


def sweep(directory):
    """Ends what has left the tree of its agent, found by its working directory; what it was."""
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if pathlib.Path(process.cwd()).is_relative_to(directory):
                left.append(f"{process.pid} {' '.join(process.cmdline())}")
                process.kill()
    return left
