"""Socket.IO 5, packets against the rules: each closes the connection, on both transports, and nothing else happens."""

from __future__ import annotations

import pytest

from .launch import FOREIGN, Server
from .raw import BINARY, encode_frame
from .test_engineio_close import connect, wait_for_reason
from .test_engineio_errors import UNKNOWN_SID, judge
from .test_engineio_polling import join

FIRST = '{"_placeholder":true,"num":0}'

INVALID = [
    "4",
    "4abc",
    "47",
    "49",
    "4-1",
    "42abc",
    "42{}",
    "42[]",
    '42"message"',
    "42null",
    "42true",
    '42["message"',
    '42["message"]x',
    '42["message",]',
    "42['message']",
    "42[{}]",
    "42[null]",
    "42[true]",
    "42[[]]",
    '42[{"toString":"foo"}]',
    '42["connect"]',
    '42["connect_error"]',
    '42["disconnect"]',
    '42["disconnecting"]',
    '42["newListener"]',
    '42["removeListener"]',
    "431{}",
    '431"x"',
    "431x",
    '41{"a":1}',
    "41[]",
    '44"message"',
    '44{"message":"x"}',
    "44",
    '45["message"]',
    '45-["message"]',
    '45x-["message"]',
    '450-["message"]',
    '45-1-["message"]',
    '451.5-["message"]',
    f'4511-["message",{FIRST}]',
    f'459999999999-["message",{FIRST}]',
    "451-{}",
    "451-[]",
    f'451-["connect",{FIRST}]',
    "46-1[1]",
    "460-1[1]",
    '42["message",NaN]',
    '42["message",Infinity]',
    '42["message",-Infinity]',
]
OURS_ONLY = ["42", '40{"a":NaN}', "42/custom"]


@pytest.mark.parametrize("packet", INVALID + ([] if FOREIGN else OURS_ONLY))
def test_an_invalid_packet_closes_the_connection(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send(packet)
        assert websocket.receive_close() is not None


@pytest.mark.parametrize("packet", ["42{}", '42["connect"]', "450-[]", '42["message"', "44"])
def test_an_invalid_packet_over_polling_is_answered_ok_and_closes_with_6_and_1(server: Server, packet: str) -> None:
    with server.open_polling() as session:
        join(session)
        assert session.post(packet).body == b"ok"
        assert session.poll().text == "6\x1e1"
        assert judge(session.poll()) == UNKNOWN_SID


@pytest.mark.parametrize(
    "packet",
    ['42/custom,["message"]', "43/custom,1[]", "41/custom,", '42/nope,["message"]', '42/custom,1["message-with-ack"]'],
)
def test_a_packet_for_a_namespace_that_was_not_joined_closes_the_connection(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send(packet)
        assert websocket.receive_close() is not None


@pytest.mark.parametrize("packet", ['42["message"]', "431[]", "41", '44{"message":"x"}'])
def test_a_packet_before_connect_closes_the_connection(server: Server, packet: str) -> None:
    with server.open_websocket() as websocket:
        websocket.send(packet)
        assert websocket.receive_close() is not None


def test_a_binary_message_without_a_header_closes_the_connection(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send(b"\x01")
        assert websocket.receive_close() is not None
    with server.open_polling() as session:
        join(session)
        assert session.post("bAQ==").body == b"ok"
        assert session.poll().text == "6\x1e1"


def test_a_binary_message_before_connect_closes_the_connection(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.connection.send(encode_frame(BINARY, b"\x01"))
        assert websocket.receive_close() is not None


def test_text_where_an_attachment_is_due_closes_the_connection(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send(f'451-["message",{FIRST}]')
        websocket.send('42["message"]')
        assert websocket.receive_close() is not None


def test_one_attachment_too_many_closes_the_connection(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send(f'451-["message",{FIRST}]')
        websocket.send(b"\x01")
        websocket.send(b"\x02")
        assert websocket.receive_close() is not None


NUMBERS = ["1", "-1", '"0"', '"splice"', "null", "[]", "{}", "1e400"]


@pytest.mark.parametrize("number", NUMBERS + ([] if FOREIGN else ["true", "0.5", "false"]))
def test_a_placeholder_that_points_nowhere_closes_the_connection(server: Server, number: str) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send(f'451-["message",{{"_placeholder":true,"num":{number}}}]')
        websocket.send(b"\x01")
        assert websocket.receive_close() is not None


def test_a_placeholder_without_a_number_closes_the_connection(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send('451-["message",{"_placeholder":true}]')
        websocket.send(b"\x01")
        assert websocket.receive_close() is not None


def test_what_only_resembles_a_placeholder_is_data(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        alike = '{"_placeholder":1,"num":0}'
        websocket.send(f'451-["message",{alike},{FIRST}]')
        websocket.send(b"\x01")
        assert websocket.receive() == f'451-["message-back",{alike},{FIRST}]'
        assert websocket.receive() == b"\x01"


def test_a_closed_connection_takes_its_other_namespaces_along(server: Server) -> None:
    with server.open_websocket() as websocket:
        main = connect(websocket)
        websocket.send("40/custom,")
        packet = websocket.receive()
        assert isinstance(packet, str)
        custom = packet.split('"')[3]
        websocket.send("42{}")
        wait_for_reason(server, main, "forced close", "parse error")
        wait_for_reason(server, custom, "forced close", "parse error")
