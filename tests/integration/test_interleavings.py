"""Four operators at once, and a backend that dies in between: every command is answered once, the last one wins."""

import json
import os
import random
import re
import threading

import psutil

from harness.agent import PYTHON_BACKEND, sanitized
from harness.waiting import wait_until

COMMANDS = int(os.environ.get("CODEX_INTERLEAVINGS", "60" if sanitized() else "500"))
CLIENTS = 4


def last_accepted(agent):
    """The last command as the agent took them, from its log."""
    return re.findall(r"(start|stop|restart)_requested backend=app", agent.log)[-1]


def test_every_command_gets_one_answer_and_the_last_one_wins(agent):
    agent.configure([*PYTHON_BACKEND, "--drain", "20"],
                    '[backend.app.restart]\nstart_limit = "1000 in 60s"\nmax_delay = "0s"\n', period="1s")
    agent.start()
    answers, wrong = [], []

    def operate(seed):
        chance = random.Random(seed)
        for _ in range(COMMANDS // CLIENTS):
            command = chance.choice(["start", "stop", "restart", "kill", "crash"])
            if command in ("kill", "crash"):
                pid = agent.backend()["pid"]
                try:
                    if pid:
                        victim = psutil.Process(pid)
                        victim.kill() if command == "kill" else victim.terminate()
                except psutil.Error:
                    pass
                continue
            options = ["--no-wait"] if chance.random() < 0.3 else []
            done = agent.run(command, *options, "--json", timeout=60)
            answers.append(done.returncode)
            # 0 done, 1 another command won; nothing else is an answer, and there is always one.
            documents = [json.loads(line) for line in done.stdout.splitlines()]
            if done.returncode not in (0, 1) or len(documents) != 1 or "operation" not in documents[0]:
                wrong.append((command, options, done.returncode, done.stdout, done.stderr))

    clients = [threading.Thread(target=operate, args=[seed]) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert wrong == []
    assert len(answers) > COMMANDS / 4
    last = last_accepted(agent)
    state = "stopped" if last == "stop" else "running"
    backend = wait_until(lambda: (found := agent.backend())["state"] == state and found, 20, f"{state} after {last}")
    assert backend["desired"] == ("stopped" if last == "stop" else "running")
    agent.journal.check_no_overlap()
    agent.stop()
    agent.assert_nothing_runs()
    assert not re.search(r"callback_failed|step_failed", agent.log)
