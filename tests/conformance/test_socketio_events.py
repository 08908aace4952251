"""Socket.IO 5, EVENT and ACK packets in both directions, without binary."""

from __future__ import annotations

import json

import pytest

from .launch import Server
from .raw import Closed, WebSocket
from .test_engineio_close import connect
from .test_socketio_connect import answer, read_connect


def exchange(websocket: WebSocket, packet: str) -> str:
    websocket.send(packet)
    return answer(websocket)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        ",1",
        ',1,"2",{"3":[true]}',
        ",null",
        ",[]",
        ",{}",
        ",[[1,2],[3]]",
        ",-0.5",
        ",9007199254740991",
        ',"\u20ac\U0001f600\u0000"'.replace("\u0000", "\\u0000"),
        ',"\u2028\u2029\u007f"',
        ',"\\"\\\\"',
        ',{"_placeholder":true,"num":0}',
        ",true,false",
    ],
)
def test_an_event_travels_with_its_arguments_both_ways(server: Server, arguments: str) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        assert exchange(websocket, f'42["message"{arguments}]') == f'42["message-back"{arguments}]'


def test_events_of_a_namespace_carry_its_name(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send("40/custom,")
        read_connect(websocket, "40/custom,")
        assert answer(websocket) == '42/custom,["auth",{}]'
        assert exchange(websocket, '42/custom,["message","x"]') == '42/custom,["message-back","x"]'


def test_json_is_compact_and_text_beyond_ascii_is_left_as_it_is(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        packet = exchange(websocket, '42["message", {"a" : [1, 2] , "\u00e9": "\\u20ac"}]')
        assert packet == '42["message-back",{"a":[1,2],"\u00e9":"\u20ac"}]'


def test_a_lone_surrogate_travels_as_its_escape(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        packet = exchange(websocket, '42["message","a\\ud800b"]')
        assert packet == '42["message-back","a\\ud800b"]'


def test_events_are_handled_in_the_order_in_which_they_were_sent(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        for number in range(50):
            websocket.send(f'42["message",{number}]')
        assert [answer(websocket) for _ in range(50)] == [f'42["message-back",{number}]' for number in range(50)]


def test_an_event_that_nobody_handles_is_ignored(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send('42["no such event",1]')
        websocket.send('4212["no such event",1]')
        assert exchange(websocket, '42["message"]') == '42["message-back"]'


@pytest.mark.parametrize("arguments", ["", ",1", ',1,"2",{"3":[true]}', ",null", ",[1,2]"])
@pytest.mark.parametrize("number", ["0", "1", "456", "9007199254740991"])
def test_an_event_with_an_id_is_answered_with_an_ack_of_that_id(server: Server, number: str, arguments: str) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        packet = exchange(websocket, f'42{number}["message-with-ack"{arguments}]')
        assert packet == f"43{number}[{arguments.lstrip(',')}]"


def test_acks_of_a_namespace_carry_its_name(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send("40/custom,")
        read_connect(websocket, "40/custom,")
        assert answer(websocket) == '42/custom,["auth",{}]'
        assert exchange(websocket, '42/custom,7["message-with-ack",1]') == "43/custom,7[1]"


def ask(websocket: WebSocket, data: int) -> str:
    """Has the server emit with an ack; gives the id it chose."""
    packet = exchange(websocket, f'42["ask",{data}]')
    head, bracket, tail = packet.partition("[")
    assert json.loads(bracket + tail) == ["question", data]
    assert head.startswith("42")
    assert head[2:].isdigit()
    return head[2:]


def test_the_server_asks_with_an_id_and_takes_the_ack(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        number = ask(websocket, 1)
        assert exchange(websocket, f'43{number}["yes",{{"a":1}}]') == '42["answered","yes",{"a":1}]'
        number = ask(websocket, 2)
        assert exchange(websocket, f"43{number}[]") == '42["answered"]'


def test_questions_pending_together_have_their_own_ids_and_any_order(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        numbers = [ask(websocket, data) for data in range(5)]
        assert len(set(numbers)) == 5
        for number in reversed(numbers):
            assert exchange(websocket, f"43{number}[{number}]") == f'42["answered",{number}]'


def test_a_second_ack_of_the_same_id_is_ignored(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        number = ask(websocket, 1)
        assert exchange(websocket, f"43{number}[1]") == '42["answered",1]'
        websocket.send(f"43{number}[2]")
        assert exchange(websocket, '42["message","next"]') == '42["message-back","next"]'


def test_an_ack_of_an_unknown_id_is_ignored(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        for number in ("999", "9007199254740991"):
            websocket.send(f"43{number}[1]")
        assert exchange(websocket, '42["message","next"]') == '42["message-back","next"]'


def test_an_ack_of_id_0_that_was_never_asked_for_harms_nothing(server: Server) -> None:
    with server.open_websocket() as websocket:
        connect(websocket)
        websocket.send("430[]")
        number = ask(websocket, 1)
        assert exchange(websocket, f"43{number}[3]") == '42["answered",3]'


def test_the_ack_of_another_client_does_not_count(server: Server) -> None:
    with server.open_websocket() as one, server.open_websocket() as two:
        connect(one)
        connect(two)
        number = ask(one, 1)
        two.send(f'43{number}["stolen"]')
        assert exchange(two, '42["message","next"]') == '42["message-back","next"]'
        assert exchange(one, f'43{number}["mine"]') == '42["answered","mine"]'


def test_a_broadcast_reaches_every_socket_of_the_namespace_on_both_transports(server: Server) -> None:
    with server.open_websocket() as one, server.open_polling() as two, server.open_websocket() as other:
        connect(one)
        two.send("40")
        read_connect(two)
        assert answer(two) == '42["auth",{}]'
        other.send("40/custom,")
        read_connect(other, "40/custom,")
        assert answer(other) == '42/custom,["auth",{}]'
        one.send('42["shout","\u20ac"]')
        assert answer(one) == answer(two) == '42["shout","\u20ac"]'
        assert exchange(other, '42/custom,["message"]') == '42/custom,["message-back"]'


def test_no_event_is_dispatched_before_connect(server: Server) -> None:
    with server.open_websocket() as websocket:
        websocket.send('42["message"]')
        with pytest.raises(Closed):
            websocket.receive()
