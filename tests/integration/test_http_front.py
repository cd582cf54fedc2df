"""The metrics port of the real agent among rude clients."""

import resource
import socket
import time

import psutil
import pytest

from harness.agent import PYTHON_BACKEND, sanitized
from harness.waiting import wait_until

MEBIBYTE = 1 << 20


@pytest.fixture
def serving(agent):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    return agent


def raw(port, request, timeout=10):
    """Sends bytes, returns everything up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return answer


def test_a_thousand_slow_clients_do_not_keep_a_scrape_waiting(serving):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    port, pid = serving.metrics_port, serving.pid
    clients, slowest = [], 0.0
    try:
        for number in range(1000):
            try:
                client = socket.create_connection(("127.0.0.1", port), timeout=5)
                client.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
                clients.append(client)
            except OSError:
                continue  # cut while it connected: that is its own trouble
            if number % 50 == 0:
                begin = time.monotonic()
                answer = raw(port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                slowest = max(slowest, time.monotonic() - begin)
                assert answer.startswith(b"HTTP/1.1 200 ")
        for client in clients:
            try:
                client.sendall(b"a")
            except OSError:
                pass
        begin = time.monotonic()
        assert raw(port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        slowest = max(slowest, time.monotonic() - begin)
        assert slowest < 1, f"a scrape took {slowest:.2f} s"
        memory = psutil.Process(pid).memory_info().rss
        if sanitized():
            print(f"RSS {memory / MEBIBYTE:.1f} MiB is not judged: AddressSanitizer's own memory is in it")
        else:
            assert memory < 20 * MEBIBYTE, f"RSS is {memory / MEBIBYTE:.1f} MiB"
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert serving.backend()["state"] == "running"


def test_descriptors_do_not_grow_with_scrapes(serving):
    agent = psutil.Process(serving.pid)
    port = serving.metrics_port
    raw(port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    before = agent.num_fds()
    for _ in range(300):
        raw(port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    # A probe under way holds a descriptor or two at any moment.
    wait_until(lambda: agent.num_fds() <= before + 1, 5, "as many descriptors as before")


@pytest.mark.parametrize("path,status", [
    ("/", 200), ("/metrics", 200), ("/api/v1/status", 200), ("/api/v1/history", 200), ("/-/healthy", 200), ("/-/ready", 200),
    ("/v1/status", 404), ("/v1/stop", 404), ("/etc/passwd", 404), ("/metrics/../v1/stop", 404),
])
def test_only_the_documented_paths_answer(serving, path, status):
    assert serving.http(path)[0] == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/metrics", "/v1/stop", "/v1/shutdown"])
def test_tcp_is_read_only(serving, method, path):
    before = serving.backend()["generation"]
    assert serving.http(path, method=method)[0] == 405
    after = serving.backend()
    assert (after["state"], after["generation"]) == ("running", before)


def test_a_foreign_host_name_is_refused(serving):
    port = serving.metrics_port
    assert serving.http(headers={"Host": "evil.example"})[0] == 421
    assert serving.http(headers={"Host": f"evil.example:{port}"})[0] == 421
    for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", "[::1]"):
        assert serving.http(headers={"Host": host})[0] == 200


def test_ready_follows_the_backend_and_healthy_does_not(serving):
    serving.stop()
    wait_until(lambda: serving.http("/-/healthy")[0] == 200, 5)
    assert serving.backend()["state"] == "stopped"
    serving.run("start", "--no-wait", expect=0)
    wait_until(lambda: serving.http("/-/ready")[0] == 200, 15, "readiness")


def test_nonsense_ends_the_connection_and_nothing_else(serving):
    port = serving.metrics_port
    for request in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 9000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000,
                    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
        try:
            answer = raw(port, request)
            assert not answer.startswith(b"HTTP/1.1 200")
        except ConnectionError:
            pass
    assert serving.http()[0] == 200


def test_a_second_agent_on_the_same_metrics_port_is_refused_with_the_holder(serving, make_agent):
    other = make_agent("other", {"CODEX_AGENT_LISTEN": f"127.0.0.1:{serving.metrics_port}"})
    other.configure(PYTHON_BACKEND)
    done = other.run("start", timeout=20)
    assert done.returncode == 1, done.stdout + done.stderr
    assert str(serving.metrics_port) in done.stderr and str(serving.pid) in done.stderr
    assert other.processes() == [] and other.journal.starts() == []
    assert serving.backend()["state"] == "running"


def test_a_second_agent_in_the_same_directory_is_refused_with_the_first(serving):
    done = serving.run("run", timeout=20)
    assert done.returncode not in (0, None)
    assert str(serving.pid) in done.stdout + done.stderr
    assert serving.backend()["state"] == "running"
    serving.journal.check_no_overlap()
