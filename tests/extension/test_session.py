"""Flask's session in handlers: a fork per client, or (``manage_session=False``) Flask's own, opened per event."""

import pytest
from flask import Flask, session
from flask.sessions import SessionInterface, SessionMixin

from extension.wire import wait_for
from flask_socketio_py import SocketIO


@pytest.fixture
def routes(app):
    """What an application does over HTTP: set a colour, look at it."""

    @app.route("/set/<colour>")
    def set_colour(colour):
        session["colour"] = colour
        return "set"

    app.add_url_rule("/get", "get", lambda: session.get("colour", "none"))


def handle(socketio, namespace="/"):
    socketio.on("set", namespace=namespace)(lambda colour: session.__setitem__("colour", colour))
    socketio.on("get", namespace=namespace)(lambda: session.get("colour", "none"))


def test_the_fork_starts_as_the_users_session_and_is_the_clients_own(app, socketio, connect, routes):
    handle(socketio)
    http = app.test_client()
    http.get("/set/blue")
    client, second = connect(flask_test_client=http), connect(flask_test_client=http)
    assert client.emit("get", callback=True) == "blue"
    client.emit("set", "red")
    assert client.emit("get", callback=True) == "red", "it survives events"
    assert second.emit("get", callback=True) == "blue", "a client has its own"
    assert http.get("/get").data == b"blue", "HTTP sees nothing of it"
    assert connect().emit("get", callback=True) == "none"


def test_later_changes_over_http_do_not_reach_the_fork(app, socketio, connect, routes):
    handle(socketio)
    http = app.test_client()
    http.get("/set/blue")
    client = connect(flask_test_client=http)
    http.get("/set/green")
    assert client.emit("get", callback=True) == "blue"


def test_the_namespaces_of_a_client_share_the_fork(app, socketio, connect):
    handle(socketio)
    handle(socketio, "/n")
    client = connect()
    client.connect("/n")
    client.emit("set", "red")
    assert client.emit("get", callback=True, namespace="/n") == "red"
    client.disconnect("/n")
    client.connect("/n")
    assert client.emit("get", callback=True, namespace="/n") == "red"


def test_what_connect_remembers_disconnect_still_knows(socketio, connect):
    seen = []
    socketio.on("connect")(lambda auth: session.__setitem__("user", auth["user"]))
    socketio.on("disconnect")(lambda reason: seen.append(session["user"]))
    connect(auth={"user": "ann"}).disconnect()
    assert seen == ["ann"]


def test_the_fork_is_a_session_and_a_dictionary(socketio, connect):
    @socketio.on("ask")
    def ask():
        real = session._get_current_object()
        session.permanent = True
        session["objects"] = [object()]  # nobody signs or encodes it
        return [isinstance(real, SessionMixin), isinstance(real, dict), session.permanent, session.modified]

    assert connect().emit("ask", callback=True) == [True, True, True, True]


def test_the_fork_needs_no_secret_key(connect, app):
    app.config["SECRET_KEY"] = None
    handle(SocketIO(app))
    client = connect()
    client.emit("set", "red")
    assert client.emit("get", callback=True) == "red"


def test_the_fork_can_be_read_from_outside(app, socketio, connect):
    handle(socketio)
    client = connect()
    client.emit("set", "red")
    assert socketio.server.environ[client.eio_sid]["saved_session"]["colour"] == "red"


class ServerSide(SessionInterface):
    """Sessions kept by the server and found by a cookie, as Flask-Session and its like do."""

    class Session(dict, SessionMixin):
        modified = False
        key = None

        def __setitem__(self, name, value):
            super().__setitem__(name, value)
            self.modified = True

    def __init__(self):
        self.stored = {"k": {"colour": "blue"}}
        self.journal = []

    def open_session(self, app, request):
        opened = self.Session(self.stored.get(request.cookies.get("key"), {}))
        opened.key = request.cookies.get("key")
        self.journal.append("open")
        return opened

    def save_session(self, app, session, response):
        assert isinstance(response, app.response_class)
        self.stored[session.key] = dict(session)
        self.journal.append("save")


@pytest.fixture
def shared():
    """An application whose sessions are Flask's own affair; a way to connect; the interface."""
    app = Flask("shared_sessions")
    interface = app.session_interface = ServerSide()
    socketio = SocketIO(app, manage_session=False)
    handle(socketio)
    clients = []

    def connect(namespace=None):
        clients.append(socketio.test_client(app, namespace, headers={"Cookie": "key=k"}))
        return clients[-1]

    yield app, socketio, interface, connect
    for client in clients:
        client.close()


def test_http_and_events_share_a_session(shared):
    _, _, interface, connect = shared
    first, second = connect(), connect()
    assert first.emit("get", callback=True) == "blue"
    first.emit("set", "red")
    assert interface.stored == {"k": {"colour": "red"}}
    assert second.emit("get", callback=True) == "red"
    interface.stored["k"] = {"colour": "set over HTTP"}
    assert first.emit("get", callback=True) == "set over HTTP"


def test_an_empty_session_can_be_filled(shared):
    _, _, interface, connect = shared
    interface.stored.clear()
    connect().emit("set", "red")
    assert interface.stored == {"k": {"colour": "red"}}


def test_it_is_opened_for_each_event_and_saved_only_when_modified(shared):
    _, _, interface, connect = shared
    client = connect()
    interface.journal.clear()
    client.emit("get")
    assert interface.journal == ["open"]
    client.emit("set", "red")
    assert interface.journal == ["open", "open", "save"]


def test_it_is_saved_in_connect_and_disconnect_handlers(shared):
    _, socketio, interface, connect = shared
    socketio.on("connect")(lambda: session.__setitem__("online", True))
    socketio.on("disconnect")(lambda reason: session.__setitem__("online", reason))
    client = connect()
    assert interface.stored["k"]["online"] is True
    client.disconnect()
    assert interface.stored["k"]["online"] == "client disconnect"


def test_a_handler_that_fails_saves_nothing(shared, caplog):
    _, socketio, interface, connect = shared

    @socketio.on("fail")
    def fail():
        session["colour"] = "half done"
        raise ValueError("on purpose")

    connect().emit("fail")
    assert interface.stored == {"k": {"colour": "blue"}}
    assert "on purpose" in caplog.text


def test_a_callback_opens_and_saves_too(shared):
    from flask_socketio_py import emit

    _, socketio, interface, connect = shared
    socketio.on("ask")(lambda: emit("colour?", callback=lambda colour: session.__setitem__("colour", colour)))
    client = connect()
    client.answer("colour?", lambda: "green")
    client.emit("ask")
    wait_for(lambda: interface.stored == {"k": {"colour": "green"}}, "the callback's session is saved")


def test_with_flasks_cookies_changes_last_for_one_event(app, connect, routes):
    handle(SocketIO(app, manage_session=False))
    http = app.test_client()
    http.get("/set/blue")
    client = connect(flask_test_client=http)
    client.emit("set", "red")
    assert client.emit("get", callback=True) == "blue", "an event has no response that could carry a cookie"


def test_the_option_can_be_changed_while_clients_are_connected(app, connect, routes):
    socketio = SocketIO(app, manage_session=False)
    assert socketio.manage_session is False
    handle(socketio)
    client = connect()
    client.emit("set", "red")
    assert client.emit("get", callback=True) == "none"
    socketio.manage_session = True
    client.emit("set", "red")
    assert client.emit("get", callback=True) == "red"
