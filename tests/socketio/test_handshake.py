"""Owns what a socket knows of the request that opened its connection. Fields as in Node's documentation."""

import locale

import pytest

from flask_socketio_py.engineio.request import EngineIORequest
from flask_socketio_py.socketio.handshake import Handshake

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/app",
    "PATH_INFO": "/socket.io/",
    "QUERY_STRING": "EIO=4&transport=polling&a=1&a=2&empty=&name=J%C3%BCrgen+X",
    "REMOTE_ADDR": "192.0.2.7",
    "HTTP_X_FORWARDED_FOR": "203.0.113.9",
    "HTTP_COOKIE": "a=b",
    "CONTENT_TYPE": "text/plain",
    "CONTENT_LENGTH": "",
    "wsgi.url_scheme": "https",
}


def handshake(auth=None, **environ):
    return Handshake(EngineIORequest({**ENVIRON, **environ}, "polling", None, "4", False), auth)


def test_the_request():
    seen = handshake({"token": 1})
    assert seen.headers == {"x-forwarded-for": "203.0.113.9", "cookie": "a=b", "content-type": "text/plain"}
    assert (seen.address, seen.secure, seen.xdomain) == ("192.0.2.7", True, False)
    assert seen.url == "/app/socket.io/?" + ENVIRON["QUERY_STRING"]
    assert seen.query == {"EIO": "4", "transport": "polling", "a": "2", "empty": "", "name": "Jürgen X"}
    assert seen.auth == {"token": 1}


def test_what_is_not_there():
    seen = Handshake(EngineIORequest({}, "polling", None, "4", False), None)
    assert seen.as_dict() == {
        "headers": {}, "address": "", "secure": False, "xdomain": False, "url": "", "query": {}, "auth": {},
        "issued": seen.issued, "time": seen.time,
    }  # fmt: skip


def test_across_origins():
    assert handshake(HTTP_ORIGIN="https://elsewhere.example").xdomain
    assert not handshake(**{"wsgi.url_scheme": "http"}).secure


def test_the_time_is_of_the_opening_and_in_english():
    seen = handshake()
    seen._request.issued = 784111777.1239
    assert seen.issued == 784111777124
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("C", "de_DE.UTF-8"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert seen.time == "Sun, 06 Nov 1994 08:49:37 GMT"
    finally:
        locale.setlocale(locale.LC_TIME, before)


@pytest.mark.parametrize("query", ["%", "&&&==;", "a=%ff%fe", "=" * 500, "\x00=1", "a" * 100_000])
def test_a_hostile_query_raises_nothing(query):
    seen = handshake(QUERY_STRING=query)
    assert isinstance(seen.query, dict)
    assert seen.url.endswith(query)
