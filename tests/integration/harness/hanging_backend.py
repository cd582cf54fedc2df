"""A backend that hangs when it is asked to, in a way of the hang zoo; by us, and by nobody else."""

import os

from .zoo import PROGRAMS, get

REPORT_ONLY = '[backend.app.hang]\naction = "report"\n'


def start_hanging_backend(agent, extra="", *arguments, program="", wrapper=()):
    """The zoo as app.js of the agent's project, with `program` at its end, run by `wrapper`. Its http probe restarts
    for nothing: on a busy host its turn may come first. `extra` is configuration that follows that probe's table."""
    zoo = (PROGRAMS / "zoo.js").read_text(encoding="utf-8")
    (agent.directory / "app.js").write_text(zoo + program, encoding="utf-8")
    os.mkfifo(agent.directory / "fifo")
    agent.environment["FIFO"] = "fifo"
    agent.configure([*wrapper, "node", "app.js", agent.port, *arguments], 'timeout = "5s"\nfailure_threshold = 100\n' + extra, period="5s")
    agent.start()


def hang(agent, mode):
    answer = get(agent.port, f"/hang?m={mode}")
    assert b" 200 " in answer, f"no answer to /hang?m={mode}: {answer!r}"
