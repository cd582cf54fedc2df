import os
import threading

from flask import Flask

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
