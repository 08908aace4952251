"""Connecting and leaving: who is let in, how a refusal reads, what a disconnect handler is told and still can do."""

import builtins

import pytest

from extension.wire import Wire, wait_for
from flask_socketio_py import ConnectionRefusedError, SocketIO, disconnect, emit, join_room, rooms

REFUSALS = [
    ("no arguments", lambda: ConnectionRefusedError(), {"message": "Connection rejected by server"}),
    ("message", lambda: ConnectionRefusedError("no"), {"message": "no"}),
    ("message that is no string", lambda: ConnectionRefusedError(404), {"message": "404"}),
    ("data", lambda: ConnectionRefusedError("no", {"code": 7}), {"message": "no", "data": {"code": 7}}),
    ("falsy data", lambda: ConnectionRefusedError("no", 0), {"message": "no", "data": 0}),
    ("more data", lambda: ConnectionRefusedError("no", 1, "two"), {"message": "no", "data": [1, "two"]}),
    ("builtin", lambda: builtins.ConnectionRefusedError(), {"message": "Connection refused by server"}),
    ("builtin with text", lambda: builtins.ConnectionRefusedError("x"), {"message": "Connection refused by server"}),
]


@pytest.mark.parametrize(("make", "error"), [item[1:] for item in REFUSALS], ids=[item[0] for item in REFUSALS])
def test_refusal_by_exception(socketio, connect, make, error):
    @socketio.on("connect")
    def refuse(auth):
        raise make()

    client = connect()
    assert not client.is_connected()
    assert client.connect_error == error


def test_only_false_refuses(socketio, connect):
    answers = iter([False, None, True, 0, "", [], "no", ("Welcome", 200)])
    socketio.on("connect")(lambda: next(answers))
    assert [connect().is_connected() for _ in range(8)] == [False, *[True] * 7]


def test_return_false_reads_like_a_refusal_without_arguments(socketio, connect):
    socketio.on("connect")(lambda: False)
    assert connect().connect_error == {"message": "Connection rejected by server"}


def test_a_refused_client_may_try_again(socketio, connect):
    @socketio.on("connect")
    def ask_for_the_word(auth):
        if auth != {"word": "please"}:
            raise ConnectionRefusedError("say please")

    client = connect()
    assert not client.is_connected()
    client.connect(auth={"word": "please"})
    assert client.is_connected()


def test_a_refused_client_has_no_disconnect_and_no_rooms(socketio, connect):
    ended = []

    @socketio.on("connect")
    def refuse():
        join_room("r")
        return False

    socketio.on("disconnect")(lambda reason: ended.append(reason))
    client = connect()
    assert socketio.server.manager.rooms == {}
    client.close()
    assert ended == []


def test_an_unknown_namespace_is_refused(socketio, connect):
    client = connect("/nowhere")
    assert not client.is_connected("/nowhere")
    assert client.connect_error == {"message": "Invalid namespace"}
    client.connect("/")
    assert client.is_connected()


@pytest.mark.parametrize(
    ("option", "accepted"),
    [({}, ["/"]), ({"namespaces": ["/a"]}, ["/a"]), ({"namespaces": "/a"}, ["/a"]), ({"namespaces": "*"}, ["/", "/a"])],
    ids=str,
)
def test_namespaces_without_handlers(app, connect, option, accepted):
    SocketIO(app, **option)
    assert [name for name in ("/", "/a") if connect(name).is_connected(name)] == accepted


def test_a_namespace_with_any_handler_is_accepted(app, connect):
    SocketIO(app, namespaces=[]).on("ask", namespace="/a")(lambda: 1)
    assert connect("/a").is_connected("/a")
    assert not connect("/").is_connected()


def test_auth_reaches_the_handler(socketio, connect):
    seen = []
    socketio.on("connect")(seen.append)
    values = [{"token": "t", "deep": [1, None, "ü"]}, {"a": {"b": {}}}, None]
    for auth in [*values, {}]:
        connect(auth=auth)
    assert seen == [*values, None], "an empty object is no auth"


def test_each_namespace_has_its_own_connect_disconnect_and_sid(socketio, connect):
    journal = []

    def note(namespace):
        socketio.on("connect", namespace=namespace)(lambda: journal.append(("connect", namespace)))
        socketio.on("disconnect", namespace=namespace)(lambda reason: journal.append((reason, namespace)))
        socketio.on("sid", namespace=namespace)(lambda: rooms()[0])

    for namespace in ("/", "/a"):
        note(namespace)
    client = connect()
    client.connect("/a")
    sids = {client.emit("sid", callback=True, namespace=namespace) for namespace in ("/", "/a")}
    assert len(sids) == 2
    client.disconnect("/a")
    assert client.is_connected("/")
    client.close()
    assert journal == [("connect", "/"), ("connect", "/a"), ("client disconnect", "/a"), ("transport close", "/")]


def test_disconnect_handler_still_has_its_rooms_and_may_emit(socketio, connect):
    seen = []
    socketio.on("join")(lambda room: join_room(room))

    @socketio.on("disconnect")
    def say_goodbye(reason):
        seen.append(sorted(rooms()[1:]))
        emit("left", reason, to="hall", include_self=False)
        emit("left", "to myself")

    watcher, leaver = connect(), connect()
    for client in (watcher, leaver):
        client.emit("join", "hall")
    leaver.emit("join", "kitchen")
    leaver.disconnect()
    assert seen == [["hall", "kitchen"]]
    assert watcher.get_received() == [{"name": "left", "args": ["client disconnect"], "namespace": "/"}]
    assert set(socketio.server.manager.rooms["/"]) & {"hall", "kitchen"} == {"hall"}


def test_reasons(app, socketio, connect):
    seen = []
    socketio.on("disconnect")(seen.append)
    socketio.on("leave")(lambda: disconnect())
    connect().disconnect()
    connect().emit("leave")
    connect().close()
    wire = Wire(app)
    wire.join()
    wire.push("0")
    wait_for(lambda: len(seen) == 4, "the last one is told")
    assert seen == [
        SocketIO.reason.CLIENT_DISCONNECT,
        SocketIO.reason.SERVER_DISCONNECT,
        SocketIO.reason.TRANSPORT_CLOSE,
        SocketIO.reason.FORCED_CLOSE,
    ]
    assert not wire.is_open


def test_shutdown_tells_every_handler(socketio, connect):
    seen = []
    socketio.on("disconnect")(seen.append)
    connect()
    connect()
    socketio.shutdown()
    wait_for(lambda: len(seen) == 2, "both are told")
    assert seen == ["server shutting down"] * 2


def test_an_event_that_nobody_handles_is_ignored_and_not_acknowledged(app, socketio):
    wire = Wire(app)
    wire.join()
    socketio.on("known")(lambda: "k")
    wire.push('21["unknown"]', '22["known"]')
    wire.wait('32["k"]')
    assert not [item for item in wire.received if item.startswith("31")]
    wire.vanish()


def test_always_connect_answers_first_and_refuses_by_disconnect(app):
    socketio = SocketIO(app, always_connect=True)
    socketio.on("connect")(lambda auth: emit("hello", [auth]))
    socketio.on("connect", namespace="/no")(lambda: False)
    wire = Wire(app)
    sid = wire.join()
    wire.wait('2["hello",[null]]')
    assert wire.received == [f'0{{"sid":"{sid}"}}', '2["hello",[null]]']
    wire.received.clear()
    wire.join("/no")
    wait_for(lambda: len(wire.received) == 2, "it is refused")
    assert wire.received[1] == "1/no,"
    wire.vanish()
