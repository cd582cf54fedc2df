"""Backends that listen nowhere (`port = "none"`): nothing is expected of them but that they live."""

import psutil
import pytest

from harness.waiting import holds_for, wait_until

# What a start may do nothing for before it is told as stuck is 5 s; a worker has all the time in the world.
LONGER_THAN_A_STUCK_START = 7


def configure(agent, command, extra=""):
    agent.write(f'[backend.app]\ncommand = {command}\nport = "none"\n{extra}')


def check_well(agent, pid):
    backend = agent.backend()
    return backend["state"] == "running" and backend["pid"] == pid and not backend["hang"] and backend["problem"] == ""


@pytest.mark.parametrize("command", [
    '["/bin/sleep", "1000"]',
    '["/bin/sh", "-c", "while :; do :; done"]',
    '["/bin/sh", "-c", "kill -STOP $$; sleep 1000"]',
], ids=["it waits", "it only uses CPU", "it is stopped"])
def test_a_quiet_worker_is_well(agent, command):
    configure(agent, command)
    agent.start()
    pid = agent.backend()["pid"]
    holds_for(lambda: check_well(agent, pid), LONGER_THAN_A_STUCK_START, "a worker that is left alone", interval=0.5)
    metrics = agent.metrics()
    assert metrics.value("codex_agent_backend_hangs_total", **{"class": "startup_stuck"}) == 0
    assert metrics.value("codex_agent_backend_starts_total") == 1
    if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
        psutil.Process(pid).resume()


def test_a_worker_is_left_alone_by_the_next_agent_too(agent):
    configure(agent, '["/bin/sleep", "1000"]')
    agent.start()
    pid = agent.backend()["pid"]
    agent.kill_daemon()
    agent.run("run", "--background", expect=0)
    agent.wait_for_state("running")
    holds_for(lambda: check_well(agent, pid), LONGER_THAN_A_STUCK_START, "a worker that is left alone", interval=0.5)


def test_a_worker_that_ends_is_started_again(agent):
    configure(agent, '["/bin/sleep", "1000"]')
    agent.start()
    psutil.Process(agent.backend()["pid"]).kill()
    wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running", 10, "the restart")
