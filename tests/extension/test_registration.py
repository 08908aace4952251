"""Registering handlers: decorators return what they decorate, all forms do the same, mistakes are told at once."""

import pytest

from flask_socketio_py import Namespace, SocketIO


def test_on_returns_the_function_itself_so_that_decorators_stack(socketio, connect):
    def handler(value):
        return value * 2

    assert socketio.on("double")(handler) is handler
    assert socketio.on("twice", namespace="/other")(handler) is handler
    assert connect().emit("double", 2, callback=True) == 4
    assert connect("/other").emit("twice", 3, callback=True, namespace="/other") == 6


def test_event_with_and_without_parentheses(socketio, connect):
    @socketio.event
    def first():
        return 1

    @socketio.event(namespace="/other")
    def second():
        return 2

    @socketio.event("/other")
    def third():
        return 3

    assert first() == 1, "still the function itself"
    assert connect().emit("first", callback=True) == 1
    other = connect("/other")
    assert other.emit("second", callback=True, namespace="/other") == 2
    assert other.emit("third", callback=True, namespace="/other") == 3


def test_event_named_connect_and_disconnect(socketio, connect):
    seen = []

    @socketio.event
    def connect_(auth):
        return None

    def register(name):
        def handler(*args):
            seen.append((name, *args))

        handler.__name__ = name
        return socketio.event(handler)

    register("connect")
    register("disconnect")
    client = connect(auth={"a": 1})
    client.disconnect()
    assert seen == [("connect", {"a": 1}), ("disconnect", "client disconnect")]


def test_on_event(socketio, connect):
    assert socketio.on_event("add", lambda a, b: a + b) is None
    socketio.on_event("add", lambda a, b: [a, b], namespace="/list")
    socketio.on_event("add", lambda a, b: [b, a], "/back")
    assert connect().emit("add", 1, 2, callback=True) == 3
    assert connect("/list").emit("add", 1, 2, callback=True, namespace="/list") == [1, 2]
    assert connect("/back").emit("add", 1, 2, callback=True, namespace="/back") == [2, 1]


def test_a_namespace_of_none_is_the_main_one(socketio, connect):
    socketio.on("ask", namespace=None)(lambda: "main")
    assert connect().emit("ask", callback=True) == "main"


def test_message_and_json_are_events_by_convention(socketio, connect):
    heard = []
    socketio.on("message")(lambda data: heard.append(("message", data)))
    socketio.on("json")(lambda data: heard.append(("json", data)))
    client = connect()
    client.send("text")
    client.send({"a": 1})
    client.send({"a": 1}, json=True)
    assert heard == [("message", "text"), ("message", {"a": 1}), ("json", {"a": 1})]


@pytest.mark.parametrize("event", ["my event", "add:item", "händel ✓", "", "on_connect", "__init__", "0"])
def test_any_string_is_the_name_of_an_event(socketio, connect, event):
    socketio.on(event)(lambda: "handled")
    assert connect().emit(event, callback=True) == "handled"


def test_on_namespace_takes_instances_only(socketio):
    for wrong in (Namespace, object(), None, "/chat"):
        with pytest.raises(ValueError, match="Not a namespace instance"):
            socketio.on_namespace(wrong)


@pytest.mark.parametrize("wrong", [None, "handler", 3])
def test_error_handlers_are_functions(socketio, wrong):
    with pytest.raises(ValueError, match="exception_handler must be callable"):
        socketio.on_error()(wrong)
    with pytest.raises(ValueError, match="exception_handler must be callable"):
        socketio.on_error_default(wrong)


def test_error_handlers_are_returned_and_readable(socketio):
    def first(error):
        return None

    def second(error):
        return None

    assert socketio.exception_handlers == {}
    assert socketio.default_exception_handler is None
    assert socketio.on_error()(first) is first
    assert socketio.on_error("/chat")(second) is second
    assert socketio.on_error_default(first) is first
    assert socketio.exception_handlers == {"/": first, "/chat": second}
    assert socketio.default_exception_handler is first


@pytest.mark.parametrize("wrong", [None, "handler"])
def test_a_handler_that_cannot_be_called_is_a_type_error(socketio, wrong):
    with pytest.raises(TypeError, match="the handler of 'ask' must be a function"):
        socketio.on("ask")(wrong)
    with pytest.raises(TypeError, match="the handler of 'ask' must be a function"):
        socketio.on_event("ask", wrong)


def test_handlers_can_be_listed():
    socketio = SocketIO()
    chat = Namespace("/chat")

    def handler():
        return None

    socketio.on("ask")(handler)
    socketio.on("ask", namespace="/chat")(handler)
    socketio.on_namespace(chat)
    assert socketio.handlers == [("ask", handler, "/"), ("ask", handler, "/chat")]
    assert socketio.namespace_handlers == [chat]
    assert chat.socketio is socketio
