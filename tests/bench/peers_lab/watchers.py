"""Supervisors that are told to notice a hang, each the way its manual shows."""

import json
import pathlib
from datetime import datetime

from . import lab
from .supervisors import CodexAgent, Monit, Supervisord

ASK_AND_RESTART = pathlib.Path(__file__).resolve().parent / "ask_and_restart.py"


class WatchingAgent(CodexAgent):
    """Nothing has to be configured."""

    def phases(self, hung_at):
        """Seconds from one to the next: hang, confirmed, acted, stopped, healthy; None if any is missing."""
        events = json.loads(self.cli("events", "--json", "-n", 1000).stdout)["events"]
        moments = [hung_at]
        for state in ("hung", "stopping", "starting", "running"):
            later = [at for event in events if event["to"] == state and
                     (at := datetime.fromisoformat(event["at"]).timestamp()) > moments[-1]]
            if not later:
                return None
            moments.append(later[0])
        return [after - before for before, after in zip(moments, moments[1:])]


class WatchingMonit(Monit):
    name = "monit, 3 failures"
    note = "monit: set daemon 1; HTTP check with 1 s timeout, restart"
    cycles = 3

    def prepare(self):
        super().prepare()
        with open(self.conf, "a", encoding="ascii") as file:
            file.write(f'  if failed host 127.0.0.1 port {self.service.port} protocol http request "/health" '
                       f"with timeout 1 seconds for {self.cycles} cycles then restart\n")


class EagerMonit(WatchingMonit):
    name = "monit, 1 failure"
    note = ""
    cycles = 1


class WatchingSupervisord(Supervisord):
    name = "supervisord + listener"
    note = ("supervisord has no check of its own: an event listener that asks at TICK_5, its shortest tick, with 1 s timeout and "
            "restarts after the first failure. It stands for superlance's httpok, which Debian does not have.")

    def prepare(self):
        super().prepare()
        with open(self.conf, "a", encoding="ascii") as file:
            file.write(f"[eventlistener:ask]\nevents=TICK_5\n"
                       f"command=/usr/bin/python3 {ASK_AND_RESTART} be http://127.0.0.1:{self.service.port}/health 1\n")

    def pids(self):
        return [pid for top in super().pids() for pid in [top, *(
            child for child in lab.children(top) if ASK_AND_RESTART.name in lab.command_of(child))]]


ALL = (WatchingAgent, WatchingMonit, EagerMonit, WatchingSupervisord)
