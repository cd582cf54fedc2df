import json
import subprocess
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


class Prometheus:
    """A real Prometheus that scrapes one target every second, with its data in `directory`."""

    def __init__(self, directory, target):
        self.port = free_port()
        config = directory / "prometheus.yml"
        config.write_text(_CONFIG.format(target=target), encoding="ascii")
        with open(directory / "prometheus.log", "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._ready, 30, "Prometheus' start", interval=0.1)

    def _ready(self):
        assert self._process.poll() is None, "Prometheus ended"
        try:
            return self._get("/-/ready") is not None
        except OSError:
            return False

    def _get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.read()

    def query(self, expression):
        """The instant vector as a list of (labels, value)."""
        found = json.loads(self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        assert found["status"] == "success", found
        return [(sample["metric"], float(sample["value"][1])) for sample in found["data"]["result"]]

    def target(self):
        """Health and last error of the one target; None while Prometheus has not found it yet."""
        targets = json.loads(self._get("/api/v1/targets"))["data"]["activeTargets"]
        return (targets[0]["health"], targets[0]["lastError"]) if targets else None

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
