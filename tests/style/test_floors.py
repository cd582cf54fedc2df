"""tests/style/floors tells every include that the table of CMakeLists.txt does not have, and what is wrong with the table."""

import pathlib
import shutil
import subprocess

import pytest

CHECK = pathlib.Path(__file__).with_name("floors")
TABLE = """\
codex_folder(agent/os LINKS Threads::Threads)
codex_folder(probes USES agent/os)
codex_folder(exporters)
codex_folder(agent/policy USES agent/os
             probes LINKS PkgConfig::PQ)
"""
FILES = {
    "agent/os/clock.h": "#include <chrono>\n",
    "probes/probe.h": '#pragma once\n\n#include "agent/os/clock.h"\n#include "probes/probe.h"\n',
    "exporters/snapshot.h": "\n",
    "agent/policy/health.h": '#include "agent/os/clock.h"\n',
    "agent/policy/health.cc": '#include "agent/policy/health.h"\n\n#include "probes/probe.h"\n',
    "agent/examples/node/addon.cc": '#include "node.h"\n',
    "tests/agent/policy/health_test.cc": '#include "exporters/snapshot.h"\n',
}


def put(tree, name, text):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text, encoding="utf-8")


@pytest.fixture
def tree(tmp_path):
    put(tmp_path, "CMakeLists.txt", TABLE)
    for name, text in FILES.items():
        put(tmp_path, name, text)
    return tmp_path


def told(tree):
    done = subprocess.run([CHECK, tree], capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.returncode == (1 if done.stdout else 0)
    return done.stdout.splitlines()


def test_a_house_as_its_table_says_stands(tree):
    assert told(tree) == []


def test_an_upward_include_is_told(tree):
    put(tree, "probes/probe.h", FILES["probes/probe.h"] + '#include "agent/policy/health.h"\n')
    assert told(tree) == ["probes/probe.h:5: probes does not use agent/policy"]


def test_a_sideward_include_in_a_source_is_told(tree):
    put(tree, "agent/policy/cause.cc", '#include "exporters/snapshot.h"\n')
    assert told(tree) == ["agent/policy/cause.cc:1: agent/policy does not use exporters"]


def test_a_folder_that_uses_one_below_it_is_told(tree):
    put(tree, "CMakeLists.txt", TABLE.replace("agent/os LINKS", "agent/os USES probes LINKS"))
    put(tree, "agent/os/clock.h", '#include "probes/probe.h"\n')
    assert told(tree) == ["agent/os: uses probes, which does not stand above it"]


def test_what_is_used_no_more_is_told(tree):
    put(tree, "agent/policy/health.cc", '#include "agent/policy/health.h"\n')
    assert told(tree) == ["agent/policy: includes nothing of probes"]


def test_rooms_outside_the_table_are_told(tree):
    put(tree, "agent/attic/box.h", "\n")
    put(tree, "tests/agent/cellar/box_test.cc", "\n")
    assert told(tree) == ["agent/attic: is not in the table of CMakeLists.txt", "tests/agent/cellar: mirrors no folder"]


def test_a_hall_is_told(tree):
    for unit in range(23):
        put(tree, f"agent/policy/unit_{unit}.h", "\n")
        put(tree, f"agent/policy/unit_{unit}.cc", "\n")
    put(tree, "agent/policy/last.h", "\n")
    assert told(tree) == []
    put(tree, "agent/policy/one_more.cc", "\n")
    assert told(tree) == ["agent/policy: has 26 units, 25 at most"]


def test_no_table_is_no_house(tree):
    put(tree, "CMakeLists.txt", "")
    for folder in ("agent", "probes", "exporters", "tests"):
        shutil.rmtree(tree / folder)
    assert subprocess.run([CHECK, tree], check=False).returncode == 1
