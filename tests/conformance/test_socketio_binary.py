"""Socket.IO 5, BINARY_EVENT and BINARY_ACK: attachments in both directions, on both transports."""

from __future__ import annotations

import pytest

from .launch import FOREIGN, Server
from .raw import WebSocket
from .test_engineio_close import connect
from .test_engineio_polling import join

FIRST = '{"_placeholder":true,"num":0}'
SECOND = '{"_placeholder":true,"num":1}'


def push(websocket: WebSocket, *messages: str | bytes) -> None:
    for message in messages:
        websocket.send(message)


def pull(websocket: WebSocket, count: int) -> list[str | bytes]:
    return [websocket.receive() for _ in range(count)]


def test_an_event_with_binary_travels_as_header_and_attachment_both_ways(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        push(websocket, f'451-["message",{FIRST}]', b"\x01\x02\x03")
        assert pull(websocket, 2) == [f'451-["message-back",{FIRST}]', b"\x01\x02\x03"]


def test_attachments_are_numbered_depth_first(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        nested = f'{{"a":[{FIRST},{{"b":{SECOND}}}]}}'
        push(websocket, f'452-["message",{nested}]', b"one", b"two")
        assert pull(websocket, 3) == [f'452-["message-back",{nested}]', b"one", b"two"]


def test_placeholders_may_come_in_any_order(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        push(websocket, f'452-["message",{SECOND},{FIRST}]', b"one", b"two")
        assert pull(websocket, 3) == [f'452-["message-back",{FIRST},{SECOND}]', b"two", b"one"]


def test_an_attachment_may_be_empty(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        push(websocket, f'451-["message",{FIRST}]', b"")
        assert pull(websocket, 2) == [f'451-["message-back",{FIRST}]', b""]


def test_an_attachment_may_be_large(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        blob = bytes(range(256)) * 380
        push(websocket, f'451-["message",{FIRST}]', blob)
        assert pull(websocket, 2) == [f'451-["message-back",{FIRST}]', blob]


def test_ten_attachments_are_allowed(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        places = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))
        blobs = [bytes([number]) for number in range(10)]
        push(websocket, f'4510-["message",{places}]', *blobs)
        assert pull(websocket, 11) == [f'4510-["message-back",{places}]', *blobs]


def test_an_event_with_binary_and_an_id_is_answered_with_a_binary_ack(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        push(websocket, f'451-789["message-with-ack",{FIRST},"x"]', b"\x01")
        assert pull(websocket, 2) == [f'461-789[{FIRST},"x"]', b"\x01"]


def test_binary_packets_of_a_namespace_carry_its_name(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send("40/custom,")
        assert pull(websocket, 2)[1] == '42/custom,["auth",{}]'
        push(websocket, f'451-/custom,5["message-with-ack",{FIRST}]', b"\x01")
        assert pull(websocket, 2) == [f"461-/custom,5[{FIRST}]", b"\x01"]


def test_the_server_takes_a_binary_ack(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send('42["ask",1]')
        question = websocket.receive()
        assert isinstance(question, str)
        number = question.partition("[")[0][2:]
        push(websocket, f"461-{number}[{FIRST}]", b"\x07")
        assert pull(websocket, 2) == [f'451-["answered",{FIRST}]', b"\x07"]


def test_header_and_attachments_are_adjacent_on_websocket(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send('42["mixed"]')
        assert pull(websocket, 5) == ['42["one",1]', f'452-["two",{FIRST},{SECOND}]', b"\1", b"\2", '42["three",3]']


def test_header_and_attachments_are_adjacent_in_a_polling_payload(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send('42["mixed"]')
        expected = ['42["one",1]', f'452-["two",{FIRST},{SECOND}]', "bAQ==", "bAg==", '42["three",3]']
        assert [session.receive() for _ in expected] == expected


def test_attachments_may_arrive_in_a_later_post(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send(f'452-["message",{FIRST},{SECOND}]')
        session.send("bAQ==")
        session.send("bAg==")
        expected = [f'452-["message-back",{FIRST},{SECOND}]', "bAQ==", "bAg=="]
        assert [session.receive() for _ in expected] == expected


@pytest.mark.parametrize("sender", ["websocket", "polling"])
def test_a_binary_broadcast_reaches_both_transports_in_their_own_form(server: Server, sender: str) -> None:
    with server.open_websocket() as websocket, server.open_polling() as session:
        connect(websocket)
        join(session)
        if sender == "websocket":
            push(websocket, f'451-["shout",{FIRST}]', b"\x00\x01\x02")
        else:
            session.send(f'451-["shout",{FIRST}]', "bAAEC")
        assert pull(websocket, 2) == [f'451-["shout",{FIRST}]', b"\x00\x01\x02"]
        assert [session.receive(), session.receive()] == [f'451-["shout",{FIRST}]', "bAAEC"]


@pytest.mark.skipif(bool(FOREIGN), reason="Node sends them")
def test_more_than_ten_attachments_are_refused_at_the_emit(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send('421["eleven"]')
        assert websocket.receive() == '431["ValueError"]'
