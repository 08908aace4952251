"""Engine.IO errors: code, message, status and content type of each, and which one wins where several apply."""

from __future__ import annotations

from typing import Any

import pytest

from .launch import FOREIGN, Server, ours
from .raw import Response, WebSocket

UNKNOWN_TRANSPORT = (400, {"code": 0, "message": "Transport unknown"})
UNKNOWN_SID = (400, {"code": 1, "message": "Session ID unknown"})
BAD_METHOD = (400, {"code": 2, "message": "Bad handshake method"})
BAD_REQUEST = (400, {"code": 3, "message": "Bad request"})
UNSUPPORTED_VERSION = (400, {"code": 5, "message": "Unsupported protocol version"})

NOBODY = "AAAAAAAAAAAAAAAAAAAA"


def judge(response: Response) -> tuple[int, Any]:
    assert (response.header("content-type") or "").split(";")[0] == "application/json", response
    return response.status, response.json()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("EIO=4", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=abc", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=Polling", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=webtransport", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=flashsocket", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=constructor", UNKNOWN_TRANSPORT),
        ("EIO=4&transport=__proto__", UNKNOWN_TRANSPORT),
        ("", UNKNOWN_TRANSPORT),
        (f"EIO=4&transport=polling&sid={NOBODY}", UNKNOWN_SID),
        ("EIO=4&transport=polling&sid=abc", UNKNOWN_SID),
        ("EIO=4&transport=polling&sid=__proto__", UNKNOWN_SID),
        ("EIO=4&transport=polling&sid=constructor", UNKNOWN_SID),
        ("EIO=4&transport=polling&sid=%00%0d%0a", UNKNOWN_SID),
        ("EIO=4&transport=websocket", BAD_REQUEST),
        ("EIO=3&transport=polling", UNSUPPORTED_VERSION),
        ("EIO=5&transport=polling", UNSUPPORTED_VERSION),
        ("EIO=abc&transport=polling", UNSUPPORTED_VERSION),
        ("EIO=&transport=polling", UNSUPPORTED_VERSION),
        ("EIO=04&transport=polling", UNSUPPORTED_VERSION),
        ("EIO=%D9%A4&transport=polling", UNSUPPORTED_VERSION),
        ("transport=polling", UNSUPPORTED_VERSION),
    ],
)
def test_a_bad_query_is_answered_with_its_code(server: Server, query: str, expected: tuple[int, Any]) -> None:
    assert judge(server.request("GET", f"/socket.io/?{query}")) == expected


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"] if not FOREIGN else ["POST", "PUT"])
def test_a_handshake_is_get_only(server: Server, method: str) -> None:
    assert judge(server.request(method, server.url(), body=b"40")) == BAD_METHOD


def test_an_empty_sid_counts_as_none(server: Server) -> None:
    response = server.request("GET", server.url() + "&sid=")
    assert response.status == 200
    assert response.text.startswith('0{"sid"')


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", f"EIO=3&transport=abc&sid={NOBODY}", UNKNOWN_TRANSPORT),
        ("PUT", "EIO=3&transport=abc", UNKNOWN_TRANSPORT),
        ("POST", f"EIO=3&transport=polling&sid={NOBODY}", UNKNOWN_SID),
        ("GET", f"EIO=4&transport=websocket&sid={NOBODY}", UNKNOWN_SID),
        ("POST", "EIO=3&transport=polling", BAD_METHOD),
        ("POST", "EIO=4&transport=websocket", BAD_METHOD),
        ("GET", "EIO=3&transport=websocket", BAD_REQUEST),
    ],
)
def test_transport_then_sid_then_method_then_upgrade_then_version(
    server: Server, method: str, query: str, expected: tuple[int, Any]
) -> None:
    assert judge(server.request(method, f"/socket.io/?{query}")) == expected


@pytest.mark.parametrize("origin", ["http://a\x7fb", "http://a\x01b", "\x00"])
def test_an_origin_with_control_characters_is_a_bad_request_and_never_reflected(server: Server, origin: str) -> None:
    response = server.request("GET", server.url(), [("Origin", origin)])
    assert response.status == 400
    assert response.header("access-control-allow-origin") in {None, "*"}


def test_another_transport_without_an_upgrade_is_a_bad_request(server: Server) -> None:
    with server.open_polling() as session:
        assert judge(server.request("GET", server.url(transport="websocket", sid=session.sid))) == BAD_REQUEST
        assert session.is_alive()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("revision", ["3", "5", ""])
def test_another_revision_on_an_open_session_is_a_bad_request(server: Server, method: str, revision: str) -> None:
    with server.open_polling() as session:
        response = server.request(method, server.url(sid=session.sid, revision=revision), body=b"")
        assert judge(response) == BAD_REQUEST
        assert session.is_alive()


def test_polling_on_a_websocket_session_is_a_bad_request(server: Server) -> None:
    with server.open_websocket() as websocket:
        for method in ("GET", "POST"):
            assert judge(server.request(method, server.url(sid=websocket.sid), body=b"")) == BAD_REQUEST
        assert websocket.is_alive()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_an_unknown_method_on_a_session_is_refused_and_leaves_it_alone(server: Server, method: str) -> None:
    with server.open_polling() as session:
        response = server.request(method, session.url, body=b"40")
        assert response.status == ours(400, node=500)
        assert session.is_alive()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("EIO=4&transport=abc", "Transport unknown"),
        ("EIO=4", "Transport unknown"),
        ("EIO=4&transport=constructor", "Transport unknown"),
        (f"EIO=4&transport=websocket&sid={NOBODY}", "Session ID unknown"),
    ],
)
def test_a_bad_upgrade_request_is_refused_before_101_with_the_message_as_body(
    server: Server, query: str, message: str
) -> None:
    response, connection = server.upgrade(f"/socket.io/?{query}")
    with connection:
        assert (response.status, response.text) == (400, message)
        assert (response.header("content-type") or "").startswith("text/html")
        assert response.header("connection") == "close"
        assert connection.read_to_end() == b""


def test_an_upgrade_with_another_revision_on_an_open_session_is_refused_before_101(server: Server) -> None:
    with server.open_polling() as session:
        response, connection = server.upgrade(server.url(transport="websocket", sid=session.sid, revision=3))
        connection.close()
        assert (response.status, response.text) == (400, "Bad request")
        assert session.is_alive()


@pytest.mark.parametrize("revision", ["3", "5", ""])
def test_a_websocket_with_another_revision_gets_no_session(server: Server, revision: str) -> None:
    response, connection = server.upgrade(server.url(transport="websocket", revision=revision))
    with connection:
        assert response.status == ours(400, node=101)
        assert b'"sid"' not in connection.read_to_end()


def test_an_upgrade_on_transport_polling_gets_no_session(server: Server) -> None:
    response, connection = server.upgrade(server.url(transport="polling"))
    with connection:
        assert response.status == ours(400, node=101)
        if response.status == 101:
            assert WebSocket(connection).receive_close() == 1005
        else:
            assert b'"sid"' not in response.body
