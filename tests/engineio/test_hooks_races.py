"""Owns what may happen while a hook blocks: the session goes, the server closes, the same id is made twice."""

import io
import json

import gevent
import pytest
from contract.recording import RecordingHandler
from contract.waiting import turn
from gevent import socket
from gevent.event import Event

from flask_socketio_py.config import Options
from flask_socketio_py.engineio.hooks import Hooks
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.server import EngineServer

from .environs import UPGRADE, environ

OPENING = "EIO=4&transport=polling"


class Block:
    """A hook that blocks, once it is armed, until it is released; then it answers."""

    def __init__(self, answer):
        self.answer = answer
        self.armed = self.entered = 0
        self.released = Event()

    def __call__(self, *args):
        if self.armed:
            self.armed -= 1
            self.entered += 1
            self.released.wait(10)
        return self.answer(*args)


BEFORE = {"before_request": lambda environ: None}
ALLOW = {"allow_request": lambda environ: True}
INITIAL = {"initial_headers": lambda headers, environ: headers}
HEADERS = {"headers": lambda headers, environ: headers}
ID = {"generate_id": lambda environ: "the-only-id"}
#: Every hook that is asked when a session is opened, and when an upgrade is.
OPENERS = [BEFORE, ALLOW, ID, INITIAL, HEADERS]
UPGRADERS = [BEFORE, HEADERS]


def name_of(hooks):
    return next(iter(hooks)) if isinstance(hooks, dict) else None


class Bench:
    """A server with hooks, the first of them a Block, and requests to it in greenlets of their own."""

    def __init__(self, hooks):
        name, answer = next(iter(hooks.items()))
        self.block = Block(answer)
        self.handler = RecordingHandler()
        self.engine = EngineServer(Options(cors_allowed_origins=[]), self.handler, Hooks(**{**hooks, name: self.block}))
        self.pairs = []

    def ask(self, query=OPENING, **more):
        """A request in a greenlet; its result: status, headers and body, or the bytes of a WebSocket's server."""
        greenlet = gevent.spawn(self._ask, environ(query, **more))
        turn()
        return greenlet

    def ask_websocket(self, sid=""):
        theirs, ours = socket.socketpair()
        ours.settimeout(10)
        self.pairs += [theirs, ours]
        query = "EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
        greenlet = self.ask(query, **UPGRADE, **{"gunicorn.socket": theirs})
        return greenlet, ours, theirs

    def _ask(self, environment):
        told = []
        result = self.engine(environment, lambda status, headers, *rest: told.append((status, dict(headers))))
        if told and not told[0][0].startswith("101"):
            return *told[0], b"".join(result)
        return told[0] if told else None

    def release(self):
        assert self.block.entered, "the hook was asked"
        self.block.released.set()

    def open(self):
        status, _, body = self.ask().get(timeout=10)
        assert status == "200 OK"
        return json.loads(body[1:].partition(b"\x1e")[0])["sid"]


@pytest.fixture
def bench(request):
    bench = Bench(request.param)
    yield bench
    bench.engine.close()
    for end in bench.pairs:
        end.close()
    turn()


@pytest.mark.parametrize("bench", OPENERS, ids=name_of, indirect=True)
def test_a_server_that_closes_while_a_hook_blocks_keeps_no_polling_session(bench):
    bench.block.armed = 1
    asked = bench.ask()
    bench.engine.close()
    bench.release()
    status, _, body = asked.get(timeout=10)
    if status == "200 OK":
        # The session was there already: it is closed, and its client learns that with its next request.
        sid = json.loads(body[1:])["sid"]
        status, _, body = bench.ask(f"{OPENING}&sid={sid}").get(timeout=10)
        assert (status, body) == ("200 OK", b"6\x1e1")
    else:
        assert status == "503 Service Unavailable"
    assert bench.engine.clients_count == 0
    assert len(bench.handler.opened) == len(bench.handler.reasons)


@pytest.mark.parametrize("bench", OPENERS, ids=name_of, indirect=True)
def test_a_server_that_closes_while_a_hook_blocks_opens_no_websocket(bench):
    bench.block.armed = 1
    asked, _, theirs = bench.ask_websocket()
    bench.engine.close()
    bench.release()
    assert asked.get(timeout=10)[0] == "503 Service Unavailable"
    assert theirs.fileno() >= 0, "the socket was not taken from the WSGI server"
    assert (bench.engine.clients_count, bench.handler.opened) == (0, [])


@pytest.mark.parametrize("bench", UPGRADERS, ids=name_of, indirect=True)
def test_a_session_that_closes_while_a_hook_blocks_is_not_upgraded(bench):
    sid = bench.open()
    bench.block.armed = 1
    asked, _, theirs = bench.ask_websocket(sid)
    bench.engine.sessions[sid].close(discard=True)
    bench.release()
    status, _, body = asked.get(timeout=10)
    assert (status, body in (b"Bad request", b"Session ID unknown")) == ("400 Bad Request", True)
    assert theirs.fileno() >= 0
    assert bench.engine.clients_count == 0


@pytest.mark.parametrize("bench", [BEFORE], ids=name_of, indirect=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_that_closes_while_a_hook_blocks_is_unknown(bench, method):
    sid = bench.open()
    bench.block.armed = 1
    body = {"CONTENT_LENGTH": "2", "wsgi.input": io.BytesIO(b"4a")}
    asked = bench.ask(f"{OPENING}&sid={sid}", method=method, **body)
    bench.engine.sessions[sid].close(discard=True)
    bench.release()
    assert json.loads(asked.get(timeout=10)[2])["code"] == 1
    assert bench.handler.messages == []


@pytest.mark.parametrize("bench", [HEADERS], ids=name_of, indirect=True)
def test_what_was_taken_for_a_poll_still_leaves_when_the_session_closes_meanwhile(bench):
    sid = bench.open()
    session = bench.engine.sessions[sid]
    session.send(PreparedMessage(b"4a"))
    bench.block.armed = 1
    asked = bench.ask(f"{OPENING}&sid={sid}")
    session.send(PreparedMessage(b"4b"))
    session.close()
    bench.release()
    assert asked.get(timeout=10)[2] == b"4a"
    assert bench.ask(f"{OPENING}&sid={sid}").get(timeout=10)[2] == b"4b"
    assert bench.ask(f"{OPENING}&sid={sid}").get(timeout=10)[2] == b"6\x1e1"


@pytest.mark.parametrize("bench", [INITIAL | ID, HEADERS | ID, ID], ids=name_of, indirect=True)
@pytest.mark.parametrize("first", ["polling", "websocket"])
@pytest.mark.parametrize("second", ["polling", "websocket"])
def test_the_same_id_twice_while_a_hook_blocks_opens_one_session(bench, first, second):
    bench.block.armed = 1
    one = bench.ask() if first == "polling" else bench.ask_websocket()[0]
    other = bench.ask() if second == "polling" else bench.ask_websocket()[0]
    # The first still waits. In generate_id it has no id yet; behind it, its id is its own.
    late = bench.block.answer is ID["generate_id"]
    bench.release()
    loser = (one if late else other).get(timeout=10)
    assert loser[0] == "400 Bad Request"
    winner = (other if late else one).get(timeout=10)
    assert winner is None or winner[0][:3] in ("200", "101")
    assert list(bench.engine.sessions) == ["the-only-id"]
    assert len(bench.handler.opened) == 1


@pytest.mark.parametrize("bench", [HEADERS], ids=name_of, indirect=True)
def test_two_upgrades_while_a_hook_blocks_leave_the_session_with_one(bench):
    sid = bench.open()
    bench.block.armed = 2
    asked = [bench.ask_websocket(sid) for _ in range(2)]
    bench.release()
    for greenlet, _, _ in asked:
        assert greenlet.get(timeout=10)[0].startswith("101")
    first, second = (end for _, end, _ in asked)
    for end, answer in ((first, b"\x81\x063probe"), (second, b"\x88\x02\x03\xe8")):
        end.sendall(b"\x81\x86\0\0\0\x002probe")
        received = b""
        while answer not in received:
            chunk = end.recv(1000)
            assert chunk, received
            received += chunk
    assert bench.engine.clients_count == 1


@pytest.mark.parametrize("bench", [ALLOW, ID, INITIAL, HEADERS], ids=name_of, indirect=True)
def test_a_client_that_goes_while_a_hook_blocks_leaves_no_session(bench):
    bench.block.armed = 1
    asked, ours, _ = bench.ask_websocket()
    ours.close()
    bench.release()
    asked.get(timeout=10)
    with gevent.Timeout(10):
        while bench.engine.sessions:
            gevent.sleep(0.01)


def test_without_hooks_nothing_is_asked_and_hooks_may_come_later():
    engine = EngineServer(Options(cors_allowed_origins=[]), RecordingHandler())
    assert engine.hooks is None
    engine.hooks = Hooks(generate_id=lambda environ: "late")
    b"".join(engine(environ(), lambda status, headers: None))
    assert list(engine.sessions) == ["late"]
    engine.close()
