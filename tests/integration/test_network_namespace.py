"""A backend that its command takes into another network namespace is seen and asked there."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess

import pytest

from harness import processes
from harness.agent import BACKENDS, NODE_BACKEND
from harness.hanging_backend import start_hanging_backend
from harness.ports import free_port
from harness.waiting import wait_until

ENTER = ["/usr/bin/python3", str(BACKENDS / "in_network_namespace.py")]


def in_namespace_of(pid, *command):
    return subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *command], check=True, capture_output=True,
                          text=True, timeout=20).stdout


def kept_namespaces(agent):
    targets = []
    for descriptor in pathlib.Path(f"/proc/{agent.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in between
            targets.append(os.readlink(descriptor))
    assert any(target.startswith("socket:") for target in targets)
    return [target for target in targets if target.startswith("net:")]


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_it_is_found_asked_and_stopped_there(agent, host):
    agent.configure([*ENTER, *NODE_BACKEND, "--host", host])
    agent.start()
    backend = agent.backend()
    assert backend["port"]["ours"] and backend["health"] == "healthy"
    assert {probe["name"]: probe["outcome"] for probe in backend["probes"]} == {"port": "success", "http": "success"}
    assert not processes.listening(agent.port), "it is not in another network namespace"
    assert "ours" in agent.run("ports", expect=0).stdout
    agent.run("check", expect=0)
    agent.run("restart", expect=0)
    assert agent.backend()["health"] == "healthy"
    assert kept_namespaces(agent)
    agent.stop()
    agent.assert_nothing_runs()
    assert not agent.backend()["port"]["listening"]
    wait_until(lambda: not kept_namespaces(agent), 5, "the namespace's release: it and its devices would live on")


def test_a_stranger_in_the_agents_namespace_is_not_taken_for_it(agent):
    agent.configure([*ENTER, *NODE_BACKEND])
    agent.start()
    with socket.create_server(("127.0.0.1", agent.port)):
        assert "ours" in agent.run("ports", expect=0).stdout
        agent.run("check", expect=0)
        agent.run("stack", expect=0)
        backend = agent.backend()
        assert backend["port"]["ours"] and backend["health"] == "healthy"


def test_a_loopback_that_is_down_there_is_told(agent):
    agent.configure([*ENTER, "--down", *NODE_BACKEND], start_timeout="3s")
    started = agent.start(expect=1)
    assert "ip link set lo up" in started.stdout + started.stderr


def test_its_hang_is_named_with_the_function_and_who_waits_to_be_accepted(agent):
    start_hanging_backend(agent, wrapper=ENTER)
    before = agent.backend()
    in_namespace_of(before["port"]["owner_pid"], "curl", "-sf", f"http://127.0.0.1:{agent.port}/hang?m=loop")
    hung = wait_until(lambda: (found := agent.backend())["state"] == "hung" and found, 15, "hung", interval=0.05)
    assert hung["hang"]["class"] == "spin"
    assert "at loop (app.js" in agent.run("stack", expect=0).stdout
    after = wait_until(lambda: (found := agent.backend())["generation"] == before["generation"] + 1 and
                       found["state"] == "running" and found, 30, "the restart", interval=0.1)
    assert after["restarts"]["by_reason"]["hang"] == 1 and after["port"]["ours"]
    report = agent.run("evidence", "latest", expect=0).stdout
    waiting = re.search(r"not accepted yet: (\d+)", report)
    assert "loop" in report and int(waiting[1]) >= 1, report


def test_a_helper_in_another_namespace_leads_nobody_astray(agent):
    agent.configure([*ENTER, "--beside", *NODE_BACKEND])
    agent.start()
    backend = agent.backend()
    assert backend["port"]["ours"] and backend["health"] == "healthy"
    agent.stop()
    agent.assert_nothing_runs()


def test_a_start_that_listens_elsewhere_in_there_says_where(agent):
    other = free_port()
    agent.configure([*ENTER, "env", f"PORT={other}", *NODE_BACKEND], start_timeout="3s")
    started = agent.start(expect=1)
    assert f"the backend listens on port {other} instead" in started.stdout + started.stderr
