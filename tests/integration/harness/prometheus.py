import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from .ports import free_port
from .waiting import wait_until

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


class Prometheus:
    """A real Prometheus with the text `configuration`, and its data in `directory`/data."""

    def __init__(self, directory, configuration, *options):
        self.port = free_port()
        config = directory / "prometheus.yml"
        config.write_text(configuration, encoding="ascii")
        with open(directory / "prometheus.log", "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._ready, 30, "Prometheus' start", interval=0.1)

    def _ready(self):
        assert self._process.poll() is None, "Prometheus ended"
        try:
            return self._get("/-/ready") is not None
        except OSError:
            return False

    def _get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return answer.read()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def api(self, path, **parameters):
        """`data` of the answer to GET /api/v1/`path`."""
        try:
            found = json.loads(self._get(f"/api/v1/{path}?" + urllib.parse.urlencode(parameters)))
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

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
