import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

from .background import Background


@dataclass
class Request:
    path: str
    method: str = "GET"
    body: bytes = None
    headers: dict = field(default_factory=dict)


class RatedRequests(Background):
    """Requests in turn at a steady rate, each on a connection of its own, whether or not the ones before were
    answered. Any answer below 400 counts as served."""

    def __init__(self, port, requests, rate=5, timeout=30):
        super().__init__()
        self._base = f"http://127.0.0.1:{port}"
        self._requests = requests
        self._rate, self._timeout = rate, timeout
        self._asking = []
        self.served, self.failures, self.slowest = 0, [], 0.0

    def ask(self, request):
        """Asks once, now; the body, or None after a failure."""
        began = time.monotonic()
        asked = urllib.request.Request(self._base + request.path, method=request.method, data=request.body,
                                       headers=request.headers)
        try:
            with urllib.request.urlopen(asked, timeout=self._timeout) as answer:
                body = answer.read()
        except OSError as error:
            self.failures.append(f"{request.method} {request.path}: {error!r}")
            return None
        self.served += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        return body

    def _run(self):
        number = 0
        while not self._end.wait(1 / self._rate):
            self._asking = [thread for thread in self._asking if thread.is_alive()]
            thread = threading.Thread(target=self.ask, args=(self._requests[number % len(self._requests)],), daemon=True)
            thread.start()
            self._asking.append(thread)
            number += 1

    def __exit__(self, *about):
        super().__exit__(*about)
        for thread in self._asking:
            thread.join()
