"""Owns what an outsider writes for each dialect: the official emitters' channels, keys and bytes, on a real Redis."""

import base64
import contextlib
import json
import logging

import gevent
import msgpack
import pytest
from contract.waiting import wait_until

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.operations import (
    Broadcast,
    Count,
    Disconnect,
    Fetch,
    Join,
    Leave,
    ServerEvent,
)
from flask_socketio_py.socketio.adapters.redis.outsider import Outsider

SID = "A_-456789012345678xy"
ALL = (Broadcast(["e"]), Join(("r",), (), ("s",)), Leave((), ("r",), ("s",)), Disconnect((), ()), ServerEvent(["e"]))


@pytest.fixture
def outsider(server):
    """``outsider("sharded", ...)``: one for that dialect."""
    with contextlib.ExitStack() as stack:

        def make(dialect=None, **options):
            url = server.url.replace("redis://", f"redis+{dialect}://") if dialect else server.url
            made = Outsider(url, **options)
            stack.callback(made.close)
            return made

        yield make


def heard(subscribe, server, tell, *channels, sharded=False, count=1):
    subscriber = subscribe(server, *channels, sharded=sharded)
    gevent.get_hub().threadpool.apply(tell)
    wait_until(lambda: len(subscriber.heard) >= count, "it is heard")
    return subscriber.heard


def test_a_classic_broadcast_has_the_bytes_of_the_official_emitter(subscribe, server, outsider):
    operation = Broadcast(["hello", 1, "2", {"a": [True, None, 1.5]}])
    [(_, data)] = heard(subscribe, server, lambda: outsider().tell("/", operation), "socket.io#/#")
    packet = b"\x83\xa4type\x02\xa4data\x94\xa5hello\x01\xa12\x81\xa1a\x93\xc3\xc0\xcb?\xf8\0\0\0\0\0\0\xa3nsp\xa1/"
    assert data == b"\x93\xa7emitter" + packet + b"\x83\xa5rooms\x90\xa5flags\x80\xa6except\x90"


def test_classic_rooms_flags_and_binary(subscribe, server, outsider):
    def tell():
        outsider().tell("/chat", Broadcast(["e", b"\0\xff"], ("r",), ("s", SID), volatile=True, compress=False))
        outsider(channel="mine").tell("/", Broadcast(["e"], ("r", "s")))

    one, two = heard(subscribe, server, tell, "socket.io#/chat#r#", "mine#/#", count=2)
    assert one[0] == b"socket.io#/chat#r#"
    assert msgpack.unpackb(one[1]) == [
        "emitter",
        {"type": 2, "data": ["e", b"\0\xff"], "nsp": "/chat"},
        {"rooms": ["r"], "flags": {"volatile": True, "compress": False}, "except": ["s", SID]},
    ]
    assert msgpack.unpackb(two[1])[2]["rooms"] == ["r", "s"]


def test_classic_requests(subscribe, server, outsider):
    def tell():
        for operation in ALL[1:]:
            outsider().tell("/", operation)

    found = heard(subscribe, server, tell, "socket.io-request#/#", count=4)
    assert [json.loads(data) for _, data in found] == [
        {"type": 2, "opts": {"rooms": ["r"], "except": []}, "rooms": ["s"]},
        {"type": 3, "opts": {"rooms": [], "except": ["r"]}, "rooms": ["s"]},
        {"type": 4, "opts": {"rooms": [], "except": []}, "close": False},
        {"uid": "emitter", "type": 6, "data": ["e"]},
    ]


def test_sharded(subscribe, server, outsider):
    def tell():
        for operation in (*ALL, Broadcast(["e"], ("r",)), Broadcast(["e", b"x"], (SID,))):
            outsider("sharded").tell("/", operation)

    found = heard(subscribe, server, tell, "socket.io#/#", "socket.io#/#r#", sharded=True, count=7)
    assert {channel for channel, _ in found} == {b"socket.io#/#", b"socket.io#/#r#"}
    common = [json.loads(data) for channel, data in found if channel == b"socket.io#/#" and data[:1] == b"{"]
    assert [message["type"] for message in common] == [3, 4, 5, 6, 9]
    assert all((message["uid"], message["nsp"]) == ("emitter", "/") for message in common)
    [room] = [json.loads(data) for channel, data in found if channel == b"socket.io#/#r#"]
    assert room["data"] == {"packet": {"type": 2, "data": ["e"]}, "opts": {"rooms": ["r"], "except": [], "flags": {}}}
    [binary] = [msgpack.unpackb(data) for _, data in found if data[:1] != b"{"]
    assert binary["data"]["packet"]["data"] == ["e", b"x"]


def test_streams(subscribe, server, outsider):
    def tell():
        for operation in (*ALL, Broadcast(["e", b"x"], (SID,))):
            outsider("streams").tell("/n", operation)

    [(_, event)] = heard(subscribe, server, tell, "socket.io#/n#")
    assert msgpack.unpackb(event) == {"type": 9, "data": {"packet": ["e"]}, "uid": "emitter", "nsp": "/n"}
    entries = [
        dict(zip(fields[::2], fields[1::2], strict=True)) if isinstance(fields, list) else fields
        for _, fields in server.ask("XRANGE", "socket.io", "-", "+")
    ]
    assert [entry[b"type"] for entry in entries] == [b"3", b"4", b"5", b"6", b"3"]
    assert all((entry[b"uid"], entry[b"nsp"]) == (b"emitter", b"/n") for entry in entries)
    assert json.loads(entries[0][b"data"])["packet"]["data"] == ["e"]
    assert msgpack.unpackb(base64.b64decode(entries[4][b"data"]))["packet"]["data"] == ["e", b"x"]


def test_queue(subscribe, server, outsider):
    def tell():
        for operation in ALL:
            outsider("queue").tell("/", operation)

    found = [json.loads(data) for _, data in heard(subscribe, server, tell, "flask-socketio", count=5)]
    ours = "flask_socketio_py"
    assert [message["method"] for message in found] == ["emit", "enter_room", ours, ours, ours]
    assert len({message["host_id"] for message in found}) == len(ALL), "each emitter has an id of its own"


@pytest.mark.parametrize("dialect", [None, "sharded", "streams", "queue"])
def test_what_cannot_be_told_is_the_callers_mistake(outsider, dialect):
    made = outsider(dialect, max_size=1000)
    with pytest.raises(TypeError):
        made.tell("/", Broadcast(["e", object()]))
    with pytest.raises(TypeError, match="a room must be a string"):
        made.tell("/", Broadcast(["e"], (b"r",)))
    with pytest.raises(ValueError, match="max_cluster_message_size"):
        made.tell("/", Broadcast(["e", "x" * 1000]))
    for question in (Broadcast(["e"], request_id="1"), Fetch("1", (), ()), Count("1", (), ()), ServerEvent(["e"], "1")):
        with pytest.raises(RuntimeError, match="hears no answers"):
            made.tell("/", question)


@pytest.mark.parametrize("dialect", [None, "sharded", "streams", "queue"])
@pytest.mark.parametrize("args", [[b"x"] * 11, [b"x", {"_placeholder": True, "num": 5}]])
def test_what_would_break_official_clients_is_the_callers_mistake(outsider, dialect, args):
    with pytest.raises(ValueError, match="binary data"):
        outsider(dialect).tell("/", Broadcast(["e", *args]))
    outsider(dialect, default_parser=False).tell("/", Broadcast(["e", *args]))
    outsider(dialect).tell("/", Broadcast(["e", *args[:10], args[-1]][: len(args)]))


@pytest.mark.parametrize("dialect", ["", "+sharded", "+streams", "+queue"])
def test_a_redis_that_is_away_is_an_error(dialect):
    with pytest.raises(ClusterError, match="failed"):
        Outsider(f"redis{dialect}://127.0.0.1:1").tell("/", Broadcast(["e"]))


def test_nobody_who_listens_is_told_once(outsider, caplog):
    made = outsider("queue", channel="empty")
    with caplog.at_level(logging.WARNING):
        made.tell("/", Broadcast(["e"]))
        made.tell("/", Broadcast(["e"]))
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["no server listens to empty"]
