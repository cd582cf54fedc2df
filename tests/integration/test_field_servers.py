"""What the agent makes of servers as people run them: those that need no more than tests/run installs.
tests/bench/field_servers does the same with many others, and with a longer quiet."""

import pytest

from harness import lanes
from harness.field import checks, servers

SERVERS = ["node", "node-cluster", "node-cluster-shared", "python-threads", "python-threads-tls", "prefork", "c-queue"]
QUIET_SECONDS = 10
CHECKS = {f"{name}, {check}": (name, check, function) for name in SERVERS
          for check, function in checks.checks(servers.SERVERS[name], QUIET_SECONDS).items()}
# All beside each other, since they wait; but one that takes a processor after the other.
SPINNING = [name for name, (_, check, _) in CHECKS.items() if check == "one: spin"]
LANES = 12


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    for name in SERVERS:
        servers.build(name)
    tmp_path_factory.getbasetemp()  # which no two lanes may make at once

    def perform(name, agent):
        server, check, function = CHECKS[name]
        seen = checks.perform(server, check, agent, function)
        assert not seen.wrong, "; ".join(seen.wrong)

    waiting = [name for name in CHECKS if name not in SPINNING]
    # The longest first, so that the lanes end together.
    waiting.sort(key=lambda name: "quiet" in name or "one" in name)
    with lanes.running(request, [SPINNING, *(waiting[lane::LANES] for lane in range(LANES))],
                       lanes.with_agent(tmp_path_factory, perform)) as result:
        yield result


@pytest.mark.parametrize("name", CHECKS)
def test_it_is_judged_rightly(run, name):
    run(name)
