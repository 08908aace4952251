"""Namespaces that come into being when clients ask for them: by patterns and functions, and when they are forgotten.

Names of Node's tests are quoted where a test is theirs.
"""

import re

import gevent
import pytest
from flask import Flask, Response, abort, redirect, request

from extension.wire import Wire, wait_for
from flask_socketio_py import ConnectionRefusedError, SocketIO, current_socket


def namespaces(socketio):
    return socketio._serving().namespaces


def refused(connect, namespace, **options):
    """How a client was refused, or ``None``."""
    client = connect(namespace, **options)
    assert client.is_connected(namespace) is (client.connect_error is None)
    return client.connect_error


INVALID = {"message": "Invalid namespace"}


# --- who may come into being -----------------------------------------------------------------------------------------


def test_a_pattern_must_match_the_whole_name(socketio, connect):
    socketio.of(re.compile(r"/dynamic-\d+"))
    assert refused(connect, "/dynamic-101") is None
    for name in ("/dynamic-", "/dynamic-1x", "/x/dynamic-1", "/dynamic-1\n", "/Dynamic-1", "/dynamic-1/"):
        assert refused(connect, name) == INVALID, name


def test_should_allow_connections_to_dynamic_namespaces_with_a_function(socketio, connect):
    asked = []

    def parent(name, auth):
        asked.append((name, auth))
        return auth == {"key": "good"}

    socketio.of(parent)
    assert refused(connect, "/a", auth={"key": "good"}) is None
    assert refused(connect, "/a", auth={"key": "bad"}) == INVALID
    assert refused(connect, "/b") == INVALID
    assert asked == [("/a", {"key": "good"}), ("/a", {"key": "bad"}), ("/b", None)]


def test_the_first_parent_in_order_wins(socketio, connect):
    parents = [
        socketio.of(re.compile("/a-.*")),
        socketio.of(lambda name, auth: name.endswith("-f")),
        socketio.of(re.compile("/.*")),
    ]
    for number, parent in enumerate(parents):
        parent.on("who")(lambda number=number: number)
    socketio.of("/a-static").on("who")(lambda: "static")
    for name, who in (("/a-f", 0), ("/b-f", 1), ("/b-g", 2), ("/a-g", 0), ("/a-static", "static")):
        assert connect(name).emit("who", namespace=name, callback=True) == who, name


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: 1 / 0, {"message": "Internal server error"}),
        (lambda: refuse("no", 1), {"message": "no", "data": 1}),
        (lambda: abort(401), {"message": "Unauthorized", "data": {"status": 401}}),
        (lambda: redirect("/login"), {"message": "Found", "data": {"status": 302}}),
        (lambda: ("no", 403), {"message": "Forbidden", "data": {"status": 403}}),
        (lambda: ("no", "403 FORBIDDEN"), {"message": "Forbidden", "data": {"status": 403}}),
        (lambda: abort(Response("no", 418)), {"message": "I'm a teapot", "data": {"status": 418}}),
        (lambda: None, INVALID),
        (lambda: "", INVALID),
        (lambda: "yes", None),
        (lambda: ("yes", 200), None),
    ],
)
def test_what_a_function_may_answer(socketio, connect, answer, error, caplog):
    socketio.on_error_default(lambda error: True)  # nobody is let in by it
    socketio.of(lambda name, auth: answer())
    assert refused(connect, "/x") == error
    assert (list(namespaces(socketio)) == ["/x"]) is (error is None)


def refuse(*args):
    raise ConnectionRefusedError(*args)


def test_a_function_has_the_context_of_the_request(socketio, connect):
    seen = []

    def parent(name, auth):
        seen.append((request.args["a"], request.namespace, current_socket.connected, current_socket.handshake.auth))
        return True

    socketio.of(parent)
    connect("/x", query_string="a=1", auth={"k": 2})
    assert seen == [("1", "/x", False, {"k": 2})]


def test_concurrent_first_connections_create_the_child_once(app, socketio):
    gate, made = gevent.event.Event(), []
    socketio.on_new_namespace(lambda namespace: made.append(namespace.name))
    parent = socketio.of(lambda name, auth: gate.wait())
    wires = [Wire(app) for _ in range(3)]
    for wire in wires:
        wire.push("0/x,")
    gate.set()
    for wire in wires:
        wait_for(lambda wire=wire: wire.received, "CONNECT is answered")
    assert made == ["/x"]
    assert parent.count() == 3
    for wire in wires:
        wire.vanish()


def test_a_second_connect_while_a_function_thinks_ends_the_connection(app, socketio):
    gate = gevent.event.Event()
    parent = socketio.of(lambda name, auth: gate.wait())
    wire, other = Wire(app), Wire(app)
    wire.push("0/x,", "0/x,")
    other.push("0/x,", "0/y,")
    assert not wire.is_open
    gate.set()
    wait_for(lambda: len(other.received) == 2, "the other is served")
    assert (wire.received, parent.count()) == ([], 2)
    other.vanish()
    wait_for(lambda: not socketio.busy(), "all has ended")
    assert [namespace.sockets for namespace in namespaces(socketio).values()] == [{}, {}]


def test_a_name_is_at_most_so_long(socketio, connect):
    asked = []
    socketio.of(lambda name, auth: asked.append(name) or True)
    socketio.of(re.compile("/.*", re.DOTALL))
    assert refused(connect, "/" + "a" * 254) is None
    assert refused(connect, "/" + "a" * 255) == INVALID
    assert [len(name) for name in asked] == [255]


@pytest.mark.parametrize("value", [1, b"/x", ["/x"], re.compile(b"/x"), 1.5])
def test_what_can_be_no_namespace(socketio, value):
    with pytest.raises(TypeError, match="a namespace must be a name, a compiled pattern or a function"):
        socketio.of(value)


# --- children --------------------------------------------------------------------------------------------------------


def test_children_have_the_handlers_middleware_and_error_handler_of_their_parent(socketio, connect):
    seen = []
    parent = socketio.of(re.compile(r"/d-\d"))

    @parent.use
    def guard(socket):
        seen.append(("guard", socket.namespace.name))
        if socket.handshake.auth.get("bad"):
            raise ConnectionRefusedError("bad")

    parent.on("connect")(lambda: seen.append(("connect", request.namespace)))
    parent.on("disconnect")(lambda: seen.append(("disconnect", request.namespace)))
    parent.on("fail")(lambda: 1 / 0)
    parent.on_error()(lambda error: type(error).__name__)
    parent.before_event(lambda event, args: args.append("more") if event == "args" else None)
    parent.on("args")(lambda *args: args)
    client = connect("/d-1")
    assert client.emit("fail", namespace="/d-1", callback=True) == "ZeroDivisionError"
    assert client.emit("args", 1, namespace="/d-1", callback=True) == [1, "more"]
    assert refused(connect, "/d-2", auth={"bad": True}) == {"message": "bad"}
    client.disconnect("/d-1")
    assert seen == [("guard", "/d-1"), ("connect", "/d-1"), ("guard", "/d-2"), ("disconnect", "/d-1")]


def test_the_parent_emits_to_all_its_children_and_no_others(socketio, connect):
    parent, other = socketio.of(re.compile(r"/d-\d")), socketio.of(re.compile(r"/e-\d"))
    clients = {name: connect(name) for name in ("/d-1", "/d-2", "/e-1")}
    for socket in parent.fetch_sockets():
        socket.join("room" if socket.namespace.name == "/d-1" else "elsewhere")
    for name, client in clients.items():
        client.answer("ask", lambda name=name: name)
    parent.emit("all", 1)
    parent.to("room").emit("room")
    parent.except_("room").emit("others")
    assert [[item["name"] for item in client.get_received(name)] for name, client in clients.items()] == [
        ["all", "room"],
        ["all", "others"],
        [],
    ]
    assert sorted(parent.emit_with_ack("ask")) == ["/d-1", "/d-2"]
    assert (parent.count(), other.count(), len(parent.sockets)) == (2, 1, 2)
    parent.to("room").disconnect_sockets()
    assert (parent.count(), clients["/d-1"].is_connected("/d-1")) == (1, False)


def test_a_parent_without_children_tells_mistakes_all_the_same(socketio):
    parent = socketio.of(re.compile("/x"))
    parent.emit("e", 1)
    assert parent.timeout(1).emit_with_ack("e") == []
    with pytest.raises(ValueError, match="reserved"):
        parent.emit("connect")
    with pytest.raises(TypeError):
        parent.emit("e", object())


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("by_function", [True, False])
def test_should_attach_a_child_namespace_to_its_parent_upon_manual_creation(socketio, connect, early, by_function):
    """Addressed by hand before any client came, it must not lose its parent's middleware."""
    told = []
    if early:
        socketio.emit("nobody hears it", namespace="/x")
    parent = socketio.of((lambda name, auth: name == "/x") if by_function else re.compile("/x"))
    parent.use(lambda socket: socket.handshake.auth.get("key") == "good")
    parent.on("e")(lambda: "handled")
    parent.on_adapter_event("join-room")(lambda room, sid: told.append(room))
    socketio.of("/x").emit("nobody hears it")
    assert refused(connect, "/x", auth={"key": "bad"}) == {"message": "Connection rejected by server"}
    client = connect("/x", auth={"key": "good"})
    assert client.emit("e", namespace="/x", callback=True) == "handled"
    [socket] = parent.fetch_sockets()
    socket.join("room")
    assert told[-2:] == [socket.id, "room"]
    socketio.of("/x").emit("heard")
    assert [item["name"] for item in client.get_received("/x")] == ["heard"]


def test_on_new_namespace_is_told_once_of_each(socketio, connect, caplog):
    made = []

    @socketio.on_new_namespace
    def announce(namespace):
        made.append(namespace.name)
        gevent.sleep(0)
        namespace.emit("hello")
        raise RuntimeError("on purpose")

    socketio.of(re.compile(r"/d-\d"))
    socketio.on("e", namespace="/static")(lambda: None)
    for name in ("/d-1", "/d-1", "/static", "/d-2", "/static", None):
        connect(name)
    assert made == ["/d-1", "/static", "/d-2"]
    assert {record.message for record in caplog.records} == {"an on_new_namespace function failed"}


# --- cleanupEmptyChildNamespaces -------------------------------------------------------------------------------------


@pytest.fixture
def cleaning(app):
    socketio = SocketIO(app, cleanup_empty_child_namespaces=True)
    socketio.of(re.compile(r"/d-\d"))
    return socketio


def test_should_cleanup_namespace_when_the_last_client_leaves(cleaning, connect):
    first, second = connect("/d-1"), connect("/d-1")
    first.disconnect("/d-1")
    assert list(namespaces(cleaning)) == ["/d-1"]
    second.close()
    assert list(namespaces(cleaning)) == []


def test_should_not_cleanup_without_the_option(socketio, connect):
    socketio.of(re.compile("/d"))
    connect("/d").close()
    assert list(namespaces(socketio)) == ["/d"]


def test_should_cleanup_if_a_middleware_refuses_and_not_while_one_thinks(app, cleaning, connect):
    gate = gevent.event.Event()
    cleaning.of(re.compile(r"/d-\d")).use(lambda socket: gate.wait() and False)
    wire = Wire(app)
    wire.push("0/d-1,")
    assert list(namespaces(cleaning)) == ["/d-1"]
    gate.set()
    wire.wait('4/d-1,{"message":"Connection rejected by server"}')
    assert list(namespaces(cleaning)) == []
    wire.vanish()


def test_should_allow_to_reconnect_after_cleanup(cleaning, connect):
    made = []
    cleaning.on_new_namespace(lambda namespace: made.append(namespace.name))
    cleaning.of(re.compile(r"/d-\d")).on("e")(lambda: "handled")
    for _ in range(3):
        client = connect("/d-1")
        assert client.emit("e", namespace="/d-1", callback=True) == "handled"
        client.close()
    assert made == ["/d-1"] * 3


def test_should_not_cleanup_static_namespaces(cleaning, connect):
    cleaning.on("e", namespace="/static")(lambda: None)
    for name in ("/static", None):
        connect(name).close()
    assert sorted(namespaces(cleaning)) == ["/", "/static"]


def test_should_not_cleanup_while_a_disconnect_handler_runs(app, cleaning, connect):
    gate, seen = gevent.event.Event(), []
    parent = cleaning.of(re.compile(r"/d-\d"))
    parent.on("disconnect")(lambda: (gate.wait(), seen.append(list(namespaces(cleaning)))))
    wire = Wire(app)
    wire.join("/d-1")
    wire.vanish()
    assert list(namespaces(cleaning)) == ["/d-1"]
    gate.set()
    wait_for(lambda: list(namespaces(cleaning)) == [], "it is forgotten")
    assert seen == [["/d-1"]]


def test_should_not_cleanup_while_somebody_may_come_back():
    app = Flask(__name__)
    socketio = SocketIO(
        app, cleanup_empty_child_namespaces=True, connection_state_recovery={"max_disconnection_duration": 0.05}
    )
    socketio.of(re.compile("/d"))
    wire = Wire(app)
    wire.join("/d")
    wire.vanish()
    assert list(namespaces(socketio)) == ["/d"]
    wait_for(lambda: list(namespaces(socketio)) == [], "it is forgotten when the time is over")


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_one_client_may_join_so_many(app):
    socketio = SocketIO(app, max_namespaces_per_client=5)
    socketio.of(re.compile("/.*"))
    wire = Wire(app)
    wire.push(*[f"0/{number}," for number in range(10)])
    assert [packet.split(",", 1)[1] for packet in wire.received[5:]] == ['{"message":"Too many namespaces"}'] * 5
    wire.vanish()


def test_thousands_of_names_are_not_kept(app, socketio):
    parent = socketio.of(lambda name, auth: True)
    staying = Wire(app)
    staying.join("/staying")
    wire = Wire(app)
    for number in range(5000):
        wire.push(f"0/{number},", f"1/{number},")
    wait_for(lambda: not socketio._serving().dispatcher.running, "all has been handled")
    assert len(namespaces(socketio)) <= 2000
    assert parent.count() == 1
    socketio.emit("still here", namespace="/staying")
    staying.wait('2/staying,["still here"]')
    for one in (wire, staying):
        one.vanish()
