"""The WSGI server: heads right and wrong, bodies nobody reads, deadlines, TLS, WebSockets of other endpoints."""

import contextlib
import io
from types import SimpleNamespace

import gevent
import pytest
from flask import request as flask_request
from gevent import pywsgi, socket, ssl
from hypothesis import given
from hypothesis import strategies as st

from extension.net import request, running
from flask_socketio_py.headers import MAX_HEAD, MAX_HEADERS, Headers, HeadTooLargeError

GOOD = [
    (b"\r\n", {}),
    (b"Host: a\r\n\r\n", {"host": "a"}),
    (b"Host:a\r\n\r\n", {"host": "a"}),
    (b"host:  a b \r\nX-Y: 1\r\n\r\n", {"host": "a b", "x-y": "1"}),
    (b"A: 1\nB: 2\n\n", {"a": "1", "b": "2"}),
    (b"Cookie: a=1\r\nCookie: b=2\r\n\r\n", {"cookie": "b=2"}),
    (b"X: \xe9\r\n\r\n", {"x": "\xe9"}),
    (b"Content-Length: 0\r\n\r\n", {"content-length": "0"}),
    (b"Transfer-Encoding: Chunked\r\n\r\n", {"transfer-encoding": "Chunked"}),
    (b"Empty:\r\n\r\n", {"empty": ""}),
]
BAD = [
    b"",
    b"Host: a\r\n",
    b"Host: a",
    b"no colon\r\n\r\n",
    b": nameless\r\n\r\n",
    b"Space : x\r\n\r\n",
    b"A: 1\r\n folded\r\n\r\n",
    b"\tA: 1\r\n\r\n",
    b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: +1\r\n\r\n",
    b"Content-Length: 1_0\r\n\r\n",
    b"Content-Length: \xb2\r\n\r\n",
    b"Content-Length: 1, 1\r\n\r\n",
    b"Content-Length: " + b"1" * 20 + b"\r\n\r\n",
    b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"Transfer-Encoding: gzip\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"Host: a\r\nHost: b\r\n\r\n",
]
TOO_LARGE = [b"A: " + b"x" * MAX_HEAD + b"\r\n\r\n", b"A: 1\r\n" * (MAX_HEADERS + 2) + b"\r\n"]


@pytest.mark.parametrize(("head", "expected"), GOOD, ids=[repr(case[0])[:40] for case in GOOD])
def test_a_good_head(head, expected):
    headers = Headers(io.BytesIO(head + b"body"))
    assert dict(headers.items()) == expected
    for name, value in expected.items():
        assert headers.get(name.upper()) == value
    assert headers.get("absent", "default") == "default"
    assert headers.typeheader is None


@pytest.mark.parametrize("head", BAD, ids=[repr(head)[:50] for head in BAD])
def test_a_bad_head(head):
    with pytest.raises(ValueError, match=r"head|Content-Length|Transfer-Encoding|twice"):
        Headers(io.BytesIO(head))


@pytest.mark.parametrize("head", TOO_LARGE, ids=["one long line", "many lines"])
def test_a_head_too_large(head):
    with pytest.raises(HeadTooLargeError):
        Headers(io.BytesIO(head))


@pytest.fixture
def port(app, socketio):
    app.add_url_rule("/page", "page", lambda: "page")

    @app.post("/echo")
    def echo():
        return flask_request.get_data()

    app.add_url_rule("/unread", "unread", lambda: "unread", methods=["POST"])
    with running(app, header_timeout=0.3) as port:
        yield port


def talk(port, *sent, until=b""):
    """Sends bytes over one connection; what comes back until the server closes it, or `until` is the end of it."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        for data in sent:
            sock.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):  # it closed while we were sending
            while data := sock.recv(65536):
                received += data
                if until and received.endswith(until):
                    break
        return received


PAGE = b"GET /page HTTP/1.1\r\nHost: x\r\n"


def test_answers_of_a_connection_that_stays(port):
    received = talk(port, PAGE + b"\r\n", PAGE + b"Connection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert received.endswith(b"\r\n\r\npage")


def test_head_and_body_of_a_post_in_pieces(port):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"
    assert talk(port, head[:30], head[30:], b"abc", b"def").endswith(b"\r\n\r\nabcdef")


def test_a_chunked_body(port):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert talk(port, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").endswith(b"\r\n\r\nabcde")


def test_a_body_that_nobody_read_is_no_next_request(port):
    unread = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    smuggled = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
    received = talk(port, unread % (len(smuggled), smuggled), PAGE + b"Connection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.count(b"unread") == 1
    big = b"x" * 200_000
    received = talk(port, unread % (len(big), smuggled))
    assert received.count(b"HTTP/1.1 ") == 1, "too much to skip: the connection ends"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /page HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET /page HTTP/1.1\r\n" + b"A: 1\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /page HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", b"431"),
        (b"GET /page HTTP/1.1\r\nHost: x\r\n", b"408"),
        (b"NONSENSE\r\n\r\n", b"400"),
    ],
    ids=["two hosts", "two lengths", "many headers", "long header", "never ends", "no request"],
)
def test_what_is_refused(port, sent, status):
    received = talk(port, sent)
    if len(sent) < 10_000 or received:  # who sends that much may have its connection reset before it reads
        assert received.startswith(b"HTTP/1.1 " + status)
        assert received.count(b"HTTP/1.1") == 1
    assert request(port, "GET", "/page").body == b"page"


def test_a_connection_on_which_nothing_comes_is_closed(port):
    assert talk(port) == b""


def test_a_handler_may_take_longer_than_a_head(app, socketio, port):
    app.add_url_rule("/slow", "slow", lambda: gevent.sleep(0.5) or "slow")
    assert request(port, "GET", "/slow").body == b"slow"


def test_idle_connections_do_not_delay_stop(app, socketio):
    app.add_url_rule("/page", "page", lambda: "page")
    with running(app, idle_timeout=600) as port:
        sock = socket.create_connection(("127.0.0.1", port), 20)
        sock.sendall(PAGE + b"\r\n")
        assert sock.recv(65536).endswith(b"page")
    assert sock.recv(10) == b""
    sock.close()


def test_a_websocket_of_another_endpoint_is_gevent_websockets(app, socketio):
    inner = app.wsgi_app

    def with_websocket(environ, start_response):
        websocket = environ.get("wsgi.websocket")
        if websocket is None:
            return inner(environ, start_response)
        websocket.send("hello " + websocket.receive())
        return []

    app.wsgi_app = with_websocket
    head = (
        b"GET /mine HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    )
    with running(app) as port:
        received = talk(
            port,
            head + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            b"\x81\x83\0\0\0\0you",
            until=b"hello you",
        )
        assert received.startswith(b"HTTP/1.1 101")
        assert talk(port, head + b"Sec-WebSocket-Key: short\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("given", ["files", "context"])
def test_tls(app, socketio, given):
    from tests.live.servers import certificate

    app.add_url_rule("/page", "page", lambda: "page")
    certfile, keyfile = certificate()
    if given == "files":
        options = {"certfile": certfile, "keyfile": keyfile}
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile, keyfile)
        options = {"ssl_context": context}
    with running(app, **options) as port:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.load_verify_locations(certfile)
        with socket.create_connection(("127.0.0.1", port), 20) as sock:
            secure = trusting.wrap_socket(sock, server_hostname="localhost")
            secure.sendall(PAGE + b"Connection: close\r\n\r\n")
            received = b""
            while data := secure.recv(65536):
                received += data
            secure.close()
    assert received.endswith(b"\r\n\r\npage")


NAMES = st.text("abcXYZ-_0.", min_size=1, max_size=8) | st.sampled_from(
    ["Content-Type", "Accept", "COOKIE", "User-Agent"]
)


@given(st.lists(st.tuples(NAMES, st.text("ab \t,;é", max_size=5)), max_size=12, unique_by=lambda pair: pair[0].lower()))
def test_headers_become_the_variables_that_pywsgi_makes_of_them(pairs):
    lines = [f"{name}:{value}\r\n" for name, value in pairs]
    headers = Headers(io.BytesIO("".join([*lines, "\r\n"]).encode("latin-1")))
    handler = SimpleNamespace(headers=headers)
    assert headers.variables == list(pywsgi.WSGIHandler._headers(handler))
