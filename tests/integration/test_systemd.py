"""The packaged unit under a real systemd: its sandbox leaves the agent and its backends all they need."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness.agent import command_line
from harness.systemd_machine import SystemdMachine, why_impossible
from harness.waiting import wait_until
from harness.zoo import PROGRAMS

if reason := why_impossible():
    pytest.skip(reason, allow_module_level=True)

UNIT = "codex-agent.service"
ACCOUNT = "codex-agent"
PORT = 5000  # of a network that nobody else is in
CONFIGURATION = f"""
[backend.app]
command = ["node", "app.js", "{PORT}"]
directory = "/srv/app"
port = {PORT}
[backend.app.probe.port]
period = "200ms"
[backend.app.probe.http]
period = "200ms"
timeout = "5s"
failure_threshold = 100
"""
# Half a minute is long for a test.
QUICK_WATCHDOG = "[Service]\nWatchdogSec=5s\n"
COMPLAINTS = ("Function not implemented", "not_permitted", "Operation not permitted", "SECCOMP", "status=31/SYS",
              "step_failed", "evidence_failed")


class Service:
    """The unit in the machine, and its one backend."""

    def __init__(self, machine):
        self.machine = machine

    def codex_agent(self, *arguments, **options):
        return self.machine.run("codex-agent", "--config", "/etc/codex-agent/codex-agent.toml", *arguments, **options)

    def start(self):
        """Until the backend is healthy; nothing if it is."""
        self.machine.run("systemctl", "start", UNIT, timeout=120)
        return self.wait_for_backend(lambda found: found["state"] == "running" and found["health"] == "healthy")

    def backend(self):
        """As status tells it; None while no agent answers."""
        answer = self.codex_agent("status", "--json", check=False)
        return json.loads(answer)["backends"][0] if answer.startswith("{") else None

    def wait_for_backend(self, predicate, timeout=40):
        found = None

        def look():
            nonlocal found
            found = self.backend()
            assert not found or found["state"] != "failed", "it is given up"
            return found and predicate(found) and found

        try:
            return wait_until(look, timeout, "the backend's state", interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(found, indent=1)}\n{self.journal()}") from None

    @property
    def pid(self):
        return int(self.machine.property(UNIT, "MainPID"))

    def wait_for_another_agent(self, before):
        return wait_until(lambda: (now := self.pid) not in (0, before) and now, 30, "a new agent", interval=0.1)

    def group_of(self, pid):
        """Where systemd sees the process: its cgroup v2 path, or where there is none that of systemd's own hierarchy."""
        mark = "0::" if self.machine.has_cgroup2() else ":name=systemd:"
        [line] = [line for line in self.machine.read(f"/proc/{pid}/cgroup").splitlines() if mark in line]
        return line.split(mark)[1]

    def journal(self):
        return self.machine.run("journalctl", "--unit", UNIT, "--output", "cat", "--no-pager")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    directory = tmp_path_factory.mktemp("machine")
    files = directory / "files"
    build = pathlib.Path(command_line()).parent
    subprocess.run(["cmake", "--install", str(build), "--prefix", "/usr"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(files)})
    for path, text in {"etc/codex-agent/codex-agent.toml": CONFIGURATION,
                       f"etc/systemd/system/{UNIT}.d/watchdog.conf": QUICK_WATCHDOG}.items():
        (files / path).parent.mkdir(parents=True)
        (files / path).write_text(text, encoding="utf-8")
    (files / "srv" / "app").mkdir(parents=True)
    shutil.copy(PROGRAMS / "zoo.js", files / "srv" / "app" / "app.js")
    booted = SystemdMachine(directory, [f"u {ACCOUNT} -"])
    yield booted
    booted.close()


@pytest.fixture
def service(machine, request):
    service = Service(machine)
    yield service
    if request.node.outcome_call.failed:
        print(service.journal())


def test_a_backend_runs_in_a_cgroup_of_its_own(service):
    backend = service.start()
    assert service.machine.property(UNIT, "ActiveState") == "active"
    assert set(service.machine.pids_of(ACCOUNT)) == {service.pid, backend["pid"]}
    unit = service.machine.property(UNIT, "ControlGroup")
    assert service.group_of(service.pid) == unit
    if service.machine.has_cgroup2():
        assert service.group_of(backend["pid"]).startswith(f"{unit}/codex-agent.")
    else:
        assert service.group_of(backend["pid"]) == unit, "no cgroup v2: it can only be in the unit's"


def test_an_endless_loop_is_told_with_its_function_and_restarted(service):
    before = service.start()
    service.machine.run("curl", "-sf", f"http://127.0.0.1:{PORT}/hang?m=loop")
    hung = service.wait_for_backend(lambda found: found["hang"] and found["hang"]["evidence"])["hang"]
    assert hung["class"] == "spin" and str(hung["where"]).startswith("loop (app.js")
    after = service.wait_for_backend(lambda found: found["generation"] > before["generation"] and
                                     found["health"] == "healthy")
    assert after["generation"] == before["generation"] + 1 and after["pid"] != before["pid"]
    assert after["restarts"]["by_reason"]["hang"] == 1
    report = json.loads(service.codex_agent("evidence", hung["evidence"], "--json"))
    assert report["js_stack"]["frames"][0]["function"] == "loop"


def test_the_backend_outlives_a_killed_agent(service):
    before, agent = service.start(), service.pid
    service.machine.run("kill", "-KILL", agent)
    service.wait_for_another_agent(agent)
    after = service.start()
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    assert set(service.machine.pids_of(ACCOUNT)) == {service.pid, before["pid"]}, "a second tree"


def test_an_upgrade_as_the_readme_tells_keeps_the_backend(service):
    before, agent = service.start(), service.pid
    service.machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
    service.wait_for_another_agent(agent)
    assert service.start()["pid"] == before["pid"]


def test_an_agent_that_is_stuck_is_replaced(service):
    before, agent = service.start(), service.pid
    service.machine.run("kill", "-STOP", agent)
    service.wait_for_another_agent(agent)
    assert service.start()["pid"] == before["pid"]
    assert "Watchdog timeout" in service.journal()


def test_a_stop_leaves_nothing(service):
    service.start()
    assert service.machine.listens(PORT)
    service.machine.run("systemctl", "stop", UNIT, timeout=120)
    assert service.machine.pids_of(ACCOUNT) == []
    assert not service.machine.listens(PORT)
    assert service.machine.property(UNIT, "Result") == "success"


def test_what_it_noted_outlives_the_stop_and_tells_of_nothing_refused(service):
    noted = [service.codex_agent(command, *arguments) for command, *arguments in (["evidence", "latest"], ["events"])]
    assert "loop (app.js" in noted[0] and "hang" in noted[1]
    told = "\n".join([service.journal(), service.machine.run("sh", "-c", "cat /var/log/codex-agent/*"), *noted])
    assert "spawned" in told
    assert [line for line in told.splitlines() if any(complaint in line for complaint in COMPLAINTS)] == []
