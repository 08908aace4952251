"""Owns the messages of the official classic adapter, byte for byte, in both directions, and what malformed ones do."""

import json

import pytest
from hostile.mutate import mutations
from hypothesis import given

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.adapters.classic_codec import ClassicCodec
from flask_socketio_py.socketio.adapters.operations import (
    Ack,
    AckCount,
    Broadcast,
    Count,
    Counted,
    Fetch,
    Fetched,
    ServerAnswer,
    ServerEvent,
)

from . import golden
from .cluster_values import BROADCASTS, REPLIES, REQUESTS

CODEC = ClassicCodec()
#: The letter before our ids, by what is asked.
LETTERS = {Fetch: "f", Broadcast: "b", ServerEvent: "e", Fetched: "f", ServerAnswer: "e", Ack: "b", AckCount: "b"}


def letter(operation):
    if isinstance(operation, Count):
        return "r" if operation.with_rooms else "n"
    return LETTERS.get(type(operation), "")


@pytest.mark.parametrize(("data", "broadcast"), golden.BROADCASTS)
def test_broadcasts_as_official_servers_send_them(data, broadcast):
    assert CODEC.decode_broadcast(data) == ("QkKoLm", "/", broadcast)
    assert CODEC.encode_broadcast("QkKoLm", "/", broadcast) == data


@pytest.mark.parametrize(("data", "namespace", "broadcast"), golden.EMITTED)
def test_broadcasts_of_the_emitter(data, namespace, broadcast):
    assert CODEC.decode_broadcast(data) == ("emitter", namespace, broadcast)


def test_a_broadcast_of_an_emitter_for_old_servers():
    data = CODEC.msgpack.encode(["emitter", {"type": 5, "data": ["x", b"\1"]}, {"rooms": ["a"]}])
    assert CODEC.decode_broadcast(data) == ("emitter", "/", Broadcast(["x", b"\1"], ("a",)))


def test_a_broadcast_of_the_emitter_for_php():
    """Its empty map is an empty list."""
    data = CODEC.msgpack.encode(["emitter", {"type": 2, "data": ["x"]}, {"rooms": [], "flags": []}])
    assert CODEC.decode_broadcast(data) == ("emitter", "/", Broadcast(["x"]))


@pytest.mark.parametrize(("data", "operation"), golden.REQUESTS)
def test_requests_as_official_servers_send_them(data, operation):
    heard = CODEC.decode_request(data)
    assert (heard.uid, heard.asker.uid, heard.operations) == ("QkKoLm", "QkKoLm", (operation,))
    again = CODEC.encode_request("QkKoLm", "/", operation)
    if (request_id := getattr(operation, "request_id", None)) is not None:
        ours = letter(operation) + request_id
        data = data.replace(b"\xa6" + request_id.encode(), b"\xa7" + ours.encode())
        data = data.replace(f'"{request_id}"'.encode(), f'"{ours}"'.encode())
    assert again == data


@pytest.mark.parametrize(("data", "uid", "form", "operations"), golden.FURTHER_REQUESTS)
def test_requests_of_old_servers_and_emitters(data, uid, form, operations):
    heard = CODEC.decode_request(data)
    assert (heard.uid, heard.asker, heard.operations) == (uid, (uid, form), operations)


@pytest.mark.parametrize(("data", "reply"), golden.RESPONSES)
def test_responses_as_official_servers_send_them(data, reply):
    assert CODEC.decode_response(data) == reply
    asked = letter(reply) + reply.request_id
    assert CODEC.encode_response("sockets", reply._replace(request_id=asked)) == data


def test_the_forms_of_an_answer():
    found = Fetched("x", [golden.BOB, {**golden.BOB, "id": "other", "rooms": ["other", "room1", 5]}])
    assert json.loads(CODEC.encode_response("ids", found)) == {"requestId": "x", "sockets": [golden.BOB["id"], "other"]}
    rooms = [golden.BOB["id"], "room1", "other", 5]
    assert json.loads(CODEC.encode_response("rooms", found)) == {"requestId": "x", "rooms": rooms}
    assert json.loads(CODEC.encode_response("here", found)) == {"requestId": "x"}
    assert CODEC.encode_response("here", Fetched("x", [])) is None


def test_what_official_servers_answer_is_counted():
    ids = b'{"requestId":"nx","sockets":["a","b"]}'
    assert CODEC.decode_response(ids) == Counted("x", 2)
    sockets = json.dumps({"requestId": "rx", "sockets": [golden.BOB, {**golden.BOB, "id": "other"}]}).encode()
    # The second is in the first one's own room.
    assert CODEC.decode_response(sockets) == Counted("x", 2, {"room1": 2, golden.BOB["id"]: 1})


def test_counting_asks_official_servers_for_no_more_than_needed():
    request = json.loads(CODEC.encode_request("u", "/", Count("x", ("a",), ())))
    assert request == {"uid": "u", "requestId": "nx", "type": 0, "rooms": ["a"], "count": "sockets"}
    request = json.loads(CODEC.encode_request("u", "/", Count("x", (), ("b",))))
    assert (request["type"], request["opts"], request["count"]) == (5, {"rooms": [], "except": ["b"]}, "sockets")


@given(BROADCASTS)
def test_every_broadcast_comes_back(broadcast):
    assert CODEC.decode_broadcast(CODEC.encode_broadcast("u", "/é", broadcast)) == ("u", "/é", broadcast)


@given(REQUESTS)
def test_every_request_comes_back(operation):
    heard = CODEC.decode_request(CODEC.encode_request("u", "/", operation))
    if (request_id := getattr(operation, "request_id", None)) is not None:
        operation = operation._replace(request_id=letter(operation) + request_id)
    assert (heard.uid, heard.operations) == ("u", (operation,))


@given(REPLIES)
def test_every_reply_comes_back(reply):
    asked = letter(reply)
    if isinstance(reply, Counted):
        asked = "n" if reply.room_sizes is None else "r"
    data = CODEC.encode_response("sockets", reply._replace(request_id=asked + reply.request_id))
    assert CODEC.decode_response(data) == reply


def test_answers_to_others_are_no_answers():
    for data in (b'{"type":8,"requestId":"x","clientCount":1}', b'{"type":7,"requestId":"bx"}'):
        assert CODEC.decode_response(data) is None


SEEDS = [data for data, *_ in (*golden.BROADCASTS, *golden.EMITTED, *golden.REQUESTS, *golden.FURTHER_REQUESTS)]
SEEDS += [data for data, _ in golden.RESPONSES]


def test_malformed_messages_are_the_peers_mistake():
    understood = 0
    for data in mutations(SEEDS, 10_000, seed=24):
        for decode in (CODEC.decode_broadcast, CODEC.decode_request, CODEC.decode_response):
            try:
                decode(data)
            except PacketError:
                continue
            understood += 1
    assert understood > 100  # else nothing was near enough to the real thing


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\x90",
        b"\xc0",
        b"\x93\xc0\xc0\xc0",
        b"{\xff}",
        b'{"type":5}',
        b'{"type":5,"requestId":"x"}',
        b'{"type":5,"requestId":"x","opts":[]}',
        b'{"type":5,"requestId":"x","opts":{}}',
        b'{"type":5,"requestId":"x","opts":{"rooms":"a","except":[]}}',
        b'{"type":5,"requestId":"x","opts":{"rooms":[{}],"except":[]}}',
        b'{"type":5,"requestId":"x","opts":{"rooms":[true],"except":[]}}',
        b'{"type":5,"requestId":7,"opts":{"rooms":[],"except":[]}}',
        b'{"type":4,"close":true}',
        b'{"type":4,"opts":null,"close":true}',
        b'{"type":4,"opts":{"except":[]},"close":true}',
        b'{"type":2,"opts":{"rooms":[]},"rooms":"all"}',
        b'{"type":2,"sid":"s"}',
        b'{"type":6}',
        b'{"type":6,"data":[]}',
        b'{"type":6,"data":[1]}',
        b'{"type":7,"packet":{"type":2,"data":["x"]},"opts":{"rooms":[]}}',
        b'{"type":7,"requestId":"x","packet":{"type":3,"data":["x"]},"opts":{"rooms":[]}}',
        b'{"type":7,"requestId":"x","packet":{"type":2,"data":["x"]},"opts":{"rooms":[],"flags":[1]}}',
        b'{"type":true,"requestId":"x"}',
        b'{"type":10,"requestId":"x"}',
    ],
)
def test_malformed_requests(data):
    with pytest.raises(PacketError):
        CODEC.decode_request(data)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"requestId":"f"}',
        b'{"requestId":"fx","sockets":{}}',
        b'{"requestId":"nx","sockets":1}',
        b'{"requestId":"nx","count":-1}',
        b'{"requestId":"nx","count":true}',
        b'{"requestId":"rx","count":1,"roomSizes":{}}',
        b'{"requestId":"rx","count":1,"roomSizes":[["a"]]}',
        b'{"requestId":"rx","count":1,"roomSizes":[[[],1]]}',
        b'{"requestId":"bx","type":8,"clientCount":"1"}',
    ],
)
def test_malformed_responses(data):
    with pytest.raises(PacketError):
        CODEC.decode_response(data)


def test_sockets_that_are_none_are_left_out():
    data = json.dumps({"requestId": "fx", "sockets": [golden.BOB, 1, {}, {"id": 1}, {"id": "a"}]}).encode()
    rest = {"id": "a", "handshake": {}, "rooms": ["a"], "data": None}
    assert CODEC.decode_response(data) == Fetched("x", [golden.BOB, rest])
