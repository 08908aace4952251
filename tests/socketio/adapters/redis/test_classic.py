"""Owns the classic adapter's channels: what is said on which, what is heard, and what malformed messages do."""

import json

import gevent
import pytest
from contract.application import Peer
from contract.waiting import wait_until

from flask_socketio_py.socketio.adapters.classic_codec import ClassicCodec
from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.broadcast import BroadcastOperator

from .channels import Foreigner, Node, configured, subscribers

CODEC = ClassicCodec()


@pytest.fixture
def start(server, opened):
    """``start(**options of the dialect)``: one server of ours."""
    return lambda namespaces=("/",), **options: opened(Node(ClassicDialect(server.url, **options), namespaces))


@pytest.fixture
def node(start):
    return start()


@pytest.fixture
def foreigner(node, server, opened):
    return opened(Foreigner(server))


def to(node, *rooms, namespace="/"):
    return BroadcastOperator(node.server.of(namespace), rooms)


def broadcast(event, *args, rooms=(), namespace="/", uid="QkKoLm"):
    return CODEC.encode_broadcast(uid, namespace, Broadcast([event, *args], rooms))


def request(**fields):
    return json.dumps({"uid": "QkKoLm", **fields}).encode()


def test_the_channels_of_broadcasts(node, foreigner):
    for rooms in ((), ("a",), ("a", "a"), ("a", "b"), (5,), ("\ud800",)):
        to(node, *rooms).emit("x")
    channels = ["#", "#a#", "#a#", "#", "#5#", "#"]
    wait_until(lambda: len(foreigner.listen()) == len(channels), "all are heard")
    assert [channel for channel, _ in foreigner.heard] == [f"socket.io#/{channel}" for channel in channels]


def test_a_socket_of_this_server_is_nobody_elses_affair(node, foreigner):
    to(node, node.socket.id).emit("mine")
    to(node).local.emit("ours")
    to(node).emit("the end")
    [data] = foreigner.wait("socket.io#/#")
    assert CODEC.decode_broadcast(data)[2].data == ["the end"]


def test_own_messages_are_ignored(node):
    to(node).emit("once")
    assert node.got() == [["once"]]
    to(node).emit("the end")
    assert node.got() == [["the end"]]


def test_the_prefix_is_the_option(start, server, opened):
    node, foreigner = start(channel="mine"), opened(Foreigner(server))
    to(node).emit("x")
    foreigner.wait("mine#/#")
    foreigner.say("socket.io#/#", broadcast("other"))
    foreigner.say("mine#/#", broadcast("this"))
    assert node.got(2) == [["x"], ["this"]]


def test_answers_go_to_the_one_who_asks(node, foreigner):
    foreigner.say("socket.io-request#/#", request(requestId="x", type=5, opts={"rooms": [], "except": []}))
    [data] = foreigner.wait("socket.io-response#/#QkKoLm#")
    assert [socket["id"] for socket in json.loads(data)["sockets"]] == [node.socket.id]
    # One who does not say who he is, or in no sensible way, hears it on the common channel.
    for uid in (None, "é", "x" * 1000, 5):
        foreigner.say("socket.io-request#/#", request(uid=uid, requestId="y", type=1))
    assert set(foreigner.wait("socket.io-response#/#", 4)) == {
        json.dumps({"requestId": "y", "rooms": [node.socket.id]}, separators=(",", ":")).encode()
    }


def test_the_requests_of_servers_before_version_6(node, foreigner):
    sid = node.socket.id
    foreigner.say("socket.io-request#/#", request(uid=None, requestId="0", type=0, rooms=[]))
    foreigner.say("socket.io-request#/#", request(uid=None, requestId="1", type=2, sid=sid, room="old"))
    foreigner.say("socket.io-request#/#", request(uid=None, requestId="not here", type=2, sid="other", room="old"))
    foreigner.wait("socket.io-response#/#", 2)
    assert "old" in node.socket.rooms
    foreigner.say("socket.io-request#/#", request(uid=None, requestId="2", type=3, sid=sid, room="old"))
    foreigner.wait("socket.io-response#/#", 3)
    assert "old" not in node.socket.rooms
    foreigner.say("socket.io-request#/#", request(uid=None, requestId="3", type=4, sid=sid, close=True))
    answers = [json.loads(data) for data in foreigner.wait("socket.io-response#/#", 4)]
    assert answers == [{"requestId": "0", "sockets": [sid]}, *({"requestId": str(number)} for number in (1, 2, 3))]
    wait_until(lambda: node.socket.disconnected, "it is disconnected")


def test_servers_without_a_namespace_are_not_counted(start, server):
    node = start(("/", "/chat"))
    assert subscribers(server, "socket.io-request#/chat#") == 1
    assert subscribers(server, "socket.io-request#/other#") == 0
    assert node.server.cluster.others("/chat") == node.server.cluster.others("/other") == 0


@pytest.mark.parametrize("name", ["/*", "/a?c", "/[a-z]", "/back\\slash", "/a#b", "/räume 😀"])
def test_odd_names_of_namespaces(start, foreigner, name):
    node = start(("/", "/a", name))
    node.server.of("/a"), node.server.of(name)
    node.ready()
    peer, odd = Peer(node.server), Peer(node.server)
    peer.join("/a"), odd.join(name)
    for namespace in ("/a", "/abc", name):
        foreigner.say(f"socket.io#{namespace}#", broadcast(f"to {namespace}", namespace=namespace))
        # In the wrong channel, and heard all the same by a pattern that is too wide.
        foreigner.say(f"socket.io#{namespace}#", broadcast("wrong", namespace="/other"))
    foreigner.say(f"socket.io#{name}#", broadcast("the end", namespace=name))
    foreigner.say("socket.io#/a#", broadcast("the end", namespace="/a"))
    assert node.got(2, odd) == [[f"to {name}"], ["the end"]]
    assert node.got(2, peer) == [["to /a"], ["the end"]]


def test_namespaces_within_one_anothers_pattern_are_heard_once(start, foreigner, server):
    names = ["/a", "/a#b", "/a#b#c"]
    node = start(("/", *names))
    peers = []
    for name in names:
        peers.append(Peer(node.server))
        peers[-1].join(name)
    for remaining in (names, names[1:], names[2:]):
        for name in set(names) - set(remaining):
            node.dialect.remove_namespace(name)
        node.ready()
        for name in remaining:
            foreigner.say(f"socket.io#{name}#", broadcast("once", namespace=name))
            foreigner.say(f"socket.io#{name}#", broadcast("the end", namespace=name))
        for peer in peers[len(names) - len(remaining) :]:
            assert node.got(2, peer) == [["once"], ["the end"]]
    assert subscribers(server, "socket.io-request#/a#") == 0


def test_a_message_that_is_too_large_is_the_callers_mistake(start, server, opened):
    node, foreigner = start(max_size=1000), opened(Foreigner(server))
    with pytest.raises(ValueError, match="max_cluster_message_size is 1000"):
        to(node).emit("x", "y" * 1000)
    to(node).emit("x", "y" * 500)
    assert [event[1] for event in node.got()] == ["y" * 500]
    assert len(foreigner.wait("socket.io#/#")) == 1


def test_a_message_that_is_too_large_is_not_read(start, server, opened, caplog):
    node, foreigner = start(max_size=1000), opened(Foreigner(server))
    foreigner.say("socket.io#/#", broadcast("large", "y" * 1000))
    foreigner.say("socket.io#/#", broadcast("small", "y" * 500))
    assert [event[0] for event in node.got()] == ["small"]
    assert "larger than the option max_cluster_message_size" in caplog.text


def test_what_is_said_to_a_room_that_nobody_here_is_in_is_not_even_read(start, server, opened):
    node = start(("/", "/a"), channel="mine")
    foreigner, other = opened(Foreigner(server)), Peer(node.server)
    named = other.join("/a")
    node.socket.join("red", "räume 😀", "a#b", 7)
    named.join("blue")
    rooms = {"/": ["red", "räume 😀", "a#b", "7", "7.0", node.socket.id], "/a": ["blue", named.id]}
    for namespace, heard in rooms.items():
        for room in [*heard, "nobody's", "8", "blue" if namespace == "/" else "red", ""]:
            foreigner.say(f"mine#{namespace}#{room}#", b"malformed")
        foreigner.say(f"mine#{namespace}#", b"malformed")
    foreigner.say("mine#/#", broadcast("the end"))
    assert node.got() == [["the end"]]
    assert node.dialect.bus.malformed == len(rooms["/"]) + len(rooms["/a"]) + 2
    # Of these it can't be told where the namespace ends.
    node.server.of("/a#b")
    node.ready()
    foreigner.say("mine#/#nobody's#", b"malformed")
    foreigner.say("mine#/#", broadcast("the end"))
    assert node.got() == [["the end"]]
    assert node.dialect.bus.malformed == len(rooms["/"]) + len(rooms["/a"]) + 3


def test_what_is_said_to_a_room_is_kept_for_those_who_may_come_back(server, opened):
    recovery = {"max_disconnection_duration": 30}
    node = opened(Node(ClassicDialect(server.url), connection_state_recovery=recovery))
    foreigner = opened(Foreigner(server))
    foreigner.say("socket.io#/#nobody's#", broadcast("missed", rooms=("nobody's",)))
    foreigner.say("socket.io#/#", broadcast("the end"))
    node.got()
    assert [entry.rooms for entry in node.server.of("/").log._log] == [("nobody's",), ()]


def test_what_a_server_says_itself_is_not_read_again(node, foreigner):
    foreigner.say("socket.io#/#", node.dialect._codec.broadcast_head(node.dialect.bus.uid) + b"malformed")
    foreigner.say("socket.io#/#", broadcast("the end"))
    assert node.got() == [["the end"]]
    assert node.dialect.bus.malformed == 0


@pytest.mark.parametrize("own", [True, False])
def test_answers_are_heard_on_both_channels(node, foreigner, server, subscribe, own):
    """Official servers answer on the common one, or with ``publishOnSpecificResponseChannel`` on that of who asks."""
    subscribe(server, "socket.io-request#/#")  # one more server, by Redis' count
    asking = gevent.spawn(to(node).fetch_sockets)
    [question] = map(json.loads, foreigner.wait("socket.io-request#/#"))
    sockets = [{"id": "theirs", "handshake": {}, "rooms": ["theirs"], "data": {}}]
    channel = "socket.io-response#/#" + (f"{question['uid']}#" if own else "")
    foreigner.say(channel, json.dumps({"requestId": question["requestId"], "sockets": sockets}))
    found = asking.get(timeout=20)
    assert ({socket.id for socket in found}, found.complete) == ({node.socket.id, "theirs"}, True)


def test_after_the_end_nothing_is_said(node, foreigner):
    node.server.close()
    to(node).emit("x")
    assert node.server.cluster.others("/") == 0
    assert foreigner.listen() == []
    assert node.dialect.status.state == "idle"


def test_while_redis_is_away_this_server_serves_its_own_clients(own_server, opened):
    node = opened(Node(ClassicDialect(own_server.url)))
    own_server.kill()
    wait_until(lambda: node.dialect.status.state == "disconnected", "it is known that Redis is away")
    to(node).emit("here")
    assert node.got() == [["here"]]
    found = to(node).fetch_sockets()
    assert [socket.id for socket in found] == [node.socket.id]
    own_server.start()
    node.ready()
    foreigner = opened(Foreigner(own_server))
    foreigner.say("socket.io#/#", broadcast("from elsewhere"))
    assert node.got() == [["from elsewhere"]]
    to(node).emit("again")
    again = broadcast("again", uid=node.dialect.bus.uid)
    wait_until(lambda: ("socket.io#/#", again) in foreigner.listen(), "others are told again")


def test_the_url_chooses_the_dialect(server):
    chosen = configured(message_queue=server.url, channel="mine", max_cluster_message_size=5)
    assert isinstance(chosen, ClassicDialect)
    assert chosen.channel == "mine"
    chosen.close()
