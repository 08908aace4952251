"""WebSocket (RFC 6455) as far as Engine.IO leans on it: handshake, frames, limits, close codes."""

from __future__ import annotations

import pytest

from .launch import Server
from .raw import BINARY, CLOSE, PING, PONG, TEXT, Headers, WebSocket, encode_frame
from .test_engineio_close import connect

LIMIT = 100_000


def without(headers: Headers, name: str, value: str | None = None) -> list[tuple[str, str]]:
    rest = [(key, kept) for key, kept in headers if key != name]
    return rest if value is None else [*rest, (name, value)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-WebSocket-Key", None),
        ("Sec-WebSocket-Key", "abc"),
        ("Sec-WebSocket-Key", "x" * 24),
        ("Sec-WebSocket-Version", None),
        ("Sec-WebSocket-Version", "12"),
        ("Sec-WebSocket-Version", "abc"),
    ],
)
def test_a_bad_websocket_handshake_is_refused_before_101(server: Server, name: str, value: str | None) -> None:
    with server.connect() as connection:
        headers = without(server.handshake_headers(), name, value)
        response = connection.request("GET", server.url(transport="websocket"), headers)
        assert response.status in {400, 426}, response
    with server.open_polling() as session:
        assert session.is_alive()


def test_header_names_and_tokens_of_the_handshake_have_no_case(server: Server) -> None:
    headers = [(name.upper(), value) for name, value in server.handshake_headers()]
    headers = without(without(headers, "CONNECTION", "keep-alive, UPGRADE"), "UPGRADE", "WebSocket")
    with server.connect() as connection:
        assert connection.request("GET", server.url(transport="websocket"), headers).status == 101


def test_no_extension_is_negotiated_by_default(server: Server) -> None:
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
    with server.open_websocket(headers=offer) as websocket:
        assert websocket.is_alive()
    response, connection = server.upgrade(server.url(transport="websocket"), offer)
    connection.close()
    assert response.header("sec-websocket-extensions") is None


def test_a_ping_frame_is_answered_with_its_payload(server: Server) -> None:
    with server.open_websocket() as websocket:
        for payload in (b"", b"x", b"x" * 125):
            websocket.connection.send(encode_frame(PING, payload))
            assert websocket.receive_frame() == (PONG, payload)


def test_a_message_in_fragments_is_one_message_with_control_frames_between(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        parts = ['42["mes', "", 'sage","\u20ac"]']
        websocket.connection.send(encode_frame(TEXT, parts[0].encode(), fin=False))
        websocket.connection.send(encode_frame(PING, b"between"))
        assert websocket.receive_frame() == (PONG, b"between")
        websocket.connection.send(encode_frame(0, parts[1].encode(), fin=False))
        websocket.connection.send(encode_frame(0, parts[2].encode()))
        assert websocket.receive() == '42["message-back","\u20ac"]'


def test_a_ping_between_fragments_is_answered_before_the_message_it_interrupts(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        frames = [encode_frame(TEXT, b'42["mes', fin=False), encode_frame(PING, b"x"), encode_frame(0, b'sage"]')]
        websocket.connection.send(b"".join(frames))
        assert websocket.receive_frame() == (PONG, b"x")
        assert websocket.receive() == '42["message-back"]'


def test_a_message_may_arrive_byte_by_byte(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        for byte in encode_frame(TEXT, b'42["message",1]'):
            websocket.connection.send(bytes([byte]))
        assert websocket.receive() == '42["message-back",1]'


def test_many_messages_may_arrive_at_once(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        frames = [encode_frame(TEXT, f'42["message",{number}]'.encode()) for number in range(200)]
        websocket.connection.send(b"".join(frames))
        assert [websocket.receive() for _ in frames] == [f'42["message-back",{number}]' for number in range(200)]


@pytest.mark.parametrize("size", [125 - 17, 126 - 17, 127 - 17, 65535 - 17, 65536 - 17, LIMIT - 17])
def test_messages_at_the_edges_of_the_length_encodings_pass(server: Server, size: int) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send('42["message","' + "x" * size + '"]')
        assert websocket.receive() == '42["message-back","' + "x" * size + '"]'


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (encode_frame(TEXT, b"6", masked=False), 1002),
        (encode_frame(TEXT, b"6", rsv=4), 1002),
        (encode_frame(TEXT, b"6", rsv=1), 1002),
        (encode_frame(3, b""), 1002),
        (encode_frame(11, b""), 1002),
        (encode_frame(0, b"6"), 1002),
        (encode_frame(PING, b"", fin=False), 1002),
        (encode_frame(PING, b"x" * 126), 1002),
        (encode_frame(TEXT, b"6", fin=False) + encode_frame(TEXT, b"6"), 1002),
        (encode_frame(CLOSE, b"x"), 1002),
        (encode_frame(CLOSE, b"\x00\x00"), 1002),
        (encode_frame(CLOSE, b"\x03\xed"), 1002),
        (encode_frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (encode_frame(TEXT, b"4\xff"), 1007),
        (encode_frame(TEXT, b"4\xed\xa0\x80"), 1007),
        (b"\xc1\xfe\xff", 1002),
    ],
)
def test_a_frame_against_the_rules_ends_the_connection_with_its_code(server: Server, raw: bytes, code: int) -> None:
    with server.open_websocket() as websocket:
        websocket.connection.send(raw)
        assert websocket.receive_close() == code


@pytest.mark.parametrize(
    "raw",
    [
        encode_frame(TEXT, b"4" + b"x" * LIMIT),
        encode_frame(BINARY, b"x" * (LIMIT + 1)),
        b"\x81\xff" + (LIMIT + 1).to_bytes(8, "big"),
        b"\x82\xff" + (2**40).to_bytes(8, "big"),
        encode_frame(TEXT, b"4" * (LIMIT // 2), fin=False) + encode_frame(0, b"4" * (LIMIT // 2 + 1)),
    ],
    ids=["text", "binary", "declared only", "a terabyte declared", "sum of fragments"],
)
def test_a_message_over_the_limit_ends_the_connection_with_1009(server: Server, raw: bytes) -> None:
    with server.open_websocket() as websocket:
        websocket.connection.send(raw)
        assert websocket.receive_close() == 1009


def test_text_and_binary_alternate(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        for number in range(3):
            websocket.send('451-["message",{"_placeholder":true,"num":0}]')
            websocket.send(bytes([number]))
            assert websocket.receive() == '451-["message-back",{"_placeholder":true,"num":0}]'
            assert websocket.receive() == bytes([number])


def test_frames_glued_behind_the_upgrade_request_are_read(server: Server) -> None:
    with server.connect() as connection:
        lines = [f"GET {server.url(transport='websocket')} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in server.handshake_headers()]
        connection.send("\r\n".join([*lines, "", ""]).encode() + encode_frame(TEXT, b"40"))
        assert connection.read_response().status == 101
        websocket = WebSocket(connection)
        opening = websocket.receive()
        assert isinstance(opening, str)
        assert opening.startswith('0{"sid"')
        answer = websocket.receive()
        assert isinstance(answer, str)
        assert answer.startswith('40{"sid"')
