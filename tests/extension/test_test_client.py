"""The test client itself: Flask-SocketIO's methods, over the real session and codec, and without its faults."""

import gevent
import pytest
from flask import request, session

from flask_socketio_py import ConnectionRefusedError, SocketIO, SocketIOTestClient, disconnect, emit, send


@pytest.fixture
def socketio(app):
    return SocketIO(app, namespaces=["/", "/n"])


def test_connected_when_it_is_made(app, socketio):
    client = SocketIOTestClient(app, socketio)
    assert client.is_connected()
    assert client.is_connected("/")
    assert not client.is_connected("/n")
    assert client.connected == {"/": True}
    assert client.eio_sid in socketio.server.eio.sockets
    client.close()
    assert not client.is_connected()


def test_socketio_makes_one(app, socketio, connect):
    client = connect("/n")
    assert isinstance(client, SocketIOTestClient)
    assert client.app is app
    assert client.socketio is socketio


def test_not_connected(socketio, connect):
    client = connect()
    client.disconnect()
    for use in (
        lambda: client.emit("x"),
        lambda: client.send("x"),
        lambda: client.get_received(),
        lambda: client.disconnect(),
        lambda: client.emit("x", namespace="/n"),
    ):
        with pytest.raises(RuntimeError, match="not connected"):
            use()


def test_connect_again_and_more_namespaces(socketio, connect):
    socketio.on("sid", namespace="/n")(lambda: request.sid)
    client = connect()
    client.connect("/n")
    assert client.is_connected("/")
    first = client.emit("sid", callback=True, namespace="/n")
    client.disconnect("/n")
    client.connect("/n")
    assert client.emit("sid", callback=True, namespace="/n") != first
    client.close()
    client.connect("/n")
    assert client.is_connected("/n")
    assert not client.is_connected("/")


def test_query_string_headers_and_auth(socketio, connect):
    seen = []
    socketio.on("connect")(lambda auth: seen.append([request.args.to_dict(), request.headers.get("X-A"), auth]))
    connect(query_string="?a=1&b=%20", headers={"X-A": "h"}, auth={"t": 1})
    connect(query_string="a=1", headers=[("X-A", "list")])
    assert seen == [[{"a": "1", "b": " "}, "h", {"t": 1}], [{"a": "1"}, "list", None]]


def test_cookies_of_flasks_test_client(app, socketio, connect):
    @app.route("/login")
    def login():
        session["user"] = "ann"
        return "ok"

    socketio.on("who")(lambda: session.get("user"))
    http = app.test_client()
    http.get("/login")
    assert connect(flask_test_client=http).emit("who", callback=True) == "ann"


def test_the_address_of_flasks_test_client(app, socketio, connect):
    socketio.on("who")(lambda: [request.remote_addr, request.headers["User-Agent"]])
    http = app.test_client()
    http.environ_base.update(REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="mine")
    assert connect(flask_test_client=http).emit("who", callback=True) == ["192.0.2.7", "mine"]


def test_the_applications_own_server_name_and_root(app, connect):
    app.config.update(SERVER_NAME="chat.example:8080", APPLICATION_ROOT="/", PREFERRED_URL_SCHEME="https")
    SocketIO(app).on("where")(lambda: [request.host, request.scheme, request.path])
    assert connect().emit("where", callback=True) == ["chat.example:8080", "https", "/socket.io/"]


RECEIVED = [
    (lambda: emit("x"), {"name": "x", "args": []}),
    (lambda: emit("x", 1), {"name": "x", "args": [1]}),
    (lambda: emit("x", [1, 2]), {"name": "x", "args": [[1, 2]]}),
    (lambda: emit("x", (1, b"2")), {"name": "x", "args": [1, b"2"]}),
    (lambda: send("text"), {"name": "message", "args": "text"}),
    (lambda: send({"a": [1]}, json=True), {"name": "json", "args": {"a": [1]}}),
    (lambda: send(b"bytes"), {"name": "message", "args": b"bytes"}),
]


@pytest.mark.parametrize(("act", "expected"), RECEIVED)
def test_get_received(socketio, connect, act, expected):
    socketio.on("act")(act)
    client = connect()
    client.emit("act")
    assert client.get_received() == [{**expected, "namespace": "/"}]
    assert client.get_received() == []


def test_get_received_of_one_namespace_leaves_the_others(socketio, connect):
    client = connect()
    client.connect("/n")
    socketio.emit("a")
    socketio.emit("b", namespace="/n")
    assert [item["name"] for item in client.get_received("/n")] == ["b"]
    assert [item["name"] for item in client.queue] == ["a"]
    assert [item["name"] for item in client.get_received()] == ["a"]


def test_emit_returns_the_acknowledgement_only_if_asked(socketio, connect):
    answers = iter(["one", (1, 2), None, "ignored"])
    socketio.on("ask")(lambda: next(answers))
    client = connect()
    assert client.emit("ask", callback=True) == "one"
    assert client.emit("ask", callback=True) == [1, 2]
    assert client.emit("ask", callback=True) == []
    assert client.emit("ask") is None
    assert client.emit("unknown", callback=True) is None


def test_send(socketio, connect):
    seen = []
    socketio.on("message")(lambda data: seen.append(("message", data)) or "ack")
    socketio.on("json", namespace="/n")(lambda data: seen.append(("json", data)) or "json ack")
    client = connect()
    client.connect("/n")
    assert client.send("x", callback=True) == "ack"
    assert client.send({"a": 1}, json=True, callback=True, namespace="/n") == "json ack"
    assert seen == [("message", "x"), ("json", {"a": 1})]


def test_it_waits_for_handlers_that_block(socketio, connect):
    @socketio.on("slow")
    def slow():
        socketio.sleep(0.02)
        emit("done")
        return "answer"

    client = connect()
    assert client.emit("slow", callback=True) == "answer"
    client.emit("slow")
    assert [item["name"] for item in client.get_received()] == ["done", "done"]


def test_the_reason_of_a_refusal(socketio, connect):
    @socketio.on("connect")
    def refuse(auth):
        if auth is None:
            raise ConnectionRefusedError("no", {"code": 1})

    client = connect()
    assert client.connect_error == {"message": "no", "data": {"code": 1}}
    client.connect(auth={"t": 1})
    assert client.is_connected()


def test_it_answers_what_the_server_asks(socketio, connect):
    client = connect()
    client.answer("sum", lambda *numbers: sum(numbers))
    client.answer("nothing", lambda: None)
    sid = socketio.server.manager.sid_from_eio_sid(client.eio_sid, "/")
    assert socketio.call("sum", 1, 2, to=sid, timeout=20) == 3
    assert socketio.call("nothing", to=sid, timeout=20) is None


def test_it_notices_a_disconnect_by_the_server(socketio, connect):
    socketio.on("leave")(lambda: disconnect())
    client = connect()
    client.emit("leave")
    assert not client.is_connected()


def test_it_changes_nothing_of_the_server(app):
    """Flask-SocketIO's switches its server to one handler at a time, for good."""
    socketio = SocketIO(app, async_handlers=True)
    running, most = [], []

    @socketio.on("slow")
    def slow():
        running.append(1)
        most.append(len(running))
        socketio.sleep(0.01)
        running.pop()

    client = socketio.test_client(app)
    assert socketio.engine.options.async_handlers is True
    tasks = [gevent.spawn(client.emit, "slow") for _ in range(3)]
    gevent.joinall(tasks, timeout=20, raise_error=True)
    assert max(most) == 3
    client.close()


def test_clients_are_forgotten_with_their_test(app, socketio):
    for _ in range(3):
        SocketIOTestClient(app, socketio).close()
    assert not hasattr(SocketIOTestClient, "clients")
    assert socketio.server.eio.sockets == {}


def test_what_background_tasks_emit_is_received(socketio, connect):
    @socketio.on("start")
    def start():
        sid = request.sid
        socketio.start_background_task(lambda: socketio.emit("from the task", to=sid)).join()

    client = connect()
    client.emit("start")
    assert [item["name"] for item in client.get_received()] == ["from the task"]
