"""Why a backend ended, in its own words: wherever it is asked, and by the command that waited."""

import pytest

from harness.waiting import holds_for, wait_until

NEVER = '[backend.app.restart]\npolicy = "never"\n'

PROGRAMS = {
    "node, uncaught": ("app.js", "const boot = (config) => config.x.y;\nsetTimeout(() => boot({}), 50);\n",
                       ["node", "app.js"], "exit code 1: TypeError: Cannot read properties of undefined (reading 'y') (app.js:1)"),
    "node, a file": ("app.js", "\n\nrequire('fs').readFileSync('/nope/key.pem');\n", ["node", "app.js"],
                     "exit code 1: Error: ENOENT: no such file or directory, open '/nope/key.pem' (app.js:3)"),
    "node, rejected": ("app.js", "const boot = async () => {\n  throw new Error('no queue');\n};\nboot();\n", ["node", "app.js"],
                       "exit code 1: Error: no queue (app.js:2)"),
    "node, syntax": ("app.js", "const a = {\n}};\n", ["node", "app.js"],
                     "exit code 1, syntax_error: SyntaxError: Unexpected token '}' (app.js:2)"),
    "node, module": ("app.js", "require('missing-thing');\n", ["node", "app.js"],
                     "exit code 1, module_not_found: Error: Cannot find module 'missing-thing' (app.js:1)"),
    "node, fatal": ("app.js", "console.error('FATAL: cannot read key.pem'); console.log('bye'); process.exitCode = 3;\n",
                    ["node", "app.js"], "exit code 3: FATAL: cannot read key.pem"),
    "python": ("app.py", "def load(config):\n    return config['port']\nload({})\n", ["/usr/bin/python3", "app.py"],
               "exit code 1: KeyError: 'port' (app.py:2)"),
    "sh, the last line": ("app.sh", "echo starting\necho PORT is not set >&2\nexit 2\n", ["sh", "app.sh"],
                          "exit code 2: PORT is not set"),
    "labels and colours": ("app.js", "throw new RangeError('port 99999')\n",
                           ["sh", "-c", "node app.js 2>&1 | sed 's/^/12:03:04 \x1b[34m[api]\x1b[39m api:dev: /'; exit 1"],
                           "exit code 1: RangeError: port 99999 (app.js:1)"),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_the_line_that_says_why_is_told_everywhere(agent, program):
    name, source, command, words = program
    agent.directory.joinpath(name).write_text(source, encoding="ascii")
    agent.configure(command, NEVER)
    told = agent.start(expect=1)
    assert words in told.stderr
    backend = agent.backend()
    assert words in backend["problem"]
    assert words.endswith(backend["last_exit"]["why"])
    assert words in agent.run("status", expect=3).stdout
    assert any(words in event["detail"] for event in agent.events())
    assert words in agent.log.replace('\\"', '"')


def test_the_command_that_waited_shows_the_last_lines_without_secrets(agent):
    agent.directory.joinpath(".env").write_text("DATABASE_URL=postgres://app:opensesame@127.0.0.1:1/app\n", encoding="ascii")
    agent.directory.joinpath("app.py").write_text("""
import sys
for i in range(20):
    print("line", i, file=sys.stderr)
sys.exit("cannot log in with opensesame \\x07\\x1b[31mred")
""", encoding="ascii")
    agent.configure(["/usr/bin/python3", "app.py"], NEVER)
    for command in ("start", "restart"):
        told = agent.run(command, expect=1).stderr
        shown = [line[4:] for line in told.splitlines() if line.startswith("  | ")]
        assert shown == [f"line {i}" for i in range(11, 20)] + ["cannot log in with *** \\x07red"]
        assert "exit code 1: cannot log in with ***" in told
    assert "opensesame" not in agent.run("restart", "--json", expect=1).stdout


def test_a_restart_that_went_well_leaves_the_reason_of_the_last_end_in_status(agent):
    agent.directory.joinpath("app.js").write_text("""
const http = require('http');
http.createServer((request, response) => {
  if (request.url === '/crash') setImmediate(() => { throw new Error('broken on request'); });
  response.end('ok');
}).listen(Number(process.env.PORT), '127.0.0.1');
""", encoding="ascii")
    agent.configure(["node", "app.js"])
    agent.start()
    import urllib.request
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{agent.port}/crash", timeout=5).read()
    except OSError:
        pass
    wait_until(lambda: (found := agent.backend())["generation"] == 2 and found["state"] == "running", 15, "the restart")
    told = "Server process died unexpectedly: exit code 1: Error: broken on request (app.js:4)."
    assert agent.backend()["last_end"]["told"] == told
    line = next(line for line in agent.run("status", expect=0).stdout.splitlines() if line.startswith("  last end: "))
    assert line.endswith(told)


def test_a_wrappers_word_is_not_the_servers(agent):
    """node --watch has completed beside a server that needs its time to listen."""
    agent.directory.joinpath("gen.js").write_text("", encoding="ascii")
    agent.directory.joinpath("app.js").write_text("""
const fs = require('fs');
const server = require('http').createServer((request, response) => response.end('ok'));
const wait = setInterval(() => {
  if (!fs.existsSync('go')) return;
  clearInterval(wait);
  server.listen(Number(process.env.PORT), '127.0.0.1');
}, 20);
""", encoding="ascii")
    agent.configure(["sh", "-c", "node --watch gen.js & exec node app.js"], start_timeout="40s")
    start = agent.popen("start")
    agent.wait_for_agent()
    wait_until(lambda: "Completed running 'gen.js'" in agent.output, 20, "the wrapper's word")
    holds_for(lambda: agent.backend()["state"] == "starting", 2, "the start")
    agent.directory.joinpath("go").write_text("", encoding="ascii")
    _, err = start.communicate(timeout=30)
    assert start.returncode == 0, err
    assert agent.backend()["starts"] == 1


def test_a_wrappers_word_is_believed_once_nothing_lives_beside_it(agent):
    agent.directory.joinpath("gen.js").write_text("", encoding="ascii")
    agent.directory.joinpath("app.js").write_text("setTimeout(() => { throw new TypeError('late'); }, 300);\n", encoding="ascii")
    agent.configure(["sh", "-c", "node --watch gen.js & node app.js; wait"],
                    '[backend.app.restart]\nstart_limit = "1 in 60s"\n', start_timeout="40s")
    told = agent.start(expect=1, timeout=30)
    assert "Server has ended before it was ready, and node --watch waits for an edit: TypeError: late (app.js:1)" in told.stderr


def test_a_start_that_runs_out_of_time_says_what_was_reported(agent):
    """Of a wrapper that says nothing, as tsx watch, whose application has ended."""
    agent.directory.joinpath("app.js").write_text("(undefined).x;\n", encoding="ascii")
    agent.configure(["sh", "-c", "node app.js; exec sleep 1000"], NEVER, start_timeout="2s")
    told = agent.start(expect=1)
    assert "Server startup timeout after 2 s" in told.stderr
    assert "It said: TypeError: Cannot read properties of undefined (reading 'x') (app.js:1)." in told.stderr
