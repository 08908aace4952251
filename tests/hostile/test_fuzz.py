"""Thousands of random and mutated inputs on every layer; each layer's own answer is judged, then the whole server's."""

from __future__ import annotations

import pytest
from conformance.raw import CLOSE, PING, PONG, TEXT, Connection, Polling, WebSocket, encode_frame

from .attack import survivors
from .conftest import Victim
from .mutate import mutations

OPTIONS = {"body_timeout": 2, "run": {"header_timeout": 2}}

ENGINEIO = [
    b"2",
    b"2probe",
    b"3",
    b"40",
    b"5",
    b"6",
    b"6\x1e3\x1e6",
    b'42["echo",1]\x1e42["echo",2]',
    b'451-["echo",{"_placeholder":true,"num":0}]\x1ebAQIDBA==',
    '42["echo","\u20ac\U0001f600"]'.encode(),
    b'40{"token":"x"}\x1e42["join","room"]',
]
SOCKETIO = [
    b"40",
    b'40/class,{"a":1}',
    b"41/class,",
    b'42["echo",1,"2",{"3":[true,null]}]',
    b'42/class,12["echo"]',
    b'4212["echo","\\u20ac"]',
    b'431["answer"]',
    b'43/class,7[{"a":[1.5e3]}]',
    b'44{"message":"x"}',
    b'451-["echo",{"_placeholder":true,"num":0}]',
    b'462-7[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]',
    b'42["join","room"]',
    b'42["ask"]',
    b'42["nap",0]',
]
FRAMES = [
    encode_frame(TEXT, b'421["echo",1]'),
    encode_frame(TEXT, b'421["echo","' + b"x" * 300 + b'"]'),
    encode_frame(2, b"\x01\x02\x03"),
    encode_frame(PING, b"ping"),
    encode_frame(CLOSE, b"\x03\xe8bye"),
    encode_frame(TEXT, b"42[", fin=False) + encode_frame(0, b'"echo"]'),
    encode_frame(TEXT, b"3") * 5,
]


@pytest.fixture
def requests(victim: Victim) -> list[bytes]:
    upgrade = "".join(f"{name}: {value}\r\n" for name, value in victim.handshake_headers())
    return [
        b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
        b"POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: a\r\n"
        b"Content-Length: 2\r\n\r\n40",
        b"POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: a\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n",
        b"OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
        b"Access-Control-Request-Method: POST\r\n\r\n",
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n".encode()
        + encode_frame(TEXT, b"40"),
        b'GET /socket.io/socket.io.js HTTP/1.1\r\nHost: a\r\nIf-None-Match: "1"\r\n\r\n',
    ]


def finish(connection: Connection) -> bytes:
    """Says no more and reads what is left."""
    try:
        connection.sock.shutdown(1)
    except OSError:
        return b""
    return connection.read_to_end()


def test_http_requests(victim: Victim, requests: list[bytes]) -> None:
    for data in mutations(requests, 800, seed=1):
        with victim.connect() as connection:
            connection.send(data)
            answer = finish(connection)
        status = answer[9:12]
        assert not status.startswith(b"5") or status in {b"501", b"505"}, (data, answer)


def test_polling_payloads(victim: Victim) -> None:
    session: Polling | None = None
    for data in mutations(ENGINEIO, 1500, seed=2):
        if session is None:
            session = victim.join_polling()
        status = session.post(data).status
        assert status in {200, 400}, data
        if status == 400 or victim_has_closed(session):
            session.__exit__()
            session = None
    if session:
        session.__exit__()


def victim_has_closed(session: Polling) -> bool:
    return session.post("6").status == 400


def settle(websocket: WebSocket) -> bool:
    """Whether the connection outlived what was sent, by a ping behind it."""
    try:
        websocket.connection.send(encode_frame(PING, b"settle"))
        while True:
            opcode, payload = websocket.receive_frame()
            if opcode == CLOSE:
                return False
            if (opcode, payload) == (PONG, b"settle"):
                return True
            if (opcode, payload) == (TEXT, b"2"):
                websocket.send("3")
    except ConnectionError:
        return False


def test_socketio_packets(victim: Victim) -> None:
    def outlives(websocket: WebSocket, data: bytes) -> bool:
        websocket.connection.send(encode_frame(TEXT, data))
        return settle(websocket)

    assert 0 < survivors(mutations(SOCKETIO, 3000, seed=3), victim.join, outlives) < 3000


def test_engineio_packets_over_websocket(victim: Victim) -> None:
    websocket: WebSocket | None = None
    for data in mutations([*ENGINEIO, b"\x00\x01"], 1500, seed=4):
        if websocket is None:
            websocket = victim.open_websocket()
        websocket.connection.send(encode_frame(len(data) % 2 + 1, data))
        if not settle(websocket):
            websocket.connection.close()
            websocket = None
    if websocket:
        websocket.connection.close()


def test_websocket_frames(victim: Victim) -> None:
    for data in mutations(FRAMES, 800, seed=5):
        with victim.join() as websocket:
            try:
                websocket.connection.send(data)
            except ConnectionError:
                continue
            answer = finish(websocket.connection)
            assert b"HTTP/1.1 5" not in answer


def test_packets_while_upgrading(victim: Victim) -> None:
    for data in mutations([b"2probe", b"5", b"3probe", b"40", b'42["echo"]'], 300, seed=6):
        with victim.open_polling() as session, victim.open_websocket(session.sid) as websocket:
            websocket.connection.send(encode_frame(TEXT, data) + encode_frame(TEXT, b"5"))
            settle(websocket)


def test_attachments_after_mutated_headers(victim: Victim) -> None:
    headers = [packet for packet in SOCKETIO if packet[:2] in {b"45", b"46"}]
    for data in mutations(headers, 600, seed=7):
        with victim.join() as websocket:
            websocket.connection.send(encode_frame(TEXT, data) + encode_frame(2, b"\x01") * 2)
            settle(websocket)
