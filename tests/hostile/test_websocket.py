"""WebSocket frames that lie about their length, never end, come in floods or in crumbs; handshakes full of rubbish."""

from __future__ import annotations

import struct

import pytest
from conformance.raw import BINARY, CLOSE, PING, PONG, TEXT, Connection, WebSocket, encode_frame

from .conftest import SECRET, Victim

HUGE = [2**31, 2**32, 2**36, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("length", HUGE)
@pytest.mark.parametrize("opcode", [TEXT, BINARY, 0])
def test_a_huge_declared_length_is_refused_at_once_and_allocates_nothing(
    victim: Victim, opcode: int, length: int
) -> None:
    before = victim.request("GET", "/memory").json()["resident"]
    with victim.open_websocket() as websocket:
        websocket.connection.send(struct.pack("!BBQ", 0x80 | opcode, 0xFF, length))
        assert websocket.receive_close() in {1002, 1009}
    assert victim.request("GET", "/memory").json()["resident"] < before + 100_000_000


def test_many_that_declare_much_and_send_nothing_hold_no_memory(victim: Victim) -> None:
    before = victim.request("GET", "/memory").json()["resident"]
    websockets = [victim.open_websocket() for _ in range(50)]
    for websocket in websockets:
        websocket.connection.send(struct.pack("!BBQ", 0x82, 0xFF, 999_999) + b"mask" + b"x" * 100)
    victim.serve_somebody()
    assert victim.request("GET", "/memory").json()["resident"] < before + 30_000_000
    for websocket in websockets:
        websocket.connection.reset()


@pytest.mark.parametrize(("size", "count"), [(0, 200_000), (1, 200_000), (64, 65_536)])
def test_fragments_without_end_are_cut_off(victim: Victim, size: int, count: int) -> None:
    with victim.open_websocket() as websocket:
        crumbs = encode_frame(0, b"x" * size, fin=False) * 1000
        try:
            websocket.connection.send(encode_frame(TEXT, b"4", fin=False))
            for _ in range(count // 1000):
                websocket.connection.send(crumbs)
        except ConnectionError:
            return
        assert websocket.receive_close() in {None, 1002, 1008, 1009}


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_a_flood_of_control_frames_does_no_harm(victim: Victim, opcode: int) -> None:
    with victim.join() as websocket:
        flood = encode_frame(opcode, b"x" * 10) * 1000
        for _ in range(20):
            websocket.connection.send(flood)
            if opcode == PING:
                for _ in range(1000):
                    assert websocket.receive_frame()[0] in {PONG, TEXT}
        assert victim.stats()["greenlets"] < victim.baseline["greenlets"] + 50


def test_a_flood_of_pings_whose_answers_nobody_reads_is_bounded(victim: Victim) -> None:
    with victim.open_websocket() as websocket:
        flood = encode_frame(PING, b"x" * 125) * 1000
        websocket.connection.sock.settimeout(5)
        try:
            for _ in range(100):
                websocket.connection.send(flood)
        except (ConnectionError, TimeoutError):
            # Cut off, or no longer read: both are bounds.
            pass
        victim.serve_somebody()


@pytest.mark.parametrize("packet", ["3", "6", "3probe"])
def test_a_flood_of_unsolicited_heartbeats_does_no_harm(victim: Victim, packet: str) -> None:
    with victim.join() as websocket:
        flood = encode_frame(TEXT, packet.encode()) * 1000
        for _ in range(30):
            websocket.connection.send(flood)
        websocket.send('421["echo",1]')
        assert websocket.receive() == "431[1]"
        assert victim.stats()["greenlets"] < victim.baseline["greenlets"] + 50


@pytest.mark.parametrize("packet", ["5", "2probe", "1", "0", "", "2"])
def test_packets_of_another_moment_end_at_most_the_connection(victim: Victim, packet: str) -> None:
    with victim.join() as websocket:
        for _ in range(3):
            websocket.connection.send(encode_frame(TEXT, packet.encode()))
        websocket.send_close()
        websocket.receive_close()


FRAME = encode_frame(TEXT, b'42["echo","' + SECRET.encode() + b'"]')


@pytest.mark.parametrize("cut", range(1, len(FRAME), 5))
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_frame_cut_anywhere_leaves_nothing(module_victim: Victim, cut: int, how: str) -> None:
    with module_victim.join() as websocket:
        websocket.connection.send(FRAME[:cut])
        getattr(websocket.connection, how)()


def test_nothing_is_left_of_the_cut_frames(victim: Victim) -> None:
    assert victim.stats()["reached"]["connect"]


@pytest.mark.parametrize(
    "glued",
    [
        b"\xff" * 100,
        b"\x00" * 100,
        b"\xf1\x80\x00\x00\x00\x00",
        b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
        encode_frame(TEXT, b"40") + b"\xff\xff",
        encode_frame(CLOSE, b""),
        b"GET / HTTP/1.1\r\n\r\n",
        encode_frame(TEXT, b"4" * 70_000),
        encode_frame(TEXT, b'42["echo"]'),
    ],
    ids=range(9),
)
def test_bytes_glued_behind_the_upgrade_request_are_judged_as_frames(victim: Victim, glued: bytes) -> None:
    lines = [f"GET {victim.url(transport='websocket')} HTTP/1.1", "Host: a"]
    lines += [f"{name}: {value}" for name, value in victim.handshake_headers()]
    for _ in range(3):
        with victim.connect() as connection:
            connection.send("\r\n".join([*lines, "", ""]).encode() + glued)
            websocket = WebSocket(connection)
            connection.read_head()
            websocket.send_close()
            websocket.receive_close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-WebSocket-Extensions", "constructor"),
        ("Sec-WebSocket-Extensions", "__proto__; a=b"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits=999"),
        ("Sec-WebSocket-Extensions", ";;;,,,===\"'"),
        ("Sec-WebSocket-Extensions", "x" + " " * 6000 + "x"),
        ("Sec-WebSocket-Protocol", " " * 7000),
        ("Sec-WebSocket-Protocol", "," * 7000),
        ("Sec-WebSocket-Protocol", "constructor, __proto__"),
        ("Sec-WebSocket-Key", ""),
        ("Sec-WebSocket-Key", "\u00e9" * 24),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==, AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Sec-WebSocket-Version", "13, 8"),
        ("Sec-WebSocket-Version", "-13"),
        ("Upgrade", ""),
        ("Upgrade", "websocket, h2c"),
        ("Upgrade", "h2c"),
        ("Connection", "close, Upgrade"),
        ("Connection", ""),
        ("Content-Length", "10"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_hostile_handshake_headers_are_ignored_or_refused(victim: Victim, name: str, value: str) -> None:
    headers = [(key, kept) for key, kept in victim.handshake_headers() if key != name] + [(name, value)]
    with victim.connect() as connection:
        connection.send_request("GET", victim.url(transport="websocket"), headers)
        status, _, answer = connection.read_head()
        assert status in {101, 400, 426}, status
        assert "sec-websocket-extensions" not in {key.lower() for key, _ in answer}


def walk(connection: Connection, victim: Victim, sid: str) -> list[bytes]:
    """The steps of an upgrade, each as the bytes a client sends."""
    lines = [f"GET {victim.url(transport='websocket', sid=sid)} HTTP/1.1", "Host: a"]
    lines += [f"{name}: {value}" for name, value in victim.handshake_headers()]
    request = "\r\n".join([*lines, "", ""]).encode()
    packets = [encode_frame(TEXT, packet) for packet in (b"2probe", b"5", b'42["echo"]')]
    return [request[:60], request[60:], *packets]


@pytest.mark.parametrize("polling", [False, True])
@pytest.mark.parametrize("step", range(6))
def test_a_client_may_vanish_at_each_step_of_the_upgrade(victim: Victim, step: int, polling: bool) -> None:
    for wait in (False, True):
        with victim.open_polling() as session:
            session.send("40")
            if polling:
                session.receive()
                session.start_poll()
            connection = victim.connect()
            for data in walk(connection, victim, session.sid)[:step]:
                connection.send(data)
                if wait:
                    connection.has_input(0.05)
            connection.reset()
            if polling:
                session.getter.reset()


def test_http_behind_an_upgrade_that_was_refused_is_not_answered_as_another_request(victim: Victim) -> None:
    headers = victim.handshake_headers()
    with victim.connect() as connection:
        connection.send_request("GET", victim.url(transport="abc"), headers)
        assert connection.read_response().status == 400
        assert connection.read_to_end() == b""


def test_hundreds_of_upgrades_of_one_session_leave_one(victim: Victim) -> None:
    with victim.open_polling() as session:
        connections = []
        for _ in range(50):
            response, connection = victim.upgrade(victim.url(transport="websocket", sid=session.sid))
            connections.append(connection)
            assert response.status in {101, 400}
        assert session.is_alive()
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("path", ["/elsewhere", "/stats", "/", "/socket.io"])
def test_an_upgrade_on_a_path_that_is_not_ours_harms_nothing(victim: Victim, path: str) -> None:
    with victim.connect() as connection:
        connection.send_request("GET", path, victim.handshake_headers())
        status, _, _ = connection.read_head()
        assert status in {101, 200, 400, 404, 426}
