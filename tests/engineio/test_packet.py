"""Owns one packet on the wire: the digits of the protocol, and what of a text can't be UTF-8."""

import pytest

from flask_socketio_py.engineio import packet

#: The digits of Engine.IO protocol 4, written down once more: a constant compared to itself can't be wrong.
DIGITS = {"open": "0", "close": "1", "ping": "2", "pong": "3", "message": "4", "upgrade": "5", "noop": "6"}


@pytest.mark.parametrize(("name", "digit"), DIGITS.items())
def test_the_type_of_a_packet_is_its_digit(name, digit):
    assert getattr(packet, name.upper()) == digit
    assert digit in packet.TYPES


def test_there_are_no_other_types():
    assert frozenset(DIGITS.values()) == packet.TYPES


@pytest.mark.parametrize(
    ("ours", "wire"),
    [
        (packet.CLOSE_PACKET, b"1"),
        (packet.PING_PACKET, b"2"),
        (packet.PROBE_PONG_PACKET, b"3probe"),
        (packet.NOOP_PACKET, b"6"),
        (packet.PROBE.encode(), b"2probe"),
    ],
)
def test_packets_without_data(ours, wire):
    assert ours == wire


@pytest.mark.parametrize(
    ("kind", "data", "wire"),
    [
        (packet.OPEN, "{}", b"0{}"),
        (packet.NOOP, "", b"6"),
        (packet.MESSAGE, "hello", b"4hello"),
        (packet.MESSAGE, "é€😀", "4é€😀".encode()),
        (packet.MESSAGE, "a\x1eb\0\n", b"4a\x1eb\0\n"),
        (packet.MESSAGE, "\ud800", b"4?"),
        (packet.MESSAGE, "x\udfffy", b"4x?y"),
    ],
)
def test_encode(kind, data, wire):
    # A lone surrogate has no UTF-8; what is written for it may be either substitute, but it must be UTF-8.
    assert packet.encode(kind, data) in (wire, wire.replace(b"?", "\ufffd".encode()))
