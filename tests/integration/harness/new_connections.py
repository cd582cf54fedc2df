import ctypes
import socket
import struct

from .background import Background

_ETH_P_IP = 0x0800
_SO_ATTACH_FILTER = 26
_LOAD_BYTE, _LOAD_HALF, _LOAD_HEADER_LENGTH, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x48, 0xB1, 0x54, 0x15, 0x06
_LOAD_BYTE_BEHIND = 0x50


def _asks_for_a_connection(port):
    """A filter of the kernel (bpf(4)) that lets packets of IPv4 pass that have SYN and no ACK, and are for the port."""
    steps = [(_LOAD_BYTE, 0, 0, 9), (_JUMP_IF_EQUAL, 0, 7, socket.IPPROTO_TCP), (_LOAD_HEADER_LENGTH, 0, 0, 0),
             (_LOAD_HALF, 0, 0, 2), (_JUMP_IF_EQUAL, 0, 4, port), (_LOAD_BYTE_BEHIND, 0, 0, 13), (_AND, 0, 0, 0x12),
             (_JUMP_IF_EQUAL, 0, 1, 0x02), (_RETURN, 0, 0, 128), (_RETURN, 0, 0, 0)]
    return ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps)), len(steps)


class NewConnections(Background):
    """Notes who connects to a port of 127.0.0.1 within a `with` block, by the packets that ask for it: nobody is traced,
    and no server has to tell. Needs CAP_NET_RAW."""

    def __init__(self, port):
        super().__init__()
        self.opened = set()  # port and first sequence number of the client: one that asks again is the same
        code, steps = _asks_for_a_connection(port)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", steps, ctypes.addressof(code)))
        self._socket.bind(("lo", _ETH_P_IP))
        self._socket.settimeout(0.1)

    def _run(self):
        while True:
            try:
                packet = self._socket.recv(128)
            except TimeoutError:
                if self._end.is_set():
                    return
                continue
            client, _, sequence = struct.unpack_from("!HHI", packet, 4 * (packet[0] & 15))
            self.opened.add((client, sequence))

    def __exit__(self, *about):
        super().__exit__(*about)
        self._socket.close()
