import threading
import urllib.request


class Requests:
    """Asks the backend again and again, each time over a new connection, and counts what fails."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/health"
        self.served, self.failures = 0, []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.is_set():
            try:
                with urllib.request.urlopen(self.url, timeout=5) as answer:
                    answer.read()
                self.served += 1
            except OSError as error:
                self.failures.append(repr(error))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
