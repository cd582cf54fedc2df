import fcntl
import os
import random
import socket
import tempfile

_LOCKS = os.path.join(tempfile.gettempdir(), f"codex-agent-test-ports-{os.getuid()}")
_held = []


def free_port():
    """A TCP port that nobody listens on, below the ephemeral range, reserved among parallel test processes
    until this one ends: a plain bind(0) would hand the same number out again."""
    os.makedirs(_LOCKS, exist_ok=True)
    for _ in range(1000):
        port = random.randrange(15000, 30000)
        lock = os.open(os.path.join(_LOCKS, str(port)), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port
    raise AssertionError("no free port between 15000 and 30000")
