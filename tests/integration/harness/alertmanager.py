import json

from .monitoring_server import MonitoringServer


class Alertmanager(MonitoringServer):
    """A real Alertmanager with the text `configuration`, alone (no cluster), with its data in `directory`."""

    name = "alertmanager"
    program = "prometheus-alertmanager"

    def __init__(self, directory, configuration):
        super().__init__(directory, configuration, f"--storage.path={directory / 'data'}", "--cluster.listen-address=")

    def post(self, *alerts):
        """Tells it of firing alerts, each a dict of labels."""
        self._request("/api/v2/alerts", json.dumps([{"labels": labels} for labels in alerts]).encode())

    def alerts(self):
        """What it knows: [(labels, state)], state `active` or `suppressed`."""
        found = json.loads(self._request("/api/v2/alerts"))
        return [(alert["labels"], alert["status"]["state"]) for alert in found]
