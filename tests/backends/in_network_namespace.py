#!/usr/bin/python3
"""Runs a command in a network namespace of its own, as `ip netns exec` does. Needs CAP_SYS_ADMIN.

With --beside the command stays where it is, and a child of it sits in the new namespace instead, as the helpers of
a browser do. With --down the loopback there is left as a new namespace has it.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--beside", action="store_true")
parser.add_argument("--down", action="store_true")
parser.add_argument("command", nargs=argparse.REMAINDER)
options = parser.parse_args()


def enter():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    if options.down:
        return
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


if not options.beside:
    enter()
elif os.fork() == 0:
    enter()
    signal.pause()
os.execvp(options.command[0], options.command)
