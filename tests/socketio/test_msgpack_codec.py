"""Owns MessagePack as the JavaScript packages have it: what each value becomes, both ways, in each flavour.

What is malformed is in ``test_msgpack_malformed``, that the packages agree in ``tests/live/test_js_msgpack``.
"""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import struct
import uuid

import msgpack
import pytest
from contract.naming import shown
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.json_codec import DepthError
from flask_socketio_py.socketio.msgpack_codec import MSGPACK_JAVASCRIPT, NOTEPACK_2, NOTEPACK_3, MsgpackCodec

from .values import binary, exactly, nested, texts

UTC = datetime.timezone.utc
CODEC = MsgpackCodec(NOTEPACK_2)
CLASSIC = MsgpackCodec(NOTEPACK_3)
STREAMS = MsgpackCodec(MSGPACK_JAVASCRIPT)
FLAVOURS = pytest.mark.parametrize("codec", [CODEC, CLASSIC, STREAMS], ids=["parser", "classic", "streams"])

#: (value, MessagePack): both directions, in every flavour.
CASES = [
    (None, "c0"), (False, "c2"), (True, "c3"),
    (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"), (65535, "cdffff"), (65536, "ce00010000"),
    (2**32 - 1, "ceffffffff"), (2**32, "cf0000000100000000"), (2**53, "cf0020000000000000"),
    (2**64 - 1, "cfffffffffffffffff"),
    (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-128, "d080"), (-129, "d1ff7f"), (-32769, "d2ffff7fff"),
    (-(2**31) - 1, "d3ffffffff7fffffff"), (-(2**53), "d3ffe0000000000000"), (-(2**63), "d38000000000000000"),
    (1.5, "cb3ff8000000000000"), (-0.0, "cb8000000000000000"), (1e300, "cb7e37e43c8800759c"),
    (float("inf"), "cb7ff0000000000000"), (float("-inf"), "cbfff0000000000000"),
    ("", "a0"), ("é€😀", "a9c3a9e282acf09f9880"), ("\0\u2028\x7f", "a500e280a87f"), ("a" * 31, "bf" + "61" * 31),
    ("a" * 32, "d920" + "61" * 32), ("a" * 256, "da0100" + "61" * 256), ("a" * 65536, "db00010000" + "61" * 65536),
    (b"", "c400"), (b"\x00\xff", "c40200ff"), (b"a" * 256, "c50100" + "61" * 256),
    (b"a" * 65536, "c600010000" + "61" * 65536),
    ([], "90"), ([1, "2", [True, None]], "9301a13292c3c0"), ([0] * 16, "dc0010" + "00" * 16),
    ([0] * 65536, "dd00010000" + "00" * 65536),
    ({}, "80"), ({"b": 1, "a": {"": b"x"}}, "82a16201a16181a0c40178"), ({"__proto__": 1}, "81a95f5f70726f746f5f5f01"),
    ({f"{number:02}": number for number in range(16)},
     "de0010" + "".join(f"a2{ord(f'{number:02}'[0]):x}{ord(f'{number:02}'[1]):x}{number:02x}" for number in range(16))),
]  # fmt: skip


def day(*args, tzinfo=UTC):
    return datetime.datetime(*args, tzinfo=tzinfo)


#: (datetime, what notepack.io 2 writes, the timestamp that the other two write); both directions.
DATES = [
    (day(1970, 1, 1), "d7000000000000000000", "d6ff00000000"),
    (day(2023, 11, 14, 22, 13, 20, 123000), "d7000000018bcfe5687b", "d7ff1d5353006553f100"),
    (day(2023, 11, 14, 22, 13, 20), "d7000000018bcfe56800", "d6ff6553f100"),
    (day(1969, 12, 31, 23, 59, 59, 999000), "d700ffffffffffffffff", "c70cff3b8b87c0ffffffffffffffff"),
    (day(1, 1, 1), "d700ffffc77cedd32800", "c70cff00000000fffffff1886e0900"),
    (day(2106, 2, 7, 6, 28, 16), "d700000003e8000000".ljust(20, "0"), "d7ff0000000100000000"),
    (day(9999, 12, 31, 23, 59, 59, 999000), "d7000000e677d21fdbff", "c70cff3b8b87c00000003afff4417f"),
]  # fmt: skip


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    __slots__ = ()


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class User:
    name: str
    photo: bytes | None = None
    _secret: int = 1


ZONE = datetime.timezone(datetime.timedelta(hours=14))
#: (value, the value it becomes on the wire); one direction.
FORMS = [
    (10**30, 1e30), (-(10**30), -1e30), (2**64, 2.0**64), (-(2**63) - 1, -(2.0**63)),
    (10**400, float("inf")), (-(10**400), float("-inf")),
    ((1, (2, 3)), [1, [2, 3]]), (Point(1, Point(2, "y")), [1, [2, "y"]]),
    (Colour.RED, "red"), (Level.HIGH, 3), ([Name("a"), collections.OrderedDict(a=1)], ["a", {"a": 1}]),
    (collections.Counter("aa"), {"a": 2}), (User("ann", b"1"), {"name": "ann", "photo": b"1"}),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"), (datetime.date(2024, 2, 29), "2024-02-29"),
    (datetime.time(1, 2, 3), "01:02:03"),
    (bytearray(b"ab"), b"ab"), (memoryview(b"ab"), b"ab"), (memoryview(b"abcd")[::2], b"ac"),
    (memoryview(array.array("H", [1, 2])), struct.pack("=2H", 1, 2)),
    ({1: "a", -2: "b", 1.5: "c", False: "d", None: "e"}, {"1": "a", "-2": "b", "1.5": "c", "false": "d", "null": "e"}),
    ({10**30: 1, Level.HIGH: 2, Name("a"): 3}, {str(10**30): 1, "3": 2, "a": 3}),
    (({1: 2},), [{"1": 2}]), ([User({1: 2}), Point({3: 4}, 5)], [{"name": {"1": 2}, "photo": None}, [{"3": 4}, 5]]),
    ("\ud800", "\ufffd"), ("a\udc00\ud800b", "a\ufffd\ufffdb"), ({"\ud800": ("\udfff",)}, {"\ufffd": ["\ufffd"]}),
    ("\ud83d\ude00", "😀"), (Name("\ud800"), "\ufffd"),
    # A datetime: in another zone, in none (then it is UTC), beside a key that takes the slower way.
    (day(2024, 2, 29, 14, tzinfo=ZONE), day(2024, 2, 29)), (datetime.datetime(2024, 2, 29), day(2024, 2, 29)),
    ({1: day(2024, 2, 29)}, {"1": day(2024, 2, 29)}),
]  # fmt: skip


@FLAVOURS
@pytest.mark.parametrize(("value", "wire"), CASES, ids=lambda item: repr(item)[:30])
def test_a_value_is_written_and_read(codec, value, wire):
    assert codec.encode(value).hex() == wire
    assert exactly(codec.decode(bytes.fromhex(wire))) == exactly(value)


@pytest.mark.parametrize(("moment", "zero", "timestamp"), DATES, ids=str)
def test_a_date_is_written_and_read_as_each_package_has_it(moment, zero, timestamp):
    assert CODEC.encode(moment).hex() == zero
    assert CLASSIC.encode(moment).hex() == STREAMS.encode(moment).hex() == timestamp
    for codec in (CODEC, CLASSIC, STREAMS):
        assert codec.decode(bytes.fromhex(timestamp)) == moment
        assert codec.decode(codec.encode(moment)).tzinfo is UTC
        assert codec.decode(codec.encode({"at": [moment, (moment,)]})) == {"at": [moment, [moment]]}
    assert CODEC.decode(bytes.fromhex(zero)) == CLASSIC.decode(bytes.fromhex(zero)) == moment
    with pytest.raises(PacketError):
        STREAMS.decode(bytes.fromhex(zero))


def test_a_date_keeps_milliseconds_or_microseconds():
    moment = day(2024, 1, 2, 3, 4, 5, 678999)
    assert CODEC.decode(CODEC.encode(moment)) == moment.replace(microsecond=678000)
    assert CLASSIC.decode(CLASSIC.encode(moment)) == moment


@FLAVOURS
@pytest.mark.parametrize(("value", "form"), FORMS, ids=lambda item: shown(item, 40))
def test_what_has_no_form_of_its_own_gets_the_one_it_has_in_json(codec, value, form):
    for wrapped, expected in ((value, form), ([{"in": value}], [{"in": form}]), ((value, {0: 0}), [form, {"0": 0}])):
        assert codec.encode(wrapped) == codec.encode(expected)
        assert codec.decode(codec.encode(wrapped)) == expected
        assert type(codec.decode(codec.encode(wrapped))) is type(expected)


def test_the_first_day_of_python_east_of_greenwich_is_a_date_for_javascript_only():
    wire = CODEC.encode(day(1, 1, 1, tzinfo=ZONE))
    assert wire == b"\xd7\x00" + (-62135596800000 - 14 * 3600 * 1000).to_bytes(8, "big", signed=True)
    for codec in (CODEC, CLASSIC):
        assert codec.decode(codec.encode(day(1, 1, 1, tzinfo=ZONE))) is None


def test_nan():
    assert CODEC.encode(float("nan")).hex() == "cb7ff8000000000000"
    assert repr(CODEC.decode(bytes.fromhex("cb7ff8000000000000"))) == "nan"


def test_a_default_of_the_users_gives_a_form():
    def default(value):
        if isinstance(value, complex):
            return {1: value.real, "raw": b"1", "\ud800": day(2024, 1, 1)}
        if isinstance(value, decimal.Decimal):
            return str(value)
        if isinstance(value, range):
            return value  # never ends
        raise TypeError("no")

    codec = MsgpackCodec(NOTEPACK_2, default)
    form = {"1": 0.0, "raw": b"1", "\ufffd": day(2024, 1, 1)}
    for value, expected in ((1j, form), ([1j], [form]), ((1j,), [form]), ({1: 1j}, {"1": form})):
        assert codec.decode(codec.encode(value)) == expected
    assert codec.decode(codec.encode([decimal.Decimal("1.50")])) == ["1.50"]
    for value in (object(), [object()], {1: object()}):
        with pytest.raises(TypeError, match="no"):
            codec.encode(value)
    with pytest.raises(DepthError):
        codec.encode(range(3))


@pytest.mark.parametrize(
    "value", [object(), [{1, 2}], {"a": range(3)}, 1j, {(1, 2): 3}, {b"a": 1}, [({b"a": 1},)], len, User, ...],
    ids=shown,
)  # fmt: skip
def test_what_cannot_be_sent_is_the_callers_mistake(value):
    with pytest.raises(TypeError):
        CODEC.encode(value)


LOOP = [1]
LOOP.append({"again": LOOP})
TWICE = []
TWICE.extend((TWICE, TWICE))


@pytest.mark.parametrize(
    "value",
    [LOOP, [LOOP, b"x"], TWICE, nested(100_000), nested(100_000, key="a"), nested(100_000, b"x"), nested(1000, key=1),
     (LOOP,), nested(2000, "\ud800"), nested(501)],
    ids=["a loop", "a loop and bytes", "a loop twice", "lists", "objects", "bytes", "integer keys", "a tuple",
         "surrogate", "just too deep"],
)  # fmt: skip
def test_data_without_an_end_is_the_callers_mistake_and_no_crash(value):
    with pytest.raises(DepthError):
        CODEC.encode(value)


@pytest.mark.parametrize("depth", [100, 250, 260, 300])
def test_hundreds_of_levels_are_no_problem(depth):
    for value in (nested(depth), nested(depth, key="a"), nested(depth, b"x"), nested(depth, "\ufffd")):
        assert CODEC.decode(CODEC.encode(value)) == value
    assert CODEC.decode(CODEC.encode(nested(depth, key=1))) == nested(depth, key="1")


# --- what only comes in ----------------------------------------------------------------------------------------------

#: (MessagePack, value): what the JavaScript packages, or others, write in a way we don't.
READ_ONLY = [
    ("d40000", None), ("93d4000001d40000", [None, 1, None]), ("81a161d40000", {"a": None}), ("d400ff", None),
    ("c70000", b""), ("c7020061 62", b"ab"), ("c8000300616263", b"abc"), ("c90000000300616263", b"abc"),
    # Only the form of the head tells undefined and Date from ArrayBuffers of one and eight bytes.
    ("c7010000", b"\0"), ("c708000000000000000000", b"\0" * 8),
    ("95d40000c7010007d40000c7010008d40000", [None, b"\x07", None, b"\x08", None]),
    ("94 c70800ffffffffffffffff d700ffffffffffffffff c70800ffffffffffffffff d40000",
     [b"\xff" * 8, day(1969, 12, 31, 23, 59, 59, 999000), b"\xff" * 8, None]),
    ("92 c403c70100 d40000", [b"\xc7\x01\x00", None]), ("92 d40000 c403c70100", [None, b"\xc7\x01\x00"]),
    ("94 aac70100c70100c70100d4 00 d40000 c7010001", ["\ufffd\1\0\ufffd\1\0\ufffd\1\0\ufffd", 0, None, b"\1"]),
    # Dates beyond what Python has.
    ("d700001eb208c2dc0000", None), ("92d7007fffffffffffffff01", [None, 1]), ("d7008000000000000000", None),
    ("92c70cff000000007fffffffffffffff01", [None, 1]), ("81a161c70cff000000008000000000000000", {"a": None}),
    ("92c70cff000000007fffffffffffffffd6ff00000000", [None, day(1970, 1, 1)]),
    # Longer than necessary; single precision.
    ("cc01", 1), ("cf0000000000000001", 1), ("d3ffffffffffffffff", -1), ("d90161", "a"), ("da000161", "a"),
    ("db0000000161", "a"), ("dc000101", [1]), ("dd0000000101", [1]), ("de0001a16101", {"a": 1}),
    ("df00000001a16101", {"a": 1}), ("ca3fc00000", 1.5), ("c5000161", b"a"),
    # Text that is no UTF-8, as Node reads it.
    ("a1ff", "\ufffd"), ("a3eda080", "\ufffd" * 3), ("a2c3c3", "\ufffd\ufffd"), ("81a1ff01", {"\ufffd": 1}),
    # Keys that are no text become text, as in JavaScript; of several equal ones the last counts.
    ("810102", {"1": 2}), ("81ff02", {"-1": 2}), ("81c002", {"null": 2}), ("81c302", {"true": 2}),
    ("81cb3ff800000000000002", {"1.5": 2}), ("81c4016102", {"a": 2}), ("9181c401ff02", [{"\ufffd": 2}]),
    ("82a16101a16102", {"a": 2}), ("820101a13102", {"1": 2}), ("81a1619181c4016102", {"a": [{"a": 2}]}),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "value"), READ_ONLY, ids=str)
def test_what_others_write_is_read(wire, value):
    for codec in (CODEC, CLASSIC):
        assert exactly(codec.decode(bytes.fromhex(wire))) == exactly(value)


# A value and its MessagePack with every form of head there is, so that each must be stepped over exactly.
def _head(forms, length):
    return [struct.pack(">B" + kind, first, length) for first, kind, limit in forms if length < limit]


@st.composite
def spelled(draw, depth=0):
    kind = draw(st.integers(0, 9 if depth < 3 else 7))
    if kind == 0:
        return draw(st.sampled_from([(None, b"\xd4\0\0"), (None, b"\xc0"), (True, b"\xc3"), (7, b"\7"), (-3, b"\xfd")]))
    if kind == 1:
        moment = draw(st.integers(-(10**13), 10**14))
        wire = b"\xd7\0" + moment.to_bytes(8, "big", signed=True)
        return day(1970, 1, 1) + datetime.timedelta(milliseconds=moment), wire
    if kind in (2, 3):
        raw = draw(st.sampled_from([1, 8, 0, 2, 300])) * draw(st.sampled_from([b"\0", b"\xc7", b"\xd4", b"\x01"]))
        size = draw(st.sampled_from([">BBb", ">BHb", ">BIb"] if len(raw) not in (1, 8) else [">BBb"]))
        if len(raw) > 255 and size == ">BBb":
            size = ">BHb"
        return raw, struct.pack(size, {"B": 0xC7, "H": 0xC8, "I": 0xC9}[size[2]], len(raw), 0) + raw
    if kind == 4:
        raw = draw(st.sampled_from([b"", b"\xc7\x01\0", b"\xc7\x08\0", b"\xd4\0\0", b"\xd7\0" * 200]))
        heads = _head([(0xC4, "B", 256), (0xC5, "H", 65536), (0xC6, "I", 2**32)], len(raw))
        return raw, draw(st.sampled_from(heads)) + raw
    if kind == 5:
        text = draw(st.sampled_from(["", "a", "\1\0", "é" * 20, "x" * 300]))
        raw = text.encode()
        heads = _head([(0xD9, "B", 256), (0xDA, "H", 65536), (0xDB, "I", 2**32)], len(raw))
        return text, draw(st.sampled_from([bytes([0xA0 + len(raw)])] if len(raw) < 32 else heads)) + raw
    if kind == 6:
        number = draw(st.sampled_from([0.5, 2.0, -1.0]))
        return number, draw(st.sampled_from([struct.pack(">Bf", 0xCA, number), struct.pack(">Bd", 0xCB, number)]))
    if kind == 7:
        number = draw(st.integers(0, 127))
        forms = [(0xCC, "B"), (0xCD, "H"), (0xCE, "I"), (0xCF, "Q"), (0xD0, "b"), (0xD1, "h"), (0xD2, "i"), (0xD3, "q")]
        first, form = draw(st.sampled_from(forms))
        return number, struct.pack(">B" + form, first, number)
    items = draw(st.lists(spelled(depth + 1), max_size=6))
    wire = b"".join(wire for _, wire in items)
    if kind == 8:
        heads = [*_head([(0xDC, "H", 65536), (0xDD, "I", 2**32)], len(items)), bytes([0x90 + len(items)])]
        return [value for value, _ in items], draw(st.sampled_from(heads)) + wire
    heads = [*_head([(0xDE, "H", 65536), (0xDF, "I", 2**32)], len(items)), bytes([0x80 + len(items)])]
    wire = b"".join(b"\xa1%c" % (97 + number) + item for number, (_, item) in enumerate(items))
    return {chr(97 + number): value for number, (value, _) in enumerate(items)}, draw(st.sampled_from(heads)) + wire


@settings(deadline=None, max_examples=1000)
@given(spelled())
def test_short_buffers_beside_undefined_and_dates_are_told_apart_wherever_they_are(case):
    value, wire = case
    assert exactly(CODEC.decode(wire)) == exactly(value)


# --- as the library has it -------------------------------------------------------------------------------------------


def cleaned(value):
    """What arrives of a value: text without lone surrogates."""
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


@FLAVOURS
@settings(deadline=None, max_examples=300)
@given(value=binary)
def test_a_round_trip_keeps_every_value_exactly(codec, value):
    wire = codec.encode(value)
    assert exactly(codec.decode(wire)) == exactly(cleaned(value))
    assert wire == msgpack.packb(cleaned(value))


@settings(deadline=None, max_examples=300)
@given(text=texts)
def test_any_text_arrives_as_utf_8(text):
    assert CODEC.encode(text) == msgpack.packb(cleaned(text))
    assert CODEC.decode(CODEC.encode({text: text})) == {cleaned(text): cleaned(text)}


@settings(deadline=None, max_examples=300)
@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_every_moment_survives(moment):
    for codec in (CLASSIC, STREAMS):
        assert codec.decode(codec.encode(moment)) == moment
    assert CODEC.decode(CODEC.encode(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
