"""Socket.IO 5, "Disconnection from a namespace", by either side; the connection below stays open."""

from __future__ import annotations

import pytest

from .launch import Server
from .raw import Closed, WebSocket
from .test_engineio_close import connect, wait_for_reason
from .test_socketio_connect import answer, read_connect
from .test_socketio_events import exchange

CLIENT = ("client namespace disconnect", "client disconnect")
SERVER = ("server namespace disconnect", "server disconnect")


def join_custom(websocket: WebSocket) -> str:
    websocket.send("40/custom,")
    sid = read_connect(websocket, "40/custom,")
    assert answer(websocket) == '42/custom,["auth",{}]'
    return sid


@pytest.mark.parametrize("packet", ["41", "41/,"])
def test_a_client_leaves_the_main_namespace_and_keeps_the_connection(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        sid = connect(websocket)
        websocket.send(packet)
        wait_for_reason(server, sid, *CLIENT)
        assert websocket.is_alive()


def test_a_client_leaves_one_namespace_and_stays_in_the_other(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        sid = join_custom(websocket)
        websocket.send("41")
        assert exchange(websocket, '42/custom,["message",1]') == '42/custom,["message-back",1]'
        connect(websocket)
        websocket.send("41/custom,")
        wait_for_reason(server, sid, *CLIENT)
        assert exchange(websocket, '42["message",1]') == '42["message-back",1]'


def test_a_client_that_left_may_connect_again_under_a_new_id(server: Server) -> None:
    with server.open_websocket() as websocket:
        first = connect(websocket)
        websocket.send("41")
        wait_for_reason(server, first, *CLIENT)
        second = connect(websocket)
        assert first != second
        assert exchange(websocket, '42["message"]') == '42["message-back"]'


def test_a_packet_for_a_namespace_just_left_closes_the_connection(server: Server) -> None:
    with server.open_websocket() as websocket:
        sid = connect(websocket)
        websocket.send("41")
        wait_for_reason(server, sid, *CLIENT)
        websocket.send('42["message"]')
        with pytest.raises(Closed):
            websocket.receive()


def test_the_server_disconnects_a_socket_with_a_disconnect_packet(server: Server) -> None:
    with server.open_websocket() as websocket:
        sid = connect(websocket)
        assert exchange(websocket, '42["leave-me"]') == "41"
        wait_for_reason(server, sid, *SERVER)
        assert websocket.is_alive()


def test_the_server_disconnects_one_namespace_only(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        sid = join_custom(websocket)
        assert exchange(websocket, '42/custom,["leave-me"]') == "41/custom,"
        wait_for_reason(server, sid, *SERVER)
        assert exchange(websocket, '42["message"]') == '42["message-back"]'


def test_a_disconnected_socket_gets_no_broadcast(server: Server) -> None:
    with server.open_websocket() as one, server.open_websocket() as two:
        connect(one)
        connect(two)
        assert exchange(one, '42["leave-me"]') == "41"
        assert exchange(two, '42["shout",1]') == '42["shout",1]'
        assert not one.connection.has_input(0.2)
