import json
import urllib.request

from .web_socket import WebSocket


class Debugger:
    """A client of Node's inspector, as an editor is one: attached until close(), which also ends a pause."""

    def __init__(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            target = json.load(answer)[0]
        self._connection = WebSocket(port, target["webSocketDebuggerUrl"].split(str(port), 1)[1])
        self._ask("Debugger.enable")

    def _ask(self, method):
        self._connection.send(json.dumps({"id": 1, "method": method}))
        self._connection.receive()

    def pause(self):
        """Before the next statement that it would run."""
        self._ask("Debugger.pause")

    def run(self):
        """Lets a program begin that waits for a debugger (--inspect-brk): it stops before its first statement."""
        self._ask("Runtime.runIfWaitingForDebugger")

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
