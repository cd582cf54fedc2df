import socket
import struct

from .background import Background

_ETH_P_ALL = 3
_SYN, _ACK = 0x02, 0x10


class NewConnections(Background):
    """Counts who connects to a port of 127.0.0.1 within a `with` block, by the packets that ask for it: nobody is traced
    and no server has to tell. Needs CAP_NET_RAW."""

    def __init__(self, port):
        super().__init__()
        self._port, self.opened = port, set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.settimeout(0.1)

    def _run(self):
        while not self._end.is_set():
            try:
                packet = self._socket.recv(128)
            except TimeoutError:
                continue
            header = 4 * (packet[0] & 15) if packet[0] >> 4 == 4 else 40
            if len(packet) < header + 20 or packet[9 if packet[0] >> 4 == 4 else 6] != socket.IPPROTO_TCP:
                continue
            source, port, sequence, _, _, flags = struct.unpack_from("!HHIIBB", packet, header)
            if port == self._port and flags & (_SYN | _ACK) == _SYN:
                self.opened.add((source, sequence))  # seen twice on the loopback interface, and again when repeated

    def __exit__(self, *about):
        super().__exit__(*about)
        self._socket.close()
