"""Owns the opening handshake: which requests become a WebSocket, with which headers, and how the others are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.websocket.handshake import HandshakeError, accept, is_upgrade, response_head

#: The request of RFC 6455 1.3, and the answer to it.
REQUEST = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
}
ANSWER = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
]
MISSING = object()
OUTCOMES = ("101 Switching Protocols", "400 Bad Request", "426 Upgrade Required")


def request(**changes):
    environ = {**REQUEST, **changes}
    return {name: value for name, value in environ.items() if value is not MISSING}


def refusal(environ):
    with pytest.raises(HandshakeError) as caught:
        accept(environ)
    assert str(caught.value) == caught.value.message != ""
    return caught.value.status, caught.value.headers


def outcome(environ):
    try:
        headers = accept(environ, subprotocols=["chat"])
    except HandshakeError as error:
        return error.status
    return "101 Switching Protocols" if headers[:2] == ANSWER[:2] else headers


def test_the_request_of_the_specification_gets_its_answer():
    assert accept(REQUEST) == ANSWER


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_UPGRADE": "WebSocket"},
        {"HTTP_UPGRADE": "h2c, websocket"},
        {"HTTP_CONNECTION": "upgrade"},
        {"HTTP_CONNECTION": "keep-alive, Upgrade"},
        {"HTTP_CONNECTION": "keep-alive ,\tUPGRADE ,close"},
        {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate; client_max_window_bits"},
        {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "constructor, __proto__;;;===\x00, é"},
        {"HTTP_SEC_WEBSOCKET_PROTOCOL": "chat"},
        {"HTTP_ORIGIN": "http://example.com"},
    ],
)
def test_what_else_a_request_may_say_changes_nothing(changes):
    assert is_upgrade(request(**changes))
    assert accept(request(**changes)) == ANSWER


@pytest.mark.parametrize(
    "changes",
    [
        *({"REQUEST_METHOD": method} for method in ("POST", "HEAD", "OPTIONS", "CONNECT", "get", MISSING)),
        *({"SERVER_PROTOCOL": version} for version in ("HTTP/1.0", "HTTP/0.9", "HTTP/2", "")),
        *({"HTTP_UPGRADE": value} for value in ("", "h2c", "notwebsocket", "websocket/13", "web socket", MISSING)),
        *({"HTTP_CONNECTION": value} for value in ("", "keep-alive", "upgraded", "up grade", "close", MISSING)),
        *(
            {"HTTP_SEC_WEBSOCKET_KEY": key}
            for key in (
                "",
                "abc",
                "AAAAAAAAAAAAAAAAAAAAAA",
                "AAAAAAAAAAAAAAAAAAAAAAA=",
                "AAAAAAAAAAAAAAAAAAAAAAAA",
                "AAAAAAAAAAAAAAAAAAAAAAA==",
                "AAAAAAAAAAAAAAAAAAAAAA==\n",
                " AAAAAAAAAAAAAAAAAAAAAA==",
                "AAAAAAAAAA=AAAAAAAAAAA==",
                "AAAAAAAAAAAAAAAAAAAA====",
                "AAAAAAAAAAAAAAAAAAAA-_==",
                "AAAAAAAAAAAAAAAAAAAAAé==",
                "AAAAAAAAAAAAAAAAAAAAAA==, AAAAAAAAAAAAAAAAAAAAAA==",
                MISSING,
            )
        ),
    ],
)
def test_what_is_no_handshake_is_a_bad_request(changes):
    assert refusal(request(**changes)) == ("400 Bad Request", [])


@pytest.mark.parametrize("version", ["", "0", "8", "14", "013", "+13", "13, 8", "१३", MISSING])
def test_another_version_is_told_which_one_is_served(version):
    answer = ("426 Upgrade Required", [("Sec-WebSocket-Version", "13")])
    assert refusal(request(HTTP_SEC_WEBSOCKET_VERSION=version)) == answer


@pytest.mark.parametrize(
    ("upgrade", "asks"),
    [("websocket", True), ("WebSocket", True), ("h2c, websocket", True), ("h2c", False), ("", False), (MISSING, False)],
)
def test_which_requests_ask_for_a_websocket(upgrade, asks):
    assert is_upgrade(request(HTTP_UPGRADE=upgrade)) is asks


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("chat", "chat"),
        ("other, chat", "chat"),
        ("chat ,superchat", "superchat"),
        ("superchat,chat", "superchat"),
        ("superchats", None),
        ("CHAT", None),
        ("", None),
        (MISSING, None),
    ],
)
def test_the_first_subprotocol_of_ours_that_is_offered_is_chosen(offered, chosen):
    headers = accept(request(HTTP_SEC_WEBSOCKET_PROTOCOL=offered), subprotocols=["superchat", "chat"])
    assert headers == ANSWER + ([("Sec-WebSocket-Protocol", chosen)] if chosen else [])


@pytest.mark.parametrize("filling", [" ", ",", " ,", "\t", "=", "A", "upgrade", "a, "])
@pytest.mark.parametrize(
    "header",
    [
        "HTTP_UPGRADE",
        "HTTP_CONNECTION",
        "HTTP_SEC_WEBSOCKET_VERSION",
        "HTTP_SEC_WEBSOCKET_KEY",
        "HTTP_SEC_WEBSOCKET_PROTOCOL",
        "HTTP_SEC_WEBSOCKET_EXTENSIONS",
    ],
)
def test_a_very_long_header_is_answered_or_refused(header, filling):
    # A million characters: whatever is not linear in them does not end.
    environ = request(**{header: REQUEST.get(header, "x") + filling * (1_000_000 // len(filling)) + "x"})
    assert outcome(environ) in OUTCOMES


@given(st.dictionaries(st.sampled_from(sorted(REQUEST)), st.text() | st.sampled_from(sorted(REQUEST.values()))))
def test_whatever_the_headers_say_it_is_an_answer_or_a_refusal(changes):
    assert outcome({**REQUEST, **changes}) in OUTCOMES


def test_the_head_of_the_answer():
    assert response_head([("Upgrade", "websocket"), ("X", "é: y")]) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: \xe9: y\r\n\r\n"
    )


@pytest.mark.parametrize(
    "header",
    [("X", "a\r\nSet-Cookie: b"), ("X", "a\r"), ("X", "\na"), ("X\r\nY", "a"), ("X\n", "a"), ("X\r", "a"), ("X", "€")],
)
def test_a_header_that_would_end_its_line_is_our_users_mistake(header):
    with pytest.raises(ValueError, match=r"line break|latin-1"):
        response_head([*ANSWER, header])
