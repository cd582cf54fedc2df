"""tests/style/pure tells every way from agent/policy to input, output or a clock, also through other headers."""

import pathlib
import subprocess

import pytest

CHECK = pathlib.Path(__file__).with_name("pure")


def put(tree, name, *includes, text=""):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    lines = [f"#include {name if name.startswith('<') else repr(name)}\n".replace("'", '"') for name in includes]
    (tree / name).write_text("".join(lines) + text, encoding="utf-8")


@pytest.fixture
def tree(tmp_path):
    put(tmp_path, "agent/os/clock.h", "<chrono>", text="using Clock = std::chrono::steady_clock;\n")
    put(tmp_path, "exporters/snapshot.h", "<string>", "agent/os/clock.h")
    put(tmp_path, "agent/policy/health.h", "<vector>", "exporters/snapshot.h")
    put(tmp_path, "agent/policy/health.cc", "agent/policy/health.h", "<algorithm>")
    return tmp_path


def told(tree):
    done = subprocess.run([CHECK, tree], capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.returncode == (1 if done.stdout else 0)
    return done.stdout.splitlines()


def test_values_are_pure(tree):
    assert told(tree) == []


@pytest.mark.parametrize("header", ["unistd.h", "fstream", "filesystem", "thread", "mutex", "sys/epoll.h", "spdlog/logger.h"])
def test_a_header_of_the_system_is_told(tree, header):
    put(tree, "agent/policy/cause.cc", f"<{header}>")
    assert told(tree) == [f"agent/policy/cause.cc -> <{header}>"]


def test_so_is_one_that_another_folder_brings_along(tree):
    put(tree, "exporters/snapshot.h", "<string>", "exporters/files.h")
    put(tree, "exporters/files.h", "<fcntl.h>")
    assert told(tree) == ["agent/policy/health.cc -> agent/policy/health.h -> exporters/snapshot.h -> exporters/files.h -> <fcntl.h>"]


@pytest.mark.parametrize("header", ["agent/os/event_loop.h", "agent/config/config.h", "probes/probe.h",
                                    "probes/hang/hang_observer.h"])
def test_a_header_that_does_things_is_told_whatever_it_includes(tree, header):
    put(tree, header, "<string>")
    put(tree, "agent/policy/cause.h", header)
    assert told(tree) == [f"agent/policy/cause.h -> {header}: is no value of {str(pathlib.PurePath(header).parent)}"]


@pytest.mark.parametrize("clock", ["Clock::now()", "std::chrono::system_clock::now()"])
def test_a_look_at_a_clock_is_told(tree, clock):
    put(tree, "agent/policy/cause.cc", text=f"auto now() {{ return {clock}; }}\n")
    assert told(tree) == [f"agent/policy/cause.cc: {clock.removeprefix('std::chrono::')}"]


def test_no_policy_is_not_pure(tmp_path):
    assert subprocess.run([CHECK, tmp_path], check=False).returncode == 1
