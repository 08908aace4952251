"""Owns packets that are none: each is refused with PacketError and nothing else, in linear time."""

import random
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.json_codec import JsonCodec

from .test_packet import CASES, READ_ONLY

CODEC = JsonCodec()
PLACE = '{"_placeholder":true,"num":0}'
VALID = [case[0] for case in CASES + READ_ONLY]

MALFORMED = [
    "", " ", "7", "9", "a", "-1", "+2", "٢", '٢["a"]', "²", "\0", "[]", '["a"]', " 2[]",
    # an event
    "2", "2{}", "2[]", "2null", '2"a"', "2[null]", "2[true]", "2[false]", '2[["a"]]', '2[{"a":1}]', '2["a"', '2["a"]x',
    '2["a"]["b"]', "2[undefined]", '2["a",]', "2['a']", '2["a",NaN]', '2a["a"]', '2-1["a"]', '21-["a"]',
    '2+1["a"]', '21.5["a"]', '21e3["a"]', '2٣["a"]', '2²["a"]', '2\uff11["a"]', '21٣["a"]', '20x1["a"]', '21_0["a"]',
    "2" + "9" * 21 + '["a"]', "2" + "0" * 21 + '["a"]', "2" + "9" * 400 + '["a"]', '2,["a"]', '2admin,["a"]',
    '2/admin["a"]', "2/admin", "2/admin,", "2/admin,{}", "2/admin,7", '2/admin,1-["a"]', '2["\ud800"]',
    # an acknowledgement
    "3", "3[]", "31", "31{}", "31null", '31"a"', '3/admin,["a"]', "3/admin,1", "3-1[]", "31-[]", "3 1[]", "3٣[]",
    # a binary packet
    "5", "6", f'5["a",{PLACE}]', f'5-["a",{PLACE}]', f'50-["a",{PLACE}]', '50-["a"]', f'511-["a",{PLACE}]',
    f'5999-["a",{PLACE}]', f'51000-["a",{PLACE}]', f'5{"1" * 400}-["a",{PLACE}]', f'51["a",{PLACE}]', "51-", "51-[]",
    f'51e0-["a",{PLACE}]', f'50x1-["a",{PLACE}]', f'5 1-["a",{PLACE}]', f'5٣-["a",{PLACE}]', f'5+1-["a",{PLACE}]',
    f"51-[{PLACE}]", f'5-1-["a",{PLACE}]', f"61-[{PLACE}]", f"60-1[{PLACE}]", f"61-1{PLACE}", "61-1",
    f'51.0-["a",{PLACE}]', f'51-["a",{PLACE}]x', f'51-1-["a",{PLACE}]', '51-["connect"]',
    # connections
    "0[]", "0null", '0"token"', "0{", '0{"a":1}x', "0/admin,[]", "00-", '01-{"a":1}',
    "1{}", "1null", "1[]", '1"a"', "1/admin,{}", "11-",
    "4", "4[]", "4null", "41", "4/admin,", "4/admin,[]", "41-{}",
    *[f'2["{name}",1]' for name in sorted(packet.RESERVED)],
    *[f'51-["{name}",{PLACE}]' for name in sorted(packet.RESERVED)],
]  # fmt: skip


def decode(text):
    return packet.decode(text, CODEC.decode)


def check(text):
    """The packet is refused with PacketError, or is one that the protocol allows."""
    try:
        kind, namespace, ack_id, data, attachments = decode(text)
    except PacketError:
        return False
    assert str(kind) == text[0]
    assert namespace.startswith("/")
    assert "," not in namespace
    assert ack_id is None or (type(ack_id) is int and 0 <= ack_id < 10**20)
    assert 1 <= attachments <= 10 if kind in (5, 6) else attachments == 0
    if kind in (2, 5):
        assert type(data[0]) in (str, int, float)
        assert data[0] not in packet.RESERVED
    elif kind in (3, 6):
        assert isinstance(data, list)
        assert ack_id is not None
    elif kind == 4:
        assert isinstance(data, str | dict)
    else:
        assert data is None or (kind == 0 and isinstance(data, dict))
    return True


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: ascii(text[:40]))
def test_a_malformed_packet_is_refused(text):
    with pytest.raises(PacketError):
        decode(text)


@pytest.mark.parametrize("text", VALID, ids=ascii)
def test_every_beginning_of_a_packet_is_refused_or_a_packet(text):
    for stop in range(len(text)):
        check(text[:stop])


def test_mutations_of_packets_are_refused_or_packets():
    chance = random.Random(5)
    alphabet = '0123456789-/,[]{}":\\ud"_placeholder num true null.eE٣² \0\ud800€' + string.ascii_letters
    accepted = 0
    for _ in range(20_000):
        text = list(chance.choice(VALID))
        for _ in range(chance.randrange(1, 4)):
            start = chance.randrange(len(text) + 1)
            text[start : start + chance.randrange(3)] = chance.choices(alphabet, k=chance.randrange(3))
        accepted += check("".join(text))
    assert 1000 < accepted < 19_000  # both happen, or the mutations prove nothing


def test_packets_put_together_at_random_are_refused_or_packets():
    chance = random.Random(6)
    parts = [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "-",
        "/",
        ",",
        "/a,",
        "[",
        "]",
        "{",
        "}",
        '"a"',
        '"connect"',
        "12",
        PLACE,
        "null",
    ]
    parts += ["\ud800", '"\\ud800"', "٣", " "]
    accepted = sum(check("".join(chance.choices(parts, k=chance.randrange(1, 9)))) for _ in range(20_000))
    assert 100 < accepted < 19_900


@settings(deadline=None, max_examples=300)
@given(st.text() | st.text(alphabet='0123456-/,[]{}"a:٣²', max_size=30))
def test_any_text_is_refused_or_a_packet(text):
    check(text)


@pytest.mark.parametrize(
    ("start", "repeated", "end"),
    [
        ("2", "9", ""),
        ("2", "9", '["a"]'),
        ("2", "٣", '["a"]'),
        ("3", "0", "[]"),
        ("5", "1", "-[]"),
        ("5", "1-", "[]"),
        ("51-", "1", '["a"]'),
        ("2/", "a", ""),
        ("2/", "/", ',["a"]'),
        ("2/a,", "1", '["a"]'),
        ("2/a,", ",", '["a"]'),
        ("0", "/", ""),
        ("2", "[", ""),
        ("2", '["a",', ""),
        ('2["a",', "9", "]"),
        ('2["a\\ud800",', "9", "]"),
        ('2["', "\\ud800", '"]'),
        ('2["\\ud800', "\\", '"]'),
        ('2["\\ud800",', "1,", "1]"),
        ('2["\\ud800",', "[", ""),
    ],
)
def test_time_grows_with_the_length_only(start, repeated, end):
    def seconds(size):
        text = start + repeated * (size // len(repeated)) + end
        began = time.process_time()
        for _ in range(3):
            check(text)
        return time.process_time() - began

    # Eight times the length: linear is a factor of 8, quadratic is 64. What is too short to be measured is no danger.
    assert seconds(800_000) < 24 * seconds(100_000) + 0.1
