"""The application of the endurance runs: numbers that are acknowledged, asked back, and told to a room."""

import gc
import os

from flask import Flask
from greenlet import greenlet

from flask_socketio_py import SocketIO, call, emit, join_room
from tests.live.apps.package import OPTIONS

app = Flask(__name__)
socketio = SocketIO(app, **OPTIONS)


@app.get("/")
def index():
    return "ready"


@socketio.on("connect")
def connected(auth):
    join_room("everybody")


@socketio.on("number")
def number(value, data):
    return value, data


@socketio.on("ask")
def ask(value):
    return call("question", value)


@socketio.on("tell")
def tell(speaker, value):
    emit("told", [speaker, value], to="everybody")
    return value


@app.get("/worker")
def process():
    return str(os.getpid())


@socketio.on("worker")
def worker():
    return os.getpid()


@socketio.on("inside")
def inside():
    gc.collect()
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return {
        "pid": os.getpid(),
        "greenlets": sum(issubclass(type(thing), greenlet) and not thing.dead for thing in gc.get_objects()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "kilobytes": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    }
