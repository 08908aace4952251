"""Owns one Socket.IO packet on the wire: a list of cases used in both directions, and any data there and back."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.json_codec import JsonCodec

from .values import binary, exactly, nested, pieces_of, texts

CODEC = JsonCodec()
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)

#: (text, type, namespace, ack id, data, attachments): what a server writes and a client reads, and the reverse.
CASES = [
    ('2["hi"]', EVENT, "/", None, ["hi"], ()),
    ('2["hi",1,"2",{"a":[true,null,1.5]}]', EVENT, "/", None, ["hi", 1, "2", {"a": [True, None, 1.5]}], ()),
    ('20["hi"]', EVENT, "/", 0, ["hi"], ()),
    ('212["hi",[]]', EVENT, "/", 12, ["hi", []], ()),
    ('29007199254740991["hi"]', EVENT, "/", 2**53 - 1, ["hi"], ()),
    ('2/admin,["hi"]', EVENT, "/admin", None, ["hi"], ()),
    ('2/admin,12["hi"]', EVENT, "/admin", 12, ["hi"], ()),
    ('2/a/b-1,["hi","x,y"]', EVENT, "/a/b-1", None, ["hi", "x,y"], ()),
    ('2/€?a=b&c[],0["é"]', EVENT, "/€?a=b&c[]", 0, ["é"], ()),
    ('2["",""]', EVENT, "/", None, ["", ""], ()),
    ('2["__proto__"]', EVENT, "/", None, ["__proto__"], ()),
    ('2["\\ud800","x\\udfff"]', EVENT, "/", None, ["\ud800", "x\udfff"], ()),
    ("312[]", ACK, "/", 12, [], ()),
    ('30["ok",null]', ACK, "/", 0, ["ok", None], ()),
    ('3/admin,12["ok"]', ACK, "/admin", 12, ["ok"], ()),
    ('51-["baz",{"_placeholder":true,"num":0}]', BINARY_EVENT, "/", None, ["baz", b"\x01"], (b"\x01",)),
    ('52-7["baz",{"_placeholder":true,"num":0},[{"a":{"_placeholder":true,"num":1}}]]', BINARY_EVENT, "/", 7,
     ["baz", b"", [{"a": b"\0\xff"}]], (b"", b"\0\xff")),
    ('51-/admin,12["baz",{"_placeholder":true,"num":0}]', BINARY_EVENT, "/admin", 12, ["baz", b"x"], (b"x",)),
    ('61-12[{"_placeholder":true,"num":0}]', BINARY_ACK, "/", 12, [b"x"], (b"x",)),
    ('61-/admin,12[{"_placeholder":true,"num":0}]', BINARY_ACK, "/admin", 12, [b"x"], (b"x",)),
    ('0{"sid":"x"}', CONNECT, "/", None, {"sid": "x"}, ()),
    ('0/admin,{"sid":"x"}', CONNECT, "/admin", None, {"sid": "x"}, ()),
    ("1", DISCONNECT, "/", None, None, ()),
    ("1/admin,", DISCONNECT, "/admin", None, None, ()),
    ('4{"message":"no"}', CONNECT_ERROR, "/", None, {"message": "no"}, ()),
    ('4/admin,{"message":"no","data":{"a":[1]}}', CONNECT_ERROR, "/admin", None,
     {"message": "no", "data": {"a": [1]}}, ()),
]  # fmt: skip
#: What a client may write besides, although we don't: (text, type, namespace, ack id, data)
READ_ONLY = [
    ("0", CONNECT, "/", None, None),
    ("0/admin", CONNECT, "/admin", None, None),
    ("0/admin,", CONNECT, "/admin", None, None),
    ("0{}", CONNECT, "/", None, {}),
    ("1/admin", DISCONNECT, "/admin", None, None),
    ('2/,["hi"]', EVENT, "/", None, ["hi"]),
    ('2["hi"] ', EVENT, "/", None, ["hi"]),
    ('2[ "hi" , 1 ]', EVENT, "/", None, ["hi", 1]),
    ("2[1,2]", EVENT, "/", None, [1, 2]),
    ("2[-1.5]", EVENT, "/", None, [-1.5]),
    ('2007["hi"]', EVENT, "/", 7, ["hi"]),
    ("01", CONNECT, "/", 1, None),  # the reference reads an id in every packet
    ("1/admin,0", DISCONNECT, "/admin", 0, None),
    ('2/admin, ["hi"]', EVENT, "/admin", None, ["hi"]),
    ('4"no"', CONNECT_ERROR, "/", None, "no"),
    ("4{}", CONNECT_ERROR, "/", None, {}),
]


def decode(text):
    return packet.decode(text, CODEC.decode)


def encode(kind, namespace, ack_id, data):
    prefix = packet.namespace_prefix(namespace)
    if kind in (EVENT, BINARY_EVENT):
        return packet.encode_event(prefix, data, ack_id, CODEC)
    if kind in (ACK, BINARY_ACK):
        return packet.encode_ack(prefix, data, ack_id, CODEC)
    if kind == CONNECT:
        return packet.encode_connect(prefix, data, CODEC)
    if kind == CONNECT_ERROR:
        return packet.encode_connect_error(prefix, data, CODEC)
    return packet.encode_disconnect(prefix)


@pytest.mark.parametrize(("text", "kind", "namespace", "ack_id", "data", "attachments"), CASES)
def test_a_packet_is_written(text, kind, namespace, ack_id, data, attachments):
    message = encode(kind, namespace, ack_id, data)
    assert isinstance(message, PreparedMessage)
    assert message.text.decode() == "4" + text
    assert message.attachments == attachments


@pytest.mark.parametrize("data", [{"_placeholder": True}, [{"a": {"num": 0, "_placeholder": True, "b": 1}}]])
def test_what_looks_like_a_piece_of_binary_data_is_not_sent_beside_some(data):
    """Clients would read something else, or end the connection. Without binary data it is data like any other."""
    for kind in (EVENT, ACK):
        with pytest.raises(ValueError, match="can't be sent beside binary data"):
            encode(kind, "/", 1, ("x", b"1", data))
        assert b"_placeholder" in encode(kind, "/", 1, ("x", data)).text
    harmless = ['"_placeholder":true', {"_placeholder": 1}, {"_placeholder": False}, {'"_placeholder"': True}]
    assert encode(EVENT, "/", None, ("x", b"1", harmless)).attachments == (b"1",)


@pytest.mark.parametrize(("text", "kind", "namespace", "ack_id", "data", "attachments"), CASES)
def test_a_packet_is_read(text, kind, namespace, ack_id, data, attachments):
    got = decode(text)
    assert (got[0], got[1], got[2], got[4]) == (kind, namespace, ack_id, len(attachments))
    assert exactly(packet.fill_placeholders(got[3], attachments)) == exactly(data)


@pytest.mark.parametrize(("text", "kind", "namespace", "ack_id", "data"), READ_ONLY)
def test_what_other_clients_write_is_read(text, kind, namespace, ack_id, data):
    assert exactly(decode(text)) == exactly((kind, namespace, ack_id, data, 0))


namespaces = st.just("/") | st.text(st.characters(exclude_characters=",", exclude_categories=["Cs"])).map("/".__add__)
names = texts.filter(lambda name: name not in packet.RESERVED)


@settings(deadline=None, max_examples=300)
@given(namespaces, st.none() | st.integers(0, 10**20 - 1), names, st.lists(binary, max_size=4))
def test_any_event_survives(namespace, ack_id, name, args):
    data = [name, *args]
    pieces = pieces_of(data)
    if len(pieces) > packet.MAX_ATTACHMENTS:
        with pytest.raises(ValueError, match="official clients refuse more than 10"):
            encode(EVENT, namespace, ack_id, data)
        return
    message = encode(EVENT, namespace, ack_id, data)
    kind, *rest, got, expected = decode(message.text.decode()[1:])
    assert kind == (BINARY_EVENT if pieces else EVENT)
    assert rest == [namespace, ack_id]
    assert (list(message.attachments), expected) == (pieces, len(pieces))
    if pieces:
        got = packet.fill_placeholders(got, message.attachments)
    assert exactly(got) == exactly(data)


@settings(deadline=None)
@given(namespaces, st.integers(0, 10**20 - 1), st.lists(binary, max_size=4))
def test_any_acknowledgement_survives(namespace, ack_id, args):
    pieces = pieces_of(args)
    if len(pieces) > packet.MAX_ATTACHMENTS:
        return
    message = encode(ACK, namespace, ack_id, tuple(args))
    kind, *rest, got, _ = decode(message.text.decode()[1:])
    assert (kind, *rest) == (BINARY_ACK if pieces else ACK, namespace, ack_id)
    assert exactly(packet.fill_placeholders(got, pieces)) == exactly(args)


def test_ten_attachments_are_the_most():
    message = encode(EVENT, "/", None, ["e", *[b"x"] * 10])
    assert message.text.startswith(b"4510-")
    assert decode(message.text.decode()[1:])[4] == 10
    for encoder in (EVENT, ACK):
        with pytest.raises(ValueError, match="11 pieces of binary data"):
            encode(encoder, "/", 1, ["e", *[b"x"] * 11])


# --- placeholders ----------------------------------------------------------------------------------------------------


def placeholder(number, **more):
    return {"_placeholder": True, "num": number, **more}


def test_pieces_go_where_their_numbers_say():
    data = ["e", placeholder(1), [{"a": placeholder(0), "b": placeholder(1)}], placeholder(0, more=1)]
    assert packet.fill_placeholders(data, [b"0", b"1"]) == ["e", b"1", [{"a": b"0", "b": b"1"}], b"0"]


@pytest.mark.parametrize(
    "no_placeholder", [{"_placeholder": 1, "num": 0}, {"num": 0}, {"_placeholder": False}, {"a": "_"}]
)
def test_what_only_looks_like_a_placeholder_stays(no_placeholder):
    assert packet.fill_placeholders(["e", no_placeholder], [b"0"]) == ["e", no_placeholder]


@pytest.mark.parametrize(
    "number", [-1, 2, 0.5, 1.0, True, False, None, "0", [], 10**30, float("inf")], ids=repr
)  # fmt: skip
def test_a_number_that_names_no_piece(number):
    with pytest.raises(PacketError):
        packet.fill_placeholders(["e", {"a": placeholder(number)}], [b"0", b"1"])


def test_a_placeholder_without_a_number():
    with pytest.raises(PacketError):
        packet.fill_placeholders(["e", {"_placeholder": True}], [b"0"])


@pytest.mark.parametrize("key", [None, "a"])
def test_binary_packets_are_only_so_deep(key):
    deep = packet.MAX_DEPTH - 2
    assert packet.fill_placeholders(["e", nested(deep, placeholder(0), key)], [b"0"]) == ["e", nested(deep, b"0", key)]
    for depth in (packet.MAX_DEPTH, 900, 100_000):
        with pytest.raises(PacketError):
            packet.fill_placeholders(["e", nested(depth, placeholder(0), key)], [b"0"])


# --- names and prefixes ----------------------------------------------------------------------------------------------


def test_reserved_names():
    names = {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
    assert names == packet.RESERVED


@pytest.mark.parametrize(("namespace", "prefix"), [("/", b""), ("/a", b"/a,"), ("/é", "/é,".encode())])
def test_the_prefix_of_a_namespace(namespace, prefix):
    assert packet.namespace_prefix(namespace) == prefix


def test_an_event_is_written_as_javascript_writes_it():
    # JSON.stringify: compact, non-ASCII kept, and placeholders with these two keys in this order.
    text = encode(EVENT, "/", None, ["é", {"a": 1, "b": [b"x"]}]).text.decode()
    assert text == '451-["é",{"a":1,"b":[{"_placeholder":true,"num":0}]}]'


def test_all_heads_in_all_combinations():
    for kind, namespace, ack in itertools.product("256", ["", "/a,", "/a/b,"], ["", "0", "17"]):
        count = "1-" if kind in "56" else ""
        text = f'{kind}{count}{namespace}{ack}["e",{{"_placeholder":true,"num":0}}]'
        if kind == "6" and not ack:
            continue  # an acknowledgement needs an id
        got = decode(text)
        assert got[:3] == (int(kind), namespace[:-1] or "/", int(ack) if ack else None)
        assert got[4] == len(re.findall("-", count))


@pytest.mark.parametrize(
    ("namespace", "split"),
    [
        ("/", ("/", {})),
        ("/a", ("/a", {})),
        ("/a?", ("/a", {})),
        ("/a?b=c&d=&e&b=last", ("/a", {"b": "last", "d": "", "e": ""})),
        ("/a?b=%C3%A9+%26%3d?", ("/a", {"b": "é &=?"})),
        ("?a=b", ("", {"a": "b"})),
        ("/a?&&=", ("/a", {"": ""})),
        ("/a?%ff=%zz", ("/a", {"\ufffd": "%zz"})),
    ],
)
def test_the_namespace_of_a_connect_of_protocol_4_has_a_query(namespace, split):
    assert packet.split_query(namespace) == split


def test_the_values_of_a_query_are_bounded():
    most = packet.MAX_QUERY_FIELDS
    assert len(packet.split_query("/a?" + "&".join(f"{number}=" for number in range(most)))[1]) == most
    with pytest.raises(PacketError):
        packet.split_query("/a?" + "&".join(f"{number}=" for number in range(most + 1)))
