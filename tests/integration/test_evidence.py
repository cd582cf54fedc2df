"""What is kept of a hang: taken while the process lives, told in status and events, shown without an agent."""

import json
import os
import signal
import stat
import subprocess

import psutil

from harness.agent import sanitized
from harness.hanging_backend import REPORT_ONLY, hang, start_hanging_backend
from harness.waiting import wait_until


def start(agent, extra=""):
    """With a secret in the environment, on the command line and in the output."""
    start_hanging_backend(agent, extra + '[backend.app.env]\nAPP_PASSWORD = "hunter2secret"\n', "--flag=hunter2secret",
                          program="console.log('token is hunter2secret');\n")


def told_of_hang(agent, mode=None, timeout=30):
    """What is told once there is evidence; `mode`: hangs before."""
    if mode:
        hang(agent, mode)
    return wait_until(lambda: (found := agent.backend()["hang"]) and found["evidence"] and found, timeout,
                      "the evidence")


def evidence(agent, *arguments, expect=0):
    return agent.run("evidence", *arguments, expect=expect).stdout


def directory_of(agent, incident):
    [entry] = [entry for entry in json.loads(evidence(agent, "--json"))["incidents"] if entry["id"] == incident]
    return entry["directory"]


def test_a_loop_is_told_with_its_place_in_status_event_and_report(agent):
    start(agent)
    told = told_of_hang(agent, "loop")
    assert told["class"] == "spin" and told["where"].startswith("loop (app.js")
    assert told["action"] == "restart" and told["due_in_seconds"] <= 5
    after = wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running" and found,
                       60, "the restart")
    assert after["hang"] is None
    [event] = [event for event in agent.events() if event["reason"] == "hang" and "loop (app.js" in event["detail"]]
    assert told["evidence"] in event["detail"]

    report = json.loads(evidence(agent, told["evidence"], "--json"))
    assert report["class"] == "spin" and report["backend"] == "app" and report["generation"] == 1
    assert report["js_stack"]["frames"][0]["function"] == "loop"
    assert report["votes"]["spin"] > 0 and max(report["votes"], key=report["votes"].get) == "spin"
    assert report["threads"][0]["id"] == report["pid"] and report["threads"][0]["state"] == "R"
    assert [process["pid"] for process in report["tree"]].count(report["pid"]) == 1
    assert report["descriptors"]["open"] > 10 and report["sockets"]["connections"] >= 0
    assert any("token is" in line for line in report["output"])
    [before] = [moment for moment in report["earlier"] if moment["moment"] == "suspected"]
    assert before["js_stack"]["frames"][0]["function"] == "loop", "the same function half a second before"

    text = evidence(agent, "latest")
    for words in ("app hangs: spin", "loop (app.js", "Threads", "Last output", "restart when it has lasted 5 s"):
        assert words in text, words
    assert told["evidence"] in evidence(agent) and "spin" in evidence(agent)
    metrics = agent.metrics()
    assert metrics.value("codex_agent_evidence_captures_total", result="success") >= 2
    assert metrics.value("codex_agent_evidence_captures_total", result="failure") == 0


def test_a_blocked_read_names_the_file_and_a_child_its_command(agent):
    start(agent, REPORT_ONLY)
    told = told_of_hang(agent, "fifo")
    assert told["class"] == "blocked_syscall" and told["where"].startswith("fifo (app.js")
    assert told["due_in_seconds"] is None
    report = json.loads(evidence(agent, told["evidence"], "--json"))
    assert report["threads"][0]["call"] == 'openat("fifo")'
    if report["threads"][0]["kernel_stack"] is not None:
        assert any("fifo" in line or "wait" in line for line in report["threads"][0]["kernel_stack"])
    agent.run("restart", expect=0)
    told = told_of_hang(agent, "exec")
    assert told["class"] == "sync_child" and told["where"].startswith("exec (app.js")
    report = json.loads(evidence(agent, told["evidence"], "--json"))
    assert any("sleep 1000" in process["command"] for process in report["tree"])


def test_native_stacks_are_told_when_asked_for_and_change_nothing(agent):
    start(agent, REPORT_ONLY + "native_stacks = true\n")
    told = told_of_hang(agent, "fifo")
    report = json.loads(evidence(agent, told["evidence"], "--json"))
    [main, *others] = report["native_stacks"]
    assert main["id"] == report["pid"] and main["error"] is None and others
    assert any("node::fs::" in frame for frame in main["frames"]), main
    assert "uv_run" in "\n".join(main["frames"]) and "Native stack of the main thread" in evidence(agent, "latest")
    assert psutil.Process(report["pid"]).status() == psutil.STATUS_SLEEPING
    assert agent.backend()["hang"]["class"] == "blocked_syscall", "it waits on"


def test_a_stopped_process_is_read_without_being_continued(agent):
    start(agent, '[backend.app.hang.stopped]\naction = "report"\n')
    server = agent.backend()["port"]["owner_pid"]
    os.kill(server, signal.SIGSTOP)
    told = told_of_hang(agent)
    assert told["class"] == "stopped" and told["action"] == "report"
    assert psutil.Process(server).status() == psutil.STATUS_STOPPED
    report = json.loads(evidence(agent, told["evidence"], "--json"))
    assert report["js_stack"]["error"] is None and report["threads"][0]["state"] == "T"
    os.kill(server, signal.SIGCONT)


def test_no_secret_is_kept_and_nobody_else_can_read_it(agent):
    start(agent, REPORT_ONLY)
    told = told_of_hang(agent, "loop")
    directory = agent.directory / ".codex-agent" / "evidence" / told["evidence"]
    assert str(directory) == directory_of(agent, told["evidence"])
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert {"report.txt", "report.json", "status"} <= {path.name for path in files}
    for path in files:
        assert b"hunter2secret" not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert "--flag=***" in (directory / "report.txt").read_text(encoding="utf-8")


def test_the_number_of_incidents_is_bounded(agent):
    start(agent, REPORT_ONLY)
    store = agent.directory / ".codex-agent" / "evidence"
    for day in range(1, 26):
        (store / f"202001{day:02}T000000.000Z-app").mkdir(parents=True)
    (store / "notes of mine").mkdir()
    told = told_of_hang(agent, "loop")
    wait_until(lambda: len(list(store.glob("2*"))) == 20, 10, "the pruning")
    assert (store / told["evidence"]).is_dir() and (store / "20200125T000000.000Z-app").is_dir()
    assert not (store / "20200106T000000.000Z-app").exists() and (store / "notes of mine").is_dir()


def test_what_is_not_there_is_said(agent):
    start(agent)
    assert evidence(agent) == "no hang has been seen\n"
    assert json.loads(evidence(agent, "--json"))["incidents"] == []
    done = agent.run("evidence", "2026", expect=1)
    assert "there is no evidence 2026" in done.stderr


def test_a_full_disk_costs_the_evidence_and_nothing_else(agent):
    """A file in the way of the directory: nothing can be written, the hang is dealt with all the same."""
    start(agent)
    (agent.directory / ".codex-agent" / "evidence").write_text("in the way", encoding="ascii")
    hang(agent, "loop")
    wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running", 60, "the restart")
    assert agent.metrics().value("codex_agent_evidence_captures_total", result="failure") >= 1


DATABASE_APPLICATION = """
const http = require('http');
const { Pool } = require('pg');
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
http.createServer(async (request, response) => {
  if (request.url === '/update') await pool.query('UPDATE account SET balance = balance + 1 WHERE id = 1');
  response.end('ok\\n');
}).listen(Number(process.env.PORT), '127.0.0.1');
"""


def test_the_database_tells_who_blocks_whom(agent, postgres, node_modules):
    postgres.sql_in("codex", "DROP TABLE IF EXISTS account; CREATE TABLE account(id int primary key, balance int);"
                             " INSERT INTO account VALUES (1, 0); GRANT ALL ON account TO codex;"
                             " GRANT pg_read_all_stats TO codex")
    (agent.directory / ".env").write_text(f"DATABASE_URL={postgres.url}\n", encoding="ascii")
    (agent.directory / "node_modules").symlink_to(node_modules)
    (agent.directory / "app.js").write_text(DATABASE_APPLICATION, encoding="ascii")
    agent.configure(["node", "app.js"], 'path = "/update"\ntimeout = "1s"\nfailure_threshold = 100\n')
    agent.start()
    with postgres.lock("codex", "SELECT * FROM account WHERE id = 1 FOR UPDATE"):
        asking = [subprocess.Popen(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{agent.port}/update"])
                  for _ in range(4)]
        told = told_of_hang(agent, timeout=60)
        assert told["class"] == "db_wait" and told["action"] == "report", evidence(agent, told["evidence"])
        report = json.loads(evidence(agent, told["evidence"], "--json"))
        if sanitized() and report["database"]["error"]:
            return  # too slow for the time limit there
        clients = report["database"]["clients"]
        waiting = [client for client in clients if client["ours"] and client["waits_for"].startswith("Lock: ")]
        assert len(waiting) >= 4 and all("UPDATE account" in client["query"] for client in waiting)
        [holder] = [client for client in clients if "FOR UPDATE" in client["query"]]
        assert holder["state"] == "idle in transaction" and not holder["ours"]
        assert any(holder["pid"] in client["blocked_by"] for client in waiting)
        assert report["sockets"]["waiting"]["database"] >= 1
        assert f"blocked by pid [{holder['pid']}]" in evidence(agent, told["evidence"])
    for process in asking:
        assert process.wait(timeout=30) == 0
    assert agent.backend()["generation"] == 1
