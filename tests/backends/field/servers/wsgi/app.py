import os
import threading

NEVER_RELEASED = threading.Lock()
NEVER_RELEASED.acquire()


def app(environment, start):
    if environment["PATH_INFO"] == "/block":
        NEVER_RELEASED.acquire()
    while environment["PATH_INFO"] == "/spin":
        pass
    start("200 OK", [("Content-Type", "text/plain")])
    return [f"pid={os.getpid()}".encode()]
