"""Owns what a foreign server can do to ours through Redis: the channels carry 10,000 malformed messages, and nothing
happens but a line in the log; and what ours say in return is what official servers understand.
"""

import json
import logging

import msgpack
import pytest
from contract.waiting import wait_until
from redis_server import RedisServer
from socketio.adapters import golden
from socketio.adapters.redis.channels import Foreigner, Node

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.adapters.classic_codec import ClassicCodec
from flask_socketio_py.socketio.adapters.operations import Broadcast, Disconnect
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from hostile.mutate import mutations

COUNT = 10_000
#: What was seen to hurt official servers.
HURTING = [b"not msgpack", b"\xc0", b"\x93\xc0\xc0\xc0", b'{"type":5,"uid":"x","requestId":"y"}', b'{"type":3}']
CLASSIC = [data for data, *_ in (*golden.BROADCASTS, *golden.EMITTED, *golden.REQUESTS, *golden.FURTHER_REQUESTS)]
CLASSIC += [data for data, _ in golden.RESPONSES]
SHARDED = [data for data, _ in golden.SHARDED]
KINDS = {"classic": (ClassicDialect, CLASSIC), "sharded": (ShardedDialect, SHARDED)}


@pytest.fixture(scope="module")
def redis():
    with RedisServer() as server:
        yield server


@pytest.fixture(params=KINDS)
def attack(request, redis):
    dialect, seeds = KINDS[request.param]
    node = Node(dialect(redis.url))
    sharded = request.param == "sharded"
    uid = node.dialect.bus.uid
    if sharded:
        channels = ["socket.io#/#", f"socket.io#/#{uid}#"]
    else:
        channels = ["socket.io#/#", "socket.io#/#room#", "socket.io-request#/#", "socket.io-response#/#"]
        channels += [f"socket.io-response#/#{uid}#"]
    heard = ["socket.io#/#", "socket.io#/#c847e86ecab2f8fc#"]
    foreigner = Foreigner(redis, sharded=sharded, patterns=["socket.io-response#*"], channels=heard)
    yield node, foreigner, seeds, channels
    foreigner.close()
    node.close()


def harmless(node, messages):
    """Without those that are, or have become, a valid order to disconnect: that is not what is tested here."""

    def is_order(data):
        codec = node.dialect._codec
        try:
            if isinstance(codec, ClassicCodec):
                return any(isinstance(operation, Disconnect) for operation in codec.decode_request(data).operations)
            return isinstance(codec.decode(data).operation, Disconnect)
        except PacketError:
            return False

    return [data for data in messages if not is_order(data)]


def intact(node, foreigner, last):
    """Nobody was moved, and the server does what it should."""
    foreigner.say("socket.io#/#", last)
    while ["the end"] not in node.got():
        pass
    return node.socket.connected


def last_message(node):
    if isinstance(node.dialect, ClassicDialect):
        return node.dialect._codec.encode_broadcast("QkKoLm", "/", Broadcast(["the end"]))
    return node.dialect._codec.encode("c847e86ecab2f8fc", "/", Broadcast(["the end"]))


def test_malformed_messages_on_every_channel(attack, caplog):
    node, foreigner, seeds, channels = attack
    sent = 0
    for data in harmless(node, [*HURTING, *mutations(seeds, COUNT, seed=26)]):
        for channel in channels:
            assert foreigner.say(channel, data) >= 1
        sent += 1
    assert sent > COUNT / 2
    assert intact(node, foreigner, last_message(node))
    assert node.dialect.bus.malformed > 1000
    assert not [record for record in caplog.records if record.exc_info], "no traceback"
    kinds = [record.args[1].args[0] for record in caplog.records if "can't be read" in record.message]
    assert 1 < len(kinds) < 50  # and not one for each
    assert len(set(kinds)) == len(kinds)
    assert all(record.levelno <= logging.WARNING for record in caplog.records)


def test_events_that_no_client_may_be_sent(attack, caplog):
    node, foreigner, *_ = attack
    for data in (["disconnect", 1], ["x", *[b"\1"] * 11]):
        for request_id in (None, "x"):
            broadcast = Broadcast(data, request_id=request_id)
            channel, message = encoded(node, broadcast)
            foreigner.say(channel, message)
    assert intact(node, foreigner, last_message(node))
    assert not [record for record in caplog.records if record.exc_info], "no traceback"
    assert caplog.records


def encoded(node, broadcast):
    """The channel and the message, as one would send it who checks nothing."""
    packet = {"type": 2, "data": broadcast.data, "nsp": "/"}
    options = {"rooms": [], "except": [], "flags": {}}
    asked = {} if broadcast.request_id is None else {"requestId": broadcast.request_id}
    if isinstance(node.dialect, ShardedDialect):
        data = {"packet": packet, **asked, "opts": options}
        return "socket.io#/#", msgpack.packb({"type": 3, "data": data, "uid": "c847e86ecab2f8fc", "nsp": "/"})
    if asked:
        message = {"uid": "u", **asked, "type": 7, "packet": packet, "opts": options}
        return "socket.io-request#/#", msgpack.packb(message)
    return "socket.io#/#", msgpack.packb(["u", packet, options])


def test_what_ours_answer_is_what_official_servers_understand(attack):
    node, foreigner, seeds, channels = attack
    messages = harmless(node, mutations(seeds, 3000, seed=27))
    for data in messages:
        for channel in channels:
            foreigner.say(channel, data)
    assert intact(node, foreigner, last_message(node))
    sharded = isinstance(node.dialect, ShardedDialect)
    last = "socket.io#/#c847e86ecab2f8fc#" if sharded else "socket.io-response#the end#"
    wait_until(lambda: not node.dialect.bus.publisher.waiting, "all answers are sent")
    foreigner.say(last, b"the end")
    wait_until(lambda: (last, b"the end") in foreigner.listen(), "all answers are heard")
    ours = {data for _, data in foreigner.heard} - {*messages, b"the end", last_message(node)}
    assert len(ours) > 5
    for data in ours:
        codec = node.dialect._codec
        try:
            message = json.loads(data) if data[:1] == b"{" else codec.msgpack.decode(data)
        except (ValueError, PacketError) as error:
            raise AssertionError(f"not decodable: {data!r}") from error
        assert isinstance(message, dict)
        content = message["data"] if sharded else message
        assert isinstance(content["requestId"], str)
        assert isinstance(content.get("sockets", []), list)
        assert isinstance(content.get("rooms", []), list)
