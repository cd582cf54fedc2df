"""As gunicorn's sync workers: a master that listens and never accepts, WORKERS children that take one connection at a
time, and a new child for each that ends."""

import http.server
import os
import select
import signal
import threading

NEVER_RELEASED = threading.Lock()
NEVER_RELEASED.acquire()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/block":
            NEVER_RELEASED.acquire()
        while self.path == "/spin":
            pass
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"pid={os.getpid()}".encode())


class Server(http.server.HTTPServer):
    request_queue_size = 100
    timeout = 0


def work(server):
    """The listener does not block: whoever comes too late goes back to waiting."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    server.socket.setblocking(False)
    while True:
        select.select([server.socket], [], [], 1)
        server.handle_request()


def main():
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    woken, wake = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    children = set()
    while True:
        while len(children) < int(os.environ["WORKERS"]):
            if not (child := os.fork()):
                work(server)
            children.add(child)
        select.select([woken], [], [], 1)
        with open(woken, "rb", closefd=False) as pipe:
            if signal.SIGTERM in (pipe.read() or b""):
                break
        while children and (ended := os.waitpid(-1, os.WNOHANG)[0]):
            children.remove(ended)
    for child in children:
        os.kill(child, signal.SIGTERM)


main()
