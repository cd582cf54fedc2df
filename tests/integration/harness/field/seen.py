"""What all checks share."""

import json

from ..waiting import wait_until
from .servers import Served

# Seconds after which a hang of a class is restarted, see agent/docs/hangs.md, and how much later it may be.
AFTER = {"spin": 5, "futex": 5, "blocked_syscall": 5, "fd_exhausted": 5, "stopped": 1, "handler": 10,
         "pool_exhausted": 10, "threadpool": 10}
LATE = 3
# The longest that is looked at, from when everything stood still.
PATIENCE = 25
# What status says is older at most, so that no probe's connection is seen and its attempt is not.
SNAPSHOT = 1.2


class Seen:
    """What one check told, in words, and what was wrong."""

    def __init__(self):
        self.told, self.wrong = [], []

    def expect(self, true, text):
        if not true:
            self.wrong.append(text)
        return bool(true)

    def tell(self, text):
        self.told.append(text)


def hangs(agent):
    """Class: how often it was told."""
    return {dict(labels)["class"]: int(value) for (name, labels), value in agent.metrics().values.items()
            if name == "codex_agent_backend_hangs_total" and value}


def restarts(agent):
    """Reason: how often it was restarted for it."""
    return {reason: number for reason, number in agent.backend()["restarts"]["by_reason"].items() if number}


def incidents(agent):
    return json.loads(agent.run("evidence", "--json", expect=0).stdout)["incidents"]


def running(name, agent, extra=""):
    """A server that answers."""
    served = Served(name, agent, extra)
    wait_until(served.answers, 10, "an answer")
    return served
