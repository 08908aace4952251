"""HTTP against its rules: lengths, chunks, smuggling, oversize heads, other protocols on the port."""

from __future__ import annotations

import contextlib

import pytest
from conformance.raw import Connection, Response

from .conftest import Victim


def ask_raw(victim: Victim, raw: bytes) -> Response | None:
    """What the server answers to exactly these bytes; None where it only hangs up."""
    with victim.connect() as connection:
        try:
            connection.send(raw)
            return connection.read_response()
        except ConnectionError:
            return None


def post(target: str, *lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: a", *lines, "", ""]).encode("latin-1") + body


@pytest.mark.parametrize("length", ["1000000000000", "99999999999999999999999999", "1000001", "9" * 5000])
def test_a_huge_content_length_is_refused_before_the_body_is_read(victim: Victim, length: str) -> None:
    with victim.open_polling() as session:
        response = ask_raw(victim, post(session.url, f"Content-Length: {length}", body=b"4"))
        assert response is None or response.status in {400, 413, 431}


@pytest.mark.parametrize(
    "length", ["-1", "-9999999999", "+2", "0x2", "2.0", "2e0", "1_0", "two", "", "2 2", "\u00b2", "2,2", "2, 3"]
)
def test_a_content_length_that_is_no_number_is_refused(victim: Victim, length: str) -> None:
    with victim.open_polling() as session:
        response = ask_raw(victim, post(session.url, f"Content-Length: {length}", body=b"40"))
        assert response is None or response.status in {400, 411, 413, 501}, response


def test_two_lengths_that_disagree_are_refused(victim: Victim) -> None:
    with victim.open_polling() as session:
        for first, second in (("2", "3"), ("3", "2"), ("0", "40"), ("2", "-2")):
            raw = post(session.url, f"Content-Length: {first}", f"Content-Length: {second}", body=b"40")
            response = ask_raw(victim, raw)
            assert response is None or response.status == 400, response


@pytest.mark.parametrize("encoding", ["chunked", "Chunked", "identity, chunked", "chunked, identity", "xchunked"])
def test_length_and_transfer_encoding_together_smuggle_nothing(victim: Victim, encoding: str) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        reached = victim.stats()["reached"]
        smuggled = post(session.url, "Content-Length: 2", body=b"40")
        body = b"0\r\n\r\n" + smuggled
        raw = post(session.url, f"Content-Length: {len(body)}", f"Transfer-Encoding: {encoding}", body=body)
        connection.send(raw)
        answers = connection_answers(connection)
        assert len(answers) <= 1, answers
        assert all(answer.status in {400, 413, 501} for answer in answers), answers
        assert victim.stats()["reached"] == reached


def connection_answers(connection: Connection) -> list[Response]:
    answers = []
    try:
        while True:
            answers.append(connection.read_response())
            if answers[-1].header("connection") == "close":
                return answers
            if not connection.has_input(0.3):
                return answers
    except ConnectionError:
        return answers


@pytest.mark.parametrize("encoding", ["gzip", "gzip, chunked", "identity", "compress", "x" * 5000])
def test_an_unknown_transfer_encoding_is_refused(victim: Victim, encoding: str) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send(post(session.url, f"Transfer-Encoding: {encoding}", body=b"2\r\n40\r\n0\r\n\r\n"))
        answers = connection_answers(connection)
        assert all(answer.status in {400, 411, 413, 431, 501} for answer in answers), answers


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n40\r\n0\r\n\r\n",
        b"-2\r\n40\r\n0\r\n\r\n",
        b"+2\r\n40\r\n0\r\n\r\n",
        b"0x2\r\n40\r\n0\r\n\r\n",
        b"1_0\r\n" + b"4" * 16 + b"\r\n0\r\n\r\n",
        b"2\r\n40XX0\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"2;" + b"x" * 100_000 + b"\r\n40\r\n0\r\n\r\n",
        b"F" * 17 + b"\r\n40",
        b"FFFFFFFFFFFFFFFF\r\n40",
        b"7FFFFFFF\r\n40",
    ],
)
def test_bad_chunks_are_refused(victim: Victim, chunks: bytes) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        reached = victim.stats()["reached"]
        connection.send(post(session.url, "Transfer-Encoding: chunked", body=chunks))
        with contextlib.suppress(OSError):  # it has hung up already
            connection.sock.shutdown(1)
        answers = connection_answers(connection)
        assert all(400 <= answer.status < 500 for answer in answers), answers
        assert victim.stats()["reached"] == reached


def test_an_endless_chunked_body_is_cut_off(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send(post(session.url, "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b"4" * 65536 + b"\r\n"
        sent = 0
        try:
            while sent < 1000 * len(chunk) and not connection.has_input(0.001):
                connection.send(chunk)
                sent += len(chunk)
        except ConnectionError:
            assert sent
        assert sent < 40_000_000


def test_a_million_chunks_of_one_byte_are_bounded(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send(post(session.url, "Transfer-Encoding: chunked"))
        try:
            connection.send(b"1\r\n6\r\n" * 200_000 + b"0\r\n\r\n")
            assert connection.read_response("POST").status in {200, 400, 413}
        except ConnectionError:
            assert victim.process.poll() is None


@pytest.mark.parametrize(
    "head",
    [
        "\r\n".join(f"X-{number}: 1" for number in range(2000)),
        "X: " + "a" * 100_000,
        "X: " + "a" * 1_000_000,
        "a" * 200_000 + ": x",
        "\r\n".join(f"X-{number}: {'a' * 8000}" for number in range(90)),
        "Cookie: " + "; ".join(f"c{number}=1" for number in range(20_000)),
    ],
    ids=["2000 headers", "100 kB", "1 MB", "long name", "720 kB in 90", "cookies"],
)
def test_an_oversize_head_is_refused_or_read_but_never_crashes(victim: Victim, head: str) -> None:
    raw = f"GET {victim.url(sid='nobody')} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n".encode()
    response = ask_raw(victim, raw)
    assert response is None or response.status in {400, 413, 414, 431}, response


@pytest.mark.parametrize("size", [9000, 100_000, 1_000_000])
def test_an_oversize_request_line_is_refused(victim: Victim, size: int) -> None:
    response = ask_raw(victim, f"GET /socket.io/?{'a' * size} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert response is None or response.status in {400, 414, 431}, response


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 1000,
        b"\xff" * 1000,
        b"\r\n" * 1000,
        b"GET\r\n\r\n",
        b"GET /socket.io/\r\n\r\n",
        b"GET  /socket.io/  HTTP/1.1\r\n\r\n",
        b"GET /socket.io/ HTTP/9.9\r\n\r\n",
        b"GET /socket.io/ HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /socket.io/ HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET /socket.io/ HTTP/1.1\r\n folded: x\r\n\r\n",
        b"GET /socket.io/ HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /socket.io/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://evil.example/socket.io/?EIO=4&transport=abc HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /socket.io/../socket.io/?EIO=4&transport=abc HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /socket.io/%2e%2e/%00?EIO=4&transport=abc HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET /socket.io/ HTTP/1.1\nHost: a\n\n",
        b"\x81\x85\x00\x00\x00\x00hello",
    ],
)
def test_what_is_hardly_http_gets_an_error_or_nothing(victim: Victim, raw: bytes) -> None:
    with victim.connect() as connection:
        connection.send(raw)
        connection.sock.shutdown(1)
        answer = connection.read_to_end()
    assert b'"sid"' not in answer
    assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")) or b" 501 " in answer[:20] or b" 505 " in answer[:20]


def test_pipelined_requests_are_answered_one_by_one(victim: Victim) -> None:
    with victim.connect() as connection:
        request = f"GET {victim.url(transport='abc')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        connection.send(request * 20)
        for _ in range(20):
            assert connection.read_response().json()["code"] == 0


def test_a_client_that_expects_continue_is_told_so_or_served(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send(post(session.url, "Content-Length: 2", "Expect: 100-continue"))
        status, _, _ = connection.read_head()
        assert status in {100, 417}
        if status == 100:
            connection.send(b"40")
            assert connection.read_response("POST").status == 200
