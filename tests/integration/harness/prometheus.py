import json
import urllib.error
import urllib.parse

from .monitoring_server import MonitoringServer

_CONFIG = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: codex-agent
    static_configs:
      - targets: ["{target}"]
"""


def scraping(target):
    """A configuration that asks one target every second."""
    return _CONFIG.format(target=target)


class Prometheus(MonitoringServer):
    """A real Prometheus with the text `configuration`, and its data in `directory`/data."""

    name = program = "prometheus"

    def __init__(self, directory, configuration, *options):
        super().__init__(directory, configuration, f"--storage.tsdb.path={directory / 'data'}", *options)

    def api(self, path, **parameters):
        """`data` of the answer to GET /api/v1/`path`."""
        try:
            found = json.loads(self._request(f"/api/v1/{path}?" + urllib.parse.urlencode(parameters)))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression, at=None):
        """The instant vector, now or at a Unix time, as a list of (labels, value)."""
        found = self.api("query", query=expression, **({} if at is None else {"time": at}))
        return [(sample["metric"], float(sample["value"][1])) for sample in found["result"]]

    def query_range(self, expression, start, end, step):
        """The matrix as a list of (labels, [(Unix time, value), ...])."""
        found = self.api("query_range", query=expression, start=start, end=end, step=step)
        return [(series["metric"], [(at, float(value)) for at, value in series["values"]])
                for series in found["result"]]

    def target(self):
        """Health and last error of the one target; None while Prometheus has not found it yet."""
        targets = self.api("targets")["activeTargets"]
        return (targets[0]["health"], targets[0]["lastError"]) if targets else None
