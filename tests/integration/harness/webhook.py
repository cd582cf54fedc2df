import http.server
import json
import threading


class Webhook:
    """Takes what Alertmanager's webhook receivers send."""

    def __init__(self):
        self._received = []
        received = self._received

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    received.append((self.path, alert["status"], alert))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def received(self, path, status, name):
        """The alerts of this name that came so far."""
        return [alert for where, what, alert in list(self._received)
                if (where, what, alert["labels"]["alertname"]) == (path, status, name)]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
