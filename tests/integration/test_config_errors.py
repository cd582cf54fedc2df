"""Mistakes in the configuration: all of them at once, with their place, and nothing is started."""

import json
import re
from pathlib import Path

import pytest

from harness.agent import PYTHON_BACKEND

BROKEN = """\
[agent]
listen = "127.0.0.1:99999"
colour = "blue"

[backend.app]
command = "npm run dev"
port = 70000
prot = 5000

[backend.app.start]
timeout = "soon"

[backend.app.probe.http]
period = "1ms"
failure_threshold = 0
"""
PLACES = {2: "listen", 3: "colour", 6: "command", 7: "port", 8: "prot", 11: "timeout", 14: "period",
          15: "failure_threshold"}


@pytest.mark.parametrize("command", [["start"], ["run"], ["config", "check"], ["check"], ["restart"]],
                         ids=lambda command: " ".join(command))
def test_every_mistake_is_told_with_line_and_column(agent, command):
    agent.write(BROKEN)
    done = agent.run(*command, expect=2)
    places = {int(line) for line in re.findall(r"codex-agent\.toml:(\d+):\d+", done.stderr)}
    assert places == set(PLACES)
    for line, key in PLACES.items():
        (told,) = [text for text in done.stderr.splitlines() if f"codex-agent.toml:{line}:" in text]
        assert key in told
    assert agent.processes() == []
    assert not (agent.directory / "logs" / "server.pid").exists()


def test_an_unknown_key_comes_with_a_suggestion(agent):
    agent.write(f"[backend.app]\ncommand = {json.dumps(PYTHON_BACKEND)}\nprot = 5000\n")
    done = agent.run("config", "check", expect=2)
    assert "codex-agent.toml:3:1" in done.stderr and '"port"' in done.stderr.replace("'", '"').replace("`", '"')


def test_broken_toml_is_told_with_its_place(agent):
    agent.write('[backend.app]\ncommand = ["python3"\nport = 5000\n')
    done = agent.run("start", expect=2)
    assert re.search(r"codex-agent\.toml:3:\d+", done.stderr)


def test_a_bad_variable_is_named(agent):
    agent.configure(PYTHON_BACKEND)
    done = agent.run("start", environment={"PORT": "abc"}, expect=2)
    assert "PORT" in done.stderr and "abc" in done.stderr
    assert agent.processes() == []


def test_a_missing_file_that_was_asked_for_is_an_error(agent):
    done = agent.run("--config", agent.directory / "other.toml", "start", expect=2)
    assert "other.toml" in done.stderr


def test_a_directory_without_a_project_says_what_to_write(agent):
    done = agent.run("start", expect=2)
    assert "codex-agent.toml" in done.stderr and "package.json" in done.stderr
    assert agent.processes() == []


def test_a_good_configuration_is_shown_completely_and_loads_again(agent, make_agent):
    agent.configure(PYTHON_BACKEND, 'failure_threshold = 7\n')
    agent.run("config", "check", expect=0)
    shown = agent.run("config", "show", expect=0).stdout
    again = make_agent("again")
    again.write(shown)
    again.run("config", "check", expect=0)
    document = json.loads(agent.run("config", "show", "--json", expect=0).stdout)
    assert document["backends"][0]["name"] == "app"
    copy = json.loads(again.run("config", "show", "--json", expect=0).stdout)
    assert copy["backends"][0]["probes"] == document["backends"][0]["probes"]


@pytest.mark.parametrize("document", ["README.md", "agent/docs/configuration.md"])
def test_the_example_of_a_document_is_valid(agent, document):
    text = (Path(__file__).resolve().parents[2] / document).read_text()
    example = text.split("```toml\n")[1].split("```")[0]
    agent.write(example)
    (agent.directory / ".env").write_text("NODE_ENV=development\n")
    assert "1 backend" in agent.run("config", "check", expect=0).stdout
