"""``manage_session=False`` with a server-side session: HTTP requests and events share it, both may write."""

from uuid import uuid4

from flask import Flask, jsonify, session
from flask.sessions import SessionInterface, SessionMixin

from tests.live.apps.package import OPTIONS, SocketIO


class StoredSession(dict, SessionMixin):
    """Always counts as modified, so every handler's end saves it."""


class MemorySessions(SessionInterface):
    def __init__(self):
        self.saved = {}

    def open_session(self, app, request):
        key = request.cookies.get("live_session") or uuid4().hex
        opened = StoredSession(self.saved.get(key, {}))
        opened["key"] = key
        return opened

    def save_session(self, app, session, response):
        self.saved[session["key"]] = dict(session)
        response.set_cookie("live_session", session["key"])


app = Flask(__name__)
app.session_interface = MemorySessions()
socketio = SocketIO(app, manage_session=False, **OPTIONS)


@app.route("/")
def index():
    return "ready"


@app.route("/color")
def color():
    return jsonify(session.get("color"))


@app.route("/color/<value>")
def paint(value):
    session["color"] = value
    return jsonify(value)


@socketio.on("get color")
def get_color():
    return session.get("color")


@socketio.on("set color")
def set_color(value):
    session["color"] = value
