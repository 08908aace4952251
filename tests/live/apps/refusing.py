"""An application that refuses everybody in the main namespace."""

from flask import Flask

from tests.live.apps.package import OPTIONS, ConnectionRefusedError, SocketIO

app = Flask(__name__)
socketio = SocketIO(app, **OPTIONS)


@app.route("/")
def index():
    return "ready"


@socketio.on("connect")
def refuse(auth):
    raise ConnectionRefusedError("not today")
