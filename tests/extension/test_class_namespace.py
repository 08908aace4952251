"""Namespaces as classes: methods as handlers, what they inherit, and how they mix with decorated functions."""

import pytest
from flask import request, session

from extension.wire import wait_for
from flask_socketio_py import ConnectionRefusedError, Namespace, SocketIO, disconnect, emit, join_room


class Chat(Namespace):
    def __init__(self, namespace=None):
        super().__init__(namespace)
        self.journal = []

    def on_connect(self, auth):
        self.journal.append(("connect", request.sid, auth))
        if auth == {"refuse": True}:
            raise ConnectionRefusedError("not you")

    def on_disconnect(self, reason):
        self.journal.append(("disconnect", request.sid, reason))

    def on_sid(self):
        return request.sid

    def on_say(self, text, *more):
        session["said"] = text
        emit("said", text, broadcast=True)
        return "heard", *more

    def on_said(self):
        return session["said"]

    def on_do(self, method, *args):
        """Calls an inherited method; "me" stands for the client's sid."""
        return getattr(self, method)(*(request.sid if arg == "me" else arg for arg in args))


@pytest.fixture
def chat(socketio):
    chat = Chat("/chat")
    socketio.on_namespace(chat)
    return chat


@pytest.fixture
def client(chat, connect):
    return connect("/chat")


def ask(client, event, *args, namespace="/chat"):
    return client.emit(event, *args, callback=True, namespace=namespace)


def test_methods_are_handlers_in_flasks_context(chat, client):
    assert ask(client, "say", "hi", 1) == ["heard", 1]
    assert ask(client, "said") == "hi"
    assert client.get_received("/chat") == [{"name": "said", "args": ["hi"], "namespace": "/chat"}]


def test_connect_and_disconnect(chat, client, connect):
    sid = ask(client, "sid")
    client.disconnect("/chat")
    assert connect("/chat", auth={"refuse": True}).connect_error == {"message": "not you"}
    assert chat.journal == [
        ("connect", sid, None),
        ("disconnect", sid, "client disconnect"),
        ("connect", chat.journal[2][1], {"refuse": True}),
    ]


def test_the_default_is_the_main_namespace(app):
    socketio = SocketIO(app)
    socketio.on_namespace(Chat())
    client = socketio.test_client(app)
    assert client.emit("said", callback=True) is None
    assert client.emit("say", "hi", callback=True) == "heard"
    assert client.emit("said", callback=True) == "hi"
    client.close()


def test_two_instances_of_one_class_are_two_namespaces(socketio, connect):
    first, second = Chat("/1"), Chat("/2")
    socketio.on_namespace(first)
    socketio.on_namespace(second)
    connect("/1")
    assert (len(first.journal), len(second.journal)) == (1, 0)


def test_a_method_it_has_not_is_no_event(client):
    assert ask(client, "unknown") is None
    assert ask(client, "sid") is not None


@pytest.mark.parametrize("event", ["__init__", "journal", "emit", "namespace", "on_say", "", "say__", "_do"])
def test_no_other_attribute_can_be_reached_by_an_events_name(client, event):
    assert ask(client, event) is None
    assert ask(client, "sid") is not None


def test_attributes_called_on_something_are_not_called(socketio, connect):
    class Odd(Namespace):
        on_data = "text"

        def on_ask(self):
            return "fine"

    socketio.on_namespace(Odd("/odd"))
    client = connect("/odd")
    assert ask(client, "data", namespace="/odd") is None
    assert ask(client, "ask", namespace="/odd") == "fine"


def test_inheritance_and_static_methods(socketio, connect):
    class Base(Namespace):
        def on_base(self):
            return "base"

        @staticmethod
        def on_static(value):
            return ["static", value]

        @classmethod
        def on_class(cls, value):
            return [cls.__name__, value]

    class Derived(Base):
        def on_base(self):
            return ["derived", super().on_base()]

    socketio.on_namespace(Derived("/d"))
    client = connect("/d")
    answers = [ask(client, "base", namespace="/d"), ask(client, "static", 1, namespace="/d")]
    assert [*answers, ask(client, "class", 2, namespace="/d")] == [["derived", "base"], ["static", 1], ["Derived", 2]]


def test_decorated_handlers_of_the_namespace_win(socketio, chat, connect):
    socketio.on("sid", namespace="/chat")(lambda: "decorated")
    socketio.on("more", namespace="/chat")(lambda: "mixed in")
    client = connect("/chat")
    assert [ask(client, "sid"), ask(client, "more"), ask(client, "say", "x")] == ["decorated", "mixed in", "heard"]


def test_attributes(socketio, chat):
    assert chat.namespace == "/chat"
    assert chat.socketio is socketio
    assert chat.server is socketio.server


def test_rooms(socketio, chat, client):
    sid = ask(client, "sid")
    ask(client, "do", "enter_room", "me", "r")
    assert ask(client, "do", "rooms", "me") == [sid, "r"]
    assert list(socketio.server.manager.rooms["/chat"]["r"]) == [sid]
    ask(client, "do", "leave_room", "me", "r")
    chat.enter_room(sid, "s")
    chat.close_room("s")
    assert chat.rooms(sid) == [sid]


def test_emit_and_send(socketio, chat, connect):
    first, second, main = connect("/chat"), connect("/chat"), connect("/")
    sid = ask(first, "sid")
    chat.enter_room(sid, "r")
    chat.emit("all", {"a": 1})
    chat.emit("one", 1, room=sid)
    chat.emit("room", (1, 2), "r")
    chat.emit("to", to="r")
    chat.emit("skip", skip_sid=sid)
    chat.send("message", room="r")
    chat.emit("elsewhere", namespace="/")
    got = [[(item["name"], item["args"]) for item in client.get_received("/chat")] for client in (first, second)]
    assert got == [
        [("all", [{"a": 1}]), ("one", [1]), ("room", [1, 2]), ("to", []), ("message", "message")],
        [("all", [{"a": 1}]), ("skip", [])],
    ]
    assert [item["name"] for item in main.get_received()] == ["elsewhere"]


def test_emit_without_self(chat, connect):
    first, second = connect("/chat"), connect("/chat")
    ask(first, "do", "emit", "news", 1, None, False)
    ask(first, "do", "send", "text", None, False)
    assert first.get_received("/chat") == []
    assert [item["args"] for item in second.get_received("/chat")] == [[1], "text"]


def test_call(chat, client):
    client.answer("question", lambda value=None: value)
    sid = ask(client, "sid")
    assert chat.call("question", 5, to=sid, timeout=20) == 5
    assert chat.call("question", (6,), sid=sid, timeout=20) == 6
    assert chat.call("question", sid=sid, timeout=20, ignore_queue=True) is None


def test_emit_with_a_callback(chat, client):
    answers = []
    client.answer("question", lambda: ("a", 1))
    chat.emit("question", room=ask(client, "sid"), callback=lambda *args: answers.append(args))
    wait_for(lambda: answers, "the answer comes")
    assert answers == [("a", 1)]


def test_the_session_of_python_socketio(chat, client):
    sid = ask(client, "sid")
    assert chat.get_session(sid) == {}
    chat.save_session(sid, {"name": "ann"})
    with chat.session(sid) as session:
        assert session == {"name": "ann"}
        session["age"] = 3
    assert chat.get_session(sid) == {"name": "ann", "age": 3}


def test_disconnect(chat, client):
    chat.disconnect(ask(client, "sid"))
    assert not client.is_connected("/chat")
    wait_for(lambda: len(chat.journal) == 2, "it is told")
    assert chat.journal[-1][2] == "server disconnect"


def test_shortcuts_work_in_methods(socketio, connect):
    class Short(Namespace):
        def on_enter(self):
            join_room("r")
            emit("entered", to="r")

        def on_leave(self):
            disconnect()

    socketio.on_namespace(Short("/s"))
    client = connect("/s")
    client.emit("enter", namespace="/s")
    assert client.get_received("/s") == [{"name": "entered", "args": [], "namespace": "/s"}]
    client.emit("leave", namespace="/s")
    assert not client.is_connected("/s")


def test_trigger_event_may_be_overridden(socketio, connect):
    """It is given what Flask-SocketIO gives: the name, the sid, the data (for connect the environment, then auth)."""
    seen = []

    class Watched(Namespace):
        def on_ask(self, value):
            return value * 2

        def trigger_event(self, event, *args):
            seen.append((event, args[0], args[-1] if event == "disconnect" else list(args[1:])))
            return super().trigger_event(event, *args)

    socketio.on_namespace(Watched("/w"))
    client = connect("/w", auth={"t": 1})
    assert ask(client, "ask", 21, namespace="/w") == 42
    ask(client, "unknown", namespace="/w")
    sid = socketio.server.manager.sid_from_eio_sid(client.eio_sid, "/w")
    client.disconnect("/w")
    assert [event for event, _, _ in seen] == ["connect", "ask", "unknown", "disconnect"]
    assert {given for _, given, _ in seen} == {sid}
    assert seen[0][2][-1] == {"t": 1}
    assert [rest for _, _, rest in seen[1:]] == [[21], [], "client disconnect"]
