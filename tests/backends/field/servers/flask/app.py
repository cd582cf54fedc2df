import os
import threading
import time

from flask import Flask

time.sleep(float(os.environ.get("IMPORT_SECONDS", "0")))  # as an application of many modules takes
LOCK = threading.Lock()
app = Flask(__name__)


@app.route("/")
def answer():
    with LOCK:
        return f"pid={os.getpid()}"


@app.route("/block")
def block():
    LOCK.acquire()
    LOCK.acquire()


@app.route("/spin")
def spin():
    while True:
        pass
