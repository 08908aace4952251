"""The ``json`` option and what the built-in codec takes: per extension, never for the whole process."""

import datetime
import decimal
import json
import uuid

import flask
import gevent
import pytest
from flask import Flask

from flask_socketio_py import SocketIO


class Shouting:
    """A module-like object, as users pass one."""

    @staticmethod
    def dumps(data, **options):
        return json.dumps(data, **options).upper()

    @staticmethod
    def loads(text, **options):
        return json.loads(text.lower() if isinstance(text, str) else text.decode().lower(), **options)


def ask(app, value=None):
    client = app.extensions["socketio"].test_client(app)
    try:
        return client.emit("ask", *(() if value is None else (value,)), callback=True)
    finally:
        client.close()


def test_a_module_of_ones_own_is_used_both_ways(app):
    socketio = SocketIO(app, json=Shouting)
    heard = []
    socketio.on("ask")(lambda value: heard.append(value) or "quiet")
    assert ask(app, "LOUD") == "quiet"
    assert heard == ["loud"]


def test_two_extensions_have_their_own(app):
    other = Flask("other")
    SocketIO(app, json=Shouting).on("ask")(lambda: "Mixed")
    SocketIO(other).on("ask")(lambda: "Mixed")
    assert ask(app) == "mixed"
    assert ask(other) == "Mixed"


# Dates are what the built-in codec and Flask's write differently.
DATES = [({}, "2026-01-02"), ({"json": flask.json}, "Fri, 02 Jan 2026 00:00:00 GMT")]


@pytest.mark.parametrize(("option", "day"), DATES, ids=["built in", "flask.json"])
def test_what_flask_can_encode_can_be_sent(app, option, day):
    SocketIO(app, **option).on("ask")(
        lambda: {"day": datetime.date(2026, 1, 2), "number": decimal.Decimal("1.50"), "key": uuid.UUID(int=1)}
    )
    assert ask(app) == {"day": day, "number": "1.50", "key": "00000000-0000-0000-0000-000000000001"}


@pytest.mark.parametrize(("option", "day"), DATES, ids=["built in", "flask.json"])
def test_and_from_where_there_is_no_context_too(app, connect, option, day):
    socketio = SocketIO(app, **option)
    client = connect()
    gevent.spawn(socketio.emit, "day", {"day": datetime.date(2026, 1, 2)}).get(timeout=20)
    assert client.get_received()[0]["args"] == [{"day": day}]


def test_a_json_provider_of_the_application_is_respected(app, connect):
    class Provider(flask.json.provider.DefaultJSONProvider):
        @staticmethod
        def default(value):
            return f"<{type(value).__name__}>"

    app.json = Provider(app)
    socketio = SocketIO(app)
    client = connect()
    socketio.emit("thing", {"thing": Provider(app)})
    assert client.get_received()[0]["args"] == [{"thing": "<Provider>"}]


def test_what_nobody_can_encode_is_a_type_error_at_the_call(socketio, connect):
    client = connect()
    for value in (object(), {"deep": [object()]}, {1, 2}):
        with pytest.raises(TypeError):
            socketio.emit("bad", value)
    assert client.get_received() == []


def test_a_handler_whose_answer_cannot_be_encoded_is_logged_and_the_client_lives(socketio, connect, caplog):
    socketio.on("bad")(lambda: object())
    socketio.on("good")(lambda: "fine")
    client = connect()
    assert client.emit("bad", callback=True) is None
    assert "a handler of the event 'bad' failed" in caplog.text
    assert client.emit("good", callback=True) == "fine"
