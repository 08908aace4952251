"""An application that tells its log who comes and goes, for tests of how a server ends."""

import os

from flask import Flask, request

from tests.live.apps.package import OPTIONS, SocketIO

app = Flask(__name__)
socketio = SocketIO(app, **OPTIONS)


@app.route("/")
def index():
    return "ready"


@app.route("/pid")
def pid():
    return str(os.getpid())


@app.route("/slow/<float:seconds>")
def slow(seconds):
    print(f"slow begins {request.args['key']}")
    socketio.sleep(seconds)
    return "took its time"


@app.route("/stop")
def stop():
    socketio.start_background_task(stop_soon)
    return "stopping"


def stop_soon():
    socketio.sleep(0.1)
    socketio.stop()


@socketio.on("connect")
def connected(auth):
    print(f"connected {request.args['key']}")


@socketio.on("disconnect")
def disconnected(reason):
    print(f"disconnected {request.args['key']}: {reason}")


@socketio.on("echo")
def echo(*args):
    return args


@socketio.on("pid")
def my_pid():
    return os.getpid()
