"""Owns where permessage-deflate is agreed to, and that one message serves clients with it, without it, and pollers."""

import zlib

import gevent
import pytest
from contract.carriers import Polling
from contract.recording import RecordingHandler
from contract.waiting import wait_until
from gevent import socket
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

from flask_socketio_py.config import Options
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.server import EngineServer
from flask_socketio_py.websocket.extensions import Deflate

from .environs import UPGRADE, environ

OFFER = "permessage-deflate; client_max_window_bits"
TEXT = b"4" + b"text " * 1000


class Client:
    """The other end of a WebSocket: its 101, and the bytes behind it."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(10)
        self.data = b""

    def read(self, size):
        while len(self.data) < size:
            chunk = self.sock.recv(65536)
            assert chunk, "the server closed"
            self.data += chunk
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def head(self):
        """The extensions agreed to, and the open packet behind them taken."""
        while b"\r\n\r\n" not in self.data:
            self.data += self.sock.recv(65536)
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        first, length = self.read(2)
        assert first == 0x81
        assert self.read(length if length < 126 else int.from_bytes(self.read(2), "big"))[:1] == b"0"
        agreed = [line for line in head.decode().split("\r\n") if line.lower().startswith("sec-websocket-extensions")]
        return agreed[0].partition(": ")[2] if agreed else None


@pytest.fixture
def serve():
    engines, clients = [], []

    def start(offer=OFFER, engine=None, **options):
        if engine is None:
            engine = EngineServer(Options(cors_allowed_origins=[], **options), RecordingHandler())
            engines.append(engine)
        theirs, ours = socket.socketpair()
        extensions = {"HTTP_SEC_WEBSOCKET_EXTENSIONS": offer} if offer is not None else {}
        environment = environ("EIO=4&transport=websocket", **UPGRADE, **extensions, **{"gunicorn.socket": theirs})
        engine(environment, lambda status, headers: None)
        client = Client(ours)
        client.session = engine.handler.opened[-1]
        clients.append(client)
        return client

    yield start
    for engine in engines:
        engine.close()
    for client in clients:
        client.sock.close()
    gevent.sleep(0)


@pytest.mark.parametrize("offer", [None, OFFER, "permessage-deflate"])
def test_off_by_default_whatever_is_offered(serve, offer):
    client = serve(offer)
    assert client.head() is None
    client.session.send(PreparedMessage(TEXT))
    assert client.read(4 + len(TEXT))[4:] == TEXT
    client.sock.sendall(b"\xc1\x80\0\0\0\0")
    wait_until(lambda: client.session.owner.sessions == {})


@pytest.mark.parametrize("setting", [True, {}, {"threshold": 100}])
def test_agreed_to_where_it_is_offered(serve, setting):
    client = serve(per_message_deflate=setting)
    assert client.head() == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    message = PreparedMessage(TEXT)
    client.session.send(message)
    frame = message.deflated_frames(Deflate())
    assert client.read(len(frame)) == frame
    assert frame[0] == 0xC1
    data = zlib.compressobj(wbits=-15)
    payload = (data.compress(b"4hello") + data.flush(zlib.Z_SYNC_FLUSH))[:-4]
    client.sock.sendall(b"\xc1" + bytes([128 + len(payload)]) + b"\0\0\0\0" + payload)
    handler = client.session.handler
    wait_until(lambda: handler.messages == ["hello"])


@pytest.mark.parametrize("offer", [None, "", "foo", "permessage-deflate; server_max_window_bits=9"])
def test_a_client_that_offers_nothing_usable_is_served_plainly(serve, offer):
    client = serve(offer, per_message_deflate=True)
    assert client.head() is None
    client.session.send(PreparedMessage(TEXT))
    assert client.read(4)[0] == 0x81


def test_the_windows_of_the_option_are_those_agreed_to(serve):
    client = serve(per_message_deflate={"server_max_window_bits": 10, "client_max_window_bits": 9})
    assert client.head().endswith("; server_max_window_bits=10; client_max_window_bits=9")


def test_not_where_the_101_was_written_without_it():
    """gevent-websocket's own handler has answered before the application is asked."""
    engine = EngineServer(Options(cors_allowed_origins=[], per_message_deflate=True), RecordingHandler())
    server = WSGIServer(("127.0.0.1", 0), engine, handler_class=WebSocketHandler, log=None, error_log=None)
    server.start()
    with socket.create_connection(("127.0.0.1", server.server_port), 10) as sock:
        sock.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: " + OFFER.encode() + b"\r\n\r\n"
        )
        client = Client(sock)
        assert client.head() is None
        (session,) = engine.handler.opened
        session.send(PreparedMessage(TEXT))
        assert client.read(4 + len(TEXT))[0] == 0x81
        sock.sendall(b"\xc1\x80\0\0\0\0")
        wait_until(lambda: engine.sessions == {})
    server.stop()


def test_one_message_for_clients_with_and_without_it_and_for_pollers(serve):
    poller = Polling(per_message_deflate=True)
    clients = [serve(offer, poller.engine) for offer in (OFFER, OFFER, None, "permessage-deflate")]
    assert [client.head() is not None for client in clients] == [True, True, False, True]
    message = PreparedMessage(TEXT, (b"bytes" * 1000, b"short"))
    for session in poller.engine.handler.opened:
        session.send(message)
    form = next(iter(message._forms.values()))
    plain = message.frames()
    got = [client.read(len(plain if client is clients[2] else form)) for client in clients]
    assert got == [form, form, plain, form]
    wait_until(lambda: len(poller.received) >= 3, "the poll is answered")
    assert poller.received[-3:] == [TEXT.decode(), *message.attachments]
    clients[0].session.send(message)
    assert next(iter(message._forms.values())) is form, "compressed once"
    poller.stop()
