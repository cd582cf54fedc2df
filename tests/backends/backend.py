"""A backend that goes wrong on request; see README.md for the journal. Listens on PORT of 127.0.0.1."""

import argparse
import http.server
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time


def start_ticks(pid):
    """Start time in clock ticks, None for a process that is gone or a zombie (proc(5), /proc/PID/stat)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[19])


def record(event, **extra):
    path = os.environ.get("BACKEND_JOURNAL")
    if not path:
        return
    line = {"event": event, "pid": os.getpid(), "ticks": start_ticks(os.getpid()), "at": time.monotonic_ns(), **extra}
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    os.write(descriptor, json.dumps(line).encode() + b"\n")
    os.close(descriptor)


def record_start():
    record("start", program="backend.py")
    path = os.environ.get("BACKEND_JOURNAL")
    if not path:
        return
    with open(path, encoding="utf-8") as file:
        for line in map(json.loads, file):
            if line["event"] == "start" and line["pid"] != os.getpid() and start_ticks(line["pid"]) == line["ticks"]:
                record("overlap", other=line["pid"])


def end(code):
    record("exit", code=code)
    os._exit(code)


def handler(options):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if options.never_answer:
                threading.Event().wait()
            if self.path == "/health":
                time.sleep(options.slow_health / 1000)
            status = options.health_status if self.path == "/health" else 200
            body = json.dumps({"pid": os.getpid()}).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    defer_accept = 0  # seconds, as tcp(7) has them

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, self.defer_accept)
        super().server_bind()

    def handle_error(self, request, client_address):
        """A client that hangs up, as a port probe does, is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(options):
    Server.defer_accept = options.defer_accept
    server = Server(("127.0.0.1", int(os.environ["PORT"])), handler(options))
    threading.Thread(target=server.serve_forever, daemon=True).start()


def escape_and_serve(options):
    """The port belongs to a grandchild in its own session whose parent is gone: no group, no parent link."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            serve(options)
            signal.pause()
        os._exit(0)
    os.wait()


def start_companions(options):
    idle = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"]
    if options.detached_grandchild:
        subprocess.Popen(idle, start_new_session=True)
    if options.stopped_child:
        os.kill(subprocess.Popen(idle).pid, signal.SIGSTOP)
    if options.hop:
        hop()
    for _ in range(options.children):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
    if options.burn_children:
        threading.Thread(target=burn_children, daemon=True).start()


def burn_children():
    """Processes that use CPU and are gone before anybody can look at them twice."""
    while True:
        subprocess.run([sys.executable, "-S", "-c", "sum(range(2000000))"], check=True)
        time.sleep(0.05)


def chatter(options):
    """Writes the wanted bytes to stdout in pieces of 64 KiB, then a last line that says so."""
    line = b"x" if options.no_newline else b"a line of output with some words in it, as programs write them\n"
    piece = (line * (65536 // len(line) + 1))[:65536]
    written = 0
    while written < options.chatty:
        written += os.write(1, piece)
    os.write(1, b"\nchatter is over\n")
    record("chatter_over", bytes=written)


def number_lines():
    """Numbered lines of many lengths to stdout, some hundred a second, as fast as they are read."""
    for number in itertools.count():
        length = 40 + number * 7919 % 400
        os.write(1, f"line {number} of {length} bytes".ljust(length).encode() + b"\n")
        if number % 10 == 9:
            time.sleep(0.01)


def hop():
    """Forks and lets the parent go, again and again: never the same pid for long, and its parent is always gone."""
    if os.fork() != 0:
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(0.002)
        if os.fork() != 0:
            os._exit(0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ignore-term", action="store_true", help="SIGTERM changes nothing")
    parser.add_argument("--drain", type=int, default=0, metavar="MS", help="time to leave after SIGTERM")
    parser.add_argument("--listen-after", type=int, default=0, metavar="MS", help="open the port late")
    parser.add_argument("--never-listen", action="store_true", help="never open the port")
    parser.add_argument("--defer-accept", type=int, default=0, metavar="SECONDS", help="accept requests only")
    parser.add_argument("--never-answer", action="store_true", help="accept, read, answer nothing")
    parser.add_argument("--slow-health", type=int, default=0, metavar="MS", help="time before /health answers")
    parser.add_argument("--health-status", type=int, default=200, help="status of /health")
    parser.add_argument("--exit", type=int, metavar="CODE", help="end by itself")
    parser.add_argument("--kill-self", metavar="SIGNAL", help="end by a signal, e.g. SIGKILL")
    parser.add_argument("--after", type=int, default=0, metavar="MS", help="when to end")
    parser.add_argument("--detached-grandchild", action="store_true", help="a child in its own session")
    parser.add_argument("--double-fork-holder", action="store_true", help="an orphan in its own session has the port")
    parser.add_argument("--stopped-child", action="store_true", help="a child in state T")
    parser.add_argument("--burn-children", action="store_true", help="short-lived children that use CPU")
    parser.add_argument("--print-env", action="append", default=[], metavar="NAME", help="print a variable")
    parser.add_argument("--chatty", type=int, default=0, metavar="BYTES", help="write so much to stdout")
    parser.add_argument("--numbered", action="store_true", help="write numbered lines without end")
    parser.add_argument("--hop", action="store_true", help="a child that forks away from every look")
    parser.add_argument("--children", type=int, default=0, metavar="N", help="idle children that ignore SIGTERM")
    parser.add_argument("--hog", type=int, default=0, metavar="MIB", help="use so much memory a second after the start")
    parser.add_argument("--no-newline", action="store_true", help="chatter without line ends")
    return parser.parse_args()


def main():
    options = parse()

    def terminate(number, frame):
        record("signal", signal=signal.Signals(number).name)
        if not options.ignore_term:
            threading.Timer(options.drain / 1000, end, [0]).start()

    signal.signal(signal.SIGTERM, terminate)  # before the start line: whoever has read it may send a signal
    record_start()
    for name in options.print_env:
        print(f"{name}={os.environ.get(name)}", flush=True)
        print(f"error: cannot connect with {os.environ.get(name)}", file=sys.stderr, flush=True)
    start_companions(options)
    if options.double_fork_holder:
        escape_and_serve(options)
    elif not options.never_listen:
        time.sleep(options.listen_after / 1000)
        serve(options)
    if options.chatty:
        threading.Thread(target=chatter, args=[options], daemon=True).start()
    if options.numbered:
        threading.Thread(target=number_lines, daemon=True).start()
    if options.hog:
        threading.Timer(1, lambda: globals().update(kept=b"x" * (options.hog << 20))).start()
    if options.exit is not None:
        threading.Timer(options.after / 1000, end, [options.exit]).start()
    if options.kill_self:
        threading.Timer(options.after / 1000, os.kill, [os.getpid(), signal.Signals[options.kill_self]]).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
