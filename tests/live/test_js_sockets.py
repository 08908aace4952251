"""A server's socket of an official client: attributes, rooms, functions of its own, middleware, the end.

Node: ``test/socket.ts``, ``test/socket-middleware.ts``.
"""

import re

import pytest

from tests.live.remote import IO, SOCKET, RemoteError, callback, do, do_all, function, setting
from tests.live.servers import Server, wait_for


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app") as server:
        yield server


@pytest.fixture
def client(connect):
    """Over each transport in turn."""
    return connect()


@pytest.fixture
def one(js, server, key):
    """Where the transport does not matter."""
    client = js.open(server.url, transports=["websocket"], query={"key": key})
    client.sid()
    return client


@pytest.fixture
def notes(server, key):
    """What the server's functions noted since the connect."""
    return lambda: [entry for entry in server.journal(key) if isinstance(entry, list)]


# -- attributes ------------------------------------------------------------------------------------------------------


def test_attributes(client, transport):
    found = do_all(
        client,
        SOCKET.id,
        SOCKET.connected,
        SOCKET.disconnected,
        SOCKET.recovered,
        SOCKET.rooms,
        SOCKET.transport,
        SOCKET.namespace.name,
        SOCKET.data,
        SOCKET.conn.sid,
    )
    assert found[:-1] == [client.sid(), True, False, False, [client.sid()], transport, "/", {}]
    assert found[-1] != client.sid(), "the id of the connection is another, and secret"


def test_handshake(js, server, transport):
    options = {"query": {"name": "a b&c", "empty": ""}, "extraHeaders": {"X-Live": "yes"}, "transports": [transport]}
    client = js.open(server.url, auth={"token": "ü", "list": [1]}, **options)
    client.sid()
    found = do(client, SOCKET.handshake)
    assert found["auth"] == {"token": "ü", "list": [1]}
    assert {name: found["query"][name] for name in ("name", "empty", "EIO", "transport")} == {
        "name": "a b&c",
        "empty": "",
        "EIO": "4",
        "transport": transport,
    }
    assert found["headers"]["x-live"] == "yes"
    assert (found["address"], found["secure"], found["xdomain"]) == ("127.0.0.1", False, False)
    assert found["url"].startswith("/socket.io/?")
    assert isinstance(found["issued"], int)
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", found["time"])
    assert do(js_without_auth(js, server), SOCKET.handshake.auth) == {}


def js_without_auth(js, server):
    client = js.open(server.url, transports=["websocket"])
    client.sid()
    return client


def test_data_stays_with_the_socket(connect):
    a, b = connect(), connect()
    do(a, SOCKET.data.update({"name": "a"}))
    do(b, setting(SOCKET, "data", ["anything"]))
    assert [do(client, SOCKET.data) for client in (a, b)] == [{"name": "a"}, ["anything"]]


def test_conn_is_the_connection_of_all_namespaces(one, connect):
    other = one.driver.open("", "/guarded", share=one)
    other.sid()
    assert do(one, SOCKET.conn.sid) == do(other, SOCKET.conn.sid)
    assert one.sid() != other.sid()


# -- rooms -----------------------------------------------------------------------------------------------------------


def test_join_and_leave(client):
    do(client, SOCKET.join("a"), SOCKET.join("b", "c"), SOCKET.join(["d", "e"]), SOCKET.join("a"), SOCKET.leave("b"))
    assert sorted(set(do(client, SOCKET.rooms)) - {client.sid()}) == ["a", "c", "d", "e"]
    do(client, SOCKET.leave("a", "c", "d", "e", "never joined"))
    assert do(client, SOCKET.rooms) == [client.sid()]


def test_the_room_of_another_socket_is_closed(connect):
    a, b = connect(), connect()
    with pytest.raises(RemoteError, match="own room"):
        do(a, SOCKET.join(b.sid()))


def test_join_after_disconnect_is_a_no_op(connect):
    asker, client = connect(), connect(reconnection=False)
    client.emit("do", SOCKET.disconnect()._steps, SOCKET.join("late")._steps, SOCKET.emit("late", 1)._steps)
    client.wait("disconnect")
    assert do(asker, IO.to("late").count()) == 0
    assert client.received("late") == []


def test_rooms_are_left_at_the_end(connect, server, key):
    asker, client = connect(), connect()
    do(client, SOCKET.join("x", "y"))
    assert do(asker, IO.to("x").count()) == 1
    client.disconnect()
    [gone] = wait_for(lambda: [entry for entry in server.journal(key) if "disconnect" in entry], "the disconnect")
    assert gone["rooms"] == ["x", "y"], "they are still there in the disconnect handler"
    assert do_all(asker, IO.to("x").count(), IO.to("y").count()) == [0, 0]


# -- functions of its own --------------------------------------------------------------------------------------------


def test_on_once_off(one, notes):
    do(one, SOCKET.on("own", function("own")), SOCKET.once("once", function("own")))
    assert do_all(one, SOCKET.event_names(), SOCKET.listeners("own").__len__()) == [["own", "once"], 1]
    assert [one.call("own", 1), one.call("once", 2), one.call("own", 3)] == ["own answer"] * 3
    one.emit("once", "too late")
    do(one, SOCKET.off("own", function("own")))
    one.emit("own", "too late")
    one.call("echo")
    assert notes() == [["own", 1], ["own", 2], ["own", 3]]
    assert do(one, SOCKET.event_names()) == []


def test_the_applications_handler_answers_first(one, notes):
    do(one, SOCKET.on("echo", function("own")))
    assert one.call("echo", 1) == 1
    assert notes() == [["own", 1]], "both ran"


def test_disconnecting_is_told_before_rooms_are_left(connect, notes):
    asker, client = connect(), connect(reconnection=False)
    do(client, SOCKET.join("x"), SOCKET.on("disconnecting", function("own")), SOCKET.on("disconnect", function("own")))
    client.disconnect()
    wait_for(lambda: len(notes()) == 2, "both are told")
    assert notes() == [["own", "client disconnect"]] * 2
    assert asker.call("echo", 1) == 1


def test_on_any_sees_every_event_before_its_handler(client, notes):
    do(client, SOCKET.on_any(function("watch")), SOCKET.on_any(function("watch_first"), prepend=True))
    client.emit("nobody handles this", 1)
    client.emit("note", "two", 3)
    client.call("echo")
    assert notes() == [
        ["first", "nobody handles this", 1],
        ["watch", "nobody handles this", 1],
        ["first", "note", "two", 3],
        ["watch", "note", "two", 3],
        ["note", "two", 3],
        ["first", "echo"],
        ["watch", "echo"],
    ]
    do(client, SOCKET.off_any(function("watch")))
    client.call("echo", "last")
    assert notes()[-1] == ["first", "echo", "last"]
    do(client, SOCKET.off_any())
    client.call("echo")
    assert notes()[-1][:2] == ["first", "do"], "the last that was seen is the event that stopped it"


def test_on_any_outgoing_sees_emits_and_broadcasts_but_no_acks(client, notes, connect):
    other = connect()
    do(client, SOCKET.on_any_outgoing(function("watch_outgoing")), SOCKET.join("x"))
    do(client, SOCKET.emit("direct", 1), IO.emit("to all", 2), IO.to("x").emit("to a room", 3, "more"))
    do(other, IO.to("x").volatile.emit("volatile", 4), IO.except_("x").emit("not to me"))
    do(other, IO.to("x").emit("asked", callback=callback("never")))
    assert client.call("echo", "acknowledged") == "acknowledged"
    assert [entry for entry in notes() if entry[1] != "volatile"] == [
        ["outgoing", "direct", 1],
        ["outgoing", "to all", 2],
        ["outgoing", "to a room", 3, "more"],
        ["outgoing", "asked"],
    ]
    do(client, SOCKET.off_any_outgoing(), SOCKET.emit("unseen"))
    assert notes()[-1] == ["outgoing", "asked"]


def test_a_function_that_fails_costs_nobody_the_event(connect):
    client, other = connect(), connect()
    do(client, SOCKET.on_any_outgoing(function("fail")))
    do(client, IO.emit("news"))
    assert [receiver.wait_event("news") for receiver in (client, other)] == [[], []]


# -- middleware of a socket ------------------------------------------------------------------------------------------


def test_middleware_changes_the_arguments(client):
    do(client, SOCKET.use(function("guard")))
    assert client.call_for_all("echo", 1) == [1, "from the guard"]


def test_middleware_refuses_an_event_without_an_ack(client, notes):
    do(client, SOCKET.on("forbidden", function("own")), SOCKET.use(function("guard")))
    client.emit("forbidden", 1)
    client.ask("forbidden", 2)
    assert client.call("answered") == "the guard's answer"
    assert notes() == [["guard", "forbidden", 1], ["guard", "forbidden", 2], ["guard", "answered"]]
    assert client.found("ack") == [], "a refused event is not acknowledged"


def test_middleware_of_one_socket_is_not_anothers(connect):
    client, other = connect(), connect()
    do(client, SOCKET.use(function("guard")))
    assert (client.call("echo", 1), other.call("echo", 1)) == ([1, "from the guard"], 1)


# -- the end ---------------------------------------------------------------------------------------------------------


def test_disconnect_ends_one_namespace(connect):
    client = connect()
    other = connect("/guarded", share=client)
    client.emit("do", SOCKET.disconnect()._steps)
    assert client.wait("disconnect")["reason"] == "io server disconnect"
    assert not client.state()["active"], "it does not come back by itself"
    assert other.call("echo", 1) == 1


def test_disconnect_close_ends_all_namespaces(connect, server, key):
    client = connect()
    others = [connect("/guarded", share=client), connect("/room-1", share=client)]
    client.emit("do", SOCKET.emit("last words")._steps, SOCKET.disconnect(close=True)._steps)
    for socket in (client, *others):
        assert socket.wait("disconnect")["reason"] == "io server disconnect"
        assert not socket.state()["active"]
    assert client.received("last words") == [[]], "what was emitted before arrives"
    wait_for(lambda: ["disconnect", "server disconnect"] in server.journal(key), "the handler of /guarded is told")
    [end] = wait_for(lambda: [entry for entry in server.journal(key) if "reason" in entry], "the main one, too")
    assert end["reason"] == "server disconnect"


def test_a_packet_after_the_disconnect_is_ignored(client, notes, js, server):
    client.emit("do", SOCKET.disconnect()._steps)
    client.emit("note", "on its way already")
    client.wait("disconnect")
    other = js.open(server.url, transports=["websocket"])
    other.sid()
    assert other.call("echo", 1) == 1
    assert ["note", "on its way already"] not in notes()


def test_a_disconnected_client_comes_back_as_another(client):
    first = client.sid()
    client.disconnect()
    client.connect()
    assert client.wait("connect", 2)["sid"] != first
    assert do(client, SOCKET.rooms) == [client.sid()]


def test_a_client_that_comes_back_while_its_disconnect_handler_runs_gets_each_event_once(connect, server, key):
    client = connect()
    connect("/guarded", share=client)  # keeps the connection
    do(client, setting(SOCKET, "data", {"waits at the end": True}), SOCKET.join("x"))
    client.disconnect()
    client.connect()
    client.wait("connect", 2)
    try:
        do(client, IO.emit("to all", 1), IO.to("x").emit("to the room", 2), SOCKET.emit("last"))
        client.wait_event("last")
        assert client.received("to all") == [[1]]
        assert client.received("to the room") == []
    finally:
        server.get(f"/open/{key}")
