"""A small web service on SQLite: the standard library only."""

import http.server
import json
import os
import signal
import sqlite3
import sys
import threading
import time

DATABASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.db")


def connect():
    # mode=rw: a file that was deleted is an error that /health reports, not an empty new database.
    return sqlite3.connect(f"file:{DATABASE}?mode=rw", uri=True, timeout=1)


def create_database():
    database = sqlite3.connect(DATABASE)
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS start (at REAL NOT NULL)")
        database.execute("INSERT INTO start VALUES (?)", (time.time(),))
    database.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path not in ("/", "/health"):
            self.answer(404, {"error": "not found"})
            return
        try:
            database = connect()
            try:
                (starts,) = database.execute("SELECT count(*) FROM start").fetchone()
            finally:
                database.close()
        except sqlite3.Error as error:
            self.answer(503, {"status": "unavailable", "database": str(error)})
            return
        if self.path == "/health":
            self.answer(200, {"status": "ok", "database": "connected"})
        else:
            self.answer(200, {"service": "embedded", "pid": os.getpid(), "starts": starts})

    def answer(self, status, document):
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """A line for each probe would bury the lines that matter."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up, as a port probe does, is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    create_database()
    port = int(os.environ.get("PORT", "5000"))
    server = Server(("127.0.0.1", port), Handler)
    # shutdown() waits for serve_forever(), which this very thread runs: another thread has to ask.
    leave = lambda *_: threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    print(f"listening on port {port}, pid {os.getpid()}", flush=True)
    server.serve_forever()
    server.server_close()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
