"""Event listener of supervisord that does what superlance's httpok does: asks a URL at each event, and restarts the
program when no good answer came in time. ask_and_restart.py PROGRAM URL TIMEOUT"""

import os
import sys
import urllib.request

from supervisor import childutils

program, url, timeout = sys.argv[1:]
server = childutils.getRPCInterface(os.environ).supervisor
while True:
    childutils.listener.wait()
    try:
        with urllib.request.urlopen(url, timeout=float(timeout)) as answer:
            answer.read()
    except OSError:
        server.stopProcess(program)
        server.startProcess(program)
    childutils.listener.ok()
