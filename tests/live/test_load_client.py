"""Owns the load tests' client: what it does with servers of ours, with the official one, and with one that errs."""

import contextlib

import gevent
import pytest
from gevent.server import StreamServer

from flask_socketio_py.websocket.frames import BINARY, TEXT, encode_close, encode_frame
from flask_socketio_py.websocket.handshake import accept, response_head
from loadtests.client import POLLING, UPGRADING, WEBSOCKET, Client, DisconnectedError, RefusedError
from loadtests.wire import TransportError, ViolationError
from tests.contract.waiting import wait_until
from tests.live.cluster import Member, NodeServer
from tests.live.jsclient import JS
from tests.live.servers import OURS, PACKAGE, Server
from tests.redis_server import RedisServer

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own client")

NODE_ADAPTER = JS.parents[1] / "node_modules" / "@socket.io" / "redis-streams-adapter"
QUICK = {"delay": 0.05, "delay_max": 0.2}
WAYS = pytest.mark.parametrize(
    ("transports", "keep_alive"),
    [(POLLING, True), (POLLING, False), (UPGRADING, True), (WEBSOCKET, True)],
    ids=["polling", "polling anew", "upgrading", "websocket"],
)


@pytest.fixture(scope="module")
def server():
    options = {"connection_state_recovery": True, "ping_interval": 1}
    with Server("loadtests.endurance_app:app", "worker", options=options) as server:
        yield server


@pytest.fixture
def client():
    """``client(url, **options)``; closed in the end."""
    clients = []

    def new(url, **options):
        clients.append(Client(url, **{**QUICK, **options}))
        return clients[-1]

    yield new
    for one in clients:
        one.close()


def calm(client):
    counts = client.counts
    assert (counts.violations, dict(counts.failures), dict(counts.ends)) == ([], {}, {})


# -- a server of ours -------------------------------------------------------------------------------------------------


@WAYS
def test_events_and_acknowledgements_both_ways(server, client, transports, keep_alive):
    seen = []
    one = client(server.url, transports=transports, keep_alive=keep_alive, watch=lambda *what: seen.append(what))
    one.on("question", lambda value: value + 1)
    told = []
    one.on("told", lambda note, offset: told.append(note))
    acked = []
    one.emit("number", 0, b"before it is connected", callback=lambda *answer: acked.append(answer))
    one.connect()
    for value in range(1, 50):
        one.emit("number", value, "é" * value, callback=lambda *answer: acked.append(answer))
    assert one.call("number", 50, ["nested", b"\x00\xff"]) == [50, ["nested", b"\x00\xff"]]
    assert acked == [(0, b"before it is connected"), *((value, "é" * value) for value in range(1, 50))]
    assert one.call("ask", 5) == 6
    assert one.call("tell", "me", 1) == 1
    wait_until(lambda: told == [["me", 1]], "it is told")
    wait_until(lambda: one.counts.pings, "heartbeats")
    calm(one)
    wait_until(lambda: one.engine.transport == transports[-1], "it upgrades")
    assert one.counts.upgrades == (transports == UPGRADING)
    assert (one.counts.acked, one.counts.answered, one.counts.unanswered) == (53, 1, 0)
    assert [(what, name) for what, name, _ in seen if what != "ack"] == [
        ("connect", "/"),
        ("event", "question"),
        ("event", "told"),
    ]
    assert all(seconds > 0 for what, _, seconds in seen if what in ("ack", "connect"))
    one.close()
    assert dict(one.counts.ends) == {"forced close": 1}
    assert ("disconnect", "io client disconnect", 0.0) in seen


@WAYS
def test_it_comes_back_as_who_it_was(server, client, transports, keep_alive):
    one, other = (client(server.url, transports=transports, keep_alive=keep_alive) for _ in range(2))
    told = []
    one.on("told", lambda note, offset: told.append(note[1]))
    one.connect()
    other.connect()
    other.call("tell", "other", 0)
    wait_until(lambda: told == [0], "it has an offset")
    sid = one.sid
    for number in range(1, 9, 2):
        one.drop()
        wait_until(lambda: not one.connected, "it notices")
        other.call("tell", "other", number)
        assert one.wait_connected()
        assert one.recovered
        assert one.sid == sid
        other.call("tell", "other", number + 1)
    wait_until(lambda: len(told) == 9, "it has all")
    assert told == list(range(9))
    assert (one.counts.connects, one.counts.recoveries) == (5, 4)
    assert one.counts.violations == []


def test_without_recovery_it_starts_anew(server, client):
    one = client(server.url, transports=WEBSOCKET, recover=False)
    one.connect()
    one.call("tell", "me", 1)
    sid = one.sid
    one.drop()
    wait_until(lambda: not one.connected, "it notices")
    assert one.wait_connected()
    assert not one.recovered
    assert one.sid != sid


def test_an_acknowledgement_that_cannot_come_any_more(server, client):
    one = client(server.url, transports=WEBSOCKET, reconnect=False)
    one.connect()
    calling = gevent.spawn(one.call, "number", 1, "")
    gevent.spawn(one.drop)
    with pytest.raises(DisconnectedError):
        calling.get()
    assert one.counts.unanswered == 1


def test_a_server_that_refuses(client):
    with Server("tests.live.apps.refusing:app", "run") as server:
        one = client(server.url)
        with pytest.raises(RefusedError, match="not today"):
            one.connect()
        assert one.counts.violations == []


def test_a_server_that_is_not_there_and_comes(client):
    server = Server("loadtests.endurance_app:app", "run")
    one = client(server.url)
    with pytest.raises(TimeoutError, match="no connection"):
        one.connect(0.3)
    alone = client(server.url, reconnect=False)
    with pytest.raises(TransportError):
        alone.connect()
    with server:
        one.connect()
        assert one.call("number", 1, None) == [1, None]
        one.close()


@pytest.mark.parametrize(
    ("url", "transports", "fault"),
    [
        ("http://127.0.0.1:1", ["carrier pigeon"], "choose POLLING"),
        ("https://127.0.0.1:1", POLLING, "no TLS"),
    ],
)
def test_what_it_cannot_do(url, transports, fault):
    with pytest.raises(ValueError, match=fault):
        Client(url, transports=transports)


# -- the official server ----------------------------------------------------------------------------------------------


@WAYS
def test_the_official_server(javascript, node, client, transports, keep_alive):
    one = client(node.server.url, transports=transports, keep_alive=keep_alive)
    numbers = []
    one.on("n", lambda number, offset: numbers.append(number))
    one.on("question", lambda *args: (*args, b"and bytes"))
    one.connect()
    answer = gevent.get_hub().threadpool.spawn(
        node.do, "emit_with_ack", args=["question", 1, b"bytes"], rooms=[one.sid], timeout=10
    )
    # Node gives the first value of each answer.
    assert answer.get() == {"complete": True, "answers": [1]}
    sid = one.sid
    for number in range(6):
        node.do("emit", args=["n", number], rooms=[sid])
        if number % 2 == 0:
            wait_until(lambda number=number: len(numbers) == number + 1, "it is told")
            one.drop()
            wait_until(lambda: not one.connected, "it notices")
        else:
            assert one.wait_connected()
            assert one.recovered
            assert one.sid == sid
    wait_until(lambda: len(numbers) == 6, "it is told all")
    assert numbers == list(range(6))
    assert one.counts.violations == []


@pytest.fixture(scope="module")
def node(javascript):
    if not NODE_ADAPTER.is_dir():
        pytest.skip("missing: @socket.io/redis-streams-adapter (npm install --prefix tests)")
    options = {"connectionStateRecovery": {"maxDisconnectionDuration": 60_000}}
    with RedisServer() as redis, NodeServer(redis.url, "streams", "node", **options) as server:
        yield Member("node", server)


# -- a server that errs -----------------------------------------------------------------------------------------------

OPEN = b'0{"sid":"x","upgrades":[],"pingInterval":%d,"pingTimeout":%d,"maxPayload":100}'
CONNECT = encode_frame(b'40{"sid":"y"}')
ATTACHED = [encode_frame(b'451-["a",{"_placeholder":true,"num":%d}]' % number) for number in (0, 1)]


@pytest.fixture
def script():
    """``script(*pieces)``: the URL of a server that opens a WebSocket and writes these: bytes, or seconds to wait."""
    servers = []

    def start(*pieces, answer=lambda head: head):
        def handle(sock, address):
            received = b""
            while b"\r\n\r\n" not in received:
                received += sock.recv(65536)
            lines = received.decode().split("\r\n")[1:-2]
            headers = {
                f"HTTP_{name.upper().replace('-', '_')}": value
                for name, value in (line.split(": ", 1) for line in lines)
            }
            environ = {"REQUEST_METHOD": "GET", **headers}
            sock.sendall(answer(response_head(accept(environ))))
            for piece in pieces:
                if isinstance(piece, bytes):
                    sock.sendall(piece)
                else:
                    gevent.sleep(piece)
            while sock.recv(65536):
                pass

        server = StreamServer(("127.0.0.1", 0), handle)
        server.start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.stop(timeout=0)


def try_to_connect(client):
    """In the background, whatever comes of it."""

    def connect():
        with contextlib.suppress(TransportError, ViolationError, DisconnectedError):
            client.connect()

    gevent.spawn(connect)


def opened(interval=25_000, patience=20_000):
    return encode_frame(OPEN % (interval, patience))


@pytest.mark.parametrize(
    ("pieces", "violation"),
    [
        ([encode_frame(b"1")], "does not begin with OPEN"),
        ([encode_frame(b"0{")], "not JSON"),
        ([encode_frame(b'0{"sid":1}')], "without sid"),
        ([opened(), encode_frame(b"7")], "unexpected packet"),
        ([opened(), encode_frame(b"3")], "unexpected packet"),
        ([opened(), encode_frame(b"6")], "unexpected packet"),
        ([opened(), encode_frame(b"")], "empty packet"),
        ([opened(), encode_frame(b"4\xff")], "not UTF-8"),
        ([opened(), encode_frame(b"40{}")], "unexpected CONNECT"),
        ([opened(), CONNECT, CONNECT], "unexpected CONNECT"),
        ([opened(), encode_frame(b'40{"sid":"y","pid":1}')], "pid"),
        ([opened(), encode_frame(b'40/other,{"sid":"y"}')], "namespace"),
        ([opened(), CONNECT, encode_frame(b"42[")], "JSON"),
        ([opened(), CONNECT, encode_frame(b"430[]")], "acknowledgement of nothing"),
        ([opened(), CONNECT, encode_frame(b"x", BINARY)], "belongs to no packet"),
        ([opened(), CONNECT, ATTACHED[0], encode_frame(b"42[1]")], "before"),
        ([opened(), CONNECT, ATTACHED[1], encode_frame(b"x", BINARY)], "placeholder"),
        ([opened(), b"\x81\x81\0\0\0\x002"], "masked"),
        ([opened(), encode_frame(b"2", rsv1=True)], "reserved bits"),
        ([opened(), encode_frame(b"2", 0)], "wrong place"),
        ([opened(), encode_frame(b"2", TEXT, fin=False), encode_frame(b"2")], "wrong place"),
        ([opened(), encode_frame(b"", 9, fin=False)], "control frame"),
        ([opened(), encode_frame(b"", 11)], "reserved opcode"),
        ([opened(), b"\x88\x01x"], "half a close code"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_violation_ends_the_session_and_is_counted(script, client, pieces, violation):
    one = client(script(*pieces), transports=WEBSOCKET, reconnect=False)
    try_to_connect(one)
    wait_until(lambda: one.counts.violations, "it is noticed")
    assert violation in one.counts.violations[0]
    assert len(one.counts.violations) == 1
    assert not one.counts.failures
    assert dict(one.counts.ends) in ({"parse error": 1}, {})
    wait_until(lambda: not one.connected, "the session is over")


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        (lambda head: head.replace(b"Accept: ", b"Accept: x"), "accepts no WebSocket"),
        (lambda head: head.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: x\r\n\r\n"), "not asked for"),
        (lambda head: b"SSH-2.0\r\n\r\n", "head of an HTTP answer"),
        (lambda head: head.replace(b": ", b""), "not a header"),
        (lambda head: b"HTTP/1.1 200 OK\r\n\r\n", "Content-Length"),
        (lambda head: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "chunk"),
    ],
)
def test_an_answer_that_opens_nothing(script, client, answer, violation):
    one = client(script(answer=answer), transports=WEBSOCKET, reconnect=False)
    with pytest.raises(Exception, match=violation):
        one.connect()
    assert violation in one.counts.violations[0]


def test_a_message_in_fragments_and_pings_of_the_websocket_are_fine(script, client):
    told = []
    pieces = [opened(), CONNECT, encode_frame(b'42["n', fin=False), encode_frame(b"?", 9), encode_frame(b'",1]', 0)]
    one = client(script(*pieces), transports=WEBSOCKET)
    one.on("n", told.append)
    one.connect()
    wait_until(lambda: told == [1], "it arrives")
    calm(one)


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([opened(20, 20), CONNECT], "ping timeout"),
        ([opened(), encode_close(1001)], "transport close"),
        ([opened(), encode_frame(b"1")], "transport close"),
        ([opened(), CONNECT, encode_frame(b"41")], "forced close"),
    ],
)
def test_how_sessions_end(script, client, pieces, reason):
    one = client(script(*pieces), transports=WEBSOCKET, reconnect=False)
    try_to_connect(one)
    wait_until(lambda: one.counts.ends, "it ends")
    assert dict(one.counts.ends) == {reason: 1}
    assert one.counts.violations == []


def test_an_acknowledgement_too_late_is_no_violation_but_a_second_one_is(script, client):
    one = client(
        script(opened(), CONNECT, 0.3, encode_frame(b"430[]"), 0.2, encode_frame(b"430[]")), transports=WEBSOCKET
    )
    one.connect()
    with pytest.raises(TimeoutError):
        one.call("x", timeout=0.05)
    gevent.sleep(0.35)
    calm(one)
    wait_until(lambda: one.counts.violations, "the second is noticed")
    assert "a second one" in one.counts.violations[0]
