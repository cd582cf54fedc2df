import json
import subprocess
import urllib.request

from .ports import free_port
from .waiting import wait_until


class Alertmanager:
    """A real Alertmanager with the text `configuration`, alone (no cluster), with its data in `directory`."""

    def __init__(self, directory, configuration):
        self.port = free_port()
        config = directory / "alertmanager.yml"
        config.write_text(configuration, encoding="utf-8")
        with open(directory / "alertmanager.log", "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={directory / 'data'}",
                 "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._ready, 30, "Alertmanager's start", interval=0.1)

    def _ready(self):
        assert self._process.poll() is None, "Alertmanager ended"
        try:
            return self._request("/-/ready") is not None
        except OSError:
            return False

    def _request(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def post(self, *alerts):
        """Tells it of firing alerts, each a dict of labels."""
        self._request("/api/v2/alerts", [{"labels": labels} for labels in alerts])

    def alerts(self):
        """What it knows: [(labels, state)], state `active` or `suppressed`."""
        found = json.loads(self._request("/api/v2/alerts"))
        return [(alert["labels"], alert["status"]["state"]) for alert in found]

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
