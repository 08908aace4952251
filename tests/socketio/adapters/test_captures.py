"""Owns that nothing official servers and emitters were seen to say is passed over: each command of three whole sessions
(two servers ran every operation while Redis' MONITOR wrote them down) is read, and written again to the same bytes.
"""

import base64
import re
from collections import Counter
from pathlib import Path

import pytest

from flask_socketio_py.socketio.adapters.classic_codec import ClassicCodec
from flask_socketio_py.socketio.adapters.cluster_codec import ClusterCodec
from flask_socketio_py.socketio.adapters.operations import Count, Fetch, Fetched, ServerEvent
from flask_socketio_py.socketio.adapters.redis.outsider import Outsider
from flask_socketio_py.socketio.adapters.redis.stream_log import LogCodec, entry_of
from flask_socketio_py.socketio.msgpack_codec import MSGPACK_JAVASCRIPT, NOTEPACK_3

CAPTURES = Path(__file__).parent / "captures"
CLASSIC, SHARDED, STREAMS = ClassicCodec(), ClusterCodec(NOTEPACK_3), ClusterCodec(MSGPACK_JAVASCRIPT)
LOG = LogCodec(STREAMS)
_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def unescaped(text):
    return _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1][1:].decode()) if len(found[1]) == 3 else _LETTERS.get(found[1], found[1]),
        text,
    )


def commands(name, *verbs):
    """The commands of a session, as lists of arguments."""
    found = []
    for line in (CAPTURES / f"{name}.txt").read_bytes().splitlines():
        arguments = [unescaped(one) for one in _ARGUMENT.findall(line)]
        if arguments and arguments[0].decode() in verbs:
            found.append(arguments)
    return found


def ids(found):
    return [f"{number} {command[1].decode()}" for number, command in enumerate(found)]


PUBLISHED = commands("classic", "PUBLISH")
SPUBLISHED = commands("sharded", "SPUBLISH")
APPENDED = commands("streams", "XADD")
EPHEMERAL = commands("streams", "PUBLISH")
SESSIONS = [command for command in commands("streams", "SET") if command[1].startswith(b"sio:session:")]


def test_no_command_is_overlooked():
    counted = [len(found) for found in (PUBLISHED, SPUBLISHED, APPENDED, EPHEMERAL, SESSIONS)]
    lines = Counter()
    for path in CAPTURES.iterdir():
        lines.update(re.findall(r'\] "(\w+)" "(?!label)', path.read_text()))
    assert counted == [32, 24, 13, 13, 2]
    assert sum(counted[:2]) + counted[3] == lines["PUBLISH"] + lines["SPUBLISH"]
    assert (counted[2], counted[4]) == (lines["XADD"], lines["SET"])


def other_id(data, old, new):
    """A message with another request id, in JSON or MessagePack."""
    if data[:1] == b"{":
        return data.replace(b'"requestId":"%b"' % old.encode(), b'"requestId":"%b"' % new.encode())
    head = b"\xa9requestId%c"
    return data.replace(head % (0xA0 + len(old)) + old.encode(), head % (0xA0 + len(new)) + new.encode())


def ours(operation):
    """The id of a request as we would have it: by its first letter an answer shows to what it is one."""
    letters = {Fetch: "f", ServerEvent: "e", Count: "n"}
    return letters.get(type(operation), "b") + operation.request_id


@pytest.mark.parametrize("command", PUBLISHED, ids=ids(PUBLISHED))
def test_the_classic_adapter_and_its_emitter(command):
    _, channel, data = command
    kind, namespace = re.fullmatch(r"socket\.io(|-request|-response)#(/\w*)#.*", channel.decode()).groups()
    if kind == "-response":
        classic_response(data)
        return
    if kind == "":
        uid, found, operation = CLASSIC.decode_broadcast(data)
        assert found == namespace
        written = CLASSIC.encode_broadcast(uid, namespace, operation)
    else:
        uid, _, operations = CLASSIC.decode_request(data)
        [operation] = operations
        if (request_id := getattr(operation, "request_id", None)) is not None:
            data = other_id(data, request_id, ours(operation))
        written = CLASSIC.encode_request(uid or "emitter", namespace, operation)
        if b'"type":1' in data:  # all rooms: ours ask for the sockets
            assert operation == Fetch(operation.request_id, (), ())
            return
    if uid in ("emitter", None):
        [(_, told_channel, written)] = Outsider("redis://host")._classic(namespace, operation)
        assert told_channel.encode() == channel
    assert written == data


def classic_response(data):
    request_id = re.search(rb"requestId(?:\":\"|\xa6)(.{6})", data)[1].decode()
    if b'"rooms":' in data and b"sockets" not in data:
        rooms = CLASSIC.json.decode(data.decode())["rooms"]
        reply = Fetched(request_id, [{"id": rooms[0], "handshake": {}, "rooms": rooms, "data": {}}])
        assert CLASSIC.encode_response("rooms", reply) == data
        return
    letter = "f" if b"sockets" in data else "e" if b'"type":6' in data else "b"
    data = other_id(data, request_id, letter + request_id)
    reply = CLASSIC.decode_response(data)
    assert reply.request_id == request_id
    assert CLASSIC.encode_response("sockets", reply._replace(request_id=letter + request_id)) == data


@pytest.mark.parametrize("command", SPUBLISHED, ids=ids(SPUBLISHED))
def test_the_sharded_adapter(command):
    message = SHARDED.decode(command[2])
    assert SHARDED.encode(*message) == command[2]


@pytest.mark.parametrize("command", APPENDED, ids=ids(APPENDED))
def test_the_log_of_the_streams_adapter(command):
    fields = dict(zip(command[6::2], command[7::2], strict=True))
    assert command[:6] == [b"XADD", b"socket.io", b"MAXLEN", b"~", b"10000", b"*"]
    entry = entry_of(fields)
    kind, data = LOG.encode(LOG.decode(entry.kind, entry.data))
    uid, namespace = entry.uid.encode(), entry.namespace.encode()
    assert {b"uid": uid, b"nsp": namespace, b"type": b"%d" % kind, b"data": data} == fields


@pytest.mark.parametrize("command", EPHEMERAL, ids=ids(EPHEMERAL))
def test_the_channels_of_the_streams_adapter(command):
    message = STREAMS.decode(command[2])
    assert STREAMS.msgpack.encode(STREAMS.message(*message)) == command[2]


@pytest.mark.parametrize("command", SESSIONS, ids=ids(SESSIONS))
def test_the_sessions_of_the_streams_adapter(command):
    session = STREAMS.msgpack.decode(base64.b64decode(command[2]))
    assert list(session) == ["sid", "pid", "rooms", "data"]
    assert base64.b64encode(STREAMS.msgpack.encode(session)) == command[2]
