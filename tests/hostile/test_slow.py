"""Clients that take their time: partial lines, heads and bodies, one byte now and then."""

from __future__ import annotations

import time

import pytest
from conformance.raw import Connection, wait_until

from .conftest import Victim

OPTIONS = {"ping_interval": 8, "body_timeout": 1, "run": {"header_timeout": 1}}


def drip(connection: Connection, data: bytes, seconds: float = 15) -> bool:
    """One byte now and then; whether the server hung up meanwhile."""
    deadline = time.monotonic() + seconds
    for number in range(10_000):
        try:
            connection.send(data[number % len(data)].to_bytes(1, "big"))
            if connection.has_input(0.1):
                connection.read_to_end()
                return True
        except ConnectionError:
            return True
        if time.monotonic() > deadline:
            return False
    return False


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"G",
        b"GET /socket.io/?EIO=4",
        b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n",
        b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    ],
    ids=["nothing", "a letter", "half a line", "a line", "half a head"],
)
def test_a_head_that_never_ends_is_cut_off(victim: Victim, start: bytes) -> None:
    with victim.connect() as connection:
        connection.send(start)
        connection.read_to_end()
        assert connection.sock.recv(1) == b""


def test_a_dripping_head_is_cut_off(victim: Victim) -> None:
    with victim.connect() as connection:
        connection.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nX-Slow: ")
        assert drip(connection, b"a")


def test_dripping_header_lines_are_cut_off(victim: Victim) -> None:
    with victim.connect() as connection:
        connection.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n")
        assert drip(connection, b"a: b\r\n")


def test_a_body_that_never_ends_is_cut_off(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send_request("POST", session.url, [("Content-Length", "10")], b"4")
        connection.read_to_end()


def test_a_dripping_body_is_cut_off(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send_request("POST", session.url, [("Content-Length", "500000")], b"4")
        assert drip(connection, b"6")


def test_a_dripping_chunked_body_is_cut_off(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send_request("POST", session.url, [("Transfer-Encoding", "chunked")])
        assert drip(connection, b"1\r\n6\r\n")


def test_a_dripping_chunk_size_is_cut_off(victim: Victim) -> None:
    with victim.open_polling() as session, victim.connect() as connection:
        connection.send_request("POST", session.url, [("Transfer-Encoding", "chunked")])
        assert drip(connection, b"0")


def test_a_hundred_slow_clients_hold_up_nobody(victim: Victim) -> None:
    connections = [victim.connect() for _ in range(100)]
    try:
        for connection in connections:
            connection.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nX-Slow: ")
        victim.serve_somebody()
        wait_until(lambda: victim.stats()["fds"] < 50 + victim.baseline["fds"], "the slow ones are cut off")
    finally:
        for connection in connections:
            connection.close()


def test_a_hanging_poll_is_no_slow_client(victim: Victim) -> None:
    with victim.open_polling() as session:
        session.start_poll()
        assert not session.getter.has_input(1.8)
        # On a connection of its own: one that was opened and never used would count as slow by now.
        assert victim.request("POST", session.url, body=b"40").body == b"ok"
        assert session.finish_poll().text.startswith('40{"sid":"')


def test_an_idle_websocket_is_no_slow_client(victim: Victim) -> None:
    with victim.join() as websocket:
        assert not websocket.connection.has_input(1.8)
        assert websocket.is_alive()
