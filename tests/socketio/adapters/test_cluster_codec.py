"""Owns the messages of Node's ClusterAdapter, byte for byte, in both directions, and what malformed ones do."""

import json

import pytest
from hostile.mutate import mutations
from hypothesis import given

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.adapters.cluster_codec import ClusterCodec, Message
from flask_socketio_py.socketio.adapters.operations import Count, Counted
from flask_socketio_py.socketio.msgpack_codec import MSGPACK_JAVASCRIPT, NOTEPACK_3

from . import golden
from .cluster_values import BROADCASTS, REPLIES, REQUESTS

CODEC = ClusterCodec(NOTEPACK_3)
UID = "c847e86ecab2f8fc"


@pytest.mark.parametrize(("data", "operation"), golden.SHARDED)
def test_messages_as_official_servers_send_them(data, operation):
    assert CODEC.decode(data) == Message(UID, "/", operation)
    assert CODEC.encode(UID, "/", operation) == data


@given(BROADCASTS | REQUESTS)
def test_every_request_comes_back(operation):
    expected = operation
    if isinstance(operation, Count):
        prefix = "rooms-" if operation.with_rooms else "count-"
        expected = operation._replace(request_id=prefix + operation.request_id)
    for codec in (CODEC, ClusterCodec(MSGPACK_JAVASCRIPT)):
        assert codec.decode(codec.encode(UID, "/é", operation)) == Message(UID, "/é", expected)


@given(REPLIES)
def test_every_reply_comes_back(reply):
    said = reply
    if isinstance(reply, Counted):
        said = reply._replace(request_id=("count-" if reply.room_sizes is None else "rooms-") + reply.request_id)
    assert CODEC.decode(CODEC.encode(UID, "/", said)).operation == reply


def test_what_official_servers_answer_is_counted():
    asked = json.loads(CODEC.encode(UID, "/", Count("x", (), (), True)))
    assert asked["data"].pop("count") == "rooms"
    assert asked["data"].pop("requestId") == "rooms-x"
    assert asked == {"type": 7, "data": {"opts": {"rooms": [], "except": [], "flags": {}}}, "uid": UID, "nsp": "/"}
    answer = {"type": 8, "data": {"requestId": "rooms-x", "sockets": [golden.BOB]}, "uid": UID, "nsp": "/"}
    assert CODEC.decode(json.dumps(answer).encode()).operation == Counted("x", 1, {"room1": 1})
    answer["data"]["requestId"] = "count-x"
    assert CODEC.decode(json.dumps(answer).encode()).operation == Counted("x", 1)


def test_malformed_messages_are_the_peers_mistake():
    understood = 0
    for data in mutations([data for data, _ in golden.SHARDED], 10_000, seed=25):
        try:
            CODEC.decode(data)
        except PacketError:
            continue
        understood += 1
    assert understood > 100  # else nothing was near enough to the real thing


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": 3},
        {"type": 3, "data": {}},
        {"type": 3, "data": {"packet": {"type": 2, "data": ["x"]}}},
        {"type": 3, "data": {"packet": {"type": 2, "data": []}, "opts": {"rooms": []}}},
        {"type": 3, "data": {"packet": {"type": 2, "data": ["x"]}, "opts": {"rooms": None}}},
        {"type": 3, "data": {"packet": {"type": 2, "data": ["x"]}, "opts": {"rooms": []}, "requestId": 1}},
        {"type": 4, "data": {"opts": {"rooms": []}}},
        {"type": 6, "data": {}},
        {"type": 7, "data": {"opts": {"rooms": []}}},
        {"type": 8, "data": {"requestId": "x"}},
        {"type": 9, "data": {"packet": {}}},
        {"type": 11, "data": {"requestId": "x", "clientCount": 1.5}},
        {"type": 1, "data": {}},
        {"type": "3", "data": {"requestId": "x"}},
        {"type": 99, "data": {"requestId": "x"}},
    ],
)
def test_malformed_messages(message):
    for data in (json.dumps({**message, "uid": UID, "nsp": "/"}).encode(), json.dumps(message).encode()):
        with pytest.raises(PacketError):
            CODEC.decode(data)


@pytest.mark.parametrize("uid", ["", "é", "a\nb", "x" * 101, 5, None])
def test_the_id_of_a_server_may_be_in_the_name_of_a_channel(uid):
    message = {"type": 12, "data": {"requestId": "x", "packet": 1}, "uid": uid, "nsp": "/"}
    with pytest.raises(PacketError):
        CODEC.decode(json.dumps(message).encode())
