"""Only the backend's own listener counts, wherever it is bound; who else answers on the port is nobody of ours."""

import socket
import threading

import pytest

from harness.agent import NODE_BACKEND
from harness.waiting import wait_until


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost"])
def test_it_is_found_and_asked_where_it_listens(agent, host):
    agent.configure([*NODE_BACKEND, "--host", host])
    agent.start()
    backend = agent.backend()
    assert backend["port"]["ours"] and backend["health"] == "healthy"
    assert all(probe["outcome"] == "success" for probe in backend["probes"])
    agent.run("check", expect=0)
    agent.stop()
    agent.assert_nothing_runs()


class Impostor:
    """Answers 200 to everything, on an address of its own."""

    def __init__(self, address, port):
        self.socket = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.asked = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.asked += 1
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def leave(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def test_an_impostor_on_another_address_is_never_asked(agent):
    """The backend listens on ::1 only and is ill; a stranger answers on 127.0.0.1 with the best of health."""
    agent.configure([*NODE_BACKEND, "--host", "::1", "--health-status", "503"], start_timeout="3s")
    start = agent.popen("start")
    agent.wait_for_agent()
    wait_until(lambda: agent.backend()["port"]["ours"], 10, "the backend's own listener")
    impostor = Impostor("127.0.0.1", agent.port)
    start.communicate(timeout=30)
    assert start.returncode == 1, "a stranger's answer made the start a success"
    assert impostor.asked == 0
    impostor.leave()
