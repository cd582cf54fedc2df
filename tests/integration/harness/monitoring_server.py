import subprocess
import urllib.request

from .ports import free_port
from .waiting import wait_until


class MonitoringServer:
    """What Prometheus and Alertmanager have in common: the flags, `/-/ready`, and an end on SIGTERM. Configuration, log
    and data are in `directory`."""

    name = program = ""

    def __init__(self, directory, configuration, *options):
        self.port = free_port()
        config = directory / f"{self.name}.yml"
        config.write_text(configuration, encoding="utf-8")
        with open(directory / f"{self.name}.log", "wb") as log:
            self._process = subprocess.Popen(
                [self.program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{self.port}", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._ready, 30, f"the start of {self.name}", interval=0.1)
        except BaseException:
            self.stop()
            raise

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _ready(self):
        assert self._process.poll() is None, f"{self.name} ended"
        try:
            return self._request("/-/ready") is not None
        except OSError:
            return False

    def _request(self, path, body=None):
        """GET, or POST if there is a `body`, which is JSON; what is answered."""
        request = urllib.request.Request(self.url + path, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
