"""An application written for Flask-SocketIO, seen by the official client: handlers, acks, rooms, errors, namespaces.

Every test runs under each host and over each transport alone.
"""

import pytest

VALUES = [
    ("none", []),
    ("string", ["one"]),
    ("list", [[1, 2]]),
    ("tuple", [1, "two", {"three": 3}]),
    ("empty tuple", []),
    ("bytes", [b"\x00\x01\xfe\xff"]),
    ("nested bytes", [{"a": b"a", "deep": [{"b": b""}, b"\x00" * 3]}]),
]


def test_return_value_is_the_ack(connect):
    client = connect()
    for name, expected in VALUES:
        assert client.call_for_all("return", name) == expected, name


def test_emitted_tuple_expands_and_list_is_one_argument(connect):
    client = connect()
    client.emit("emit", "tuple")
    client.emit("emit", "list")
    client.emit("emit", "nested bytes")
    assert client.wait_event("value", 3) == [{"a": b"a", "deep": [{"b": b""}, b"\x00" * 3]}]
    assert client.received("value")[:2] == [[1, "two", {"three": 3}], [[1, 2]]]


@pytest.mark.parametrize("args", [[], [1], [None, "two", [3], {"four": 4.5}], [b"five", {"six": [b"6"]}]])
def test_arguments_arrive_as_they_were_sent(connect, args):
    client = connect()
    client.emit("bounce", *args)
    assert client.wait_event("bounced") == args


def test_all_ways_to_register_a_handler(connect):
    client = connect()
    assert client.call("named_by_its_function", 1) == ["event", 1]
    assert client.call("added with on_event", 2) == ["on_event", 2]
    assert connect("/legacy").call("shout", "hey") == "HEY"


def test_message_and_json(connect):
    client = connect()
    client.emit("message", "text")
    client.emit("message", b"bytes")
    client.emit("json", {"a": [1]})
    assert client.wait_event("json") == [{"a": [1]}]
    assert client.received("message") == [["text"], [b"bytes"]]


def test_callback_runs_in_the_context_of_the_client(connect):
    client = connect()
    client.answer("question", "yes", 2)
    client.emit("ask with callback")
    assert client.wait_event("question") == [42]
    assert client.wait_event("answered") == [{"args": ["yes", 2], "sid": client.sid()}]


def test_call_waits_for_the_answer_inside_a_handler(connect):
    client, other = connect(), connect()
    client.answer("question")
    other.answer("question", {"from": "other"}, b"bytes")
    assert client.call("ask and wait", [1, 2]) == [1, 2]
    assert client.call("ask another and wait", other.sid(), "well?") == [{"from": "other"}, b"bytes"]
    assert other.received("question") == [["well?"]]


def test_call_gives_up(connect):
    assert connect().call("ask in vain") == "TimeoutError"


def test_unhandled_event_is_ignored(connect):
    client = connect()
    client.emit("nobody handles this", 1, b"2")
    assert client.call("echo", "next") == "next"


def told(clients):
    """What each of the clients has been told; a round trip first, so that what is on the way has arrived."""
    for client in clients:
        client.call("echo")
    return [[args[0] for args in client.received("told")] for client in clients]


def test_rooms(connect, key):
    alice, bob, carol = clients = [connect(), connect(), connect()]
    room = "room " + key
    assert alice.call("join", room) == sorted([alice.sid(), room])
    bob.call("join", room)
    carol.emit("tell", "to all", {"to": room})
    carol.call("echo")
    alice.emit("tell", "to others", {"to": room, "include_self": False})
    alice.call("echo")
    alice.emit("tell", "by old name", {"room": room})
    alice.call("echo")
    assert bob.call("leave", room) == [bob.sid()]
    alice.emit("tell", "after bob left", {"to": room})
    alice.call("echo")
    assert told(clients) == [
        ["to all", "by old name", "after bob left"],
        ["to all", "to others", "by old name"],
        [],
    ]


def test_emit_without_a_room_answers_the_sender(connect):
    client, other = connect(), connect()
    client.emit("tell", "me", {})
    assert client.wait_event("told") == ["me"]
    assert told([other]) == [[]]


def test_broadcast_and_skip_sid(connect):
    alice, bob, _ = clients = [connect(), connect(), connect()]
    for data, options in [
        ("all", {"broadcast": True}),
        ("others", {"broadcast": True, "include_self": False}),
        ("not bob", {"broadcast": True, "skip_sid": bob.sid()}),
        ("only carol", {"broadcast": True, "skip_sid": [alice.sid(), bob.sid()]}),
        ("all, extension", {"extension": True}),
        ("others, extension", {"extension": True, "include_self": False}),
        ("only bob", {"to": bob.sid()}),
    ]:
        alice.emit("tell", data, options)
        alice.call("echo")
    assert told(clients) == [
        ["all", "not bob", "all, extension"],
        ["all", "others", "all, extension", "others, extension", "only bob"],
        ["all", "others", "not bob", "only carol", "all, extension", "others, extension"],
    ]


def test_list_of_rooms_reaches_each_client_once(connect, key):
    alice, bob, carol = clients = [connect(), connect(), connect()]
    for client, rooms in [(alice, ["one", "two"]), (bob, ["two"])]:
        for room in rooms:
            client.call("join", room + key)
    carol.emit("tell", "once", {"extension": True, "to": ["one" + key, "two" + key]})
    carol.call("echo")
    assert told(clients) == [["once"], ["once"], []]


def test_close_room(connect, key):
    alice, bob = clients = [connect(), connect()]
    for client in clients:
        client.call("join", key)
    alice.emit("close", key)
    alice.call("echo")
    bob.emit("tell", "nobody", {"to": key})
    bob.call("echo")
    assert told(clients) == [[], []]


def test_another_client_is_put_into_a_room(connect, key):
    alice, bob = clients = [connect(), connect()]
    assert key in alice.call("join", key, bob.sid())
    alice.emit("tell", "hello bob", {"to": key})
    alice.call("echo")
    assert told(clients) == [[], ["hello bob"]]


def test_server_disconnects_the_caller_or_another(connect, server, key):
    alice, bob = connect(), connect()
    alice.emit("kick", bob.sid())
    assert bob.wait("disconnect")["reason"] == "io server disconnect"
    assert alice.call("echo", "still here") == "still here"
    alice.emit("kick")
    assert alice.wait("disconnect")["reason"] == "io server disconnect"
    ends = [entry for entry in server.wait_journal(key, 4) if "disconnect" in entry]
    assert [(entry["disconnect"], entry["reason"]) for entry in ends] == [
        (bob.sid(), "server disconnect"),
        (alice.sid(), "server disconnect"),
    ]


def test_disconnect_handler_still_knows_the_rooms_and_may_emit(connect, server, key):
    watcher, leaver = connect(), connect()
    watcher.call("join", "watchers")
    leaver.call("join", key)
    leaver.disconnect()
    assert watcher.wait_event("somebody left") == [key]
    assert server.wait_journal(key, 3)[-1] == {
        "disconnect": leaver.sid(),
        "reason": "client disconnect",
        "rooms": [key],
    }


def test_error_handler_of_the_namespace_answers(connect, server, key):
    client = connect()
    for kind, name in [("value", "ValueError"), ("type", "TypeError")]:
        assert client.call("fail", kind) == {"error": name, "event": "fail", "args": [kind]}
    assert server.journal(key)[1:] == ["value", "type"], "a handler that raises TypeError is not run again"


def test_legacy_handlers_without_arguments(connect, server, key):
    client = connect("/legacy", auth={"ignored": True})
    assert client.call("echo", 1) == 1
    client.disconnect()
    connected, disconnected = server.wait_journal(key, 2)
    assert connected["connect"] == "/legacy"
    assert "key" in connected["args"]
    assert disconnected == {"disconnect": "/legacy"}


def test_class_namespace(connect, server, key):
    alice, bob = connect("/chat", auth={"name": "alice"}), connect("/chat")
    assert alice.call("enter") == ["lobby"]
    bob.call("enter")
    assert alice.call("say", "hi") == "heard"
    assert bob.wait_event("said") == [{"text": "hi", "sid": alice.sid()}]
    assert alice.wait_event("said") == [{"text": "hi", "sid": alice.sid()}]
    bob.answer("question", "fine")
    assert bob.call("ask", "how are you?") == "fine"
    bob.emit("message", "sent by class")
    assert bob.wait_event("message") == ["sent by class"]
    bob.emit("leave_me")
    bob.wait("disconnect")
    assert server.wait_journal(key, 3) == [
        {"connect": "/chat", "auth": {"name": "alice"}},
        {"connect": "/chat", "auth": None},
        {"disconnect": "/chat", "reason": "server disconnect"},
    ]


def test_catch_all(connect):
    client = connect("/all")
    assert client.call("anything at all", 1, b"2") == ["caught", "anything at all", 1, b"2"]
    assert client.call("known", 1) == ["known", 1]


def test_namespaces_of_one_connection_are_apart(connect, key):
    main = connect()
    chat = connect("/chat", share=main)
    assert main.sid() != chat.sid()
    main.call("join", "lobby")
    chat.call("enter")
    chat.call("say", "only in the chat")
    assert main.call("echo", "round trip") == "round trip"
    assert main.received("said") == []
    chat.disconnect()
    assert main.call("echo", "still here") == "still here"
