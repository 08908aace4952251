"""Socket.IO 5, "Connection to a namespace": CONNECT, CONNECT_ERROR and what is refused before it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .conftest import Serve
from .launch import Server
from .raw import Closed, Polling, WebSocket
from .test_engineio_close import connect

Client = WebSocket | Polling


def answer(client: Client) -> str:
    packet = client.receive()
    assert isinstance(packet, str)
    return packet


def read_connect(client: Client, prefix: str = "40") -> str:
    """The public id out of the CONNECT packet, which must come with exactly that."""
    packet = answer(client)
    assert packet.startswith(prefix + "{"), packet
    payload: dict[str, Any] = json.loads(packet[len(prefix) :])
    assert list(payload) == ["sid"]
    return str(payload["sid"])


@pytest.mark.parametrize("packet", ["40", "40{}", "40/,", "40/,{}"])
def test_a_client_connects_to_the_main_namespace(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        websocket.send(packet)
        read_connect(websocket)
        assert answer(websocket) == '42["auth",{}]'


def test_the_payload_of_connect_is_the_handshakes_auth(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send('40{"token":"123"}')
        read_connect(websocket)
        assert answer(websocket) == '42["auth",{"token":"123"}]'


def test_a_client_connects_over_polling_as_well(server: Server) -> None:
    with server.open_polling() as session:
        session.send('40{"token":"123"}')
        read_connect(session)
        assert answer(session) == '42["auth",{"token":"123"}]'


@pytest.mark.parametrize("packet", ["40/custom,", "40/custom", "40/custom,{}"])
def test_a_client_connects_to_a_custom_namespace(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        websocket.send(packet)
        read_connect(websocket, "40/custom,")
        assert answer(websocket) == '42/custom,["auth",{}]'


def test_auth_is_per_namespace(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send('40/custom,{"token":"abc"}')
        read_connect(websocket, "40/custom,")
        assert answer(websocket) == '42/custom,["auth",{"token":"abc"}]'
        connect(websocket)


def test_the_public_id_is_not_the_private_sid_and_differs_per_namespace(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send("40")
        main = read_connect(websocket)
        assert answer(websocket) == '42["auth",{}]'
        websocket.send("40/custom,")
        custom = read_connect(websocket, "40/custom,")
        assert len({main, custom, websocket.sid}) == 3
        assert all(re.fullmatch(r"[\w-]{20}", sid, re.ASCII) for sid in (main, custom))


def test_connect_precedes_whatever_the_connect_handler_emits(server: Server) -> None:
    with server.open_polling() as session:
        session.send("40", "40/custom,")
        packets = [answer(session) for _ in range(4)]
    for prefix in ("/custom,", ""):
        mine = [packet for packet in packets if ("/custom" in packet) == bool(prefix)]
        assert mine[0].startswith(f'40{prefix}{{"sid":"')
        assert mine[1] == f'42{prefix}["auth",{{}}]'


def test_an_unknown_namespace_is_answered_with_connect_error(server: Server) -> None:
    with server.open_websocket() as websocket:
        for packet in ("40/nope,", "40/nope", '40/nope,{"token":1}'):
            websocket.send(packet)
            assert answer(websocket) == '44/nope,{"message":"Invalid namespace"}'
        connect(websocket)


def test_a_refusal_is_answered_with_its_message_and_data(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send('40{"refuse":"go away"}')
        assert answer(websocket) == '44{"message":"go away","data":{"code":7}}'
        websocket.send('40/custom,{"refuse":"go away"}')
        assert answer(websocket) == '44/custom,{"message":"go away","data":{"code":7}}'


def test_a_refused_client_may_try_again(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send('40{"refuse":"no"}')
        assert answer(websocket).startswith("44")
        connect(websocket)
        websocket.send('42["message",1]')
        assert answer(websocket) == '42["message-back",1]'


def test_a_refused_client_has_no_socket(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send('40{"refuse":"no"}')
        assert answer(websocket).startswith("44")
        websocket.send('42["message",1]')
        with pytest.raises(Closed):
            websocket.receive()


@pytest.mark.parametrize("payload", ["[]", '"x"', "true", "null", "{", "abc", '{"a":1}x'])
def test_a_connect_payload_that_is_no_object_closes_the_connection(server: Server, payload: str) -> None:
    with server.open_websocket() as websocket:
        websocket.send(f"40{payload}")
        assert websocket.receive_close() is not None


def test_a_client_that_joins_no_namespace_in_time_is_closed(serve: Serve) -> None:
    server = serve(http_compression=False, connect_timeout=0.3)
    with server.open_websocket() as websocket:
        assert websocket.receive_close() is not None
    with server.open_polling() as session:
        assert session.poll().text == "1"
        assert session.poll().status == 400


def test_a_client_that_has_joined_is_not_closed_by_the_connect_timeout(serve: Serve) -> None:
    server = serve(http_compression=False, connect_timeout=0.3)
    with server.open_websocket() as websocket:
        connect(websocket)
        assert not websocket.connection.has_input(0.8)
        assert websocket.is_alive()


def test_a_second_connect_to_a_joined_namespace_closes_the_connection(server: Server) -> None:
    for first, second in (("40", "40"), ("40/custom,", "40/custom,"), ("40", '40{"a":1}')):
        with server.open_websocket() as websocket:
            websocket.send(first)
            assert answer(websocket).startswith("40")
            assert answer(websocket).startswith("42")
            websocket.send(second)
            assert websocket.receive_close() is not None
