"""Owns the ways of emitting to one socket: values that never change and keep their flags to whatever they lead."""

import pytest


def test_every_step_is_a_new_value_and_the_next_emit_is_as_ever(peers, sockets):
    socket, peer = sockets[0], peers[0]
    quiet = socket.compress(False)
    both = quiet.volatile.timeout(5)
    assert len({quiet, both, socket.volatile, socket.compress(False)}) == 4
    peer.transport.room = 1
    for number in range(3):
        both.emit("e", number)
    quiet.emit("e", 3)
    socket.emit("e", 4)
    peer.transport.make_room(9)
    assert peer.events() == [["e", 0], ["e", 3], ["e", 4]]
    assert [message.compress for message in peer.taken[-3:]] == [False, False, True]
    assert both._flags == (True, False, False, 5)


def test_flags_reach_the_broadcast(peers, sockets):
    emitter = sockets[0].volatile.compress(False).timeout(7)
    for operator in (emitter.broadcast, emitter.to("room", "other")):
        assert operator.flags == (True, False, False, 7)
        assert operator.excepted == (sockets[0].id,)
    assert emitter.to("room", ["other"]).rooms == ("room", "other")
    peers[1].transport.room = 0
    emitter.broadcast.emit("e")
    peers[1].transport.make_room(9)
    assert [peer.texts() for peer in peers] == [[], [], ['2["e"]']]


def test_whom_a_socket_addresses_is_never_itself(peers, sockets):
    first, second, third = sockets
    first.join("red")
    second.join("red", "blue")
    for number, operator in enumerate(
        [first.broadcast, first.to("red"), first.in_("red", "blue"), first.except_("blue"), first.local,
         first.broadcast.to(first.id), first.to(third.id), first.to("red").except_("blue"),
         first.volatile.to("red"), first.volatile.broadcast]
    ):  # fmt: skip
        operator.emit("e", number)
    received = [[args[1] for args in peer.events()] for peer in peers]
    assert received == [[], [0, 1, 2, 4, 8, 9], [0, 3, 4, 6, 9]]


def test_send_is_a_message(peers, sockets):
    sockets[0].send("a", 1)
    sockets[0].volatile.send("b")
    assert peers[0].events() == [["message", "a", 1], ["message", "b"]]


def test_a_volatile_question_that_is_dropped_times_out(peers, sockets):
    peers[0].transport.room = 0
    with pytest.raises(TimeoutError):
        sockets[0].volatile.timeout(0.01).emit_with_ack("ask")
    assert not sockets[0]._acks


def test_who_it_is(peers, sockets):
    socket, peer = sockets[0], peers[0]
    assert (socket.connected, socket.disconnected, socket.recovered) == (True, False, False)
    assert (socket.conn, socket.transport) == (peer.session, "websocket")
    assert socket.conn.sid != socket.id
    assert socket.data == {}
    socket.data["a"] = 1
    assert socket.data == {"a": 1}
    socket.data = None
    assert socket.data == {}
    socket.data = [1]
    assert socket.data == [1]
    peer.session.close()
    assert (socket.connected, socket.disconnected) == (False, True)


def test_rooms_may_be_given_one_by_one_or_as_lists(sockets):
    socket = sockets[0]
    socket.join("a", ["b", "c"], ("d",), {"e"})
    assert set(socket.rooms) == {socket.id, *"abcde"}
    socket.leave(["a", "b"], "c")
    assert set(socket.rooms) == {socket.id, *"de"}
    for act in (socket.join, socket.leave, socket.to, socket.except_):
        with pytest.raises(TypeError):
            act(["f", ["g"]])
    assert set(socket.rooms) == {socket.id, *"de"}
    with pytest.raises(ValueError, match="sid room"):
        socket.join(sockets[1].id)
