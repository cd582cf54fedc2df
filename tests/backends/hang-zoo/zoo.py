"""As zoo.js, for a runtime without V8 and without an event loop in epoll: zoo.py PORT."""

import http.server
import os
import subprocess
import sys
import threading
import urllib.parse

MODES = {
    "loop": lambda: spin(),
    "exec": lambda: subprocess.run(["sleep", "1000"], check=False),
    "fifo": lambda: open(os.environ["FIFO"], "rb").read(),
    "lock": lambda: twice(threading.Lock()),
}


def spin():
    while True:
        pass


def twice(lock):
    lock.acquire()
    lock.acquire()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        mode = urllib.parse.parse_qs(url.query).get("m", [""])[0]
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"ok\n")
        self.wfile.flush()
        if url.path == "/hang":
            self.connection.shutdown(1)
            MODES[mode]()

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
