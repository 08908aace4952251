"""Engine.IO 4, "Heartbeat": the server pings, the client answers, and silence ends the session."""

from __future__ import annotations

import time

import pytest

from .conftest import Serve
from .launch import FOREIGN, Server
from .raw import TEXT, Closed, wait_until
from .test_engineio_errors import UNKNOWN_SID, judge

ROUNDS = 3


def test_the_server_pings_on_polling_every_interval_after_the_pong(patient_server: Server) -> None:
    started = time.monotonic()
    with patient_server.open_polling() as session:
        for _ in range(ROUNDS):
            assert session.poll().text == "2"
            session.send("3")
    # A lower bound holds on the noisiest machine: a ping may come late, never early.
    assert time.monotonic() - started >= ROUNDS * 0.3 - 0.05


def test_the_server_pings_on_websocket_every_interval_after_the_pong(patient_server: Server) -> None:
    started = time.monotonic()
    with patient_server.open_websocket() as websocket:
        for _ in range(ROUNDS):
            assert websocket.receive_frame() == (TEXT, b"2")
            websocket.send("3")
    assert time.monotonic() - started >= ROUNDS * 0.3 - 0.05


def test_no_second_ping_is_sent_before_the_pong(patient_server: Server) -> None:
    with patient_server.open_websocket() as websocket:
        assert websocket.receive_frame() == (TEXT, b"2")
        assert not websocket.connection.has_input(1)
        websocket.send("3")
        assert websocket.receive_frame() == (TEXT, b"2")


def test_a_polling_client_that_does_not_answer_is_closed(strict_server: Server) -> None:
    with strict_server.open_polling() as session:
        assert session.poll().text == "2"
        wait_until(lambda: strict_server.request("POST", session.url, body=b"6").status == 400, "the session is closed")
        assert judge(session.poll()) == UNKNOWN_SID


def test_a_polling_client_that_never_polls_is_closed(strict_server: Server) -> None:
    # Its ping can't even leave: what counts is the time without a pong.
    before = strict_server.stats()["sessions"]
    session = strict_server.open_polling()
    with session:
        wait_until(lambda: strict_server.stats()["sessions"] <= before, "the session is gone")
        assert judge(session.poll()) == UNKNOWN_SID


def test_a_hanging_poll_is_answered_when_its_session_times_out(strict_server: Server) -> None:
    with strict_server.open_polling() as session:
        assert session.poll().text == "2"
        session.start_poll()
        response = session.finish_poll()
        assert response.status in {200, 400}, response
        assert b"2" not in response.body.split(b"\x1e")


def test_a_websocket_client_that_does_not_answer_is_closed(strict_server: Server) -> None:
    with strict_server.open_websocket() as websocket:
        assert websocket.receive_frame() == (TEXT, b"2")
        websocket.receive_close(alive=False)
        assert websocket.connection.read_to_end() == b""


def test_the_reason_of_a_missed_heartbeat_is_ping_timeout(strict_server: Server) -> None:
    with strict_server.open_websocket() as websocket:
        websocket.send("40")
        packet = websocket.receive()
        assert isinstance(packet, str)
        sid = packet.split('"')[3]
        wait_until(lambda: strict_server.stats()["reasons"].get(sid) == "ping timeout", "the reason is known")


@pytest.mark.parametrize("packet", ["2", "2probe"])
def test_a_client_that_pings_on_polling_is_closed(server: Server, packet: str) -> None:
    with server.open_polling() as session:
        session.post(packet)
        assert judge(server.request("GET", session.url)) == UNKNOWN_SID


@pytest.mark.parametrize("packet", ["2", "2probe"])
def test_a_client_that_pings_on_websocket_is_closed(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        websocket.send(packet)
        with pytest.raises(Closed):
            websocket.receive()


def test_an_unsolicited_pong_is_ignored(server: Server) -> None:
    with server.open_polling() as session:
        session.send("3", "3", "3probe")
        assert session.is_alive()
    with server.open_websocket() as websocket:
        websocket.send("3")
        assert websocket.is_alive()


def test_a_noop_is_ignored(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send("6")
        assert websocket.is_alive()


@pytest.mark.skipif(bool(FOREIGN), reason="Node forgets the running timeout when the transport changes")
def test_a_client_that_upgrades_within_the_pong_window_and_never_pongs_is_timed_out(serve: Serve) -> None:
    server = serve(ping_interval=0.3, ping_timeout=3)
    with server.open_polling() as session:
        assert session.poll().text == "2"
        with server.open_websocket(session.sid) as websocket:
            websocket.send("2probe")
            assert websocket.receive_frame() == (TEXT, b"3probe")
            websocket.send("5")
            websocket.send("40")
            assert websocket.receive_frame()[1].startswith(b"40"), "it has upgraded before its time was over"
            websocket.receive_close(alive=False)
            assert websocket.connection.read_to_end() == b""


def test_a_packet_extends_the_wait_for_a_pong_once_per_ping(serve: Serve) -> None:
    server = serve(ping_interval=0.3, ping_timeout=3)
    with server.open_websocket() as websocket:
        assert websocket.receive_frame() == (TEXT, b"2")
        pinged = time.monotonic()
        ended = False
        while not ended:
            assert time.monotonic() - pinged < 15, "chatter keeps a session without pongs for ever"
            try:
                websocket.send("40/nowhere,")
                websocket.receive_frame()
            except ConnectionError:
                ended = True
            time.sleep(0.1)
        # The ping timeout alone is 3 s; the lower bound holds on the noisiest machine.
        assert time.monotonic() - pinged >= 3
