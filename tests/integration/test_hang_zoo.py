"""The hang detector against real programs: it names what hangs, and nothing that does not."""

import pytest

from harness import lanes
from harness.zoo_cases import CASES

# Generous: the machine may be busy, and a program that gets no CPU is not judged. tests/bench/hang_zoo measures.
LOOP = ["loop", "regex", "microtasks", "exec", "fifo", "atomics", "sigstop", "python_child", "python_fifo", "debugger",
        "gc"]
REQUESTS = ["handler", "row_locked", "pool_leak", "database_stopped", "upstream", "pool4", "files"]
NOTHING = ["idle", "load_64", "long_poll", "server_events", "block_200", "nodemon_restart"]

# They mostly wait, so the lanes run beside each other; the cases of one, one after the other. In the first, those that
# take a processor; in the second, those that share the database.
LANES = [
    ["load_64", "loop", "regex", "microtasks", "gc"],
    ["row_locked", "pool_leak", "database_stopped", "exec", "fifo", "atomics", "sigstop", "python_child",
     "python_fifo"],
    ["idle", "handler", "upstream", "debugger"],
    ["long_poll", "pool4", "files"],
    ["server_events", "block_200", "nodemon_restart"],
]


@pytest.fixture(scope="module")
def found(request, surroundings):
    """What a case has found. All that are asked for begin at once, each in its lane."""
    with lanes.running(request, LANES, lambda name: CASES[name].run(surroundings)) as result:
        yield result


@pytest.mark.parametrize("name", LOOP + REQUESTS)
def test_a_hang_is_named(found, name):
    case = found(name)
    assert case.hang == CASES[name].expected, case.events
    assert case.suspect <= case.confirm
    assert case.confirm < 8


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_confirmed_where_nothing_hangs(found, name):
    case = found(name)
    assert case.confirm is None, case.events
