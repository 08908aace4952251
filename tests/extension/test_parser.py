"""The ``parser`` option: MessagePack instead of JSON, an object of the user's, and what does not go together."""

import datetime
import decimal
import json
import uuid

import gevent
import pytest
from flask import Flask

from flask_socketio_py import ConnectionRefusedError, SocketIO
from flask_socketio_py.socketio.msgpack_parser import MsgpackParser
from flask_socketio_py.socketio.parser import DefaultParser


@pytest.fixture(params=["parser", "serializer"])
def socketio(app, request):
    return SocketIO(app, namespaces=["/", "/admin"], **{request.param: "msgpack"})


def test_the_default_is_the_protocols_own(app):
    assert isinstance(SocketIO(app).parser, DefaultParser)
    assert isinstance(SocketIO(Flask("other"), parser="default").parser, DefaultParser)
    assert isinstance(SocketIO(Flask("third"), serializer="default", json=json).parser, DefaultParser)


def test_events_and_acknowledgements(socketio, connect):
    assert isinstance(socketio.parser, MsgpackParser)
    socketio.on("echo")(lambda *args: args)
    client = connect()
    moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    values = [None, True, 1.5, "é", b"\x00\xff", [b"x", {"a": b""}], {"at": [moment]}]
    assert client.emit("echo", *values, callback=True) == values
    socketio.emit("news", {"bytes": [b"1", b"2"], "at": moment, 5: (1, 2)})
    assert client.get_received() == [
        {"name": "news", "args": [{"bytes": [b"1", b"2"], "at": moment, "5": [1, 2]}], "namespace": "/"}
    ]


def test_what_flask_can_encode_can_be_sent(socketio, connect):
    socketio.on("ask")(
        lambda: {"day": datetime.date(2026, 1, 2), "number": decimal.Decimal("1.50"), "key": uuid.UUID(int=1)}
    )
    assert connect().emit("ask", callback=True) == {
        "day": "2026-01-02", "number": "1.50", "key": "00000000-0000-0000-0000-000000000001",
    }  # fmt: skip


def test_namespaces_and_calls(socketio, connect):
    main, admin = connect(), connect("/admin")
    admin.answer("question", lambda number: (number, b"raw"))
    (sid,) = socketio.server.manager.rooms["/admin"][None]
    assert gevent.spawn(socketio.call, "question", 7, to=sid, namespace="/admin").get(timeout=20) == (7, b"raw")
    socketio.emit("only", b"there", namespace="/admin")
    assert [event["name"] for event in admin.get_received("/admin")] == ["question", "only"]
    assert main.get_received() == []


def test_a_refusal_carries_its_data(socketio, connect):
    @socketio.on("connect")
    def refuse(auth):
        raise ConnectionRefusedError("no", {"you": auth, "raw": b"1"})

    client = connect(auth={"token": b"t"})
    assert not client.is_connected()
    assert client.connect_error == {"message": "no", "data": {"you": {"token": b"t"}, "raw": b"1"}}


def test_both_sides_can_leave(socketio, connect):
    reasons = []
    socketio.on("disconnect")(reasons.append)
    socketio.on("kick")(lambda: socketio.server.disconnect(next(iter(socketio.server.manager.rooms["/"][None]))))
    client = connect()
    client.disconnect()
    client.connect()
    client.emit("kick")
    assert not client.is_connected()
    assert reasons == ["client disconnect", "server disconnect"]


def test_what_cannot_be_sent_is_a_type_error_at_the_call(socketio, connect):
    client = connect()
    for value in (object(), {"deep": [object()]}, {1, 2}, {b"key": 1}):
        with pytest.raises(TypeError):
            socketio.emit("bad", value)
    assert client.get_received() == []


def test_data_as_deep_as_it_can_be_read_ends_its_sender_only(socketio, connect, caplog):
    socketio.on("echo")(lambda *args: args)
    client, other = connect(), connect()
    data = b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x01\xa4data\x92\xa4echo" + b"\x91" * 1000 + b"\x01"
    client._session.receive(data)
    client._settle()
    assert client.eio_sid not in socketio.engine.sessions
    assert other.emit("echo", 1, callback=True) == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("message", ["42[]", "0", "", b"", b"\xc1", b"\x82\xa4type\x05\xa3nsp\xa1/", b"\x80"])
def test_anything_else_closes_the_connection(socketio, connect, caplog, message):
    client, other = connect(), connect()
    client._session.receive(f"4{message}" if isinstance(message, str) else message)
    assert client.eio_sid not in socketio.engine.sessions
    assert other.eio_sid in socketio.engine.sessions
    assert "Traceback" not in caplog.text


def test_a_parser_of_the_users(app, connect):
    class Counting(MsgpackParser):
        __slots__ = ("decoded",)

        def decode(self, data):
            self.decoded += 1
            return super().decode(data)

    parser = Counting()
    parser.decoded = 0
    socketio = SocketIO(app, parser=parser)
    assert socketio.parser is parser
    socketio.on("echo")(lambda value: value)
    assert connect().emit("echo", b"1", callback=True) == b"1"
    assert parser.decoded == 4  # both sides are in here: CONNECT and its answer, the event and its


@pytest.mark.parametrize("parser", ["msgpack", MsgpackParser()])
def test_json_has_no_meaning_for_another_parser(app, parser):
    with pytest.raises(ValueError, match=r"^json goes with parser='default' only"):
        SocketIO(app, json=json, parser=parser)


def test_the_configuration_names_it_too(app):
    app.config["SOCKETIO_PARSER"] = "msgpack"
    assert isinstance(SocketIO(app).parser, MsgpackParser)
