"""Flask-Login's ``current_user`` in handlers: from the handshake's cookies, in both session modes."""

import functools

import pytest
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user

from extension.wire import wait_for
from flask_socketio_py import ConnectionRefusedError, SocketIO, disconnect, emit


class User(UserMixin):
    def __init__(self, name):
        self.id = name


@pytest.fixture(autouse=True)
def loaded(app):
    """Names that were loaded, in order."""
    loaded = []
    manager = LoginManager(app)

    @manager.user_loader
    def load(name):
        loaded.append(name)
        return User(name) if name != "deleted" else None

    @app.route("/login/<name>")
    def login(name):
        login_user(User(name))
        return "welcome"

    @app.route("/logout")
    def logout():
        logout_user()
        return "bye"

    return loaded


def logged_in(app, name):
    http = app.test_client()
    http.get(f"/login/{name}")
    return http


@pytest.fixture(params=[True, False], ids=["managed", "flask's"])
def socketio(app, request):
    socketio = SocketIO(app, manage_session=request.param)
    socketio.on("who")(lambda: current_user.get_id())
    return socketio


def test_current_user_in_events_connect_and_disconnect(app, socketio, connect):
    seen = []
    for event in ("connect", "disconnect"):
        socketio.on(event)(lambda *args: seen.append(current_user.get_id()))
    client = connect(flask_test_client=logged_in(app, "ann"))
    assert client.emit("who", callback=True) == "ann"
    client.disconnect()
    assert seen == ["ann", "ann"]


def test_clients_are_told_apart(app, socketio, connect):
    clients = [connect(flask_test_client=logged_in(app, name)) for name in ("ann", "bob")]
    assert [client.emit("who", callback=True) for client in [*clients, connect()]] == ["ann", "bob", []]


def test_the_user_is_loaded_anew_for_each_event(app, socketio, connect, loaded):
    client = connect(flask_test_client=logged_in(app, "ann"))
    loaded.clear()
    client.emit("who")
    client.emit("who")
    assert loaded == ["ann", "ann"]


def test_an_anonymous_client_can_be_refused(app, socketio, connect):
    @socketio.on("connect")
    def only_members():
        if not current_user.is_authenticated:
            raise ConnectionRefusedError("unauthorized")

    assert connect(flask_test_client=logged_in(app, "ann")).is_connected()
    assert not connect(flask_test_client=logged_in(app, "deleted")).is_connected()
    stranger = connect()
    assert stranger.connect_error == {"message": "unauthorized"}


def test_the_decorator_of_flask_socketios_documentation(app, socketio, connect):
    def authenticated_only(function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            if not current_user.is_authenticated:
                return disconnect()
            return function(*args, **kwargs)

        return wrapped

    @socketio.on("secret")
    @authenticated_only
    def secret(value):
        emit("for members", value)

    member, stranger = connect(flask_test_client=logged_in(app, "ann")), connect()
    member.emit("secret", 1)
    stranger.emit("secret", 1)
    assert member.get_received() == [{"name": "for members", "args": [1], "namespace": "/"}]
    assert not stranger.is_connected()


def test_current_user_in_a_callback(app, socketio, connect):
    seen = []
    socketio.on("ask")(lambda: emit("question", callback=lambda: seen.append(current_user.get_id())))
    client = connect(flask_test_client=logged_in(app, "ann"))
    client.answer("question", lambda: None)
    client.emit("ask")
    wait_for(lambda: seen, "the callback ran")
    assert seen == ["ann"]


def test_logging_in_and_out_in_an_event_lasts_for_the_managed_session(app, connect):
    socketio = SocketIO(app)
    socketio.on("who")(lambda: current_user.get_id())
    socketio.on("log in")(lambda name: [login_user(User(name)), current_user.get_id()])
    socketio.on("log out")(lambda: logout_user())
    client = connect()
    assert client.emit("log in", "ann", callback=True) == [True, "ann"]
    assert client.emit("who", callback=True) == "ann"
    client.emit("log out")
    assert client.emit("who", callback=True) == []


def test_logging_out_over_http_leaves_the_managed_session(app, connect):
    socketio = SocketIO(app)
    socketio.on("who")(lambda: current_user.get_id())
    http = logged_in(app, "ann")
    client = connect(flask_test_client=http)
    assert client.emit("who", callback=True) == "ann"
    http.get("/logout")
    assert client.emit("who", callback=True) == "ann", "the client has its own fork"


def test_login_required_refuses_strangers_at_connect(app, socketio, connect):
    socketio.on("connect")(login_required(lambda auth: None))
    assert connect(flask_test_client=logged_in(app, "ann")).is_connected()
    assert connect().connect_error == {"message": "Unauthorized", "data": {"status": 401}}


def test_login_required_keeps_strangers_from_an_event(app, socketio, connect):
    """It answers with an HTTP error, so outside of connect it ends the handler with an exception."""
    ran = []
    socketio.on("secret")(login_required(lambda: ran.append(current_user.get_id())))
    connect(flask_test_client=logged_in(app, "ann")).emit("secret")
    connect().emit("secret")
    assert ran == ["ann"]
