"""A server's socket emits to the official client: arguments, order, acknowledgements, timeouts, reserved names.

Node: ``test/socket.ts``, ``test/socket-timeout.ts``.
"""

import pytest

from tests.live.remote import IO, SOCKET, RemoteError, callback, do, do_all
from tests.live.servers import Server


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app") as server:
        yield server


@pytest.fixture
def client(connect):
    """Over each transport in turn."""
    return connect()


@pytest.fixture
def one(js, server):
    """Where the transport does not matter."""
    client = js.open(server.url, transports=["websocket"])
    client.sid()
    return client


RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")


@pytest.mark.parametrize("event", RESERVED)
@pytest.mark.parametrize("emitter", [SOCKET, SOCKET.broadcast, IO, IO.of("/guarded")], ids=["socket", "b", "io", "of"])
def test_reserved_names_are_refused_at_the_emit(one, emitter, event):
    with pytest.raises(RemoteError) as caught:
        do(one, emitter.emit(event))
    assert (caught.value.name, event in caught.value.text) == ("ValueError", True)
    assert one.call("echo", 1) == 1


def test_events_arrive_in_order_with_all_their_arguments(client):
    text = [1, "two", {"three": [3, None]}, [], True, None, -1.5]
    binary = [b"\x00bytes", "between", {"deep": [b"more"]}]
    sent = [(f"e{number}", [number, *(text if number % 5 else binary)]) for number in range(20)]
    do(client, *(SOCKET.emit(event, *args) for event, args in sent), SOCKET.emit("bare"))
    client.wait("event", event="bare")
    assert [(entry["event"], entry["args"]) for entry in client.found("event")] == [*sent, ("bare", [])]


def test_send_is_a_message_event(client):
    do(client, SOCKET.send("one", 2), IO.send("three"), IO.of("/").send("four", 5), SOCKET.to("nobody").send("six"))
    client.wait("event", 3, event="message")
    client.call("echo")
    assert client.received("message") == [["one", 2], ["three"], ["four", 5]]


def test_an_event_of_any_name_is_just_an_event(client):
    names = ["constructor", "__proto__", "toString", "hasOwnProperty", "*", "", "ünïcode 🐎"]
    for name in names:
        client.emit(name, "to the server, where nobody handles it")
    do(client, *(SOCKET.emit(name, 1) for name in names))
    client.wait("event", len(names))
    assert [entry["event"] for entry in client.found("event")] == names


def test_emit_with_callback_gets_all_arguments(client):
    client.answer("question", 1, "two", b"three")
    do(client, SOCKET.emit("question", 42, callback=callback("answered")))
    assert client.wait_event("called back") == ["answered", 1, "two", b"three"]
    assert client.received("question") == [[42]]


def test_emit_with_ack_returns_the_first_argument(client):
    client.answer("question", "first", "second")
    assert do(client, SOCKET.emit_with_ack("question", 1)) == "first"
    assert do(client, SOCKET.timeout(20).emit_with_ack("question", 1)) == "first"


def test_emit_with_ack_of_an_empty_answer_is_none(client):
    client.driver.command("answer", client=client.name, event="question", args=[], delay=0)
    assert do(client, SOCKET.emit_with_ack("question")) is None


def test_call_returns_all_arguments(client):
    client.answer("question", 1, 2)
    assert do(client, SOCKET.call("question", timeout=20)) == [1, 2]


def test_timeout_emit_callback_gets_an_error(client):
    do(client, SOCKET.timeout(0.05).emit("unanswered", 1, callback=callback("over")))
    name, error = client.wait_event("called back")
    assert (name, error["error"], error["text"]) == ("over", "TimeoutError", "operation has timed out")
    assert client.received("unanswered") == [[1]]


def test_timeout_emit_callback_gets_the_answer(client):
    client.answer("question", "yes", 2)
    do(client, SOCKET.timeout(20).emit("question", callback=callback("answered")))
    assert client.wait_event("called back") == ["answered", None, "yes", 2]


def test_timeout_emit_with_ack_raises(client):
    with pytest.raises(RemoteError) as caught:
        do(client, SOCKET.timeout(0.05).emit_with_ack("unanswered"))
    assert caught.value.name == "TimeoutError"


def test_late_ack_is_ignored(client):
    client.answer("slow", "late", delay=300)
    do(client, SOCKET.timeout(0.05).emit("slow", callback=callback("slow")))
    assert client.wait_event("called back")[1]["error"] == "TimeoutError"
    client.answer("slower", "in time", delay=400)
    assert do(client, SOCKET.timeout(20).emit_with_ack("slower")) == "in time", "by now the late one has arrived, too"
    assert len(client.received("called back")) == 1


def test_a_timeout_applies_to_its_own_emit_only(client):
    client.answer("slow", "in time", delay=200)
    do(
        client,
        SOCKET.timeout(0.05).emit("unanswered", callback=callback("first")),
        SOCKET.emit("slow", callback=callback("second")),
    )
    client.wait_event("called back", 2)
    first, second = client.received("called back")
    assert (first[0], first[1]["error"], second) == ("first", "TimeoutError", ["second", "in time"])


@pytest.mark.parametrize("seconds", [0, -1, True, "1"])
def test_a_timeout_that_is_no_time_is_refused(one, seconds):
    for emitter in (SOCKET, IO, SOCKET.volatile):
        with pytest.raises(RemoteError, match="timeout must be a number of seconds above 0"):
            do(one, emitter.timeout(seconds).emit("never"))


def test_without_a_timeout_the_option_decides(js):
    with Server("tests.live.apps.surface:app", options={"default_ack_timeout": 0.1}) as server:
        client = js.open(server.url, transports=["websocket"])
        client.sid()
        for asked in (SOCKET.emit_with_ack("unanswered"), SOCKET.call("unanswered"), IO.emit_with_ack("unanswered")):
            with pytest.raises(RemoteError) as caught:
                do(client, asked)
            assert caught.value.name in ("TimeoutError", "BroadcastTimeoutError")
        js.forget_clients()


def test_who_waits_learns_that_the_client_has_gone(connect):
    asker, other = connect(), connect(reconnection=False)
    sid = other.sid()
    do(
        asker,
        IO.sockets[sid].timeout(20).emit("unanswered", callback=callback("gone")),
        IO.to(sid).timeout(20).emit("unanswered", callback=callback("all gone")),
    )
    other.wait_event("unanswered", 2)
    other.disconnect()
    asker.wait_event("called back", 2)
    found = {name: error for name, error, *_ in asker.received("called back")}
    assert found["gone"]["error"] == "DisconnectedError"
    assert (found["all gone"]["error"], found["all gone"]["missing"]) == ("BroadcastTimeoutError", [sid])


def test_acks_and_events_keep_their_order(client):
    client.answer("question", "answer")
    found = do_all(client, SOCKET.emit("before"), SOCKET.emit_with_ack("question"), SOCKET.emit("after"))
    assert found == [None, "answer", None]
    client.wait("event", event="after")
    assert [entry["event"] for entry in client.found("event")] == ["before", "question", "after"]


def test_a_very_large_event_arrives_whole(client):
    do(client, SOCKET.emit("large", {"text": "é" * 200_000, "bytes": bytes(range(256)) * 1000}))
    [large] = client.wait_event("large")
    assert large == {"text": "é" * 200_000, "bytes": bytes(range(256)) * 1000}


def test_compress_is_accepted_by_every_emitter(client):
    do(client, SOCKET.compress(False).emit("a", 1), IO.compress(False).emit("b", 2), IO.compress(True).emit("c", 3))
    client.wait("event", event="c")
    assert [entry["args"] for entry in client.found("event")] == [[1], [2], [3]]
