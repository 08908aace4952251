"""Owns what a foreign server can do with messages of the right structure and the wrong content, in every dialect and on
every channel: nobody fails, no question is left open, and what clients are sent is what an official client can read.
"""

import base64
import json
import logging

import pytest
from contract.waiting import wait_until
from redis_server import RedisServer
from socketio.adapters.redis.channels import Foreigner, Node

from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.adapters.redis.queue import QueueDialect
from flask_socketio_py.socketio.adapters.redis.queue_codec import OURS
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect
from hostile import wild

COUNT = 4000
#: The id of a question that our server really has asked.
ASKED = "asked"
OPTIONS = {"rooms": ["a"], "except": ["b"], "flags": {"timeout": 300, "volatile": False, "compress": True}}
PACKET = {"type": 2, "data": ["x", 1], "nsp": "/"}
REQUEST = {"uid": "u", "requestId": "r", "rooms": ["c"], "opts": OPTIONS, "data": ["ask", 1], "packet": PACKET}
SOCKET = {"id": "a", "handshake": {}, "rooms": ["a"], "data": {}}
REPLY = {"sockets": [SOCKET], "clientCount": 1, "packet": 1, "data": 1, "count": 1, "roomSizes": [["a", 1]]}
CLASSIC = {
    "socket.io#/#": [["u", PACKET, OPTIONS]],
    "socket.io-request#/#": [
        *({**REQUEST, "type": kind} for kind in (0, 1, 2, 3, 5, 6, 7)),
        *({"type": kind, "requestId": "r", "sid": "s", "room": "a"} for kind in (2, 3)),
    ],
    "socket.io-response#/#": [{"requestId": letter + ASKED, "type": 8, **REPLY} for letter in "fnreb"]
    + [{"requestId": "b" + ASKED, "type": 9, **REPLY}],
}
CLUSTER = [
    {
        "type": kind,
        "data": {**REPLY, "requestId": ASKED, "rooms": ["c"], "opts": OPTIONS, "packet": said},
        "uid": "u",
        "nsp": "/",
    }
    for kind, said in ((3, PACKET), (4, 1), (5, 1), (7, 1), (8, 1), (9, ["ask", 1]), (10, 1), (11, 1), (12, 1))
]
QUEUE = [
    {"method": "emit", "event": "x", "data": [1], "binary": False, "namespace": "/", "room": "a", "skip_sid": ["b"],
     "callback": ["a", "/", "r"], "host_id": "u", "counts": True, "timeout": 3},
    {"method": "emit", "event": "x", "data": [[{"_placeholder": True, "num": 0}], "AA=="], "binary": True,
     "namespace": "/", "room": None, "skip_sid": None, "callback": None, "host_id": "u"},
    *({"method": name, "sid": "s", "room": "a", "namespace": "/", "host_id": "u"}
      for name in ("enter_room", "leave_room")),
    *({"method": OURS, "kind": kind, "namespace": "/", "host_id": "u", "rooms": ["a"], "except": [], "id": ASKED,
       "moved": ["c"], "data": ["ask", 1], "binary": False, "count": 1, "roomSizes": [["a", 1]]}
      for kind in ("fetch", "count", "count_rooms", "join", "leave", "server_event", "fetched", "counted",
                   "server_answer", "ack_count", "roll_call", "here")),
]  # fmt: skip


@pytest.fixture(scope="module")
def redis():
    with RedisServer() as server:
        yield server


def say_classic(foreigner, own):
    for channel, seeds in CLASSIC.items():
        for data in wild.encoded(seeds, COUNT, text=channel != "socket.io#/#"):
            foreigner.say(channel, data)
            if "response" in channel:
                foreigner.say(f"{channel}{own}#", data)
            elif "request" not in channel:
                foreigner.say(f"{channel}a#", data)


def say_sharded(foreigner, own):
    for number, data in enumerate(wild.encoded(CLUSTER, 3 * COUNT)):
        foreigner.say(("socket.io#/#", f"socket.io#/#{own}#", "socket.io#/#a#")[number % 3], data)


def say_streams(foreigner, own):
    for number, data in enumerate(wild.encoded(CLUSTER, COUNT, text=False)):
        foreigner.say(("socket.io#/#", f"socket.io#/#{own}#")[number % 2], data)
    for message in CLUSTER[:3]:
        kind = str(message["type"])
        for data in wild.encoded([message["data"]], COUNT // 3, binary=False):
            foreigner.append("uid", "u", "nsp", "/", "type", kind, "data", data)
            foreigner.append("uid", "u", "nsp", "/", "type", kind, "data", base64.b64encode(data))
    fields = ("uid", "u", "nsp", "/", "type", "3", "data", "{}")
    for place in range(0, len(fields), 2):
        foreigner.append(*fields[:place], *fields[place + 2 :])
        for value in ("", "x", "-3", "3.0", "9" * 5000, b"\xff"):
            foreigner.append(*fields[: place + 1], value, *fields[place + 2 :])


def say_queue(foreigner, own):
    for data in wild.encoded(QUEUE, 2 * COUNT, binary=False):
        foreigner.say("flask-socketio", data)


class Appending(Foreigner):
    def append(self, *fields):
        self._client.execute_command("XADD", "socket.io", "*", *fields)


DIALECTS = {
    "classic": (ClassicDialect, say_classic),
    "sharded": (ShardedDialect, say_sharded),
    "streams": (StreamsDialect, say_streams),
    "queue": (QueueDialect, say_queue),
}


def end(node):
    """What a server of the cluster would emit at the end."""
    other = type(node.dialect)(node.url)
    other.start(lambda *args: None)
    other.add_namespace("/")
    other.publish("/", Broadcast(["the end"]))
    return other


@pytest.mark.parametrize("name", DIALECTS)
def test_what_nobody_means(name, redis, caplog):
    dialect, say = DIALECTS[name]
    node = Node(dialect(redis.url))
    node.url = redis.url
    node.socket.join("a")
    node.ready()
    if name == "streams":
        wait_until(lambda: node.dialect.pending.connected, "it reads the log")
    foreigner = Appending(redis, sharded=name == "sharded", channels=["nobody's"])
    asked = []
    cluster = node.server.cluster
    cluster._open[ASKED] = cluster._open.pop(cluster.open(asked.append))
    opened = dict(cluster._open)
    with caplog.at_level(logging.DEBUG):
        say(foreigner, "" if name == "queue" else node.dialect.bus.uid)
        other = end(node)
        wait_until(lambda: ["the end"] in sent(node), "the server goes on")
    assert node.socket.connected
    assert cluster._open == opened
    assert not [record for record in caplog.records if record.exc_info], "no traceback"
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) < 100, "no flood"
    assert len(asked) > 10
    assert len(sent(node)) > 10
    other.close()
    foreigner.close()
    node.close()


def sent(node):
    """The events that the client was sent, each read as strictly as an official client reads."""
    found = []
    for message in node.peer.taken:
        kind, namespace, _, data, attachments = packet.decode(message.text.decode()[1:], json.loads)
        assert len(message.attachments) == attachments <= packet.MAX_ATTACHMENTS
        if kind in (packet.EVENT, packet.BINARY_EVENT):
            assert namespace == "/"
            assert isinstance(data[0], str)
            assert data[0] not in packet.RESERVED
            found.append(packet.fill_placeholders(data, message.attachments) if attachments else data)
    return found
