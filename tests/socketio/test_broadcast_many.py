"""Owns what an operator does besides emitting: flags, and moving, counting and disconnecting those it means."""

import gevent
import pytest
from contract.application import Peer
from contract.waiting import turn

from flask_socketio_py.engineio.session import State
from flask_socketio_py.socketio.acks import DEFAULT


def test_flags_add_up_in_any_order(server):
    start = server.to("/")
    assert start.flags == (False, True, False, DEFAULT)
    one = start.volatile.compress(False).local.timeout(3).to("a").except_("b")
    other = start.except_("b").timeout(9).to("a").local.timeout(3).compress(True).compress(False).volatile
    assert one == other
    assert one.flags == (True, False, True, 3)
    assert start.timeout(None).flags.timeout is None
    assert start.in_("a", ["b"], "a").rooms == ("a", "b", "a")


def test_should_return_an_immutable_broadcast_operator(server, peers, sockets):
    sockets[0].join("a")
    sockets[1].join("b")
    operator = server.to("/").to("a")
    operator.to("b").emit("both")
    operator.except_(sockets[0].id).emit("nobody")
    operator.emit("one")
    assert [[event[0] for event in peer.events()] for peer in peers] == [["both", "one"], ["both"], []]


def test_compression_is_the_messages(server, peers, sockets):
    server.to("/").compress(False).emit("e")
    server.to("/").compress(True).emit("e")
    assert [message.compress for message in peers[0].taken[-2:]] == [False, True]


def test_fetching_and_counting(server, sockets):
    sockets[0].join("a", "b")
    sockets[1].join("b")
    everybody = server.to("/")
    assert everybody.fetch_sockets() == sockets
    assert everybody.local.to("b").fetch_sockets() == sockets[:2]
    assert everybody.to("a", "b").except_("a").fetch_sockets() == [sockets[1]]
    operators = (everybody, everybody.to("b"), everybody.to("no"), server.to("/chat"))
    assert [operator.count() for operator in operators] == [3, 2, 0, 0]


def test_joining_and_leaving(server, sockets):
    everybody = server.to("/")
    everybody.except_(sockets[2].id).sockets_join("a", ["b", "c"])
    assert [set(socket.rooms[1:]) for socket in sockets] == [{*"abc"}, {*"abc"}, set()]
    everybody.to("a").except_(sockets[0].id).sockets_leave(["a"], "never")
    assert [set(socket.rooms[1:]) for socket in sockets] == [{*"abc"}, {*"bc"}, set()]
    with pytest.raises(ValueError, match="sid room"):
        everybody.sockets_join("d", sockets[1].id)
    assert everybody.to("d").count() == 0


@pytest.mark.parametrize("close", [False, True])
def test_disconnecting(server, peers, sockets, close):
    chat = peers[0].join("/chat")
    sockets[0].join("a")
    sockets[1].join("a")
    server.to("/").to("a").disconnect_sockets(close=close)
    turn()
    assert [socket.connected for socket in sockets] == [False, False, True]
    assert [peer.session.state is State.OPEN for peer in peers] == [not close, not close, True]
    assert chat.connected is not close
    assert [peer.texts()[-1][:1] for peer in peers[:2]] == ["1", "1"]


def test_who_is_not_let_in_yet_is_not_fetched_moved_or_disconnected(server, sockets):
    gate = gevent.event.Event()
    server.listener.guards["/"] = lambda socket, auth: gate.wait()
    pending = Peer(server)
    pending.push("0")
    assert server.to("/").count() == 3
    server.to("/").sockets_join("a")
    assert server.to("/").to("a").count() == 3
    server.to("/").disconnect_sockets(close=True)
    gate.set()
    turn()
    assert [socket.connected for socket in server.of("/").sockets.values()] == [True]
