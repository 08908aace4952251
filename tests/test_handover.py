"""Handing a request over between two servers of this process, and what travels: heads, addresses, bytes read early."""

import contextlib
import json
import os
import tempfile
from types import SimpleNamespace

import gevent
import pytest
from flask import Flask, request
from gevent import socket
from gevent.pool import Pool
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py import SocketIO, handover, wsgi_server
from flask_socketio_py.handover import GunicornHost, HandedSocket, Handover, PywsgiHost, decode, find


@pytest.fixture
def place(monkeypatch):
    folder = tempfile.mkdtemp(prefix="mesh-", dir="/tmp")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield folder
    os.rmdir(folder)


def talk_over(port, *sent):
    """Sends bytes over one connection; what comes back until the server closes it."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        for data in sent:
            sock.sendall(data)
            gevent.sleep(0.01)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(65536):
                received += data
        return received


class Worker:
    """A server, an application and a part of the mesh, as a worker process has them."""

    def __init__(self, name, pool):
        self.app = Flask(name)
        self.seen = []
        self.extension = SocketIO(self.app)
        self.extension.on("who")(lambda: name)
        self.extension.on("connect")(lambda auth: None)
        self.extension.before_request(lambda: self.seen.append((request.remote_addr, request.method)))
        self.app.add_url_rule("/", "index", lambda: name)
        self.server = wsgi_server.Server(
            ("127.0.0.1", 0), self.app, log=None, spawn=pool, environ={"wsgi.multiprocess": True}
        )
        self.server.start()
        self.handover = Handover(PywsgiHost([self.server]), os.getpid())
        self.extension.engine.routing.find = lambda environ, start_response: self.handover

    def stop(self):
        self.handover.mesh.close()
        self.extension.shutdown()
        self.extension.engine.abandon()
        self.server.stop(timeout=0.1)


@pytest.fixture
def workers(place):
    pair = [Worker(name, Pool(20)) for name in ("one", "two")]
    yield pair
    for worker in pair:
        worker.stop()


def http(*lines, body=b""):
    return "\r\n".join([*lines, "Host: a", f"Content-Length: {len(body)}", "", ""]).encode() + body


def opened(worker):
    """A session of this worker, joined to the main namespace: the URL of its requests."""
    url = "/socket.io/?EIO=4&transport=polling"
    answer = talk_over(worker.server.server_port, http(f"GET {url} HTTP/1.1", "Connection: close"))
    url += "&sid=" + json.loads(answer.partition(b"\r\n\r\n0")[2])["sid"]
    for method, body in (("POST", b"40"), ("GET", b"")):
        talk_over(worker.server.server_port, http(f"{method} {url} HTTP/1.1", "Connection: close", body=body))
    worker.seen.clear()
    return url


CLOSE = "Connection: close"


def test_the_owner_answers_and_only_its_hooks_run(workers):
    one, two = workers
    url = opened(one)
    received = talk_over(two.server.server_port, http(f"POST {url} HTTP/1.1", CLOSE, body=b'421["who"]'))
    assert received.endswith(b"\r\n\r\nok")
    received = talk_over(two.server.server_port, http(f"GET {url} HTTP/1.1", CLOSE))
    assert received.endswith(b'431["one"]')
    assert one.seen == [("127.0.0.1", "POST"), ("127.0.0.1", "GET")]
    assert two.seen == []


def test_a_connection_goes_on_with_its_new_owner_and_back(workers):
    one, two = workers
    first, second = opened(one), opened(two)
    received = talk_over(
        one.server.server_port,
        http(f"POST {second} HTTP/1.1", body=b"42")
        + http("GET / HTTP/1.1")
        + http(f"POST {first} HTTP/1.1", body=b"42[")[:-2],
        b"2[",
        http("GET / HTTP/1.1", CLOSE),
    )
    answers = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert [answer[:3] for answer in answers] == [b"ok", b"two", b"ok", b"one"]


@pytest.mark.parametrize("size", [0, 1, 8000, 70_000, 990_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies(workers, size, chunked):
    one, two = workers
    url = opened(one)
    body = b'42["nobody","' + b"x" * size + b'"]'
    if chunked:
        sent = f"POST {url} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{CLOSE}\r\n\r\n".encode()
        pieces = [body[start : start + 30_000] for start in range(0, len(body), 30_000)]
        sent += b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        sent = http(f"POST {url} HTTP/1.1", CLOSE, body=body)
    for cut in (0, 40, sent.index(b"\r\n\r\n") + 4, sent.index(b"\r\n\r\n") + 6):
        assert talk_over(two.server.server_port, sent[:cut], sent[cut:]).endswith(b"\r\n\r\nok")


def test_a_client_that_has_said_all_it_will_is_answered(workers):
    one, two = workers
    url = opened(one)
    with socket.create_connection(("127.0.0.1", two.server.server_port), 20) as sock:
        sock.sendall(http(f"POST {url} HTTP/1.1", body=b"42[]"))
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while data := sock.recv(65536):
            received += data
    assert received.endswith(b"\r\n\r\nok")


SMUGGLED = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
AMBIGUOUS = [
    ("Content-Length: 4", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked", "Content-Length: 4"),
    ("Content-Length: 4", "Content-Length: 31"),
    ("Content-Length: 4, 4",),
    ("Content-Length: +4",),
    ("Content-Length : 4",),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding: chunked, identity",),
    ("X: y", " Content-Length: 4"),
    ("Host: b",),
    ("Content-Length: 4\rX: y",),
    ("Content-Length: \xb2",),
]


@pytest.mark.parametrize("lines", AMBIGUOUS, ids=repr)
def test_what_could_be_read_in_two_ways_is_not_handed_over(workers, lines):
    one, two = workers
    url = opened(one)
    head = "\r\n".join([f"POST {url} HTTP/1.1", "Host: a", *lines, "", ""])
    received = talk_over(two.server.server_port, (head + "42[]" + SMUGGLED).encode("latin-1"))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1
    assert one.seen == two.seen == []


@pytest.mark.parametrize("line", ["Content_Length: 40", "Transfer_Encoding: chunked", "X-Content-Length: 40"])
def test_what_frames_nothing_here_frames_nothing_there(workers, line):
    one, two = workers
    url = opened(one)
    sent = http(f"POST {url} HTTP/1.1", line, body=b"42[]") + http("GET / HTTP/1.1", CLOSE)
    received = talk_over(two.server.server_port, sent)
    answers = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert answers == [b"ok", b"one"]


def test_expect_100_is_answered_once(workers):
    one, two = workers
    url = opened(one)
    head = http(f"POST {url} HTTP/1.1", "Expect: 100-continue", CLOSE, body=b"42[]")
    received = talk_over(two.server.server_port, head[:-4], head[-4:])
    assert received.count(b"HTTP/1.1 100 Continue") == 1
    assert received.count(b"HTTP/1.1 ") == 2


def test_an_owner_that_can_take_no_more_or_has_gone(workers):
    one, two = workers
    url = opened(one)
    before = len(os.listdir("/proc/self/fd"))
    one.handover._host._queue.waiting = handover.MAX_WAITING
    request_bytes = http(f"POST {url} HTTP/1.1", body=b"42[]") + http("GET / HTTP/1.1", CLOSE)
    for _ in range(2):
        received = talk_over(two.server.server_port, request_bytes)
        assert received.startswith(b"HTTP/1.1 400")
        assert b'{"code":1,' in received
        assert received.endswith(b"two"), "the connection goes on here"
        one.handover._host._queue.waiting = 0
        one.handover.mesh.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_connections_wait_for_a_free_greenlet(place):
    one, two = Worker("one", Pool(1)), Worker("two", Pool(20))
    try:
        url = opened(one)
        blocking = socket.create_connection(("127.0.0.1", one.server.server_port), 20)
        blocking.sendall(b"GET / HTTP/1.1\r\n")
        gevent.sleep(0.05)
        sent = http(f"POST {url} HTTP/1.1", CLOSE, body=b"42[]")
        jobs = [gevent.spawn(talk_over, two.server.server_port, sent) for _ in range(5)]
        gevent.sleep(0.1)
        assert not any(job.dead for job in jobs)
        blocking.close()
        assert all(b"HTTP/1.1 " in job.get(timeout=10) for job in jobs)
    finally:
        one.stop()
        two.stop()


def test_a_request_for_another_worker_is_refused(workers):
    one, _ = workers
    meta = {"for": "xxxxxx", "peer": ["127.0.0.1", 1], "local": ["127.0.0.1", 2]}
    ours, theirs = socket.socketpair()
    with pytest.raises(ValueError, match="another worker"):
        one.handover._receive(theirs, json.dumps(meta).encode() + b"\n")
    ours.close()
    theirs.close()


def meta(**changes):
    return {"for": "abcdef", "peer": ["::1", 1, 0, 0], "local": "/run/socket", **changes}


def test_what_a_sibling_says():
    data = json.dumps(meta()).encode() + b"\nGET / HTTP/1.1\r\n\nrest"
    said, rest = decode(data)
    assert said == {"for": "abcdef", "peer": ("::1", 1, 0, 0), "local": "/run/socket"}
    assert rest == b"GET / HTTP/1.1\r\n\nrest"


BAD = [
    b"",
    b"\n",
    b"{}\n",
    b"[]\n",
    b"[" * 1999 + b"\n",
    json.dumps(meta()).encode(),
    json.dumps(meta()).encode() + b" " * 3000 + b"\n",
    *(
        json.dumps(meta(peer=value)).encode() + b"\n"
        for value in (None, 1, [], ["a"], ["a", "b"], [1, 2], ["a", True], ["a", 1, 2, 3, 4], {"a": 1})
    ),
    json.dumps(meta(more=1)).encode() + b"\n",
]


@pytest.mark.parametrize("data", BAD, ids=[repr(data[-40:]) for data in BAD])
def test_what_no_sibling_says(data):
    with pytest.raises(ValueError):  # noqa: PT011
        decode(data)


@given(st.binary(max_size=100))
def test_any_bytes(data):
    with pytest.raises(ValueError):  # noqa: PT011
        decode(data)


@given(st.lists(st.integers(1, 20), max_size=20), st.binary(max_size=60))
def test_a_handed_socket_reads_first_what_was_read_before(sizes, data):
    ours, theirs = socket.socketpair()
    sock = HandedSocket(theirs.detach(), data, "peer", "local")
    sock.settimeout(5)
    ours.sendall(b"live" * 100)
    read = b""
    for number, size in enumerate(sizes):
        if number % 2:
            part = sock.recv(size)
        else:
            buffer = bytearray(size)
            part = bytes(buffer[: sock.recv_into(buffer)])
        assert 0 < len(part) <= size
        assert sock.recv(1, socket.MSG_PEEK)
        read += part
    assert (data + b"live" * 100).startswith(read)
    with sock.makefile("rb") as file:
        assert file.read(10) == (data + b"live" * 100)[len(read) :][:10]
    sock.close()
    ours.close()


def test_several_addresses_go_to_the_server_that_listens_there():
    addresses = [("0.0.0.0", 80), ("::", 81, 0, 0), "/run/socket"]
    servers = ["first", "second", "third"]
    for local, expected in (
        (("1.2.3.4", 80), "first"),
        (("::1", 81, 0, 0), "second"),
        ("/run/socket", "third"),
        (("1.2.3.4", 82), "first"),
    ):
        assert handover._matching(servers, addresses, local) == expected


def test_gunicorns_uwsgi_protocol_is_not_handed_over():
    worker = SimpleNamespace(cfg=SimpleNamespace(protocol="uwsgi"), sockets=[], worker_connections=10)
    with pytest.raises(OSError, match="uwsgi"):
        GunicornHost(worker)


def test_there_are_no_siblings_under_other_servers():
    assert find({"wsgi.multiprocess": True}, None) is None
    assert find({"wsgi.multiprocess": True, "gunicorn.socket": object()}, None) is None
