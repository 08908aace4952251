"""Owns a namespace's emits: checked, encoded once, kept the way they were; and the parent that stands for many."""

import pytest
from contract.application import Application, Peer, serve

from flask_socketio_py.config import Options
from flask_socketio_py.socketio.broadcast import NO_FLAGS, BroadcastOperator
from flask_socketio_py.socketio.msgpack_parser import MsgpackParser
from flask_socketio_py.socketio.namespace import ParentNamespace
from flask_socketio_py.socketio.server import Server


@pytest.fixture
def server():
    application = Application()
    for name in ("/d-1", "/d-2"):
        application.searches[name] = "parent"
    application.searches["/e-1"] = "other parent"
    return serve(application)


@pytest.mark.parametrize(
    "args",
    [[1, "a", None, [True]], [b"x", {"a": [b"y", bytearray(b"z")]}], [], [{"deep": {"deeper": [(1, 2)]}}], ["\ud800"],
     [{"_placeholder": False}], [2**60, 1.5, "\u2028"]],
)  # fmt: skip
def test_arguments_that_are_fixed_are_plain_data_and_the_same_on_the_wire(server, args):
    namespace = server.of("/")
    peer = Peer(server)
    peer.join()
    fixed = namespace.fixed("e", args)
    assert fixed is not args
    namespace.emit("e", args, (), (), NO_FLAGS)
    namespace.emit("e", fixed, (), (), NO_FLAGS)
    first, second = peer.taken[-2:]
    assert (first.text, first.attachments) == (second.text, second.attachments)


def test_what_is_fixed_in_messages_that_are_binary_alone():
    server = Server(Options(), Application(), MsgpackParser())
    assert server.of("/").fixed("e", [1, b"x", {"a": (1, None)}]) == [1, b"x", {"a": [1, None]}]


def test_what_is_fixed_no_longer_changes(server):
    data = {"list": [1], "bytes": bytearray(b"x")}
    fixed = server.of("/").fixed("e", [data])
    data["list"].append(2)
    data["bytes"][0] = 0
    assert fixed == [{"list": [1], "bytes": b"x"}]


def test_binary_data_so_deep_that_no_client_could_read_it_stays_as_it_is(server):
    data = b"x"
    for _ in range(250):
        data = [data]
    assert server.of("/").fixed("e", [data]) == [data]


@pytest.mark.parametrize(
    ("event", "args", "rooms", "error"),
    [(1, (), (), TypeError), ("connect", (), (), ValueError), ("e", (object(),), (), TypeError),
     ("e", (b"x",) * 11, (), ValueError), ("e", (), (["room"],), TypeError)],
)  # fmt: skip
def test_what_can_not_be_sent_is_said_at_once(server, event, args, rooms, error):
    for namespace in (server.of("/"), ParentNamespace(server, "parent")):
        with pytest.raises(error):
            namespace.fixed(event, args, rooms)
        with pytest.raises(error):
            namespace.emit(event, args, rooms, (), NO_FLAGS)


def test_it_is_idle_when_nobody_is_here_or_may_come_back():
    server = serve(connection_state_recovery=True)
    namespace = server.of("/")
    assert namespace.idle
    peer = Peer(server)
    socket = peer.join()
    assert not namespace.idle
    socket.disconnect()
    assert namespace.idle
    peer.join()
    peer.session.close()
    assert not namespace.idle
    namespace.adapter.recovery.expire(float("inf"))
    assert namespace.idle


# --- the parent of many ----------------------------------------------------------------------------------------------


@pytest.fixture
def parent(server):
    return ParentNamespace(server, "parent")


@pytest.fixture
def peers(server):
    return {name: Peer(server) for name in ("/d-1", "/d-2", "/e-1")}


def test_its_children_are_those_that_there_are(server, parent, peers):
    assert (parent.children, parent.adapters) == ([], [])
    for name, peer in peers.items():
        peer.join(name)
    assert [child.name for child in parent.children] == ["/d-1", "/d-2"]
    assert parent.adapters == [child.adapter for child in parent.children]


def test_it_emits_in_each_child_with_the_childs_own_ids(server, parent, peers):
    sockets = {name: peer.join(name) for name, peer in peers.items()}
    sockets["/d-2"].emit("ask", callback=print)  # the counter of this child is one ahead
    for peer in peers.values():
        peer.texts()
    asked = []
    parent.emit("e", [1], (), (), NO_FLAGS, lambda socket, ack_id: asked.append((socket, ack_id)))
    assert [peer.texts() for peer in peers.values()] == [['2/d-1,1["e",1]'], ['2/d-2,2["e",1]'], []]
    assert asked == [(sockets["/d-1"], 1), (sockets["/d-2"], 2)]


def test_an_operator_works_on_all_children(server, parent, peers):
    sockets = {name: peer.join(name) for name, peer in peers.items()}
    everybody = BroadcastOperator(parent)
    everybody.sockets_join("room")
    assert sockets["/e-1"].rooms == [sockets["/e-1"].id]
    assert (everybody.count(), everybody.to("room").except_(sockets["/d-1"].id).count()) == (2, 1)
    everybody.to("room").sockets_leave("room")
    assert everybody.to("room").fetch_sockets() == []
    everybody.disconnect_sockets()
    assert [socket.connected for socket in sockets.values()] == [False, False, True]
