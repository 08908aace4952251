"""The head that a sibling has to read: gunicorn itself reads it back, and finds the same request in it."""

import io
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.request_head import request_head

PEER = ("127.0.0.1", 4711)
SERVER = ("127.0.0.1", 80)
KEPT = ("REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR")


class Peer:
    """What gunicorn wants of a socket: bytes come from it, and it may be answered (100 Continue)."""

    def __init__(self, data):
        self.file = io.BytesIO(data)
        self.sent = []
        self.send = self.sent.append
        self.sendall = self.sent.append

    def recv(self, size):
        return self.file.read(size)


def read(data, **options):
    """(environ, start_response, the body) of the only request in these bytes, as gunicorn reads it."""
    config = Config()
    for name, value in options.items():
        config.set(name, value)
    peer = Peer(data)
    parser = RequestParser(config, peer, PEER)
    message = next(parser)
    response, environ = create(message, peer, PEER, SERVER, config)
    return environ, response.start_response


def handed(data, *, hidden=False, **options):
    """The environ, the head made of it, and the environ that a sibling makes of that head and of what follows it."""
    environ, start_response = read(data, **options)
    head = request_head(environ, (lambda *args: None) if hidden else start_response)
    tail = data.partition(b"\r\n\r\n")[2] if not data.startswith(b"\r\n\r\n\0") else b""
    again, _ = read(head + tail, **options)
    return environ, head, again


def same(one, other):
    headers = {key for key in [*one, *other] if key.startswith(("HTTP_", "CONTENT_")) and key != "HTTP_EXPECT"}
    for key in [*headers, *KEPT]:
        assert one.get(key) == other.get(key), key
    assert type(one["wsgi.input"].reader) is type(other["wsgi.input"].reader)
    assert getattr(one["wsgi.input"].reader, "length", None) == getattr(other["wsgi.input"].reader, "length", None)
    assert one["wsgi.input"].read() == other["wsgi.input"].read()


def http(*lines, body=b""):
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


POST = "POST /a%20b/%C3%BC?sid=1&x=%0d HTTP/1.1"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
REQUESTS = {
    "plain": http("GET /?sid=1 HTTP/1.1", "Host: a"),
    "old": http("GET /?sid=1 HTTP/1.0"),
    "body": http(POST, "Host: a", "Content-Length: 5", "Content-Type: text/plain", body=b"hello"),
    "chunked": http(POST, "Host: a", "Transfer-Encoding: chunked", body=CHUNKED),
    "twice": http(POST, "Host: a", "X-Forwarded-For: 1.2.3.4", "Cookie: a=1", "X-Forwarded-For: 5.6.7.8", "Cookie: b"),
    "not ascii": http(POST, "Host: a", "X-Name: \xe4\xf6\xfc\xff\x80"),
    "empty": http(POST, "Host: a", "X-Name:", "X-Other: "),
    "expecting": http(POST, "Host: a", "Expect: 100-continue", "Content-Length: 5", body=b"hello"),
    "dashes": http(POST, "Host: a", "Script-Name: /a", "Content--Length: 5", "-: x"),
    "absolute": http("GET http://other/?sid=1 HTTP/1.1", "Host: a"),
}


@pytest.mark.parametrize("hidden", [False, True], ids=["as it came", "from the environ"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_sibling_reads_the_same_request(name, hidden):
    environ, head, again = handed(REQUESTS[name], hidden=hidden)
    same(environ, again)
    assert b"100-continue" not in head


@pytest.mark.parametrize("hidden", [False, True], ids=["as it came", "from the environ"])
def test_folded_lines(hidden):
    data = http(POST, "Host: a", "X-Long: one", "  Content-Length: 5", "\tthree", "X-Short: b")
    same(*handed(data, hidden=hidden, permit_obsolete_folding=True)[::2])


@pytest.mark.parametrize("hidden", [False, True], ids=["as it came", "from the environ"])
@pytest.mark.parametrize(
    "line", ["Transfer_Encoding: chunked", "Content_Length: 5", "Content_Type: x", "Script_Name: /x"]
)
def test_a_name_with_an_underscore_frames_nothing(line, hidden):
    """``--header-map dangerous`` lets them into the environ, where they look like what they are not."""
    data = http(
        "POST /?sid=1 HTTP/1.1", "Host: a", "Content-Length: 5", line.replace("Script_Name", "X_Y"), body=CHUNKED
    )
    environ, head, again = handed(data, hidden=hidden, header_map="dangerous")
    assert again["CONTENT_LENGTH"] == environ["CONTENT_LENGTH"] == "5"
    assert again["wsgi.input"].read() == environ["wsgi.input"].read() == CHUNKED[:5]
    assert b"\r\ntransfer-encoding" not in head.lower()


@pytest.mark.parametrize("hidden", [False, True], ids=["as it came", "from the environ"])
def test_the_prefix_that_a_trusted_proxy_names(hidden):
    environ, _, again = handed(http("GET /app/x?sid=1 HTTP/1.1", "Host: a", "SCRIPT_NAME: /app"), hidden=hidden)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/x")
    same(environ, again)


ADDRESSES = {
    "TCP4": (b"\x11\x00\x0c" + bytes([192, 0, 2, 1, 192, 0, 2, 2]), "192.0.2.1", "192.0.2.2"),
    "TCP6": (b"\x21\x00\x24" + bytes(15) + b"\1" + bytes(15) + b"\2", "::1", "::2"),
}


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("mode", ["v1", "v2", "auto"])
def test_the_proxy_protocol(mode, kind):
    binary, client, proxy = ADDRESSES[kind]
    if mode == "v1":
        first = f"PROXY {kind} {client} {proxy} 5 10\r\n".encode()
    else:
        first = b"\r\n\r\n\0\r\nQUIT\n\x21" + binary + bytes([0, 5, 0, 10])
    environ, start_response = read(first + REQUESTS["plain"], proxy_protocol=mode)
    assert environ["REMOTE_ADDR"] == client
    environ["REMOTE_ADDR"] = "what some middleware says"
    again, _ = read(request_head(environ, start_response), proxy_protocol=mode)
    found = [again[name] for name in ("REMOTE_ADDR", "REMOTE_PORT", "PROXY_ADDR", "PROXY_PORT", "PROXY_PROTOCOL")]
    assert found == [client, "5", proxy, "10", kind]


def test_the_proxy_protocol_from_the_environ():
    environ, _ = read(b"PROXY TCP4 192.0.2.1 192.0.2.2 5 10\r\n" + REQUESTS["plain"], proxy_protocol="v1")
    assert request_head(environ, None).startswith(b"PROXY TCP4 192.0.2.1 192.0.2.2 5 10\r\nGET /")
    environ["REMOTE_ADDR"] = "192.0.2.1 192.0.2.2 5 10\r\nGET"
    with pytest.raises(OSError):  # noqa: PT011
        request_head(environ, None)


def test_without_an_address_there_is_no_proxy_header():
    local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"
    environ, start_response = read(local + REQUESTS["plain"], proxy_protocol="v2")
    assert request_head(environ, start_response).startswith(b"GET /")


@pytest.mark.parametrize("hidden", [False, True])
@given(st.text(st.characters(max_codepoint=255)))
def test_no_value_becomes_two_headers(hidden, value):
    environ, start_response = read(REQUESTS["plain"])
    environ["HTTP_X_ONE"] = value
    response = SimpleNamespace(req=SimpleNamespace(headers=[("X-ONE", value)], proxy_protocol_info=None))
    start_response = None if hidden else SimpleNamespace(__self__=response)
    try:
        head = request_head(environ, start_response)
    except ValueError:
        assert set("\r\n\0") & set(value)
    else:
        assert head.count(b"\n") == head.count(b"\r\n") == head.count(b"\r") <= 4


@given(
    st.lists(
        st.sampled_from(
            [
                "Content-Length: 5",
                "Content-Length: 05",
                "Transfer-Encoding: chunked",
                "Transfer_Encoding: chunked",
                "Content_Length: 3",
                "Transfer-Encoding: gzip, chunked",
                "X: \x0b",
                " folded",
                "Host: a",
                "Host: b",
                "A: 1",
                "a: 2",
                "Connection: close",
                "Expect: 100-continue",
                "SCRIPT_NAME: /x",
            ]
        ),
        max_size=6,
    ),
    st.sampled_from(["drop", "dangerous", "refuse"]),
    st.booleans(),
    st.booleans(),
)
def test_whatever_gunicorn_takes_stays_what_it_is(lines, mapping, folding, hidden):
    data = http("POST /x?sid=1 HTTP/1.1", *lines, body=CHUNKED)
    options = {"header_map": mapping, "permit_obsolete_folding": folding}
    try:
        environ, start_response = read(data, **options)
    except ParseException:
        return
    again, _ = read(request_head(environ, None if hidden else start_response) + CHUNKED, **options)
    for key in KEPT:
        assert environ.get(key) == again.get(key), key
    assert environ.get("CONTENT_LENGTH") == again.get("CONTENT_LENGTH")
    assert environ["wsgi.input"].read() == again["wsgi.input"].read()
