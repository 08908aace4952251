"""Catch-all events and namespaces: what they are called with, and who wins when several could handle an event."""

import pytest
from flask import request

from flask_socketio_py import Namespace, SocketIO

#: From the first asked to the last.
ORDER = ["namespace, event", "namespace, *", "*, event", "*, *", "class", "class *"]


@pytest.fixture
def socketio(app):
    """Accepts every namespace, or a handler of any would have none to handle."""
    return SocketIO(app, namespaces="*")


def register(socketio, kind):
    class Any(Namespace):
        def on_ask(self, *args):
            return kind

    if kind == "class":
        socketio.on_namespace(Any("/n"))
    elif kind == "class *":
        socketio.on_namespace(Any("*"))
    else:
        namespace, event = kind.split(", ")
        socketio.on("ask" if event == "event" else "*", namespace="/n" if namespace == "namespace" else "*")(
            lambda *_: kind
        )


@pytest.mark.parametrize("first", range(len(ORDER)), ids=ORDER)
@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "reversed"])
def test_resolution_order(app, connect, first, reverse):
    socketio = SocketIO(app, namespaces=["/n"])
    rest = ORDER[first:]
    for kind in reversed(rest) if reverse else rest:
        register(socketio, kind)
    assert connect("/n").emit("ask", callback=True, namespace="/n") == ORDER[first]


def test_any_event(socketio, connect):
    socketio.on("known")(lambda *args: ["known", *args])
    socketio.on("*")(lambda event, *args: ["caught", event, *args])
    client = connect()
    assert client.emit("known", 1, callback=True) == ["known", 1]
    assert client.emit("anything at all", 1, b"2", callback=True) == ["caught", "anything at all", 1, b"2"]
    assert client.emit("*", callback=True) == ["caught", "*"]


def test_any_namespace(socketio, connect):
    socketio.on("ask", namespace="*")(lambda *args: [request.namespace, *args])
    for namespace in ("/a", "/b/c", "/"):
        assert connect(namespace).emit("ask", 1, callback=True, namespace=namespace) == [namespace, 1]


def test_any_event_of_any_namespace(socketio, connect):
    socketio.on("*", namespace="*")(lambda event, *args: [request.namespace, event, *args])
    assert connect("/a").emit("ask", 1, callback=True, namespace="/a") == ["/a", "ask", 1]


def test_a_catch_all_of_events_sees_neither_connect_nor_disconnect(socketio, connect):
    seen = []
    socketio.on("*")(lambda *args: seen.append(args))
    socketio.on("*", namespace="*")(lambda *args: seen.append(args))
    client = connect()
    client.disconnect()
    connect("/a").disconnect("/a")
    assert seen == []


def test_connect_and_disconnect_of_any_namespace(socketio, connect):
    seen = []
    socketio.on("connect", namespace="*")(lambda auth: seen.append((request.namespace, auth)))
    socketio.on("disconnect", namespace="*")(lambda reason: seen.append((request.namespace, reason)))
    socketio.on("connect", namespace="/own")(lambda: seen.append("own"))
    connect("/a", auth={"t": 1}).disconnect("/a")
    connect("/own").disconnect("/own")
    assert seen == [("/a", {"t": 1}), ("/a", "client disconnect"), "own", ("/own", "client disconnect")]


def test_a_catch_all_can_refuse(socketio, connect):
    socketio.on("connect", namespace="*")(lambda: request.namespace != "/no")
    assert connect("/yes").is_connected("/yes")
    assert not connect("/no").is_connected("/no")


def test_a_catch_all_of_namespaces_opens_none(app, connect):
    """Which namespaces there are is said by the option, and by handlers that name one."""
    socketio = SocketIO(app, namespaces=["/a"])
    socketio.on("ask", namespace="*")(lambda: request.namespace)
    socketio.on("*", namespace="*")(lambda event: request.namespace)
    socketio.on("other", namespace="/b")(lambda: None)
    assert [name for name in ("/", "/a", "/b", "/c") if connect(name).is_connected(name)] == ["/a", "/b"]
    assert connect("/a").emit("ask", callback=True, namespace="/a") == "/a"


def test_request_event_tells_what_came(socketio, connect):
    socketio.on("*")(lambda event, *args: [request.event["message"], list(request.event["args"])])
    socketio.on("ask", namespace="*")(lambda *args: [request.event["message"], list(request.event["args"])])
    assert connect().emit("anything", 1, callback=True)[0] == "anything"
    assert connect("/a").emit("ask", 1, callback=True, namespace="/a") == ["ask", [1]]


def test_errors_in_a_catch_all_go_to_the_error_handlers(socketio, connect):
    socketio.on("*", namespace="*")(lambda event: 1 / 0)
    socketio.on_error("/a")(lambda error: "a's")
    socketio.on_error_default(lambda error: "default")
    assert connect("/a").emit("x", callback=True, namespace="/a") == "a's"
    assert connect("/b").emit("x", callback=True, namespace="/b") == "default"


def test_a_class_for_any_namespace(socketio, connect):
    class Any(Namespace):
        def on_connect(self, auth):
            self.seen = [auth]

        def on_ask(self, *args):
            return [request.namespace, *args]

    socketio.on_namespace(Any("*"))
    assert connect("/a").emit("ask", 1, callback=True, namespace="/a") == ["/a", 1]
    assert connect("/b").emit("ask", callback=True, namespace="/b") == ["/b"]
