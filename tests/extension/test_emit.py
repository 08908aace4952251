"""``socketio.emit`` and ``send``, and their twins for handlers: who receives what."""

import pytest
from flask import request

from extension.wire import Wire, wait_for
from flask_socketio_py import SocketIO, emit, join_room, send


@pytest.fixture
def clients(socketio, connect):
    """Three clients, two of them in the room "hall", one in "kitchen" too; their sids as ``.sid``."""
    socketio.on("join")(lambda *rooms: [join_room(room) for room in rooms] and request.sid)
    clients = [connect() for _ in range(3)]
    for client, rooms in zip(clients, [["hall"], ["hall", "kitchen"], ["attic"]], strict=True):
        client.sid = client.emit("join", *rooms, callback=True)
    return clients


def receivers(clients):
    return [[item["args"][0] for item in client.get_received()] for client in clients]


TARGETS = [
    ({}, [1, 1, 1]),
    ({"to": "hall"}, [1, 1, 0]),
    ({"room": "kitchen"}, [0, 1, 0]),
    ({"to": ["hall", "kitchen"]}, [1, 1, 0]),
    ({"room": ["attic", "kitchen"]}, [0, 1, 1]),
    ({"to": ("attic", "hall")}, [1, 1, 1]),
    ({"to": "nobody"}, [0, 0, 0]),
    ({"to": "hall", "room": "attic"}, [1, 1, 0]),
    ({"to": 0}, [1, 0, 0]),
    ({"to": [0, 2]}, [1, 0, 1]),
    ({"to": ["hall", 2]}, [1, 1, 1]),
    ({"skip_sid": 0}, [0, 1, 1]),
    ({"skip_sid": [0, 2]}, [0, 1, 0]),
    ({"skip_sid": (0, 2)}, [0, 1, 0]),
    ({"to": "hall", "skip_sid": 1}, [1, 0, 0]),
    ({"to": "hall", "skip_sid": 2}, [1, 1, 0]),
    ({"to": 0, "skip_sid": 0}, [0, 0, 0]),
    ({"broadcast": True}, [1, 1, 1]),
    ({"ignore_queue": True}, [1, 1, 1]),
    ({"namespace": None}, [1, 1, 1]),
    ({"namespace": "/elsewhere"}, [0, 0, 0]),
    ({"volatile": True}, [1, 1, 1]),
]


def with_sids(options, clients):
    """Numbers stand for the clients' sids."""

    def sid(value):
        return clients[value].sid if type(value) is int else value

    return {
        name: type(value)(map(sid, value))
        if isinstance(value, list | tuple)
        else value
        if value is True
        else sid(value)
        for name, value in options.items()
    }


@pytest.mark.parametrize(("options", "expected"), TARGETS, ids=str)
def test_emit_from_outside(socketio, clients, options, expected):
    socketio.emit("news", 1, **with_sids(options, clients))
    assert [len(got) for got in receivers(clients)] == expected


@pytest.mark.parametrize(("options", "expected"), [case for case in TARGETS if "volatile" not in case[0]], ids=str)
def test_send_from_outside(socketio, clients, options, expected):
    socketio.send("text", **with_sids(options, clients))
    got = [client.get_received() for client in clients]
    assert [len(items) for items in got] == expected
    assert all(item == {"name": "message", "args": "text", "namespace": "/"} for items in got for item in items)


INSIDE = [
    ({}, [1, 0, 0]),
    ({"broadcast": True}, [1, 1, 1]),
    ({"broadcast": True, "include_self": False}, [0, 1, 1]),
    ({"to": "hall"}, [1, 1, 0]),
    ({"to": "hall", "include_self": False}, [0, 1, 0]),
    ({"room": "attic"}, [0, 0, 1]),
    ({"to": ["hall", "attic"], "include_self": False}, [0, 1, 1]),
    ({"broadcast": True, "skip_sid": 1}, [1, 0, 1]),
    ({"broadcast": True, "skip_sid": [0, 1]}, [0, 0, 1]),
    ({"to": 2}, [0, 0, 1]),
    ({"to": "hall", "broadcast": True}, [1, 1, 0]),
    ({"include_self": False}, [0, 0, 0]),
    ({"namespace": "/elsewhere", "broadcast": True}, [0, 0, 0]),
    ({"ignore_queue": True}, [1, 0, 0]),
    ({"unknown_option": 1}, [1, 0, 0]),
]


@pytest.mark.parametrize("function", [emit, send])
@pytest.mark.parametrize(("options", "expected"), INSIDE, ids=str)
def test_emit_and_send_in_a_handler(socketio, clients, function, options, expected):
    given = with_sids(options, clients)
    socketio.on("go")(lambda: function("news", **given) if function is send else function("news", 1, **given))
    clients[0].emit("go")
    assert [len(client.get_received()) for client in clients] == expected


def test_methods_in_a_handler_reach_everybody_but_self_if_asked(socketio, clients):
    @socketio.on("go")
    def go():
        socketio.emit("news", "all")
        socketio.emit("news", "others", include_self=False)
        socketio.send("sent", include_self=False)

    clients[0].emit("go")
    assert receivers(clients) == [["all"], ["all", "others", "s"], ["all", "others", "s"]]


def test_json_messages(socketio, clients):
    socketio.on("go")(lambda: send({"a": 1}, json=True))
    clients[0].emit("go")
    socketio.send({"b": 2}, json=True, to=clients[0].sid)
    assert [(item["name"], item["args"]) for item in clients[0].get_received()] == [
        ("json", {"a": 1}),
        ("json", {"b": 2}),
    ]


def test_emit_from_an_http_route(app, socketio, clients):
    @app.route("/tell/<room>")
    def tell(room):
        socketio.emit("news", "over HTTP", to=room)
        return "told"

    assert app.test_client().get("/tell/hall").data == b"told"
    assert receivers(clients) == [["over HTTP"], ["over HTTP"], []]


@pytest.mark.parametrize("function", [emit, send])
@pytest.mark.parametrize("namespace", ["", None, "/"], ids=repr)
def test_a_namespace_that_is_given_is_meant_even_if_it_is_empty(socketio, connect, function, namespace):
    """An empty one is the main namespace, not the one of the event."""
    socketio.on("go", namespace="/n")(lambda: function("news", namespace=namespace, broadcast=True))
    main, other = connect(), connect("/n")
    other.emit("go", namespace="/n")
    assert len(main.get_received()) == 1
    assert other.get_received("/n") == []


def test_without_namespace_it_is_that_of_the_event(socketio, connect):
    socketio.on("go", namespace="/n")(lambda: emit("news", 1, broadcast=True))
    main, other = connect(), connect("/n")
    other.emit("go", namespace="/n")
    assert main.get_received() == []
    assert other.get_received("/n") == [{"name": "news", "args": [1], "namespace": "/n"}]


def test_the_fluent_form(socketio, clients):
    socketio.to("hall").except_("kitchen").emit("news", "hall but not kitchen")
    socketio.to("kitchen", "attic").emit("news", "both")
    socketio.to().volatile.emit("news", "all")
    assert receivers(clients) == [["hall but not kitchen", "all"], ["both", "all"], ["both", "all"]]


def test_a_client_gets_one_copy_however_many_rooms_it_is_in(socketio, clients):
    socketio.emit("news", 1, to=["hall", "kitchen", clients[1].sid])
    assert receivers(clients) == [[1], [1], []]


def test_order_of_emits_is_kept(socketio, clients):
    for number in range(50):
        socketio.emit("news", number, to="hall" if number % 2 else None)
    assert receivers(clients)[0] == list(range(50))
    assert receivers(clients)[0] == []


def test_emits_before_anybody_connected_go_nowhere(app):
    socketio = SocketIO(app)
    socketio.emit("news", 1)
    socketio.send("x", to="room", callback=print)
    socketio.close_room("room")


def test_a_callback_is_called_with_the_answer(app, socketio):
    answers = []
    wire = Wire(app)
    sid = wire.join()
    wire.received.clear()
    socketio.emit("q", 1, to=sid, callback=lambda *args: answers.append(args))
    socketio.send("q", to=sid, callback=lambda *args: answers.append(args))
    first, second = (str(item)[1 : str(item).index("[")] for item in wire.received)
    assert first != second
    wire.push(f'3{second}["b",2]', f"3{first}[]")
    wait_for(lambda: len(answers) == 2, "both answers came")
    assert answers == [("b", 2), ()]
    wire.push(f"3{first}[]", "3999[]")
    socketio.emit("still here")
    wire.wait('2["still here"]')
    assert len(answers) == 2, "neither a second answer nor an invented one counts"
    wire.vanish()
