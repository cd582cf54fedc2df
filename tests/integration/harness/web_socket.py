import base64
import os
import socket
import struct


class WebSocket:
    """A client's side of RFC 6455, as far as tests need it: short text frames out, whatever comes in."""

    def __init__(self, port, path):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
                             .encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            part = self._socket.recv(4096)
            assert part, answer
            answer += part
        assert b" 101 " in answer, answer

    def send(self, text):
        payload = text.encode()
        assert len(payload) < 126
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._socket.sendall(struct.pack("!BB", 0x81, 0x80 | len(payload)) + mask + masked)

    def receive(self):
        """Some bytes, at least one."""
        received = self._socket.recv(65536)
        assert received, "the server has closed"
        return received

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
