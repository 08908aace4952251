"""Owns the sessions of a server: their ids, their timeouts, and the end of all of them. The wire is in conformance/."""

import json
import re

import gevent
import pytest
from contract.carriers import WebSocket
from contract.recording import DirectTransport, RecordingHandler, request
from contract.waiting import wait_until

from flask_socketio_py.config import Options
from flask_socketio_py.engineio import server as module
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.server import EngineServer
from flask_socketio_py.engineio.session import State

from .environs import UPGRADE, environ


def ask(engine, environment):
    """(status, headers, body) of one request."""
    told = []
    body = b"".join(engine(environment, lambda status, headers: told.append((status, dict(headers)))))
    return *told[0], body


@pytest.fixture
def engine():
    engine = EngineServer(Options(cors_allowed_origins=[]), RecordingHandler())
    yield engine
    engine.close()


def opened(engine):
    status, _, body = ask(engine, environ())
    assert (status, body[:1]) == ("200 OK", b"0")
    return json.loads(body[1:].partition(b"\x1e")[0])


def test_ids_are_twenty_characters_and_never_the_same(engine):
    sids = {opened(engine)["sid"] for _ in range(200)}
    assert len(sids) == 200
    assert all(re.fullmatch(r"[\w-]{20}", sid, re.ASCII) for sid in sids)
    assert set(engine.sessions) == sids


def test_times_are_told_in_whole_milliseconds():
    options = {
        "ping_interval": (0.3, 0.05),
        "ping_timeout": 0.2,
        "max_http_buffer_size": 123,
        "cors_allowed_origins": [],
    }
    engine = EngineServer(Options(**options), RecordingHandler())
    data = opened(engine)
    del data["sid"]
    assert data == {"upgrades": ["websocket"], "pingInterval": 350, "pingTimeout": 200, "maxPayload": 123}
    engine.close()


@pytest.mark.parametrize(("options", "upgrades"), [({"allow_upgrades": False}, []), ({"transports": ["polling"]}, [])])
def test_upgrades_are_offered_only_where_they_are_possible(options, upgrades):
    engine = EngineServer(Options(cors_allowed_origins=[], **options), RecordingHandler())
    assert opened(engine)["upgrades"] == upgrades
    engine.close()


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        (environ("EIO=4&transport=x"), 0),
        (environ("EIO=4&transport=polling&sid=unknown"), 1),
        (environ("EIO=4&transport=polling&sid=__class__", "POST"), 1),
        (environ(method="POST"), 2),
        (environ("EIO=4&transport=websocket"), 3),
        (environ("EIO=3&transport=polling"), 5),
    ],
)
def test_a_request_that_is_refused_opens_nothing(engine, environment, code):
    status, _, body = ask(engine, environment)
    assert (status, json.loads(body)["code"]) == ("400 Bad Request", code)
    assert engine.sessions == {}
    assert engine.handler.opened == []


@pytest.mark.parametrize(("query", "code"), [("", 5), ("EIO=2&", 5), ("EIO=3&", None), ("EIO=4&", None)])
def test_revision_3_is_let_in_where_it_is_allowed(query, code):
    engine = EngineServer(Options(cors_allowed_origins=[], allow_eio3=True), RecordingHandler())
    _, headers, body = ask(engine, environ(query + "transport=polling"))
    if code is None:
        [session] = engine.sessions.values()
        assert session.protocol == (3 if "3" in query else 4)
        assert headers["Content-Type"] == "text/plain; charset=UTF-8"
    else:
        assert json.loads(body)["code"] == code
        assert engine.sessions == {}
    engine.close()


def test_a_client_of_revision_3_that_is_silent_is_closed_unless_it_is_we_who_do_not_read():
    handler = RecordingHandler()
    engine = EngineServer(Options(ping_interval=0.3, ping_timeout=0.3), handler)
    silent, lively, held = (engine.adopt(request("3"), DirectTransport()) for _ in range(3))
    held.pause()
    while silent.state is not State.CLOSED:
        gevent.sleep(0.005)
        lively.receive("2")
    assert handler.reasons == [Reason.PING_TIMEOUT]
    assert held.state is lively.state is State.OPEN
    assert {message.text for message in lively.transport.taken} == {b"3"}
    held.resume()
    wait_until(lambda: held.state is lively.state is State.CLOSED)
    assert handler.reasons == [Reason.PING_TIMEOUT] * 3
    assert not engine.sessions


def test_a_websocket_under_a_server_that_gives_no_socket_is_refused_with_the_way_out(engine, caplog):
    status, _, _ = ask(engine, environ("EIO=4&transport=websocket", **UPGRADE))
    assert status == "400 Bad Request"
    assert "socketio.run()" in caplog.text
    assert engine.sessions == {}


def test_a_close_packet_that_nobody_fetches_is_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(module, "LINGER", 0.05)
    engine = EngineServer(Options(cors_allowed_origins=[]), RecordingHandler())
    sid = opened(engine)["sid"]
    engine.sessions[sid].close()
    assert sid in engine.sessions
    wait_until(lambda: not engine.sessions)
    assert engine.handler.reasons == [Reason.FORCED_CLOSE]


def test_a_server_that_closes_tells_everybody_and_takes_nobody():
    carrier = WebSocket()
    transport = DirectTransport()
    transport.session = carrier.engine.adopt(request(), transport)
    carrier.engine.close()
    assert carrier.handler.reasons == [Reason.SERVER_SHUTTING_DOWN] * 2
    assert carrier.engine.sessions == {}
    assert ask(carrier.engine, environ())[0].startswith("503")
    carrier.stop()


class Greeting(RecordingHandler):
    def on_open(self, session):
        super().on_open(session)
        session.send(PreparedMessage(b"4from the handler"))


@pytest.mark.parametrize(
    ("initial", "packets"),
    [
        (None, []),
        ("", []),
        ("h\u00e9", ["4h\u00e9"]),
        (b"\1", ["bAQ=="]),
        (lambda: "made", ["4made"]),
        (lambda: b"", ["b"]),
        (lambda: None, []),
        (lambda: 5, []),
        (lambda: 1 / 0, []),
    ],
)
def test_the_initial_packet_comes_with_the_handshake_and_before_all_else(initial, packets):
    engine = EngineServer(Options(cors_allowed_origins=[], initial_packet=initial), Greeting())
    _, _, body = ask(engine, environ())
    assert body.decode().split("\x1e")[1:] == [*packets, "4from the handler"]
    engine.close()


def test_an_initial_packet_is_made_for_each_session():
    numbers = iter("123")
    engine = EngineServer(Options(cors_allowed_origins=[], initial_packet=lambda: next(numbers)), RecordingHandler())
    assert [ask(engine, environ())[2].decode().split("\x1e")[1] for _ in range(3)] == ["41", "42", "43"]
    assert engine.clients_count == 3
    engine.close()
