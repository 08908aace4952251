"""Owns JSON as browsers have it and users expect it: what each value becomes, both ways, and what is refused."""

import collections
import dataclasses
import datetime
import enum
import json
import math
import uuid

import pytest
from contract.naming import shown
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio.json_codec import JsonCodec, ModuleCodec, is_plain
from flask_socketio_py.socketio.msgpack_codec import NOTEPACK_3, MsgpackCodec

from .values import binary, exactly, nested, pieces_of, texts, values

CODEC = JsonCodec()
OTHER = ModuleCodec(json)
CODECS = pytest.mark.parametrize("codec", [CODEC, OTHER], ids=["built in", "a module"])

#: (value, JSON): both directions, with both codecs.
CASES = [
    (None, b"null"),
    (True, b"true"),
    (0, b"0"),
    (-1, b"-1"),
    (2**53, b"9007199254740992"),
    (2**63 - 1, b"9223372036854775807"),
    (-(2**63), b"-9223372036854775808"),
    (2**64 - 1, b"18446744073709551615"),
    (1.5, b"1.5"),
    ("", b'""'),
    ('"\\/\b\f\n\r\t', b'"\\"\\\\/\\b\\f\\n\\r\\t"'),
    ([], b"[]"),
    ({}, b"{}"),
    ([1, "2", [True, None], {"a": {"b": []}}], b'[1,"2",[true,null],{"a":{"b":[]}}]'),
    ({"b": 1, "a": 2}, b'{"b":1,"a":2}'),
    ({"": 0, "__proto__": 1}, b'{"":0,"__proto__":1}'),
    ("\ud800", b'"\\ud800"'),
    ("\udfff", b'"\\udfff"'),
    ("a\udc00\ud800b", b'"a\\udc00\\ud800b"'),
    ({"\ud800": "\udc00"}, b'{"\\ud800":"\\udc00"}'),
]  # fmt: skip
#: The same, but only the built-in codec leaves all other text as it is.
UTF_8 = [
    (["€", "\ud83d"], '["€","\\ud83d"]'.encode()),
    ("é€😀\u2028\u2029\x7f\ufeff", '"é€😀\u2028\u2029\x7f\ufeff"'.encode()),
    ("\0\x1f", b'"\\u0000\\u001f"'),
]


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


@dataclasses.dataclass
class Account:
    name: str
    _password: str = "secret"


#: (value, JSON): what has no form of its own in JSON; one direction.
FORMS = [
    (float("nan"), b"null"),
    ([float("inf"), float("-inf"), {"a": float("nan")}], b'[null,null,{"a":null}]'),
    ([10**30, float("nan")], b"[1000000000000000000000000000000,null]"),
    ({1: float("nan"), "a": "\ud800"}, b'{"1":null,"a":"\\ud800"}'),
    ({1: "a", -2: "b", 1.5: "c", False: "d", None: "e"}, b'{"1":"a","-2":"b","1.5":"c","false":"d","null":"e"}'),
    (10**30, b"1000000000000000000000000000000"),
    (-(10**30), b"-1000000000000000000000000000000"),
    ((1, (2, 3)), b"[1,[2,3]]"),
    (Point(1, Point(2, "y")), b'[1,[2,"y"]]'),
    (Colour.RED, b'"red"'),
    (Level.HIGH, b"3"),
    ([Name("subclass"), collections.OrderedDict(a=1), collections.Counter("aa")], b'["subclass",{"a":1},{"a":2}]'),
    (User("ann"), b'{"name":"ann","photo":null}'),
    # What is private stays here, whichever way is taken.
    (Account("ann"), b'{"name":"ann"}'),
    (Account("\ud800"), b'{"name":"\\ud800"}'),
    (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    (datetime.date(2024, 2, 29), b'"2024-02-29"'),
    (datetime.time(1, 2, 3), b'"01:02:03"'),
    (datetime.datetime(2024, 2, 29, 1, 2, 3, 4), b'"2024-02-29T01:02:03.000004"'),
    (datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc), b'"2024-02-29T00:00:00+00:00"'),
    ({10**30: datetime.date(2024, 2, 29)}, b'{"1000000000000000000000000000000":"2024-02-29"}'),
]
REFUSED = [
    "", " ", "[", "[1,]", "{a:1}", "{'a':1}", "01", "+1", ".5", "1.", "0x10", "NaN", "Infinity", "-Infinity", "[NaN]",
    "nul", "undefined", '"', '"\n"', '"\\x41"', "1 2", "[1][2]", "\ufeff1", "1e400", "[-1e999]", '["\\ud800",1e999]',
    '["\\ud800",NaN]', '"\\ud800" "', '["\\ud800",]', '"\ud800"', "٣", "[٣]", "1" * 5000, f'["\\ud800",{"1" * 5000}]',
    "[" * 100_000, "[" * 100_000 + '"\\ud800"', '{"a":' * 100_000, "[" * 5000 + "]" * 5000,
    '["\\ud800",' + "[" * 5000 + "]" * 5000 + "]",
]  # fmt: skip


@CODECS
@pytest.mark.parametrize(("value", "text"), CASES)
def test_a_value_is_written(codec, value, text):
    assert codec.encode(value) == (text, ())


@CODECS
@pytest.mark.parametrize(("value", "text"), CASES + UTF_8)
def test_a_text_is_read(codec, value, text):
    assert exactly(codec.decode(text.decode())) == exactly(value)
    assert exactly(codec.decode(f" {text.decode()}\n")) == exactly(value)


@pytest.mark.parametrize(("value", "text"), UTF_8 + FORMS)
def test_what_has_no_form_of_its_own_gets_one(value, text):
    assert CODEC.encode(value) == (text, ())
    assert CODEC.encode([{"in": value}]) == (b'[{"in":' + text + b"}]", ())


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:30]))
def test_what_is_no_json_is_refused(text):
    with pytest.raises(PacketError):
        CODEC.decode(text)


@pytest.mark.parametrize("text", [text for text in REFUSED if "N" not in text and "I" not in text and "e" not in text])
def test_another_module_refuses_it_too(text):
    # What the module itself accepts beyond JSON (NaN) is the module's affair.
    if text != '"\ud800"':
        with pytest.raises(PacketError):
            OTHER.decode(text)


@CODECS
@pytest.mark.parametrize(
    "value", [object(), [{1, 2}], {"a": range(3)}, 1j, {(1, 2): 3}, {b"a": 1}, len, type("Class", (), {}), User],
    ids=shown,
)  # fmt: skip
def test_what_cannot_be_sent_is_the_callers_mistake(codec, value):
    with pytest.raises(TypeError):
        codec.encode(value)


LOOP = [1]
LOOP.append({"again": LOOP})


@CODECS
@pytest.mark.parametrize(
    "value",
    [LOOP, [LOOP, b"x"], nested(100_000), nested(100_000, key="a"), nested(100_000, b"x"),
     nested(100_000, float("nan")), nested(100_000, "\ud800"), nested(600, float("nan"), 1), nested(5000, 1, 1)],
    ids=["a loop", "a loop and bytes", "lists", "objects", "bytes", "nan", "surrogate", "nan in keys", "integer keys"],
)  # fmt: skip
def test_data_without_an_end_is_the_callers_mistake_and_no_crash(codec, value):
    # 600 levels may be written or refused.
    try:
        text, _ = codec.encode(value)
    except (TypeError, ValueError):
        return
    assert text.startswith(b'{"1":{"1":{')


@pytest.mark.parametrize("value", [nested(100), nested(100, key="a"), nested(100, b"x"), nested(100, float("nan"))])
def test_a_hundred_levels_are_no_problem(value):
    text, attachments = CODEC.encode(value)
    assert len(attachments) == (b"num" in text)
    CODEC.decode(text.decode())


def test_a_default_of_the_users_gives_a_form():
    def default(value):
        if isinstance(value, complex):
            return {"re": value.real, "raw": b"1"}
        raise TypeError("no")

    codec = JsonCodec(default)
    assert codec.encode([1j]) == (b'[{"re":0.0,"raw":{"_placeholder":true,"num":0}}]', (b"1",))
    assert codec.encode(uuid.UUID(int=0))[0] == b'"00000000-0000-0000-0000-000000000000"'
    with pytest.raises(TypeError):
        codec.encode(object())


# --- binary data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@CODECS
def test_binary_data_of_any_type_is_lifted_out(codec, kind):
    assert codec.encode([kind(b"ab")]) == (b'[{"_placeholder":true,"num":0}]', (b"ab",))


def test_binary_data_is_found_in_everything_that_has_a_form():
    # The last takes the slower way, which starts counting anew.
    for value in (
        [User("a", b"1"), Point(b"2", (b"3",)), {"k": b""}],
        [User("\ud800", b"1"), Point(b"2", [b"3", b""])],
    ):
        text, attachments = CODEC.encode(value)
        assert attachments == (b"1", b"2", b"3", b"")
        assert [part.split(b"}")[0] for part in text.split(b'"num":')[1:]] == [b"0", b"1", b"2", b"3"]


@CODECS
@settings(deadline=None)
@given(value=binary)
def test_pieces_leave_in_the_order_of_their_placeholders(codec, value):
    text, attachments = codec.encode(value)
    assert list(attachments) == pieces_of(value)
    places = text.split(b'{"_placeholder":true,"num":')[1:]
    assert [int(place.split(b"}")[0]) for place in places] == list(range(len(attachments)))


# --- as the standard library has it ----------------------------------------------------------------------------------


@CODECS
@settings(deadline=None, max_examples=300)
@given(value=values)
def test_a_round_trip_keeps_every_value_exactly(codec, value):
    text, attachments = codec.encode(value)
    assert attachments == ()
    assert exactly(codec.decode(text.decode())) == exactly(value)


@settings(deadline=None, max_examples=300)
@given(value=values, ascii_only=st.booleans(), indent=st.none() | st.just(1))
def test_what_the_standard_library_writes_is_read_exactly(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return  # a bare surrogate can't arrive: the wire is UTF-8
    assert exactly(CODEC.decode(text)) == exactly(json.loads(text))


@settings(deadline=None, max_examples=300)
@given(value=values)
def test_what_is_written_the_standard_library_reads(value):
    text = CODEC.encode(value)[0]
    assert exactly(json.loads(text)) == exactly(value)
    standard = json.dumps(value, separators=(",", ":"))
    assert "e-" in standard or len(text) <= len(standard)  # compact, but for how orjson writes 0.00001


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_survives(number):
    assert exactly(CODEC.decode(CODEC.encode(number)[0].decode())) == exactly(number)
    # JavaScript writes integral doubles below 1e21 as integers: as a number they are the same.
    if number.is_integer() and abs(number) < 1e21:
        assert CODEC.decode(f"{int(number)}") == number


@settings(deadline=None, max_examples=500)
@given(st.text() | texts | st.text(alphabet='[]{}",:0123456789.eE+-\\udtruefalsn ', max_size=40))
def test_any_text_is_read_as_the_standard_library_does_or_refused(text):
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(PacketError):
            CODEC.decode(text)
        return
    try:
        value = CODEC.decode(text)
    except PacketError:
        # Beyond JSON: NaN and the infinities, and surrogates that are not escaped.
        assert not _finite(expected) or any("\ud800" <= character <= "\udfff" for character in text)
    else:
        assert value == expected or text > "9" * 18  # integers beyond 64 bits are doubles, as in JavaScript
        assert _finite(value)


def _finite(value):
    if isinstance(value, dict | list):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


@given(values)
def test_what_is_plain_is_the_same_in_both_encodings(value):
    """So servers of a cluster may be told it as it is: what they decode is what a client is sent here."""
    assume(is_plain(value))
    packer = MsgpackCodec(NOTEPACK_3)
    told = packer.decode(packer.encode([value]))
    assert exactly(told) == exactly(CODEC.decode(CODEC.encode([value])[0].decode()))


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        datetime.date(2023, 11, 14),
        datetime.datetime(2023, 11, 14),
        2**64,
        {1: 2},
        "\ud800",
        User("x"),
        object(),
        {1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_each_has_in_its_own_way_is_not_plain(value):
    assert not is_plain([{"a": value}])
