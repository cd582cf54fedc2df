"""A real codex-agent with a Node backend that is restarted, loses its database, hangs and is killed, in a real Prometheus that scrapes
every second: fifteen times as often as the dashboards expect, so that a minute of theirs is four seconds."""

import contextlib
import json
import socket
import time
import urllib.request

import psutil
from grafana_view import View
from harness.agent import NODE_BACKEND, Agent
from harness.prometheus import Prometheus, scraping
from harness.waiting import wait_until

SCRAPE_INTERVAL = 1
MINUTE = 4
_MORE = """\
timeout = "2s"
failure_threshold = 100
[backend.app.hang]
action = "report"
"""


class QuickLife:
    """`moments` are the Unix times at which somebody looks at a dashboard, by what was going on."""

    def __init__(self, directory):
        self._directory = directory
        self.moments = {}

    def views(self, dashboard):
        return [View(self.prometheus, dashboard, self._began, at, scrape_interval=SCRAPE_INTERVAL, minute=MINUTE)
                for at in self.moments.values()]

    @contextlib.contextmanager
    def lived(self):
        self._agent = Agent(self._directory / "project")
        try:
            self._begin()
            self.prometheus = Prometheus(self._directory, scraping(f"127.0.0.1:{self._agent.metrics_port}"))
            try:
                self._live()
                yield self
            finally:
                self.prometheus.stop()
        finally:
            self._agent.close()

    def _begin(self):
        agent = self._agent
        (agent.directory / "app.db").touch()
        agent.configure(["sh", "-c", 'echo begins; exec "$@"', "sh", *NODE_BACKEND], _MORE, database="sqlite:app.db")
        path = agent.directory / "codex-agent.toml"
        text = path.read_text(encoding="utf-8").replace(
            "[backend.app]\n", '[backend.app]\nmemory_limit = "2GiB"\ncollect_pss = true\n', 1)
        agent.write(f"[agent]\non_event = {json.dumps(['true'])}\n{text}")
        agent.start()

    def _live(self):
        self._scraped("codex_agent_backend_up == 1")
        self._began = time.time()
        self._after(MINUTE + 1)
        self._agent.run("restart", expect=0)
        self._meddle()
        self._break_database()
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self._agent.port}/block?ms=600000", timeout=.5)
        self._scraped("codex_agent_backend_hung == 1")
        self._after(2, since=time.time())
        self.moments["hung"] = time.time()
        psutil.Process(self._agent.backend()["pid"]).kill()
        self._scraped('codex_agent_backend_restarts_total{reason="crash"} == 1 and on () codex_agent_backend_ready == 1')
        self._after(MINUTE, since=time.time())
        self.moments["afterwards"] = time.time()

    def _meddle(self):
        """Somebody else knocks at the metrics port and talks nonsense."""
        with socket.create_connection(("127.0.0.1", self._agent.metrics_port), timeout=5) as stranger:
            stranger.sendall(b"nonsense\r\n\r\n")
            stranger.recv(4096)

    def _break_database(self):
        database = self._agent.directory / "app.db"
        database.write_bytes(b"This is not a database. " * 100)
        self._scraped('codex_agent_probe_success{probe="database"} == 0')
        self.moments["degraded"] = time.time()
        database.write_bytes(b"")
        self._scraped('codex_agent_probe_success{probe="database"} == 1')

    def _scraped(self, expression):
        wait_until(lambda: self.prometheus.query(expression), 60, expression, interval=.2)

    def _after(self, seconds, since=None):
        """Until a scrape later than `seconds` after `since` is stored."""
        at = (self._began if since is None else since) + seconds
        wait_until(lambda: self.prometheus.query(f"timestamp(codex_agent_build_info) > {at}"), 60,
                   "another scrape", interval=.2)
