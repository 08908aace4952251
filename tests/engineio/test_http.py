"""Owns Engine.IO's answers: bodies, headers, compression, errors; and the bounded reading of a POST."""

import gzip
import io
import json
import zlib

import gevent
import pytest

from flask_socketio_py.engineio import http
from flask_socketio_py.errors import ENGINE_ERRORS, EngineIOError

from .environs import environ

KILOBYTE = b"4" + b"a" * 1023


def sent(response, method="GET"):
    """What a response tells the WSGI server: status, headers as a dict, body."""
    told = []
    body = b"".join(response.send(lambda status, headers: told.append((status, headers)), method))
    [(status, headers)] = told
    assert len(dict(headers)) == len(headers)
    return status, dict(headers), body


def polled(body, accept=None, threshold=1024, **more):
    more |= {} if accept is None else {"HTTP_ACCEPT_ENCODING": accept}
    return sent(http.payload_response(environ(**more), body, [], threshold))


def test_a_poll_is_plain_text_of_which_nobody_keeps_a_copy():
    status, headers, body = polled(b"4hi")
    assert (status, body) == ("200 OK", b"4hi")
    assert headers == {
        "Content-Type": "text/plain; charset=UTF-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Length": "3",
    }


def test_a_push_is_answered_ok():
    status, headers, body = sent(http.ok_response(environ(), [("X-Further", "1")]))
    assert (status, body, headers["Content-Type"], headers["X-Further"]) == ("200 OK", b"ok", "text/html", "1")


@pytest.mark.parametrize("agent", ["Mozilla/4.0 (compatible;MSIE 8)", "Trident/7.0"])
def test_the_filter_of_old_browsers_is_switched_off(agent):
    assert polled(b"6", HTTP_USER_AGENT=agent)[1]["X-XSS-Protection"] == "0"
    assert "X-XSS-Protection" not in polled(b"6", HTTP_USER_AGENT="Firefox")[1]


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("br", None),
        ("", None),
        (None, None),
        ("identity", None),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("gzip; q=0, *", "deflate"),
        ("," * 1000 + "gzip", None),
    ],
)
def test_compression_is_what_the_client_takes(accept, encoding):
    _, headers, body = polled(KILOBYTE, accept)
    assert headers.get("Content-Encoding") == encoding
    decompress = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[encoding]
    assert decompress(body) == KILOBYTE
    assert headers["Content-Length"] == str(len(body))


def test_compression_begins_at_the_threshold_and_can_be_off():
    assert "Content-Encoding" in polled(KILOBYTE, "gzip")[1]
    assert "Content-Encoding" not in polled(KILOBYTE[:-1], "gzip")[1]
    assert "Content-Encoding" not in polled(KILOBYTE * 10, "gzip", threshold=None)[1]


def test_an_answer_to_head_has_no_body():
    _, headers, body = sent(http.ok_response(environ(), []), "HEAD")
    assert (headers["Content-Length"], body) == ("2", b"")


@pytest.mark.parametrize("code", ENGINE_ERRORS)
def test_a_refusal_is_json_with_the_code_and_no_context(code):
    status, headers, body = sent(http.error_response(EngineIOError(code, "secret context"), []))
    assert status == ("403 Forbidden" if code == 4 else "400 Bad Request")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"code": code, "message": ENGINE_ERRORS[code]}
    assert b" " not in body.replace(ENGINE_ERRORS[code].encode(), b"")


def test_a_refused_upgrade_is_the_bare_message_and_the_end_of_the_connection():
    status, headers, body = sent(http.error_response(EngineIOError(3), [], upgrade=True))
    assert (status, body, headers["Connection"]) == ("400 Bad Request", b"Bad request", "close")


@pytest.mark.parametrize("message", ["Thou shall not pass", "\u00e4", "\ud800"])
def test_a_message_of_the_application_is_what_the_client_is_told(message):
    error = EngineIOError(4, message=message)
    status, _, body = sent(http.error_response(error, []))
    assert (status, json.loads(body)) == ("403 Forbidden", {"code": 4, "message": message})
    status, _, body = sent(http.error_response(error, [], upgrade=True))
    assert (status, body) == ("400 Bad Request", message.encode("utf-8", "replace"))


@pytest.mark.parametrize("status", ["408 Request Timeout", "413 Payload Too Large"])
def test_a_body_that_was_not_read_to_its_end_ends_the_connection(status):
    assert sent(http.error_response(EngineIOError(3, status=status), []))[1]["Connection"] == "close"


# --- the body of a POST ----------------------------------------------------------------------------------------------


class Chunks:
    """A body that arrives in pieces, as a WSGI server hands them over; an exception among them is raised."""

    def __init__(self, *chunks):
        self.chunks = list(chunks)
        self.asked = 0

    def read(self, size):
        self.asked += 1
        if not self.chunks:
            return b""
        chunk = self.chunks.pop(0)
        if isinstance(chunk, BaseException):
            raise chunk
        self.chunks[:0] = [rest] if (rest := chunk[size:]) else []
        return chunk[:size]


def read(stream, length=None, limit=10, **more):
    more["wsgi.input"] = stream
    return http.read_body(environ(method="POST", CONTENT_LENGTH=length, **more), limit, 5.0)


def refused(stream, length=None, **more):
    with pytest.raises(EngineIOError) as error:
        read(stream, length, **more)
    assert error.value.code == 3
    return error.value.status[:3]


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


def test_a_body_is_read_whole_however_it_arrives():
    assert read(Chunks(b"4hello"), "6") == b"4hello"
    assert read(Chunks(b"4", b"he", b"llo", b"beyond"), "6") == b"4hello"
    assert read(Chunks(b"0123456789"), "10") == b"0123456789"
    assert read(Chunks(b"4he", b"llo"), **CHUNKED) == b"4hello"
    assert read(Chunks(), "0") == b""
    assert read(Chunks()) == b""


def test_a_body_above_the_limit_is_not_read():
    stream = Chunks(b"x" * 11)
    assert refused(stream, "11") == "413"
    assert stream.asked == 0


def test_a_chunked_body_is_read_up_to_the_limit():
    stream = io.BytesIO(b"x" * 1000)
    assert refused(stream, **CHUNKED) == "413"
    assert stream.tell() == 11
    assert read(io.BytesIO(b"x" * 10), **CHUNKED) == b"x" * 10


@pytest.mark.parametrize("length", ["-1", "+5", "5.0", "0x5", "\u0665", "²", " 5", "5 5", "9" * 20, "9" * 5000, "a"])
def test_a_length_that_is_none(length):
    stream = Chunks(b"12345")
    assert refused(stream, length) == "400"
    assert stream.asked == 0


def test_a_length_and_chunks_contradict_each_other():
    assert refused(Chunks(b"12345"), "5", **CHUNKED) == "400"


@pytest.mark.parametrize("broken", [OSError("reset"), ValueError("bad chunk")])
def test_a_body_that_breaks_off(broken):
    assert refused(Chunks(b"12", broken), "5") == "400"
    assert refused(Chunks(b"12"), "5") == "400"


def test_a_slow_body_is_given_up():
    class Slow:
        def read(self, size):
            gevent.sleep(60)

    with pytest.raises(EngineIOError) as error:
        http.read_body(environ(method="POST", CONTENT_LENGTH="5", **{"wsgi.input": Slow()}), 10, 0.02)
    assert error.value.status.startswith("408")
