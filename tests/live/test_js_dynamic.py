"""Namespaces and dynamic namespaces with the official client: patterns, functions that block, clean-up, adapter events.

Node: ``test/namespaces.ts``, and the events of ``test/index.ts`` of the adapter. Rooms named like a test's key keep
tests apart that share a server.
"""

from uuid import uuid4

import pytest

from tests.live.remote import IO, SOCKET, do, do_all
from tests.live.servers import Server, wait_for


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app", options={"cleanup_empty_child_namespaces": True}) as server:
        yield server


@pytest.fixture
def room():
    """The name of a room namespace of this test's own."""
    return f"/room-{uuid4().int}"


@pytest.fixture
def name():
    """The name of a namespace that only the function takes."""
    return f"/tenant-{uuid4().hex}"


GOOD = {"token": "good"}
ROOMS = IO.of({"$pattern": r"/room-\d+"})


NAMESPACES = IO._server.namespaces.keys()


def opened(server, name):
    """How often the application was told that this namespace came into being."""
    return server.journal("namespaces").count(name)


# -- names -----------------------------------------------------------------------------------------------------------


def test_the_main_namespace_has_two_names(connect):
    client = connect()
    for selector in ("", "/"):
        do(client, IO.of(selector).to(client.sid()).emit("news", selector))
        assert do(client, IO.of(selector).name) == "/"
    client.wait_event("news", 2)
    assert client.received("news") == [[""], ["/"]]


def test_a_leading_slash_is_added(connect):
    client = connect("/guarded")
    do(client, IO.of("guarded").to(client.sid()).emit("news"))
    assert client.wait_event("news") == []
    assert do(client, IO.of("guarded").name) == "/guarded"


@pytest.mark.parametrize("name", ["/nobody", "/xroom-1", "/room", "/tenant-1", "/room-" + "1" * 300])
def test_no_match_is_an_invalid_namespace(js, server, name, transport):
    client = js.open(server.url, name, transports=[transport])
    error = client.wait("connect_error")
    assert (error["message"], error["data"], error["active"]) == ("Invalid namespace", None, False)
    assert opened(server, name) == 0


# -- dynamic ---------------------------------------------------------------------------------------------------------


def test_a_pattern_lets_a_namespace_come_into_being(connect, server, room, key):
    client = connect(room)
    assert client.call("which") == "a room"
    assert server.journal(key)[-2:] == [["middleware", room], ["connect", room]]
    wait_for(lambda: opened(server, room), "the application is told of it")
    second = connect(room)
    do(client, SOCKET.broadcast.emit("news", 1))
    assert second.wait_event("news") == [1]
    assert opened(server, room) == 1


def test_a_function_that_blocks_decides_by_name_and_auth(js, server, name, transport, key):
    options = {"transports": [transport], "query": {"key": key}}
    refused = js.open(server.url, name, auth={"token": "bad"}, **options)
    assert refused.wait("connect_error")["message"] == "Invalid namespace"
    client = js.open(server.url, name, auth=GOOD, **options)
    client.sid()
    assert client.call("which") == "a tenant"
    assert server.journal(key) == [["asked", name], ["asked", name], ["middleware", name], ["connect", name]]
    again = js.open(server.url, name, auth={"token": "bad"}, **options)
    assert again.wait("connect_error")["message"] == "Invalid namespace", "who comes second is asked, too"


def test_the_first_that_matches_wins(connect, room):
    assert connect(room).call("which") == "a room"
    assert connect(f"/room-{uuid4().hex}x").call("which") == "another"


def test_a_refused_client_leaves_no_namespace(js, server, room, key):
    client = js.open(server.url, room, auth={"wish": "refuse"}, query={"key": key}, transports=["websocket"])
    assert client.wait("connect_error")["message"] == "not today"
    assert server.journal(key) == [["middleware", room]]
    client.authenticate(None)
    client.connect()
    client.sid()
    wait_for(lambda: opened(server, room) == 2, "it was forgotten, and came into being again")


@pytest.mark.parametrize("kind", ["room", "tenant"])
def test_concurrent_first_connections_create_one_child(js, server, room, name, kind):
    name = room if kind == "room" else name
    clients = [js.open(server.url, name, auth=GOOD, transports=["websocket"]) for _ in range(10)]
    for client in clients:
        client.sid()
    wait_for(lambda: opened(server, name), "the application is told of it")
    do(clients[0], IO.of(name).emit("news", 1))
    for client in clients:
        assert client.wait_event("news") == [1]
    assert opened(server, name) == 1
    assert do(clients[0], IO.of(name).count()) == 10


def test_a_parents_emit_reaches_all_children(connect, server):
    clients = [connect(f"/room-{uuid4().int}") for _ in range(3)]
    other = connect()
    found = do_all(clients[0], ROOMS.count(), ROOMS.emit("news", 1))
    assert found[0] == 3
    for client in clients:
        assert client.wait_event("news") == [1]
    do(clients[1], SOCKET.join("x"))
    do(other, ROOMS.to("x").emit("to the room"), IO.emit("last"))
    other.wait_event("last")
    assert [client.call("echo", 1) and client.received("to the room") for client in clients] == [[], [[]], []]
    assert other.received("news") == []


@pytest.mark.parametrize("kind", ["room", "tenant"])
def test_a_child_made_by_hand_belongs_to_its_parent(connect, server, room, name, kind, key):
    name = room if kind == "room" else name
    admin = connect()
    do(admin, IO.of(name).emit("nobody is there yet"))
    wait_for(lambda: opened(server, name), "the application is told of it")
    client = connect(name, auth=GOOD)
    assert client.call("which") == f"a {kind}"
    assert ["middleware", name] in server.journal(key), "its middleware is asked"
    refused = client.driver.open(server.url, name, auth={**GOOD, "wish": "refuse"}, transports=["websocket"])
    assert refused.wait("connect_error")["message"] == "not today"
    assert client.received("nobody is there yet") == []


# -- clean-up --------------------------------------------------------------------------------------------------------


def test_an_empty_child_is_forgotten(connect, server, room):
    first, second = connect(room), connect(room)
    do(first, SOCKET.join("x"))
    first.disconnect()
    assert second.call("echo", 1) == 1
    third = connect(room)
    assert opened(server, room) == 1, "somebody was there all the time"
    second.disconnect()
    third.disconnect()
    main = connect()
    wait_for(lambda: room not in do(main, NAMESPACES), "it is forgotten")
    fourth = connect(room)
    assert fourth.call("which") == "a room"
    wait_for(lambda: opened(server, room) == 2, "it came into being again")


def test_a_child_is_not_forgotten_while_somebody_is_there(js, connect, server, room, key):
    guest = connect(room)
    refused = js.open(server.url, room, auth={"wish": "refuse"}, transports=["websocket"])
    refused.wait("connect_error")
    do(guest, IO.of(room).emit("news", 1))
    assert guest.wait_event("news") == [1]
    assert opened(server, room) == 1


def test_a_child_is_not_forgotten_while_a_middleware_runs(js, server, room, key, connect):
    options = {"query": {"key": key}, "transports": ["websocket"]}
    slow = js.open(server.url, room, auth={"wish": "wait"}, **options)
    wait_for(lambda: server.journal(key), "its middleware has begun")
    guest = connect(room)
    server.get(f"/open/{key}")
    slow.wait("connect_error")
    do(guest, IO.of(room).emit("news", 1))
    assert guest.wait_event("news") == [1]
    assert opened(server, room) == 1


def test_a_child_is_forgotten_when_its_client_goes_while_a_middleware_runs(js, server, room, key, connect):
    main = connect()
    slow = js.open(server.url, room, auth={"wish": "wait"}, query={"key": key}, transports=["websocket"])
    wait_for(lambda: ["middleware", room] in server.journal(key), "its middleware has begun")
    slow.break_off()
    server.get(f"/open/{key}")
    wait_for(lambda: room not in do(main, NAMESPACES), "it is forgotten")


def test_static_namespaces_are_not_forgotten(connect, server):
    connect("/guarded").disconnect()
    main = connect()
    assert "/guarded" in do(main, NAMESPACES)


def test_without_the_option_a_child_stays(js, room):
    with Server("tests.live.apps.surface:app") as server:
        main, first = (js.open(server.url, name, transports=["websocket"]) for name in ("/", room))
        first.sid()
        first.disconnect()
        wait_for(lambda: do(main, IO.of(room).sockets) == {}, "it is empty")
        second = js.open(server.url, room, transports=["websocket"])
        second.sid()
        assert opened(server, room) == 1
        js.forget_clients()


# -- the adapter's events --------------------------------------------------------------------------------------------


def test_adapter_events(connect, server, room):
    client = connect(room)
    sid = client.sid()
    x, y = f"x{sid}", f"y{sid}"
    do(
        client,
        SOCKET.join(x, x),
        SOCKET.join(x),
        SOCKET.join(y),
        SOCKET.leave(y),
        SOCKET.leave(y),
        SOCKET.leave("never"),
    )
    main = connect()
    do(main, SOCKET.join(f"other {sid}"))
    client.disconnect()
    wait_for(lambda: ["delete-room", sid] in server.journal("rooms"), "the room of its own is gone")
    found = [entry for entry in server.journal("rooms") if sid in entry[1]]
    assert found[:8] == [
        ["create-room", sid],
        ["join-room", sid, sid],
        ["create-room", x],
        ["join-room", x, sid],
        ["create-room", y],
        ["join-room", y, sid],
        ["leave-room", y, sid],
        ["delete-room", y],
    ]
    assert sorted(found[8:]) == sorted(
        [["leave-room", x, sid], ["delete-room", x], ["leave-room", sid, sid], ["delete-room", sid]]
    )
