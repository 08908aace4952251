"""What the table "Node's API and ours" promises of options, server, namespaces and recovery, and no other file shows.

Owns no mechanism: each is tested in depth where it lives.
"""

import datetime
import enum
import json
import re

import pytest
from flask import request
from werkzeug.datastructures import Headers

from extension.wire import Wire, wait_for
from flask_socketio_py import BroadcastTimeoutError, SocketIO, current_socket
from flask_socketio_py.engineio.reasons import Reason

OPENING = "/socket.io/?EIO=4&transport=polling"


def open_by_polling(app, query=OPENING):
    """The address of a new session, over HTTP."""
    answer = app.test_client().get(query)
    start = answer.text.index("{")
    return f"{query}&sid={json.loads(answer.text[start : answer.text.index('}') + 1])['sid']}"


# -- options and requests ----------------------------------------------------------------------------------------------


def test_what_allow_request_leaves_in_the_environment_is_there_in_handlers(app):
    def allow_request(request):
        request.environ["myapp.user"] = "alice"
        return True

    socketio = SocketIO(app, allow_request=allow_request)
    seen = []
    socketio.on("connect")(lambda auth: seen.append(request.environ["myapp.user"]))
    app.test_client().post(open_by_polling(app), data="40")
    wait_for(lambda: seen == ["alice"], "the connect handler runs")
    assert current_environ(socketio)["myapp.user"] == "alice"
    socketio.shutdown()


def current_environ(socketio):
    [socket] = socketio.fetch_sockets()
    return socket.conn.request.environ


def test_initial_headers_may_set_cookies(app):
    socketio = SocketIO(app)

    @socketio.on_initial_headers
    def first(headers, request):
        assert isinstance(headers, Headers)
        headers.add("Set-Cookie", "one=1")
        headers.add("Set-Cookie", f"two={request.args['EIO']}; Path=/")

    answer = app.test_client().get(OPENING)
    assert answer.headers.getlist("Set-Cookie") == ["one=1", "two=4; Path=/"]
    sid = re.search('"sid":"(.*?)"', answer.text)[1]
    later = app.test_client().post(f"{OPENING}&sid={sid}", data="40")
    assert (later.status_code, later.headers.getlist("Set-Cookie")) == (200, [])
    socketio.shutdown()


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://a.example", "https://a.example"), ("https://b.example", None)]
)
def test_the_files_of_the_client_have_the_headers_of_cors(app, tmp_path, origin, allowed):
    (tmp_path / "socket.io.js").write_text("// the client")
    SocketIO(app, client_dir=str(tmp_path), cors={"origin": "https://a.example", "exposed_headers": "ETag"})
    answer = app.test_client().get("/socket.io/socket.io.js", headers={"Origin": origin})
    assert (answer.status_code, answer.text) == (200, "// the client")
    assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    assert answer.headers.get("Access-Control-Expose-Headers") == ("ETag" if allowed else None)
    assert "Origin" in answer.headers.getlist("Vary")


@pytest.mark.parametrize("revision", [3, 4])
def test_a_socket_tells_the_protocol_transport_and_address_of_its_connection(app, revision):
    socketio = SocketIO(app, allow_eio3=True)
    address = open_by_polling(app, OPENING.replace("EIO=4", f"EIO={revision}"))
    if revision == 4:  # a client of revision 3 joins by opening
        app.test_client().post(address, data="40")
    wait_for(lambda: socketio.count() == 1, "it is connected")
    [socket] = socketio.fetch_sockets()
    assert (socket.conn.protocol, socket.transport, socket.handshake.address) == (revision, "polling", "127.0.0.1")
    assert address.endswith(socket.conn.sid)
    assert (socket.id == socket.conn.sid) == (revision == 3)
    socketio.shutdown()


@pytest.mark.parametrize("discard", [False, True])
def test_a_handler_may_close_the_connection(socketio, connect, discard):
    reasons = []
    socketio.on("connect", namespace="/n")(lambda: None)
    socketio.on("close")(lambda: current_socket.conn.close(discard=discard))
    for namespace in ("/", "/n"):
        socketio.on("disconnect", namespace=namespace)(reasons.append)
    client = connect()
    client.connect("/n")
    client.emit("close")
    assert reasons == ["forced close"] * 2
    assert socketio.engine.clients_count == 0


# -- the server and its namespaces -------------------------------------------------------------------------------------


def test_the_extension_is_its_main_namespace(socketio, connect):
    clients = [connect(), connect()]
    assert set(socketio.sockets) == set(socketio.of("/").sockets) == {one.id for one in socketio.fetch_sockets()}
    assert len(socketio.sockets) == len(clients)
    socketio.of("/").emit("news")
    socketio.emit("news")
    assert [len(client.get_received()) for client in clients] == [2, 2]


def test_connections_are_fewer_than_sockets(socketio, connect):
    socketio.on("connect", namespace="/n")(lambda: None)
    connect().connect("/n")
    assert socketio.engine.clients_count == len(socketio.engine.sessions) == 1
    assert socketio.count() + socketio.of("/n").count() == 2
    [socket], [other] = socketio.fetch_sockets(), socketio.of("/n").fetch_sockets()
    assert socket.client is other.client
    assert socket.conn is other.conn
    assert set(socket.client.sockets) == {"/", "/n"}


def test_a_namespace_by_itself_has_decorators_and_emits(socketio, connect):
    news = socketio.of("news")
    assert (news.name, socketio.of("").name, socketio.of(re.compile("/x")).name) == ("/news", "/", None)
    connected = []

    @news.on("connect")
    def connect_handler(auth):
        connected.append(current_socket.namespace.name)

    client, other = connect("/news"), connect()
    assert connected == ["/news"]
    news.emit("headline", 1)
    news.send("text")
    assert [item["args"] for item in client.get_received("/news")] == [[1], "text"]
    assert other.get_received() == []


def test_middleware_is_asked_for_each_namespace(socketio, connect):
    asked = []
    socketio.on("connect", namespace="/n")(lambda: None)
    socketio.use(lambda socket: asked.append(socket.namespace.name), namespace="*")
    client = connect()
    client.connect("/n")
    assert asked == ["/", "/n"]


def test_a_later_middleware_counts_for_a_child_that_there_is(socketio, connect):
    rooms = socketio.of(re.compile(r"/room-\d"))
    assert connect("/room-1").is_connected("/room-1")
    rooms.use(lambda socket: False)
    assert not connect("/room-1").is_connected("/room-1")


# -- asking many -------------------------------------------------------------------------------------------------------


def test_a_callback_after_a_timeout_is_told_of_all_answers_once(socketio, connect):
    told = []
    clients = [connect() for _ in range(3)]
    for number, client in enumerate(clients):
        client.answer("ask", lambda number=number: (number, "ignored"))
    socketio.timeout(60).emit("ask", callback=lambda *args: told.append(args))
    wait_for(lambda: told, "it is called")
    [(error, answers)] = told
    assert (error, sorted(answers)) == (None, [0, 1, 2])


def test_a_callback_is_told_at_once_that_nobody_is_there(socketio, connect):
    told = []
    connect()
    socketio.to("nobody").timeout(60).emit("ask", callback=lambda *args: told.append(args))
    wait_for(lambda: told == [(None, [])], "it is called")


def test_a_callback_is_told_of_those_who_are_late(socketio, connect):
    told = []
    quick, slow = connect(), connect()
    quick.answer("ask", lambda: "quick")
    socketio.timeout(0.05).emit("ask", callback=lambda *args: told.append(args))
    wait_for(lambda: told, "it is called")
    [(error, answers)] = told
    assert isinstance(error, BroadcastTimeoutError)
    assert answers == error.responses == ["quick"]
    [missing] = error.missing
    assert [socket.conn.sid for socket in socketio.fetch_sockets() if socket.id == missing] == [slow.eio_sid]


# -- connection state recovery -----------------------------------------------------------------------------------------


def connected(wire):
    """What CONNECT was answered with."""
    return json.loads(next(item for item in reversed(wire.received) if str(item).startswith("0"))[1:])


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_the_reasons_after_which_a_client_may_come_back(app, reason):
    socketio = SocketIO(app, connection_state_recovery=True)
    wire = Wire(app)
    sid = wire.join()
    socketio.emit("news", 1)
    wire.wait(next(item for item in wire.received if str(item).startswith('2["news",1,')))
    pid, offset = connected(wire)["pid"], json.loads(wire.received[-1][1:])[-1]
    if reason in (Reason.CLIENT_NAMESPACE_DISCONNECT, Reason.SERVER_NAMESPACE_DISCONNECT):
        wire.session.handler.leave(socketio.sockets[sid], reason, tell=False)
    wire.session.close(reason, discard=True)
    again = Wire(app)
    again.push("0" + json.dumps({"pid": pid, "offset": offset}))
    wait_for(lambda: again.received, "CONNECT is answered")
    decided = {
        Reason.CLIENT_NAMESPACE_DISCONNECT,
        Reason.SERVER_NAMESPACE_DISCONNECT,
        Reason.PARSE_ERROR,
        Reason.OUTBOX_FULL,
        Reason.CONNECT_TIMEOUT,
    }
    assert (connected(again)["sid"] == sid) == (reason not in decided)
    again.vanish()


class Color(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("args", "sent"),
    [
        ((), [None]),
        (("text",), ["text", None]),
        ((Color.RED,), ["red", None]),
        ((datetime.date(2026, 1, 2),), ["2026-01-02", None]),
        (("text", 1), ["text", 1]),
        ((None,), [None]),
        (({"a": "text"},), [{"a": "text"}]),
        ((["text"],), [["text"]]),
    ],
)
def test_a_volatile_event_never_ends_in_a_text_on_the_wire(app, args, sent):
    """Official clients would take it for their offset, and could not come back."""
    socketio = SocketIO(app, connection_state_recovery=True)
    wire = Wire(app)
    wire.join()
    socketio.volatile.emit("event", *args)
    assert json.loads(wire.received[-1][1:]) == ["event", *sent]
    wire.vanish()


def test_without_the_option_there_is_no_private_id_and_no_offset(app, socketio):
    wire = Wire(app)
    wire.join()
    socketio.emit("news", 1)
    assert set(connected(wire)) == {"sid"}
    assert wire.received[-1] == '2["news",1]'
    wire.vanish()


def test_what_is_kept_is_forgotten_in_time_though_nobody_asks(app):
    socketio = SocketIO(app, connection_state_recovery={"max_disconnection_duration": 0.05})
    wire = Wire(app)
    wire.join()
    socketio.emit("news", "x" * 1000)
    wire.vanish()
    recovery = socketio._serving().of("/").adapter.recovery
    assert not recovery.empty
    wait_for(lambda: recovery.empty, "the log and the state are gone")
