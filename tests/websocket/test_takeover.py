"""Owns taking a connection from the server that accepted it: pywsgi, plain and TLS, gunicorn's, others."""

import io
import socket as standard

import pytest
from contract.waiting import PATIENCE, wait_until
from gevent import socket, ssl
from gevent.pywsgi import WSGIServer

from flask_socketio_py.websocket.frames import encode_frame
from flask_socketio_py.websocket.takeover import find_socket, take_over

from .client_frames import masked
from .peer import TEXT, Peer, Told, make_connection

REQUEST = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Site:
    """A WSGI application that takes every connection over, or answers one request the ordinary way."""

    def __init__(self):
        self.taken = []
        self.told = Told()
        self.found = []

    def __call__(self, environ, start_response):
        self.found.append(find_socket(environ, start_response))
        if environ["PATH_INFO"] == "/plain":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        taken = take_over(environ, start_response)
        self.taken.append(taken)
        connection = make_connection(taken.sock, self.told)
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + encode_frame(b"welcome"))
        connection.start(taken.leftover)
        if taken.ended is not None:
            self.told.on_close = lambda code, error: taken.ended.set()
        self.connection = connection
        return taken.result


@pytest.fixture(params=["plain", "tls"])
def served(request, certificate):
    """(site, server, a function that connects)"""
    tls = request.param == "tls"
    options = {}
    if tls:
        options["ssl_context"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl_context"].load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    log = io.StringIO()
    site = Site()
    server = WSGIServer(("127.0.0.1", 0), site, log=log, error_log=log, **options)
    server.start()
    clients = []

    def connect():
        sock = socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(str(certificate / "cert.pem"))
            sock = context.wrap_socket(sock, server_hostname="localhost")
        clients.append(sock)
        return sock

    yield site, server, connect
    for client in clients:
        client.close()
    server.stop(timeout=1)
    assert "Traceback" not in log.getvalue(), log.getvalue()


def head(sock):
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += sock.recv(1)
    return received


def test_the_connection_is_ours_and_the_server_writes_nothing(served):
    site, _, connect = served
    sock = connect()
    sock.sendall(REQUEST)
    assert head(sock) == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    peer = Peer(sock)
    assert peer.frame() == (TEXT, b"welcome")
    peer.text("hello")
    wait_until(lambda: site.told.messages == ["hello"])
    site.connection.send(encode_frame(b"answer"))
    assert peer.frame() == (TEXT, b"answer")
    site.connection.abort()
    assert peer.frame() is None


@pytest.mark.parametrize("frames", [b"", masked(TEXT, b"early"), masked(TEXT, b"early") + masked(TEXT, b"half")[:5]],
                         ids=["nothing", "a frame", "a frame and a half"])  # fmt: skip
def test_what_came_with_the_request_is_not_lost(served, frames):
    site, _, connect = served
    sock = connect()
    sock.sendall(REQUEST + frames)
    head(sock)
    sock.sendall((masked(TEXT, b"half")[5:] if len(frames) > 15 else b"") + masked(TEXT, b"late"))
    wait_until(lambda: site.told.messages[-1:] == ["late"])
    assert site.told.messages[:-1] == (["early"] if frames else []) + (["half"] if len(frames) > 15 else [])


def test_a_plain_connection_parks_no_greenlet_and_a_tls_one_does_until_it_ends(served):
    site, server, connect = served
    sock = connect()
    sock.sendall(REQUEST)
    head(sock)
    [taken] = site.taken
    tls = taken.ended is not None
    assert tls is isinstance(taken.sock, ssl.SSLSocket)
    # pywsgi's pool holds the greenlets of its requests.
    wait_until(lambda: len(server.pool) == tls if server.pool else True)
    if not tls:
        assert type(taken.sock).__module__ == "_socket"
        assert taken.sock.getsockopt(standard.IPPROTO_TCP, standard.TCP_NODELAY)
        assert tuple(taken.result) == ()
    assert taken.sock.gettimeout() == 0
    sock.close()
    if tls:
        wait_until(taken.ended.is_set)


def test_ordinary_requests_on_the_same_server_stay_ordinary(served):
    site, _, connect = served
    sock = connect()
    for _ in range(2):
        sock.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head(sock).startswith(b"HTTP/1.1 200 OK")
        assert sock.recv(2) == b"ok"
    assert all(sock is not None for sock in site.found)


def test_under_an_unknown_server_nothing_is_taken():
    def start_response(status, headers):
        raise AssertionError("nothing is answered here")

    assert take_over({"REQUEST_METHOD": "GET"}, start_response) is None
    assert find_socket({}, start_response) is None


@pytest.mark.parametrize("early", [b"", masked(TEXT, b"early")], ids=["nothing", "a frame"])
def test_a_request_of_gunicorn(early):
    config = pytest.importorskip("gunicorn.config").Config()
    from gunicorn.http import RequestParser

    ours, theirs = socket.socketpair()
    theirs.sendall(REQUEST + early)
    message = next(RequestParser(config, ours, ("127.0.0.1", 1)))
    answers = []
    environ = {"REQUEST_METHOD": "GET", "gunicorn.socket": ours, "wsgi.input": message.body}
    taken = take_over(environ, lambda status, headers: answers.append(status))
    assert (taken.leftover, taken.answered, taken.ended) == (early, False, None)
    assert ours.fileno() == -1  # detached, not duplicated
    assert answers == ["101 Switching Protocols"]
    with pytest.raises(StopIteration):
        taken.result.__iter__()  # ends gunicorn's keep-alive loop
    theirs.sendall(b"bytes")
    wait_until(lambda: readable(taken.sock))
    assert taken.sock.recv(10) == b"bytes"
    taken.sock.close()
    theirs.close()


def readable(sock):
    try:
        return sock.recv(1, standard.MSG_PEEK)
    except BlockingIOError:
        return b""
