"""What runs around the handler of an event: ``before_event``, ``after_event``, and functions of one socket alone."""

import gevent
import pytest
from flask import g, request

from extension.wire import Wire, wait_for
from flask_socketio_py import EventRefusedError, current_socket, disconnect


@pytest.fixture
def order():
    return []


def note(order, name, answer=None):
    def function(*args):
        order.append(name)
        return answer

    return function


def settle(wire):
    """Until all handlers of a client have ended."""
    wait_for(lambda: not wire.session.handler.in_flight, "all has ended")


def attach(socketio, function):
    """Let a function see each socket as it connects."""
    socketio.on("connect")(lambda: function(current_socket._get_current_object()))


def test_the_order_of_everything(socketio, connect, order):
    socketio.after_event(note(order, "after"))
    socketio.before_event(note(order, "before main"))
    socketio.before_event(note(order, "before any"), namespace="*")
    socketio.before_event(note(order, "before elsewhere"), namespace="/elsewhere")
    socketio.on("e")(note(order, "handler"))

    @socketio.on("connect")
    def connected():
        current_socket.on("e", note(order, "socket.on"))
        current_socket.once("e", note(order, "socket.once"))
        current_socket.use(note(order, "socket.use"))
        current_socket.on_any(note(order, "on_any 2"))
        current_socket.on_any(note(order, "on_any 1"), prepend=True)

    client = connect()
    client.emit("e")
    expected = ["on_any 1", "on_any 2", "before any", "before main", "socket.use", "handler", "socket.on"]
    assert order == [*expected, "socket.once", "after"]
    order.clear()
    client.emit("e")
    assert order == [*expected, "after"]


def test_before_event_may_change_the_arguments_for_all_that_follow(socketio, connect):
    seen = []

    @socketio.before_event
    def change(event, args):
        args[0] += 1
        args.append(event)

    attach(socketio, lambda socket: socket.on("e", lambda *args: seen.append(("socket", args))))
    socketio.on("e")(lambda *args: seen.append(("handler", args, request.event)) or "result")
    socketio.after_event(lambda event, args, result: seen.append(("after", event, args, result)))
    client = connect()
    assert client.emit("e", 1, callback=True) == "result"
    assert seen == [
        ("handler", (2, "e"), {"message": "e", "args": (2, "e")}),
        ("socket", (2, "e")),
        ("after", "e", [2, "e"], "result"),
    ]


@pytest.mark.parametrize("level", ["namespace", "socket"])
@pytest.mark.parametrize("handled", [True, False])
@pytest.mark.parametrize(("answer", "acknowledged"), [("cached", "cached"), ((1, 2), [1, 2]), (0, 0), (False, False)])
def test_before_event_may_answer_in_the_handlers_place(app, socketio, level, handled, answer, acknowledged):
    reached = []
    if level == "namespace":
        socketio.before_event(lambda event, args: answer)
    else:
        attach(socketio, lambda socket: socket.use(lambda event, args: answer))
    if handled:
        socketio.on("e")(lambda: reached.append("handler"))
    socketio.after_event(lambda *args: reached.append("after"))
    client = socketio.test_client(app)
    assert client.emit("e", callback=True) == acknowledged
    assert reached == []
    client.close()


@pytest.mark.parametrize("level", ["namespace", "socket"])
def test_before_event_may_refuse_without_an_acknowledgement(app, socketio, level, caplog):
    reached = []

    def refuse(event, args):
        raise EventRefusedError("secret")

    if level == "namespace":
        socketio.before_event(refuse)
    else:
        attach(socketio, lambda socket: socket.use(refuse))
    socketio.on("e")(lambda: reached.append("handler"))
    socketio.after_event(lambda *args: reached.append("after"))
    wire = Wire(app)
    wire.join()
    wire.push('27["e"]')
    settle(wire)
    assert (reached, wire.received[1:], wire.is_open) == ([], [], True)
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text
    socketio.on_error()(lambda error: f"told of {type(error).__name__}")
    wire.push('28["e"]')
    wire.wait('38["told of EventRefusedError"]')
    wire.vanish()


@pytest.mark.parametrize("where", ["before_event", "after_event", "on_any", "use", "on"])
def test_an_exception_anywhere_goes_to_the_error_handler(socketio, connect, where):
    reached = []

    def fail(*args):
        raise ValueError("on purpose")

    if where in ("before_event", "after_event"):
        getattr(socketio, where)(fail)
    else:
        attach(socketio, lambda socket: socket.on("e", fail) if where == "on" else getattr(socket, where)(fail))
    socketio.on("e")(lambda: reached.append("handler"))
    socketio.on_error()(lambda error: f"told of {error}")
    assert connect().emit("e", callback=True) == "told of on purpose"
    assert reached == (["handler"] if where in ("after_event", "on") else [])


def test_after_event_may_change_the_acknowledgement(socketio, connect):
    socketio.on("e")(lambda *args: args)
    socketio.on("nothing")(lambda: None)
    socketio.after_event(lambda event, args, result: {"event": event, "result": result})
    socketio.after_event(lambda event, args, result: None)
    client = connect()
    assert client.emit("e", 1, 2, callback=True) == {"event": "e", "result": [1, 2]}
    assert client.emit("nothing", callback=True) == {"event": "nothing", "result": None}


def test_an_event_nobody_handles_is_not_acknowledged(app, socketio):
    reached = []
    socketio.before_event(note(reached, "before"))
    socketio.after_event(note(reached, "after"))
    attach(socketio, lambda socket: socket.on_any(note(reached, "on_any", "answer")))
    wire = Wire(app)
    wire.join()
    wire.push('27["unknown"]', '28["unknown",1]')
    settle(wire)
    assert wire.received[1:] == []
    assert reached == ["on_any", "before"] * 2
    wire.vanish()


def test_a_socket_that_middleware_disconnects_reaches_no_handler(app, socketio):
    reached = []
    socketio.before_event(lambda event, args: disconnect())
    attach(socketio, lambda socket: socket.on("e", note(reached, "socket.on")))
    socketio.on("e")(note(reached, "handler"))
    wire = Wire(app)
    wire.join()
    wire.push('27["e"]')
    settle(wire)
    assert (reached, wire.received[1:]) == ([], ["1"])
    wire.vanish()


def test_all_of_it_runs_in_one_context(socketio, connect):
    @socketio.before_event
    def before(event, args):
        g.trail = [event]

    attach(socketio, lambda socket: socket.on("e", lambda: g.trail.append("socket")))
    socketio.on("e")(lambda: g.trail.append(request.sid == current_socket.id))
    socketio.after_event(lambda event, args, result: g.trail)
    assert connect().emit("e", callback=True) == ["e", True, "socket"]


def test_the_first_result_that_is_not_none_is_acknowledged(socketio, connect):
    @socketio.on("connect")
    def connected():
        current_socket.on("e")(lambda: None)
        current_socket.on("e")(lambda: 2)
        current_socket.on("e")(lambda: 3)
        current_socket.on("f")(lambda: 4)

    socketio.on("f")(lambda: False)
    client = connect()
    assert client.emit("e", callback=True) == 2
    assert client.emit("f", callback=True) is False


def test_functions_of_one_socket_are_not_anothers(socketio, connect):
    sockets = []
    attach(socketio, sockets.append)
    first, second = connect(), connect()
    sockets[0].on("e", lambda: "mine")
    assert first.emit("e", callback=True) == "mine"
    assert second.emit("e", callback=True) is None  # nobody handles it, so nobody acknowledges
    sockets[0].off("e")
    assert first.emit("e", callback=True) is None


def test_a_handler_for_once_runs_once_however_many_events_come_at_once(app, socketio):
    gate, ran = gevent.event.Event(), []
    attach(socketio, lambda socket: socket.once("e", lambda: ran.append(1)))
    socketio.on("e")(lambda: gate.wait() and None)
    wire = Wire(app)
    wire.join()
    wire.push('2["e"]', '2["e"]', '2["e"]')
    gate.set()
    settle(wire)
    assert ran == [1]
    wire.vanish()


def test_the_end_is_told_with_the_rooms_still_there(socketio, connect, order):
    @socketio.on("connect")
    def connected():
        socket = current_socket._get_current_object()
        socket.join("room")
        for event in ("disconnect", "disconnecting"):
            socket.on(event, lambda reason, event=event: order.append((event, reason, socket.rooms[1:])))

    socketio.on("disconnect")(lambda reason: order.append(("handler", reason, current_socket.rooms[1:])))
    connect().disconnect()
    assert order == [
        ("disconnecting", "client disconnect", ["room"]),
        ("handler", "client disconnect", ["room"]),
        ("disconnect", "client disconnect", ["room"]),
    ]


def test_the_end_is_told_to_all_whoever_fails(socketio, connect, order):
    def fail(reason):
        order.append("failing")
        raise ValueError("on purpose")

    def connected(socket):
        socket.on("disconnecting", fail)
        socket.on("disconnect", fail)
        socket.on("disconnect", lambda reason: order.append("last"))

    attach(socketio, connected)
    socketio.on_error()(lambda error: order.append(str(error)))
    connect().disconnect()
    assert order == ["failing", "failing", "last", "on purpose"]
    assert socketio._serving().of("/").sockets == {}


def test_what_can_not_be_registered(socketio, connect):
    for decorator in (socketio.before_event, socketio.after_event, socketio.of("/x").before_event):
        with pytest.raises(TypeError, match="must be given a function"):
            decorator(1)
    with pytest.raises(ValueError, match="there is no adapter event"):
        socketio.on_adapter_event("join")
    with pytest.raises(TypeError, match="must be given a function"):
        socketio.on_adapter_event("join-room")(1)


def test_rooms_are_told_of(socketio, connect, order, caplog):
    for event in ("create-room", "join-room", "leave-room", "delete-room"):
        socketio.on_adapter_event(event)(lambda *args, event=event: order.append((event, *args)))
    socketio.on_adapter_event("join-room")(lambda room, sid: 1 / 0)
    client = connect()
    [sid] = socketio.sockets
    socketio.sockets_join("room")
    socketio.sockets_join("room")
    client.disconnect()
    assert order == [
        ("create-room", sid), ("join-room", sid, sid), ("create-room", "room"), ("join-room", "room", sid),
        ("leave-room", "room", sid), ("delete-room", "room"), ("leave-room", sid, sid), ("delete-room", sid),
    ]  # fmt: skip
    assert {record.message for record in caplog.records} == {"an on_adapter_event function failed"}


@pytest.mark.parametrize("namespace", [None, "/", "/late"])
def test_rooms_of_a_namespace_that_there_is_already(socketio, connect, order, namespace):
    socketio.on("e", namespace="/late")(lambda: None)
    connect(namespace)
    socketio.of(namespace or "/").on_adapter_event("join-room")(lambda room, sid: order.append(room))
    socketio.of(namespace or "/").sockets_join("room")
    assert order == ["room"]
