"""The hang detector against real programs: it names what hangs, and nothing that does not."""

import pytest

from harness.zoo_cases import CASES

# Generous: the machine may be busy, and a program that gets no CPU is not judged. tests/bench/hang_zoo measures.
LOOP = ["loop", "regex", "microtasks", "exec", "fifo", "atomics", "sigstop", "python_child", "python_fifo", "debugger",
        "gc"]
REQUESTS = ["handler", "row_locked", "pool_leak", "database_stopped", "upstream", "pool4", "files"]
NOTHING = ["idle", "load_64", "long_poll", "server_events", "block_200", "nodemon_restart"]


@pytest.mark.parametrize("name", LOOP + REQUESTS)
def test_a_hang_is_named(surroundings, name):
    case = CASES[name]
    found = case.run(surroundings)
    assert found.hang == case.expected, found.events
    assert found.suspect <= found.confirm
    assert found.confirm < 8


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_confirmed_where_nothing_hangs(surroundings, name):
    found = CASES[name].run(surroundings)
    assert found.confirm is None, found.events
