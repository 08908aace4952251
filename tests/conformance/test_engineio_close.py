"""Engine.IO closing, from either side and on both transports, and what the pending poll gets."""

from __future__ import annotations

import pytest

from .launch import Server
from .raw import CLOSE, WebSocket, wait_until
from .test_engineio_errors import UNKNOWN_SID, judge
from .test_engineio_polling import join

CLOSED = "6\x1e1"


def wait_for_reason(server: Server, sid: str, *reasons: str) -> None:
    wait_until(lambda: sid in server.stats()["reasons"], "the disconnect handler ran")
    assert server.stats()["reasons"][sid] in reasons


def connect(websocket: WebSocket) -> str:
    websocket.send("40")
    packet = websocket.receive()
    assert isinstance(packet, str)
    assert packet.startswith('40{"sid":"')
    assert websocket.receive() == '42["auth",{}]'
    return packet.split('"')[3]


def test_a_close_packet_ends_the_hanging_poll_with_a_noop(server: Server) -> None:
    with server.open_polling() as session:
        session.start_poll()
        assert not session.getter.has_input(0.2)
        session.send("1")
        response = session.finish_poll()
        assert (response.status, response.text) == (200, "6")
        assert judge(server.request("GET", session.url)) == UNKNOWN_SID


def test_packets_behind_a_close_packet_are_not_handled(server: Server) -> None:
    with server.open_polling() as session:
        assert session.post("1\x1e40").status == 200
        assert judge(session.poll()) == UNKNOWN_SID


def test_a_websocket_close_frame_is_answered_with_its_code(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send_close(1000)
        assert websocket.receive_close() == 1000
        assert websocket.connection.read_to_end() == b""


def test_a_close_frame_without_a_code_is_answered_without_one(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.connection.send(b"\x88\x80\0\0\0\0")
        assert websocket.receive_frame() == (CLOSE, b"")
        assert websocket.connection.read_to_end() == b""


@pytest.mark.parametrize("how", ["close frame", "end of the connection", "reset"])
def test_the_session_is_gone_when_its_websocket_is(server: Server, how: str) -> None:
    with server.open_websocket() as websocket:
        sid = connect(websocket)
        if how == "close frame":
            websocket.send_close(1001)
            assert websocket.receive_close() == 1001
            websocket.connection.close()
        elif how == "reset":
            websocket.connection.reset()
        else:
            websocket.connection.close()
        wait_for_reason(server, sid, "transport close", "transport error")
        assert judge(server.request("GET", server.url(sid=websocket.sid))) == UNKNOWN_SID


def test_the_reason_of_a_client_that_closed_is_transport_close(server: Server) -> None:
    with server.open_websocket() as websocket:
        sid = connect(websocket)
        websocket.send_close(1000)
        assert websocket.receive_close() == 1000
        websocket.connection.close()
        wait_for_reason(server, sid, "transport close")
    with server.open_polling() as session:
        session.send("40")
        sid = session.receive().split('"')[3]
        session.send("1")
        wait_for_reason(server, sid, "transport close")


def test_the_reason_of_an_abandoned_poll_is_transport_error(server: Server) -> None:
    with server.open_polling() as session:
        session.send("40")
        sid = session.receive().split('"')[3]
        assert session.receive() == '42["auth",{}]'
        session.start_poll()
        assert not session.getter.has_input(0.2)
        session.getter.close()
        wait_for_reason(server, sid, "transport error")


# The measured table: what the POST and the next GET are answered.


def test_a_second_connect_closes_and_the_next_poll_says_noop_and_close(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        assert session.post("40").body == b"ok"
        assert session.poll().text == CLOSED
        assert judge(session.poll()) == UNKNOWN_SID


def test_a_bad_socketio_packet_closes_and_the_next_poll_says_noop_and_close(server: Server) -> None:
    with server.open_polling() as session:
        session.send("40")
        sid = session.receive().split('"')[3]
        assert session.receive() == '42["auth",{}]'
        assert session.post("4abc").body == b"ok"
        assert session.poll().text == CLOSED
        wait_for_reason(server, sid, "forced close", "parse error")


def test_a_bad_engineio_packet_closes_and_the_next_poll_is_unknown(server: Server) -> None:
    with server.open_polling() as session:
        session.send("40")
        sid = session.receive().split('"')[3]
        assert session.receive() == '42["auth",{}]'
        assert session.post("abc").body == b"ok"
        assert judge(session.poll()) == UNKNOWN_SID
        wait_for_reason(server, sid, "parse error")


def test_a_second_connect_while_a_poll_hangs_ends_it_with_a_close_packet(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.start_poll()
        assert not session.getter.has_input(0.2)
        assert session.post("40").body == b"ok"
        assert session.finish_poll().text == "1"
        assert judge(session.poll()) == UNKNOWN_SID


def test_a_bad_socketio_packet_ends_a_websocket_with_a_close_frame(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send("4abc")
        assert websocket.receive_close() is not None


@pytest.mark.parametrize("packet", ["abc", "", "8", "9x"])
def test_a_bad_engineio_packet_ends_a_websocket_with_a_close_frame(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        sid = connect(websocket)
        websocket.send(packet)
        assert websocket.receive_close() is not None
        wait_for_reason(server, sid, "parse error")


def test_a_session_told_to_close_takes_no_further_packets(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send("40")
        assert session.post('42["message","late"]').status in {200, 400}
        assert session.poll().text == CLOSED
