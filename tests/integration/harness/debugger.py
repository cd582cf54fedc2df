import base64
import json
import os
import socket
import struct

from .zoo import get


class Debugger:
    """A client of Node's inspector, as an editor is one: attached until close()."""

    def __init__(self, port):
        answer = get(port, "/json/list")
        target = json.loads(answer[answer.index(b"["):])[0]
        path = target["webSocketDebuggerUrl"].split(str(port), 1)[1]
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
                             .encode())
        while not answer.endswith(b"\r\n\r\n"):
            answer = self._socket.recv(4096)
        assert b" 101 " in answer, answer
        self._ask("Debugger.enable")

    def _ask(self, method):
        payload = json.dumps({"id": 1, "method": method}).encode()
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        assert len(payload) < 126
        self._socket.sendall(struct.pack("!BB", 0x81, 0x80 | len(payload)) + mask + masked)
        assert self._socket.recv(65536)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
