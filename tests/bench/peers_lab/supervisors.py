"""What the scenarios ask of every supervisor, codex-agent and the floor among them. Each is set up as its manual
says for a service that shall be stopped whole, with the grace of the service wherever it can be set."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

from . import lab

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
NPM_PEERS = REPOSITORY / "build" / "npm-peers"


class Supervisor:
    """One supervisor with one service. `launch` starts the supervisor and with it the service; `start` is what an
    operator does after the supervisor has died or while the service is down."""

    name = ""
    package = ""  # Debian package, or npm:NAME
    programs = ()
    note = ""
    controls = True  # has commands for stop and restart

    @classmethod
    def missing(cls):
        """Why it cannot take part, or None."""
        absent = [program for program in cls.programs if not shutil.which(program)]
        return f"no {', '.join(absent)}: not installed (--install: {cls.package})" if absent else None

    def __init__(self, service):
        self.service = service
        self.directory = service.directory
        self.process = None  # the supervisor, if it is our own child
        self.prepare()

    def prepare(self):
        """Writes the configuration."""

    def launch(self):
        raise NotImplementedError

    def start(self):
        return self.launch()

    def stop(self):
        raise NotImplementedError

    def restart(self):
        raise NotImplementedError

    def says(self):
        return ""

    def pids(self):
        """Of the supervisor's own processes."""
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def kill(self):
        """SIGKILL to the supervisor, as the OOM killer or an operator might do."""
        for identity in filter(None, map(lab.identify, self.pids())):
            lab.kill(identity)
        if self.process:
            self.process.wait()

    def close(self):
        self.service.directory.mkdir(exist_ok=True)
        for identity in filter(None, map(lab.identify, self.pids())):
            lab.kill(identity)
        self._ended()

    def _ended(self):
        if self.process:
            self.process.wait()

    # For the subclasses

    def run(self, *command, timeout=60):
        """One command of the supervisor's CLI: exit code, output."""
        try:
            done = subprocess.run([str(part) for part in command], env=self.environment(), text=True, cwd="/",
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=timeout)
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(command, "hung", error.stdout or "", "")
        return done

    def spawn(self, *command):
        with open(self.directory / "supervisor.log", "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], env=self.environment(), cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def environment(self):
        return self.service.environment

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def shell(self):
        """The service as lines of sh: exports, and the command."""
        exports = "".join(f"export {name}='{value}'\n" for name, value in self.service.variables.items())
        return exports, " ".join(f"'{part}'" for part in self.service.command)


class CodexAgent(Supervisor):
    name = "codex-agent"
    program = REPOSITORY / "build" / "release" / "codex-agent"
    restart_table = ""  # further lines for [backend.app.restart]

    @classmethod
    def missing(cls):
        return None if os.access(cls.program, os.X_OK) else f"{cls.program} is not built"

    def prepare(self):
        variables = ", ".join(f'{name} = "{value}"' for name, value in self.service.variables.items() if name != "PORT")
        self.write("codex-agent.toml", f"""\
[agent]
listen = "127.0.0.1:0"
[backend.app]
command = {json.dumps(self.service.command)}
port = {self.service.port}
env = {{ {variables} }}
env_file = ""
[backend.app.stop]
timeout = "{self.service.grace * 1000:.0f}ms"
[backend.app.restart]
{self.restart_table}
""")

    def cli(self, *arguments):
        return self.run(self.program, "-C", self.directory, *arguments)

    def launch(self):
        return self.cli("start", "--timeout", "20s")

    def stop(self):
        return self.cli("stop")

    def restart(self):
        return self.cli("restart")

    def says(self):
        done = self.cli("status", "--json")
        try:
            backend = json.loads(done.stdout)["backends"][0]
        except (ValueError, LookupError):
            return f"{done.stdout} (exit {done.returncode})"
        return f"{backend['state']} (exit {done.returncode}) {backend.get('problem') or ''}".strip()

    def pids(self):
        try:
            pid = int((self.directory / ".codex-agent" / "lock").read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return []
        return [pid] if lab.identify(pid) and "codex-agent" in lab.command_of(pid) else []

    def close(self):
        self.cli("shutdown")
        super().close()


class Floor(Supervisor):
    name = "floor"
    note = "floor: what the kernel allows, a static C program of 66 lines (posix_spawn, signalfd, waitpid)"

    def launch(self):
        variables = self.service.variables
        self.spawn(self.directory.parent / "floor", f"{lab.BACKEND}={variables.pop(lab.BACKEND)}",
                   *self.service.command)

    def restart(self):
        os.kill(self.process.pid, signal.SIGHUP)
        return subprocess.CompletedProcess([], 0, "", "")


class Supervisord(Supervisor):
    name = "supervisord"
    package = "supervisor"
    programs = ("supervisord", "supervisorctl")
    note = "supervisord: stopasgroup, killasgroup, stopwaitsecs = grace"

    def prepare(self):
        variables = ",".join(f'{name}="{value}"' for name, value in self.service.variables.items())
        command = " ".join(self.service.command)
        self.conf = self.write("supervisord.conf", f"""\
[supervisord]
nodaemon=true
logfile={self.directory}/supervisord.log
pidfile={self.directory}/supervisord.pid
childlogdir={self.directory}
[unix_http_server]
file={self.directory}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{self.directory}/sock
[program:be]
command={command}
environment={variables}
autorestart=true
stopasgroup=true
killasgroup=true
stopwaitsecs={max(1, round(self.service.grace))}
""")

    def launch(self):
        self.spawn("supervisord", "-c", self.conf)

    def start(self):
        if not self.pids():
            self.launch()
            return lab.wait_for(lambda: self._ctl("pid").returncode == 0, 5, 0.1)
        return self._ctl("start", "be")

    def _ctl(self, *arguments):
        return self.run("supervisorctl", "-c", self.conf, *arguments)

    def stop(self):
        return self._ctl("stop", "be")

    def restart(self):
        return self._ctl("restart", "be")

    def says(self):
        return self._ctl("status").stdout


class Runit(Supervisor):
    name = "runit"
    package = "runit"
    programs = ("runsvdir", "runsv", "sv")
    note = "runit: sv -w GRACE force-stop / force-restart"

    def prepare(self):
        exports, command = self.shell()
        self.run_directory = self.directory / "svc" / "be"
        self.write("svc/be/run", f"#!/bin/sh\n{exports}exec {command}\n", 0o755)

    def launch(self):
        self.spawn("runsvdir", self.directory / "svc")

    def start(self):
        if not self.pids():
            self.launch()
        return self._sv("start")

    def _sv(self, command):
        return self.run("sv", "-w", max(1, round(self.service.grace)), command, self.run_directory)

    def stop(self):
        return self._sv("force-stop")

    def restart(self):
        return self._sv("force-restart")

    def says(self):
        return self.run("sv", "status", self.run_directory).stdout.replace(str(self.run_directory), "be")

    def pids(self):
        return [pid for top in super().pids() for pid in [top, *lab.children(top)]]


class S6(Supervisor):
    name = "s6"
    package = "s6"
    programs = ("s6-svscan", "s6-svc", "s6-svstat")
    note = "s6: timeout-kill = grace; notification-fd where the backend is static C (it does not pass through npm)"

    def prepare(self):
        exports, command = self.shell()
        self.run_directory = self.directory / "scan" / "be"
        if self.service.notifies:
            command += " --notify 3"
            self.write("scan/be/notification-fd", "3\n")
        self.write("scan/be/timeout-kill", f"{self.service.grace * 1000:.0f}\n")
        self.write("scan/be/run", f"#!/bin/sh\n{exports}exec {command}\n", 0o755)

    def launch(self):
        self.spawn("s6-svscan", self.directory / "scan")

    def start(self):
        if not self.pids():
            return self.launch()
        return self.run("s6-svc", "-u", self.run_directory)

    def stop(self):
        return self.run("s6-svc", "-wD", "-T", 15000, "-d", self.run_directory)

    def restart(self):
        wait = "-wR" if self.service.notifies else "-wr"
        return self.run("s6-svc", wait, "-T", 15000, "-r", self.run_directory)

    def says(self):
        return self.run("s6-svstat", self.run_directory).stdout

    def pids(self):
        return [pid for top in super().pids() for pid in [top, *lab.children(top)]]


class Monit(Supervisor):
    name = "monit"
    package = "monit"
    programs = ("monit",)
    note = "monit: set daemon 1, pid file; its stop program signals the group, waits for the leader, kills the group"

    def prepare(self):
        exports, command = self.shell()
        pid, grace = self.directory / "be.pid", self.service.grace
        start = self.write("start", f"#!/bin/sh\n{exports}setsid {command} >>'{self.directory}/out' 2>&1 </dev/null &\n"
                                    f"echo $! >'{pid}'\n", 0o755)
        stop = self.write("stop", f"""\
#!/bin/bash
pid=$(cat '{pid}') || exit 0
kill -TERM -- -$pid
for ((i = 0; i < {grace * 20:.0f}; i++)); do kill -0 $pid 2>/dev/null || break; sleep 0.05; done
kill -KILL -- -$pid 2>/dev/null
rm -f '{pid}'
""", 0o755)
        self.conf = self.write("monitrc", f"""\
set daemon 1
set logfile {self.directory}/monit.log
set pidfile {self.directory}/monit.pid
set idfile {self.directory}/monit.id
set statefile {self.directory}/monit.state
set httpd unixsocket {self.directory}/sock allow localhost
check process be with pidfile {pid}
  start program = "{start}" with timeout 5 seconds
  stop program = "{stop}" with timeout {round(grace) + 10} seconds
""", 0o600)

    def launch(self):
        self.spawn("monit", "-I", "-c", self.conf)

    def start(self):
        if not self.pids():
            return self.launch()
        return self._monit("start", "be")

    def _monit(self, *arguments):
        return self.run("monit", "-c", self.conf, *arguments)

    def stop(self):
        return self._monit("stop", "be")

    def restart(self):
        return self._monit("restart", "be")

    def says(self):
        found = [line.split(None, 1)[1] for line in self._monit("status", "be").stdout.splitlines()
                 if line.strip().startswith(("status", "monitoring status"))]
        return " / ".join(found)


class Pm2(Supervisor):
    name = "pm2"
    package = "npm:pm2"
    note = "pm2: fork mode, kill_timeout = grace, interpreter none; killed, it is started again with pm2 resurrect"

    @classmethod
    def program(cls):
        local = NPM_PEERS / "node_modules" / ".bin" / "pm2"
        return str(local) if local.exists() else shutil.which("pm2")

    @classmethod
    def missing(cls):
        return None if cls.program() else "no pm2: not installed (--install: npm:pm2 in build/npm-peers)"

    def prepare(self):
        program, *arguments = self.service.command
        self.conf = self.write("app.config.json", json.dumps({"apps": [{
            "name": "be", "script": shutil.which(program), "args": arguments, "interpreter": "none",
            "env": self.service.variables, "kill_timeout": round(self.service.grace * 1000),
            "cwd": str(self.directory)}]}))

    def environment(self):
        return {**super().environment(), "PM2_HOME": str(self.directory / "pm2")}

    def _pm2(self, *arguments):
        return self.run(self.program(), *arguments)

    def launch(self):
        done = self._pm2("start", self.conf)
        self._pm2("save")
        return done

    def start(self):
        return self._pm2("start", "be") if self.pids() else self._pm2("resurrect")

    def stop(self):
        return self._pm2("stop", "be")

    def restart(self):
        return self._pm2("restart", "be")

    def says(self):
        try:
            app = json.loads(self._pm2("jlist").stdout.splitlines()[-1])[0]
        except (ValueError, LookupError):
            return "no answer"
        return f"{app['pm2_env']['status']}, {app['pm2_env']['restart_time']} restarts"

    def pids(self):
        try:
            pid = int((self.directory / "pm2" / "pm2.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return []
        return [pid] if lab.identify(pid) and "PM2" in lab.command_of(pid) else []


ALL = (CodexAgent, Supervisord, Runit, S6, Monit, Pm2)
