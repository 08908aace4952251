"""Owns the bytes of the queue dialect: captures of python-socketio, every generation of JSON, hostile messages."""

import json
import math
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.adapters.operations import (
    Ack,
    AckCount,
    Broadcast,
    Count,
    Counted,
    Disconnect,
    Fetch,
    Fetched,
    Join,
    Leave,
    ServerAnswer,
    ServerEvent,
)
from flask_socketio_py.socketio.adapters.redis.queue_codec import Asker, PickledError, QueueCodec

OURS, OTHER = QueueCodec("a" * 32), QueueCodec("b" * 32)
SID = "A_-456789012345678xy"


def written(operation, namespace="/"):
    return [json.loads(message) for message in OURS.encode_request(namespace, operation)]


def read(message):
    return OTHER.decode(message if isinstance(message, bytes) else json.dumps(message).encode())


def emit(**fields):
    usual = {"method": "emit", "event": "e", "data": [1], "binary": False, "namespace": "/", "room": None}
    return {**usual, "skip_sid": None, "callback": None, "host_id": "c" * 32, **fields}


# --- what python-socketio 5.18.1 wrote, captured ----------------------------------------------------------------------

CAPTURES = [
    (
        b'{"method": "emit", "event": "news", "data": ["a", 2], "binary": false, "namespace": "/chat", '
        b'"room": ["r1", "r2"], "skip_sid": ["s1", "s2"], "callback": null, "host_id": "d71db0"}',
        "/chat",
        Broadcast(["news", "a", 2], ("r1", "r2"), ("s1", "s2")),
    ),
    (
        b'{"method": "emit", "event": "bin", "data": [[{"f": {"_placeholder": true, "num": 0}, '
        b'"g": [{"_placeholder": true, "num": 1}]}], "AAE=", "eno="], "binary": true, "namespace": "/", "room": "x", '
        b'"skip_sid": null, "callback": null, "host_id": "d71db0"}',
        "/",
        Broadcast(["bin", {"f": b"\x00\x01", "g": [b"zz"]}], ("x",)),
    ),
    (
        b'{"method": "emit", "event": "q", "data": [1], "binary": false, "namespace": "/", "room": "SID", '
        b'"skip_sid": null, "callback": ["SID", "/", 1], "host_id": "784ba0"}',
        "/",
        Broadcast(["q", 1], ("SID",), request_id="callback", timeout=3600.0),
    ),
    (
        b'{"method": "enter_room", "sid": "SID", "room": "roomZ", "namespace": "/", "host_id": "784ba0"}',
        "/",
        Join(("SID",), (), ("roomZ",)),
    ),
]


@pytest.mark.parametrize(("capture", "namespace", "operation"), CAPTURES)
def test_what_python_socketio_wrote_is_read(capture, namespace, operation):
    heard = OTHER.decode(capture)
    assert (heard.namespace, heard.operation, heard.ours) == (namespace, operation, False)


@pytest.mark.parametrize(("capture", "namespace", "operation"), [CAPTURES[0], CAPTURES[1], CAPTURES[3]])
def test_the_same_is_written(capture, namespace, operation):
    (message,) = QueueCodec(json.loads(capture)["host_id"]).encode_request(namespace, operation)
    assert json.loads(message) == json.loads(capture)
    if json.loads(capture)["method"] == "emit":
        assert list(json.loads(message)) == list(json.loads(capture)), "in the same order, too"


def test_the_answer_to_a_callback_goes_back_as_it_was_asked_for():
    asker = OTHER.decode(CAPTURES[2][0]).reply_to
    message = OTHER.encode_reply("/", asker, Ack("callback", "yes", ["yes", 2]))
    assert json.loads(message) == {
        "method": "callback", "host_id": "784ba0", "sid": "SID", "namespace": "/", "id": 1, "args": ["yes", 2],
    }  # fmt: skip
    assert OTHER.encode_reply("/", asker, AckCount("callback", 3)) is None


def test_binary_answers_are_for_our_own_servers_only():
    with pytest.raises(TypeError, match="binary"):
        OTHER.encode_reply("/", Asker("x", False), Ack("callback", b"1", [b"1"]))
    answer = OTHER.encode_reply("/", Asker(OURS.host_id, True, None, "/", "r"), Ack("r", b"1", [b"1", {"a": b"2"}]))
    assert OURS.decode(answer).operation == Ack("r", b"1", [b"1", {"a": b"2"}])


# --- the generations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "args"),
    [
        ({"data": [{"a": 1}]}, [{"a": 1}]),
        ({"data": ["a", 2]}, ["a", 2]),
        ({"data": [[1, 2]]}, [[1, 2]]),
        ({"data": [None]}, []),
        ({"data": []}, []),
        # 5.14.0 to 5.15.0: what was given itself
        ({"data": {"a": 1}}, [{"a": 1}]),
        ({"data": "text"}, ["text"]),
        ({"data": None}, []),
        ({"data": [{"_placeholder": True, "num": 0}, "AAE="], "binary": True}, [b"\x00\x01"]),
        # what our own servers add
        ({"data": [None], "arguments": 1}, [None]),
    ],
)
def test_the_arguments_in_each_generation(fields, args):
    assert read(emit(**fields)).operation.data == ["e", *args]


def test_a_generation_without_the_field_binary_and_without_host_id():
    message = emit(data={"a": 1})
    del message["binary"], message["host_id"]
    assert read(message).operation == Broadcast(["e", {"a": 1}])


def test_pickles_are_told_apart():
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(PickledError):
            OTHER.decode(pickle.dumps(emit(), protocol))


def test_nan_and_lone_surrogates_of_the_standard_library_are_read():
    text = json.dumps(emit(data=["\ud800", math.nan, math.inf]))
    assert "NaN" in text
    assert read(text.encode()).operation.data == ["e", "\ud800", None, None]


# --- our own ----------------------------------------------------------------------------------------------------------


def test_what_the_wire_has_words_for():
    assert written(Leave(("r",), (), ("r",)), "/n") == [
        {"method": "close_room", "room": "r", "namespace": "/n", "host_id": OURS.host_id}
    ]
    assert [(m["method"], m["sid"], m["room"]) for m in written(Leave((SID, "t"), (), ("r", "s")))] == [
        ("leave_room", SID, "r"), ("leave_room", SID, "s"), ("leave_room", "t", "r"), ("leave_room", "t", "s"),
    ]  # fmt: skip
    assert [(m["method"], m["sid"]) for m in written(Disconnect((SID,), ()))] == [("disconnect", SID)]
    (message,) = written(Broadcast(["e"], (), ("r",), True, False))
    assert (message["data"], message["skip_sid"], message["volatile"], message["compress"]) == (
        [None],
        "r",
        True,
        False,
    )


ROOMS = st.lists(st.text(max_size=5) | st.integers(-5, 10**12), max_size=3, unique=True).map(tuple)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.binary(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=6,
).filter(lambda value: "_placeholder" not in repr(value))
EVENTS = st.lists(VALUES, max_size=3).map(lambda args: ["e", *args])
IDS = st.text(st.sampled_from("0123456789abcdef"), min_size=1, max_size=16)
TIMES = st.none() | st.floats(0.1, 1e6)


def built(make, *values):
    return st.tuples(*values).map(lambda given: make(*given))


REQUESTS = st.one_of(
    built(Broadcast, EVENTS, ROOMS, ROOMS, st.booleans(), st.booleans()),
    built(Broadcast, EVENTS, ROOMS, ROOMS, st.booleans(), st.booleans(), IDS, TIMES),
    built(Join, ROOMS, ROOMS, ROOMS),
    built(Leave, ROOMS, ROOMS, ROOMS),
    built(Disconnect, ROOMS, ROOMS, st.booleans()),
    built(Fetch, IDS, ROOMS, ROOMS),
    built(Count, IDS, ROOMS, ROOMS, st.booleans()),
    built(ServerEvent, EVENTS, st.none() | IDS),
)
SOCKETS = st.lists(
    st.fixed_dictionaries(
        {"id": st.text(max_size=5), "handshake": st.just({"url": "/"}), "rooms": ROOMS.map(list), "data": VALUES}
    )
)
REPLIES = st.one_of(
    built(Ack, IDS, VALUES),
    built(AckCount, IDS, st.integers(0, 9)),
    built(Fetched, IDS, SOCKETS),
    built(Counted, IDS, st.integers(0, 9), st.none() | st.dictionaries(st.text(max_size=3), st.integers(0, 9))),
    built(ServerAnswer, IDS, VALUES),
)


@given(REQUESTS, st.sampled_from(["/", "/chat"]))
def test_requests_come_back(operation, namespace):
    heard = [OTHER.decode(message) for message in OURS.encode_request(namespace, operation)]
    assert all(one.namespace == namespace for one in heard)
    operations = [one.operation for one in heard]
    if operations == [operation]:
        return
    if isinstance(operation, Disconnect):
        assert operations == [operation._replace(rooms=(room,)) for room in operation.rooms]
    else:
        make = type(operation)
        assert operations == [make((sid,), (), (room,)) for sid in operation.rooms for room in operation.moved]


@given(REPLIES)
def test_replies_come_back(operation):
    asker = Asker(OURS.host_id, True, "room", "/", operation.request_id)
    heard = OURS.decode(OTHER.encode_reply("/", asker, operation))
    if isinstance(operation, Ack):
        operation = operation._replace(args=[operation.value])
    assert (heard.operation, heard.ours) == (operation, True)


def test_replies_are_for_the_server_that_asked():
    third = QueueCodec("d" * 32)
    for reply in (AckCount("r", 1), Ack("r", 1), Fetched("r", []), ServerAnswer("r", 1)):
        message = OTHER.encode_reply("/", Asker(OURS.host_id, True, None, "/", "r"), reply)
        assert third.decode(message) is None
        assert OURS.decode(message).operation is not None


def test_a_roll_call_is_answered():
    call = OTHER.decode(OURS.roll_call())
    assert (call.operation, call.ours, call.roll_call, call.reply_to.host_id) == (None, True, True, OURS.host_id)
    answer = OURS.decode(OTHER.here(call.reply_to))
    assert (answer.operation, answer.roll_call, answer.reply_to.host_id) == (None, False, OTHER.host_id)


def test_own_messages_are_not_heard():
    for operation in (Broadcast(["e"]), Disconnect((SID,), ()), Fetch("r", (), ()), Leave(("r",), (), ("r",))):
        assert [OURS.decode(message) for message in OURS.encode_request("/", operation)] == [None]
    assert OURS.decode(OURS.roll_call()) is None


@pytest.mark.parametrize("room", [b"r", ("a",), 1.0 / 3 * math.inf, True, object()])
def test_a_room_that_is_no_string_or_number_is_an_error_at_the_call(room):
    for operation in (
        Broadcast(["e"], (room,)),
        Broadcast(["e"], (), (room,)),
        Join(("r",), (), (room,)),
        Leave((room,), (), ("r",)),
        Disconnect((), (room,)),
        Fetch("r", (room,), ()),
    ):
        with pytest.raises(TypeError, match="a room must be a string"):
            OURS.encode_request("/", operation)


def test_what_an_application_has_no_json_for_is_an_error_at_the_call():
    with pytest.raises(TypeError, match="object"):
        OURS.encode_request("/", Broadcast(["e", object()]))
    codec = QueueCodec("a", lambda value: str(value) if isinstance(value, Decimal) else object())
    (message,) = codec.encode_request("/", Broadcast(["e", Decimal("1.5")]))
    assert json.loads(message)["data"] == ["1.5"]


# --- hostile messages -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=8,
)
NAMES = ["method", "host_id", "event", "data", "binary", "namespace", "room", "skip_sid", "callback", "sid", "id"]
NAMES += [
    "args",
    "kind",
    "to",
    "rooms",
    "except",
    "moved",
    "count",
    "roomSizes",
    "timeout",
    "counts",
    "close",
    "arguments",
]
METHODS = ["emit", "callback", "disconnect", "enter_room", "leave_room", "close_room", "flask_socketio_py", "x"]
KINDS = ["join", "leave", "disconnect", "fetch", "fetched", "count", "count_rooms", "counted", "ack_count"]
KINDS += ["server_event", "server_answer", "roll_call", "here", "y"]


def checked(data):
    try:
        heard = OTHER.decode(data)
    except PacketError:
        return
    if heard is not None and heard.operation is not None:
        assert isinstance(heard.namespace, str)
        hash(tuple(getattr(heard.operation, "rooms", ())) + tuple(getattr(heard.operation, "moved", ())))
        if isinstance(heard.operation, Broadcast | ServerEvent):
            assert isinstance(heard.operation.data[0], str)


@given(
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.sampled_from(METHODS),
    st.sampled_from(KINDS),
    st.sampled_from(["/", None, 5, "x"]),
    st.sampled_from([None, "c", OTHER.host_id, 5]),
)
def test_hostile_fields(fields, method, kind, namespace, host_id):
    usual = {"method": method, "kind": kind, "namespace": namespace, "host_id": host_id, "event": "e", "data": ["e"]}
    for message in ({**usual, **fields}, {**fields, **usual}, {**fields, "method": method}):
        checked(json.dumps(message).encode())


@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_hostile_bytes(data):
    checked(data)


@given(st.data())
def test_hostile_changes_to_good_messages(data):
    capture = data.draw(st.sampled_from([capture for capture, _, _ in CAPTURES]))
    place = data.draw(st.integers(0, len(capture)))
    checked(capture[:place] + data.draw(st.binary(max_size=4)) + capture[place + data.draw(st.integers(0, 8)) :])


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b"null", b"[]", b"1", b"", b"{", b'{"method": "emit"}' * 2],
    ids=lambda data: repr(data[:8]),
)
def test_nesting_and_other_tricks(data):
    checked(data)
