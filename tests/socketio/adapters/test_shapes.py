"""Owns how strict we are with what we tell other servers: rooms, sockets, sizes."""

import enum

import pytest

from flask_socketio_py.socketio.adapters import shapes
from flask_socketio_py.socketio.adapters.operations import Broadcast, Counted
from flask_socketio_py.socketio.json_codec import JsonCodec


class Colour(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    FIVE = 5


def test_rooms_are_texts_or_numbers_each_once():
    assert shapes.told_rooms(("a", 5, "a", Colour.RED, Number.FIVE, "")) == ["a", 5, "red", ""]
    assert [type(room) for room in shapes.told_rooms((Colour.RED, Number.FIVE))] == [str, int]


@pytest.mark.parametrize("room", [True, None, 1.5, b"a", ("a",)])
def test_other_rooms_are_refused(room):
    with pytest.raises(TypeError, match="in a cluster a room must be a string"):
        shapes.told_rooms((room,))


@pytest.mark.parametrize("room", [2**64, -(2**63) - 1])
def test_a_number_that_no_wire_carries(room):
    with pytest.raises(ValueError, match="64 bits"):
        shapes.told_rooms((room,))


def test_flags_that_are_as_usual_are_not_told():
    assert shapes.told_flags(Broadcast(["x"])) == {}
    flags = shapes.told_flags(Broadcast(["x"], volatile=True, compress=False, timeout=0.0001))
    assert flags == {"volatile": True, "compress": False, "timeout": 1}


def test_data_of_a_socket_that_cannot_be_told_is_left_out():
    found = [
        {"id": "a", "rooms": ["a", ("tuple",), 5], "data": {"x": object()}},
        {"id": "b", "rooms": ["b"], "data": {"x": b"\1"}},
    ]
    assert shapes.told_sockets(JsonCodec(), found) == [
        {"id": "a", "rooms": ["a", "('tuple',)", 5], "data": {}},
        {"id": "b", "rooms": ["b"], "data": {"x": b"\1"}},
    ]


def test_sizes_of_rooms_that_others_cannot_name_are_left_out():
    assert shapes.told_counts(Counted("x", 3, {"a": 1, 5: 2, ("t",): 3})) == {
        "count": 3,
        "roomSizes": [["a", 1], [5, 2]],
    }


def test_what_is_too_large_says_so():
    assert shapes.with_size(b"12345", 5) == b"12345"
    with pytest.raises(ValueError, match=r"has 6 bytes, and max_cluster_message_size is 5"):
        shapes.with_size(b"123456", 5)


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(300, 0.3), (0.5, 0.0005), (0, None), (-1, None), (True, None), ("1", None), (None, None), (2**60, None)],
)
def test_seconds(milliseconds, seconds):
    assert shapes.heard_seconds(milliseconds) == seconds
