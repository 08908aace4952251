"""Owns the sharded adapter's channels: what is said on which, which rooms are listened to, and the common part."""

import json

import pytest
from contract.application import Peer
from contract.waiting import wait_until

from flask_socketio_py import BroadcastTimeoutError
from flask_socketio_py.socketio.adapters.cluster_codec import ClusterCodec
from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from flask_socketio_py.socketio.broadcast import BroadcastOperator
from flask_socketio_py.socketio.msgpack_codec import NOTEPACK_3

from .channels import Foreigner, Node, configured, subscribers

CODEC = ClusterCodec(NOTEPACK_3)
UID = "c847e86ecab2f8fc"
LONG = "a room of 20 letters"


@pytest.fixture
def start(server, opened):
    """``start(**options of the dialect)``: one server of ours."""
    return lambda namespaces=("/",), **options: opened(Node(ShardedDialect(server.url, **options), namespaces))


@pytest.fixture
def node(start):
    return start()


@pytest.fixture
def foreigner(node, server, opened):
    channels = ["#", "#a#", "#5#", f"#{LONG}#", f"#{UID}#"]
    return opened(Foreigner(server, sharded=True, channels=[f"socket.io#/{channel}" for channel in channels]))


def to(node, *rooms):
    return BroadcastOperator(node.server.of("/"), rooms)


def broadcast(event, *args, rooms=(), namespace="/"):
    return CODEC.encode(UID, namespace, Broadcast([event, *args], rooms))


def listening(server, room):
    return subscribers(server, f"socket.io#/#{room}#", sharded=True)


@pytest.mark.parametrize("namespace", ["/", "/räume 😀", '/"'])
@pytest.mark.parametrize("data", [1, b"\1"])
def test_what_a_server_says_itself_is_not_read_again(start, server, opened, namespace, data):
    node = start(("/", namespace))
    node.server.of(namespace)
    node.ready()
    foreigner = opened(Foreigner(server, sharded=True, channels=["socket.io#/#"]))
    for uid, malformed in ((node.dialect.bus.uid, 0), (UID, 1)):
        message = CODEC.encode(uid, namespace, Broadcast(["x", data]))
        foreigner.say(f"socket.io#{namespace}#", b"\xc1" + message)
        foreigner.say("socket.io#/#", broadcast("the end"))
        assert node.got() == [["the end"]]
        assert node.dialect.bus.malformed == malformed


def test_the_channels_of_broadcasts(node, foreigner):
    for rooms in ((), ("a",), ("a", "b"), (5,), (LONG,), (LONG + "!",)):
        to(node, *rooms).emit("x")
    to(node).emit("the end")
    assert len(foreigner.wait("socket.io#/#", 4)) == 4  # all, two rooms, what could be a socket's id, the end
    assert len(foreigner.wait("socket.io#/#a#")) == len(foreigner.wait("socket.io#/#5#")) == 1
    assert f"socket.io#/#{LONG}#" not in [channel for channel, _ in foreigner.heard]


def test_a_question_goes_to_all(node, foreigner):
    with pytest.raises(BroadcastTimeoutError, match="1 servers did not answer"):
        to(node, "a").timeout(0.2).emit_with_ack("x")
    [data] = foreigner.wait("socket.io#/#")
    assert json.loads(data)["data"]["opts"]["rooms"] == ["a"]


def test_rooms_are_listened_to_while_somebody_is_in_there(node, server, foreigner):
    other = Peer(node.server)
    second = other.join()
    assert listening(server, node.socket.id) == 0
    long = "x" * 20
    node.socket.join("b", 7, long, ("no name on the wire",))
    second.join("b")
    for room in ("b", 7, long):
        wait_until(lambda room=room: listening(server, room) == 1, "the room is listened to")
    foreigner.say("socket.io#/#b#", broadcast("to b", rooms=("b",)))
    assert node.got() == node.got(1, other) == [["to b"]]
    node.socket.leave("b", long)
    wait_until(lambda: listening(server, long) == 0, "the room is not listened to any more")
    assert listening(server, "b") == 1
    second.disconnect()
    wait_until(lambda: listening(server, "b") == 0, "the room is not listened to any more")
    assert listening(server, 7) == 1


def test_an_application_hears_of_rooms_all_the_same(node, server):
    heard = []
    node.server.of("/").adapter.on_room = lambda *what: heard.append(what)
    node.socket.join("b")
    wait_until(lambda: listening(server, "b") == 1, "the room is listened to")
    node.socket.leave("b")
    wait_until(lambda: listening(server, "b") == 0, "the room is not listened to any more")
    assert [event for event, *_ in heard] == ["create-room", "join-room", "leave-room", "delete-room"]


def test_answers_go_to_the_one_who_asks(node, foreigner):
    foreigner.say(
        "socket.io#/#",
        json.dumps({"type": 9, "data": {"requestId": "x", "packet": ["ask", 1, "é"]}, "uid": UID, "nsp": "/"}).encode(),
    )
    [data] = foreigner.wait(f"socket.io#/#{UID}#")
    answer = json.loads(data)
    assert answer.pop("uid") == node.dialect.bus.uid
    assert answer == {"type": 10, "data": {"requestId": "x", "packet": [1, "é"]}, "nsp": "/"}


def test_own_messages_and_those_of_other_namespaces_are_ignored(node, foreigner):
    to(node).emit("once")
    foreigner.say("socket.io#/#", broadcast("of another namespace", namespace="/other"))
    foreigner.say("socket.io#/#", broadcast("the end"))
    assert node.got(2) == [["once"], ["the end"]]


def test_namespaces_come_and_go(start, server):
    node = start(("/", "/chat"))
    assert subscribers(server, "socket.io#/chat#", sharded=True) == 1
    node.dialect.remove_namespace("/chat")
    wait_until(lambda: subscribers(server, "socket.io#/chat#", sharded=True) == 0, "it is not listened to any more")


def test_the_prefix_and_the_size_are_options(server):
    url = server.url.replace("redis:", "redis+sharded:")
    chosen = configured(message_queue=url, channel="mine", max_cluster_message_size=500)
    assert isinstance(chosen, ShardedDialect)
    node = Node(chosen)
    try:
        assert subscribers(server, "mine#/#", sharded=True) == 1
        with pytest.raises(ValueError, match="max_cluster_message_size is 500"):
            to(node).emit("x", "y" * 500)
    finally:
        node.close()


def test_after_the_end_nothing_is_said(node, foreigner):
    node.socket.join("b")
    node.server.close()
    to(node).emit("x")
    node.server.of("/").adapter.join(node.socket.id, "late")
    assert foreigner.listen() == []
