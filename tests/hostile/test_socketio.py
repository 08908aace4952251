"""Socket.IO packets out of turn or out of measure: namespaces, connects, names of events, acks."""

from __future__ import annotations

import json

import pytest
from conformance.raw import TEXT, Closed, WebSocket, encode_frame, wait_until

from .conftest import SECRET, Victim

OPTIONS = {"connect_timeout": 1}


def is_served(websocket: WebSocket) -> bool:
    """Whether this very client still is, by an echo; what else arrives first is skipped."""
    try:
        websocket.send('4277["echo","still"]')
        while websocket.receive() != '4377["still"]':
            pass
    except (Closed, ConnectionError):
        return False
    return True


def test_clients_that_never_join_are_closed_by_the_connect_timeout(victim: Victim) -> None:
    websockets = [victim.open_websocket() for _ in range(20)]
    for websocket in websockets:
        websocket.receive_close()
        websocket.connection.close()
    with victim.open_polling() as session:
        assert session.poll().text == "1"


def test_thousands_of_namespaces_are_refused_or_capped(victim: Victim) -> None:
    with victim.join() as websocket:
        try:
            for start in range(0, 10_000, 500):
                frames = [encode_frame(TEXT, f"40/{number},".encode()) for number in range(start, start + 500)]
                websocket.connection.send(b"".join(frames))
                for number in range(start, start + 500):
                    assert websocket.receive() == f'44/{number},{{"message":"Invalid namespace"}}'
        except (Closed, ConnectionError):
            assert victim.process.poll() is None
        assert victim.stats()["sockets"] <= 2


@pytest.mark.parametrize(
    "name",
    ["/" + "a" * 90_000, "/a\nb", "/\x00", "/__class__", "/\u0661", "/*", "/?x=1", "//", "/ ", "/..", "/class?a=1"],
    ids=lambda name: repr(name[:12]),
)
def test_a_strange_namespace_is_invalid(victim: Victim, name: str) -> None:
    with victim.join() as websocket:
        websocket.send(f"40{name},")
        try:
            packet = websocket.receive()
            assert isinstance(packet, str)
            assert packet.startswith("44")
            assert "Invalid namespace" in packet
            assert len(packet) < 100_000
        except (Closed, ConnectionError):
            assert victim.process.poll() is None


@pytest.mark.parametrize(
    "packet", ['42["ask"]', '4210["echo",1]', "430[]", "41", '451-["ask",{"_placeholder":true,"num":0}]']
)
def test_nothing_is_handled_before_connect(victim: Victim, packet: str) -> None:
    reached = victim.stats()["reached"]
    with victim.open_websocket() as websocket:
        websocket.send(packet)
        websocket.connection.send(encode_frame(2, b"\x01"))
        websocket.receive_close()
    assert victim.stats()["reached"] == reached


def test_two_connects_at_once_make_one_socket(victim: Victim) -> None:
    before = victim.stats()["reached"]["connect"]
    with victim.open_websocket() as websocket:
        connects = encode_frame(TEXT, b'40{"behaviour":"slow"}') * 3
        websocket.connection.send(connects)
        answers = 0
        try:
            while True:
                packet = websocket.receive()
                assert isinstance(packet, str)
                answers += packet.startswith('40{"sid"')
        except (Closed, ConnectionError):
            assert answers <= 1
    assert victim.stats()["reached"]["connect"] == before + 1


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_that_leaves_while_its_connect_handler_runs_leaves_nothing(victim: Victim, transport: str) -> None:
    reached = victim.stats()["reached"]["connect"]
    for _ in range(5):
        if transport == "websocket":
            with victim.open_websocket() as websocket:
                websocket.send('40{"behaviour":"slow"}')
        else:
            with victim.open_polling() as session:
                session.send('40{"behaviour":"slow"}')
                session.send("1")
    wait_until(lambda: victim.stats()["reached"]["connect"] == reached + 5, "the handlers have started")


def test_an_exception_in_the_connect_handler_is_answered_and_leaves_nothing(victim: Victim) -> None:
    for _ in range(3):
        with victim.open_websocket() as websocket:
            websocket.send('40{"behaviour":"raise"}')
            packet = websocket.receive()
            assert isinstance(packet, str)
            assert packet.startswith("44")
            assert "on purpose" not in packet
            assert "RuntimeError" not in packet


def test_a_socket_disconnected_in_its_connect_handler_leaves_nothing(victim: Victim) -> None:
    with victim.open_websocket() as websocket:
        websocket.send('40{"behaviour":"leave"}')
        websocket.receive()


def test_an_exception_in_a_handler_tells_the_client_nothing_and_ends_nothing(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send('421["raise"]')
        assert is_served(websocket)


@pytest.mark.parametrize(
    "name",
    [
        "error", "__class__", "__init__", "__dict__", "_private", "helper", "secret", "trigger_event", "emit", "send",
        "on_echo", "close_room", "server", "namespace", "_hidden", "echo.__call__", "*", "", " ", "connect\u0000",
        "disconnect ", "\u0000", "a" * 100_000, "../echo", "echo\n", "ECHO", "\u202eecho",
    ],
    ids=lambda name: repr(name[:12]),
)  # fmt: skip
def test_an_event_only_reaches_what_was_registered_for_it(victim: Victim, name: str) -> None:
    with victim.join() as websocket:
        websocket.send("40/class,")
        packet = websocket.receive()
        assert isinstance(packet, str)
        assert packet.startswith("40/class,")
        reached = {
            key: count for key, count in victim.stats()["reached"].items() if key not in {"connect", "disconnect"}
        }
        for prefix in ("", "/class,"):
            websocket.send(f"42{prefix}{json.dumps([name, SECRET])}")
            websocket.send(f"42{prefix}9{json.dumps([name])}")
        assert is_served(websocket)
        after = {key: count for key, count in victim.stats()["reached"].items() if key not in {"connect", "disconnect"}}
        after.pop("hidden", None)
        reached.pop("hidden", None)
        assert after == reached


@pytest.mark.parametrize("arguments", ["", ",1,2,3,4,5", ",null,null"])
def test_a_wrong_number_of_arguments_ends_nothing(victim: Victim, arguments: str) -> None:
    with victim.join() as websocket:
        websocket.send(f'42["strict"{arguments}]')
        assert is_served(websocket)
        websocket.send('421["strict","right"]')
        assert websocket.receive() == '431["right"]'


@pytest.mark.parametrize(
    "number", ["0", "00", "1" * 15, "9" * 16, "9" * 30, "1" * 400, "1" * 5000, "1" * 90_000, "-1", "+1", "1e5", "0x1"]
)
@pytest.mark.parametrize("kind", ["2", "3"])
def test_an_ack_id_of_any_size_ends_at_most_the_connection(victim: Victim, kind: str, number: str) -> None:
    with victim.join() as websocket:
        websocket.send(f'4{kind}{number}["echo"]')
        is_served(websocket)


@pytest.mark.parametrize("number", ["\u00b2", "\u0663", "\uff11", "1_0", " 1"])
def test_digits_that_are_not_ascii_are_no_ack_id(victim: Victim, number: str) -> None:
    with victim.join() as websocket:
        websocket.send(f'42{number}["echo"]')
        assert websocket.receive_close() is not None


def test_acks_nobody_asked_for_are_ignored(victim: Victim) -> None:
    with victim.join() as websocket:
        for number in [*range(200), 2**31, 2**53]:
            websocket.send(f"43{number}[1,2,3]")
        assert is_served(websocket)


def test_an_ack_given_twice_counts_once(victim: Victim) -> None:
    before = victim.stats()["reached"].get("answer", 0)
    with victim.join() as websocket:
        websocket.send('42["ask"]')
        packet = websocket.receive()
        assert isinstance(packet, str)
        number = packet[2 : packet.index("[")]
        for _ in range(5):
            websocket.send(f"43{number}[1]")
        assert is_served(websocket)
    assert victim.stats()["reached"]["answer"] == before + 1


def test_questions_never_answered_are_forgotten_with_their_client(victim: Victim) -> None:
    with victim.join() as websocket:
        for _ in range(200):
            websocket.send('42["ask"]')
        assert is_served(websocket)


def test_connecting_and_leaving_in_haste_leaves_nothing(victim: Victim) -> None:
    with victim.open_websocket() as websocket:
        websocket.connection.send((encode_frame(TEXT, b"40/class,") + encode_frame(TEXT, b"41/class,")) * 200)
        websocket.send_close()
        websocket.receive_close()


def test_a_flood_of_slow_events_is_not_a_flood_of_handlers(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.connection.sock.settimeout(3)
        try:
            for _ in range(20):
                websocket.connection.send(encode_frame(TEXT, b'42["nap",0.1]') * 100)
        except TimeoutError:
            # It is not read any more: that is the back-pressure asked for.
            pass
        assert victim.stats()["greenlets"] < victim.baseline["greenlets"] + 300
        websocket.connection.reset()
