"""Broadcasts to official clients: who is reached, acknowledgements of all, and moving, asking and disconnecting many.

Node: ``test/messaging-many.ts``, ``test/utility-methods.ts``.
"""

import pytest

from tests.live.remote import IO, SOCKET, RemoteError, callback, do, do_all
from tests.live.servers import Server


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app") as server:
        yield server


@pytest.fixture
def three(connect):
    """Clients a, b and c; a is in rooms red and blue, b in blue, c in green."""
    clients = [connect() for _ in range(3)]
    for client, rooms in zip(clients, (["red", "blue"], ["blue"], ["green"]), strict=True):
        do(client, SOCKET.join(rooms))
    return clients


def names(clients, event):
    """Which clients got the event, and how often, once all that was on its way has arrived."""
    for client in clients:
        client.call("echo")
    return "".join(name * len(client.received(event)) for name, client in zip("abc", clients, strict=True))


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        (IO, "abc"),
        (IO.to("red"), "a"),
        (IO.in_("blue"), "ab"),
        (IO.to("red").to("blue"), "ab"),
        (IO.to(["red", "blue"], "green"), "abc"),
        (IO.to("nobody"), ""),
        (IO.except_("red"), "bc"),
        (IO.except_("red", "green"), "b"),
        (IO.to("blue").except_("red"), "b"),
        (IO.except_("red").to("blue", "green").except_("green"), "b"),
        (IO.to("red").except_("red"), ""),
        (SOCKET.broadcast, "bc"),
        (SOCKET.to("red").to("blue"), "b"),
        (SOCKET.in_("red", "green"), "c"),
        (SOCKET.except_("green"), "b"),
        (SOCKET.to("blue", "green").except_("blue"), "c"),
        (SOCKET.local, "bc"),
        (IO.local.to("blue"), "ab"),
        (IO.of("/").to("blue"), "ab"),
        (IO.of("").to("blue"), "ab"),
        (IO.volatile.compress(False).to("blue"), "ab"),
        (SOCKET.volatile.to("blue"), "b"),
        (SOCKET.compress(False).broadcast, "bc"),
        (IO.of("/guarded"), ""),
    ],
    ids=lambda value: value or "nobody" if isinstance(value, str) else "to",
)
def test_each_client_at_most_once(three, target, reached):
    do(three[0], target.emit("news", 1))
    assert names(three, "news") == reached


def test_a_sid_is_a_room(three):
    a, b, c = three
    do(a, IO.to(b.sid()).emit("news"), IO.except_(b.sid()).emit("other news"), SOCKET.to(a.sid(), c.sid()).emit("more"))
    assert [names(three, event) for event in ("news", "other news", "more")] == ["b", "ac", "c"]


def test_operators_are_immutable(three):
    """As in Node's "should return an immutable broadcast operator": one value, extended in several ways."""
    found = do(three[0], IO.to("red").rooms)
    assert found == ["red"]
    base = SOCKET.to("blue")
    do(three[0], base.except_("blue").emit("one"), base.to("green").emit("two"), base.emit("three"))
    assert [names(three, event) for event in ("one", "two", "three")] == ["", "bc", "b"]


def test_binary_broadcast(three):
    data = [b"\x00\xff", {"more": [b"x"], "text": "é"}]
    do(three[0], IO.to("blue", "green").emit("news", *data))
    assert [client.wait_event("news") for client in three] == [data] * 3


def test_broadcasts_keep_their_order(three):
    do(three[0], *(IO.to("blue", "green").emit("number", number) for number in range(50)))
    for client in three:
        client.wait_event("number", 50)
        assert client.received("number") == [[number] for number in range(50)]


# -- acknowledgements ------------------------------------------------------------------------------------------------


def test_broadcast_ack_collects_all(three):
    for number, client in enumerate(three):
        client.answer("question", number, "only the first argument counts")
    assert sorted(do(three[0], IO.timeout(20).emit_with_ack("question", 1))) == [0, 1, 2]
    assert sorted(do(three[0], IO.to("blue").emit_with_ack("question", 1))) == [0, 1]
    do(three[2], IO.timeout(20).to("red", "green").emit("question", callback=callback("answered")))
    name, error, answers = three[2].wait_event("called back")
    assert (name, error, sorted(answers)) == ("answered", None, [0, 2])


def test_broadcast_ack_with_binary(three):
    for client in three:
        client.answer("question")
    assert do(three[0], IO.timeout(20).emit_with_ack("question", b"\x00\x01")) == [b"\x00\x01"] * 3


def test_broadcast_ack_timeout_names_the_missing(three):
    a, b, c = three
    a.answer("question", "a")
    c.answer("question", "c")
    with pytest.raises(RemoteError) as caught:
        do(a, IO.timeout(0.3).emit_with_ack("question"))
    assert (caught.value.name, caught.value.missing) == ("BroadcastTimeoutError", [b.sid()])
    assert sorted(caught.value.responses) == ["a", "c"]
    do(a, IO.timeout(0.3).emit("question", callback=callback("over")))
    name, error, answers = a.wait_event("called back")
    assert (name, error["missing"], sorted(answers)) == ("over", [b.sid()], ["a", "c"])


def test_broadcast_ack_of_nobody_is_empty_at_once(three):
    assert do(three[0], IO.timeout(3600).to("nobody").emit_with_ack("question")) == []
    do(three[0], IO.timeout(3600).to("nobody").emit("question", callback=callback("nobody")))
    assert three[0].wait_event("called back") == ["nobody", None, []]


def test_broadcast_with_a_callback_and_no_timeout_calls_it_for_each(three):
    for number, client in enumerate(three):
        client.answer("question", number, "second")
    do(three[0], IO.to("blue").emit("question", callback=callback("answered")))
    three[0].wait_event("called back", 2)
    assert sorted(three[0].received("called back")) == [["answered", 0, "second"], ["answered", 1, "second"]]


# -- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "members"),
    [
        (IO, "abc"),
        (IO.to("blue"), "ab"),
        (IO.to("red", "green"), "ac"),
        (IO.except_("blue"), "c"),
        (IO.local, "abc"),
        (IO.of("/guarded"), ""),
        (SOCKET.broadcast, "bc"),
    ],
    ids=["all", "room", "rooms", "except", "local", "namespace", "others"],
)
def test_fetch_sockets_and_count(three, target, members):
    sids = dict(zip("abc", (client.sid() for client in three), strict=True))
    fetched, count = do_all(three[0], target.fetch_sockets(), target.count())
    assert sorted(fetched) == sorted(sids[name] for name in members)
    assert count == len(members)


def test_a_fetched_socket_has_id_handshake_rooms_and_data(three):
    a, b, _ = three
    do(b, SOCKET.data.update({"name": "b"}))
    fetched = IO.to("blue").except_("red").fetch_sockets()[0]
    found = do_all(a, fetched.id, fetched.rooms, fetched.data, fetched.handshake.query, fetched.connected)
    assert (found[0], sorted(found[1]), found[2]) == (b.sid(), sorted([b.sid(), "blue"]), {"name": "b"})
    assert (found[3]["EIO"], found[4]) == ("4", True)
    b.answer("question", "b")
    assert do(a, fetched.emit("news"), fetched.emit_with_ack("question")) == "b"
    assert names(three, "news") == "b"


def test_sockets_join_and_leave(three):
    do(three[0], IO.sockets_join("all"), IO.to("blue").sockets_join(["x", "y"], "z"))
    do(three[0], IO.except_("red").sockets_leave("z"), SOCKET.broadcast.sockets_leave("y"))
    do(three[0], *(IO.to(room).emit(room) for room in ("all", "x", "y", "z")))
    assert [names(three, room) for room in ("all", "x", "y", "z")] == ["abc", "ab", "a", "a"]


def test_sockets_of_a_server(three):
    a, b, _ = three
    sockets = do(a, IO.sockets.keys().__len__())
    assert sockets == 3
    assert do(a, IO.sockets[b.sid()].id, IO.sockets[b.sid()].rooms[0]) == b.sid()


def test_a_single_socket_can_be_moved_and_disconnected(three):
    a, b, c = three
    do(a, IO.sockets[b.sid()].join("green"), IO.sockets[c.sid()].leave("green"), IO.to("green").emit("news"))
    assert names(three, "news") == "b"
    do(a, IO.sockets[b.sid()].disconnect())
    assert b.wait("disconnect")["reason"] == "io server disconnect"


def test_disconnect_sockets(connect, key, server):
    a, b, c = (connect() for _ in range(3))
    other = connect("/guarded", share=b)
    do(b, SOCKET.join("blue"))
    do(a, IO.to("blue").disconnect_sockets())
    assert b.wait("disconnect")["reason"] == "io server disconnect"
    assert other.call("echo", 1) == 1, "another namespace of the same connection stays"
    do(a, SOCKET.broadcast.disconnect_sockets())
    assert c.wait("disconnect")["reason"] == "io server disconnect"
    assert a.call("echo", 1) == 1
    b.connect()
    b.wait("connect", 2)
    do(a, SOCKET.broadcast.disconnect_sockets(close=True))
    assert b.wait("disconnect", 2)["reason"] == "io server disconnect"
    assert other.wait("disconnect")["reason"] == "io server disconnect"


def test_server_side_emit_alone_hears_nobody(three):
    a = three[0]
    assert do_all(a, IO.server_side_emit("news", 1), IO.of("/").server_side_emit_with_ack("news", 1)) == [None, []]
    for event in ("connect", "connection", "new_namespace"):
        with pytest.raises(RemoteError, match="reserved event name"):
            do(a, IO.server_side_emit(event))
    assert names(three, "news") == ""
