import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import history  # noqa: E402
from harness.prometheus import Prometheus  # noqa: E402


@pytest.fixture(scope="session")
def history_prometheus(tmp_path_factory):
    """A real Prometheus that knows history.py's four hours and scrapes nothing; ask it with times between
    history.START and history.END."""
    directory = tmp_path_factory.mktemp("history")
    history.backfill(directory)
    # Backfilled series have no staleness markers: what was not scraped has to be gone at the next step all the same.
    server = Prometheus(directory, "global: {}\n", "--storage.tsdb.retention.time=100y",
                        f"--query.lookback-delta={history.STEP}s")
    yield server
    server.stop()
