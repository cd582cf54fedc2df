import urllib.request

from .background import Background


class Requests(Background):
    """Asks the backend again and again, each time over a new connection, and counts what fails. `pause`: seconds
    between an answer and the next request."""

    def __init__(self, port, pause=0.0, timeout=5.0):
        super().__init__()
        self.url = f"http://127.0.0.1:{port}/health"
        self.served, self.failures = 0, []
        self._pause, self._timeout = pause, timeout

    def _run(self):
        while not self._end.wait(self._pause):
            try:
                with urllib.request.urlopen(self.url, timeout=self._timeout) as answer:
                    answer.read()
                self.served += 1
            except OSError as error:
                self.failures.append(repr(error))
