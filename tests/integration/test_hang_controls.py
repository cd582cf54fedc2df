"""What looks like a hang, or loads the machine, under the real agent with its defaults: nothing is restarted, and
nothing is confirmed but what is there. tests/bench/hang_controls does the same for ten minutes."""

import pytest

from harness.hang_controls import CONTROLS
from harness.zoo_cases import Surroundings

SECONDS = 3.5


@pytest.fixture(scope="module")
def surroundings():
    with Surroundings() as made:
        yield made


@pytest.mark.parametrize("name", CONTROLS)
def test_it_is_left_alone(surroundings, agent, name):
    control = CONTROLS[name]
    found = control.run(surroundings, agent, SECONDS)
    assert not control.wrong(found), (control.wrong(found), agent.run("evidence", "latest").stdout)
