"""Owns the entries of the streams adapter's log: the official adapter's own, ours, repetitions, ids, hostile bytes."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.adapters.cluster_codec import ClusterCodec
from flask_socketio_py.socketio.adapters.operations import Broadcast, Disconnect, Join, Leave
from flask_socketio_py.socketio.adapters.redis.stream_log import (
    MAX_MISSING,
    MAX_SERVERS,
    Entry,
    LogCodec,
    Seen,
    entry_of,
    following,
    is_offset,
    number,
)
from flask_socketio_py.socketio.msgpack_codec import MSGPACK_JAVASCRIPT
from socketio.values import binary, exactly, values

CODEC = LogCodec(ClusterCodec(MSGPACK_JAVASCRIPT))
#: What @socket.io/redis-streams-adapter 0.3.1 wrote: type, data, and what it means.
OFFICIAL = [
    (
        3,
        '{"packet":{"type":2,"data":["hello",1,"2",{"a":[true,null,1.5]}]},"opts":{"rooms":[],"except":[],"flags":{}}}',
        Broadcast(["hello", 1, "2", {"a": [True, None, 1.5]}]),
    ),
    (
        3,
        '{"packet":{"type":2,"data":["hello"]},"opts":{"rooms":["room1","room2"],"except":["room3"],"flags":{}}}',
        Broadcast(["hello"], ("room1", "room2"), ("room3",)),
    ),
    (
        3,
        '{"packet":{"type":2,"data":["hello"]},"opts":{"rooms":[],"except":[],"flags":{"volatile":true,"compress":false}}}',
        Broadcast(["hello"], volatile=True, compress=False),
    ),
    (
        3,
        "gqZwYWNrZXSCpHR5cGUCpGRhdGGSo2JpbsQEAQIDBKRvcHRzg6Vyb29tc5CmZXhjZXB0kKVmbGFnc4A=",
        Broadcast(["bin", b"\1\2\3\4"]),
    ),
    (
        3,
        '{"packet":{"type":2,"data":["u","€","2023-11-14T22:13:20.123Z"]},"opts":{"rooms":[],"except":[],"flags":{}}}',
        Broadcast(["u", "€", "2023-11-14T22:13:20.123Z"]),
    ),
    (4, '{"opts":{"rooms":["room1"],"except":[],"flags":{}},"rooms":["r2","r3"]}', Join(("room1",), (), ("r2", "r3"))),
    (5, '{"opts":{"rooms":["room1"],"except":[],"flags":{}},"rooms":["r2"]}', Leave(("room1",), (), ("r2",))),
    (6, '{"opts":{"rooms":["room1"],"except":[],"flags":{}},"close":true}', Disconnect(("room1",), (), True)),
]


@pytest.mark.parametrize(("kind", "data", "operation"), OFFICIAL)
def test_the_official_adapters_entries(kind, data, operation):
    fields = {b"uid": b"4acc7919133a4109", b"nsp": b"/", b"type": b"%d" % kind, b"data": data.encode()}
    entry = entry_of(fields)
    assert entry == Entry("4acc7919133a4109", "/", kind, data.encode(), None, False)
    assert CODEC.decode(entry.kind, entry.data) == operation
    assert CODEC.encode(operation) == (kind, data.encode())


@given(st.text("ab*#é ", max_size=5), values, st.lists(st.text("ab*#é ", max_size=5)))
def test_what_is_written_can_be_read(event, value, rooms):
    operation = Broadcast([event, value], tuple(dict.fromkeys(rooms)), ("x",))
    read = CODEC.decode(*CODEC.encode(operation))
    assert (exactly(read.data), read.rooms, read.excepted) == (exactly([event, value]), operation.rooms, ("x",))


@given(binary)
def test_binary_data_arrives(value):
    kind, data = CODEC.encode(Broadcast(["x", value, b"\0"]))
    assert data[:1] != b"{"
    assert CODEC.decode(kind, data).data[2] == b"\0"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"uid": b"x", b"nsp": b"/"},
        {b"uid": b"", b"nsp": b"/", b"type": b"3"},
        {b"uid": b"x" * 200, b"nsp": b"/", b"type": b"3"},
        {b"uid": b"x", b"nsp": b"\xff", b"type": b"3"},
        {b"uid": b"x", b"nsp": b"/", b"type": b"three"},
        {b"uid": b"x", b"nsp": b"/", b"type": "٣".encode()},
    ],
)
def test_what_is_no_entry(fields):
    with pytest.raises(PacketError):
        entry_of(fields)


@pytest.mark.parametrize("sequence", [b"", b"-1", b"1.5", b"9" * 40, "٣".encode()])
def test_a_number_that_is_none_is_overlooked(sequence):
    assert entry_of({b"uid": b"x", b"nsp": b"/", b"type": b"3", b"seq": sequence}).sequence is None


def test_hostile_data_is_refused_and_does_nothing_else():
    rng = random.Random(1)
    good = [data.encode() for _, data, _ in OFFICIAL]
    refused = 0
    for _ in range(4000):
        data = bytearray(rng.choice(good))
        if data[:1] != b"{" and rng.random() < 0.7:
            data = bytearray(base64.b64decode(bytes(data)))
            for _ in range(rng.randrange(1, 5)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            data = bytearray(base64.b64encode(bytes(data)))
        else:
            for _ in range(rng.randrange(1, 5)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            CODEC.decode(rng.choice((3, 3, 4, 5, 6, 0, 999)), bytes(data))
        except PacketError:
            refused += 1
    assert refused > 1000


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_ids(milliseconds, sequence):
    identifier = f"{milliseconds}-{sequence}"
    assert number(following(identifier)) > number(identifier)
    assert number(identifier) == (milliseconds, sequence)
    assert is_offset(identifier)


@pytest.mark.parametrize("text", ["", "1", "1-", "1-x", f"{2**64}-0", f"0-{2**64}", "1-1\n", "\u0661-1"])
def test_what_is_no_id(text):
    assert not is_offset(text)


def test_ids_are_numbers():
    assert number("9-10") > number("9-9")
    assert following("9-9") == "9-10"
    assert following(f"9-{2**64 - 1}") == "10-0"


# --- repetitions -----------------------------------------------------------------------------------------------------


def told(seen, sequences, uid="a"):
    """Which of these are new, in their order."""
    return [one for one in sequences if seen.add(Entry(uid, "/", 3, b"", one, False))]


def test_a_batch_that_was_sent_twice_counts_once():
    assert told(Seen(), [1, 2, 3, 1, 2, 3, 4, 5]) == [1, 2, 3, 4, 5]


def test_one_that_was_overtaken_is_new():
    assert told(Seen(), [1, 3, 4, 2, 2, 3, 5]) == [1, 3, 4, 2, 5]


def test_a_reader_that_begins_later():
    assert told(Seen(), [7, 8, 7, 8, 9]) == [7, 8, 9]


def test_servers_are_apart_and_others_have_no_numbers():
    seen = Seen()
    assert told(seen, [1, 2]) == [1, 2]
    assert told(seen, [1, 2], "b") == [1, 2]
    assert told(seen, [None, None]) == [None, None]


@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_whatever_is_repeated_in_whatever_order(count, rng):
    sent = [1]
    pending = list(range(2, count + 1))
    while pending:
        batch = pending[: rng.randrange(1, 8)]
        sent += batch[: rng.randrange(len(batch) + 1)]  # the connection broke
        if rng.random() < 0.5:
            rng.shuffle(batch)
        sent += batch
        del pending[: len(batch)]
    new = told(Seen(), sent)
    assert sorted(new) == list(range(1, count + 1))


def test_it_is_bounded():
    seen = Seen()
    told(seen, [1, 10**12, 10**15])
    for server in range(2 * MAX_SERVERS):
        told(seen, [1], str(server))
    assert len(seen._servers) == MAX_SERVERS
    other = Seen()
    told(other, [1, *range(3, 10 * MAX_MISSING, 2)])
    assert len(other._servers["a"][1]) <= MAX_MISSING + 1
