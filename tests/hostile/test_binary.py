"""Attachments: announced and never sent, too many, too few, too large; placeholders that point elsewhere."""

from __future__ import annotations

import pytest
from conformance.raw import BINARY, Closed, encode_frame

from .conftest import SECRET, Victim

PLACE = '{"_placeholder":true,"num":0}'


@pytest.mark.parametrize(
    "announced",
    [
        "0",
        "-1",
        "11",
        "12",
        "99",
        "5999999999",
        "9" * 400,
        "9" * 5000,
        "1e1",
        "0x1",
        "1_0",
        "\u0661",
        "\u00b2",
        "+1",
        "",
        "1-",
    ],
    ids=lambda announced: repr(announced[:10]),
)
@pytest.mark.parametrize("kind", ["5", "6"])
def test_an_illegal_number_of_attachments_closes_the_connection(victim: Victim, kind: str, announced: str) -> None:
    with victim.join() as websocket:
        websocket.send(f'4{kind}{announced}-1["echo",{PLACE}]')
        assert websocket.receive_close() is not None


@pytest.mark.parametrize("how", ["close", "reset"])
def test_attachments_that_never_arrive_are_forgotten_with_their_client(victim: Victim, how: str) -> None:
    for _ in range(10):
        with victim.join() as websocket:
            websocket.send(f'4510-["echo",{PLACE}]')
            websocket.send(SECRET.encode() * 1000)
            getattr(websocket.connection, how)()
        with victim.join_polling() as session:
            session.send(f'453-["echo",{PLACE}]', "bAAAA")


def test_ten_attachments_of_full_size_hold_no_memory_once_their_client_is_gone(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send(f'4510-["echo",{PLACE}]')
        try:
            for _ in range(9):
                websocket.connection.send(encode_frame(BINARY, b"x" * 999_000))
        except ConnectionError:
            return
        assert victim.stats()["sessions"] >= 0


@pytest.mark.parametrize(
    "number",
    ["1", "-1", "99", '"0"', '"splice"', "true", "false", "null", "1.5", "0.0", "1e400", "[0]", "{}", "9" * 5000],
)
def test_a_placeholder_that_points_elsewhere_closes_the_connection_or_reads_zero(victim: Victim, number: str) -> None:
    with victim.join() as websocket:
        websocket.send(f'451-1["echo",{{"_placeholder":true,"num":{number}}}]')
        websocket.connection.send(encode_frame(BINARY, b"\x01"))
        try:
            answer = websocket.receive()
        except (Closed, ConnectionError):
            return
        assert (number, answer) == ("0.0", f"461-1[{PLACE}]")


def test_a_placeholder_in_an_event_without_attachments_is_data(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send(f'421["echo",{PLACE}]')
        assert websocket.receive() == f"431[{PLACE}]"


def test_two_placeholders_may_not_break_the_count(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send(f'451-1["echo",{PLACE},{PLACE}]')
        websocket.connection.send(encode_frame(BINARY, b"\x01"))
        try:
            answer = websocket.receive()
            assert isinstance(answer, str)
            assert answer.startswith(("461-1[", "462-1["))
        except (Closed, ConnectionError):
            assert victim.process.poll() is None


@pytest.mark.parametrize("depth", [500, 2000, 10_000, 40_000])
def test_a_placeholder_far_down_is_found_or_refused(victim: Victim, depth: int) -> None:
    with victim.join() as websocket:
        websocket.send(f'451-1["echo",{"[" * depth}{PLACE}{"]" * depth}]')
        try:
            websocket.connection.send(encode_frame(BINARY, b"\x01"))
            answer = websocket.receive()
            assert isinstance(answer, str)
            assert answer.startswith("461-1[")
        except (Closed, ConnectionError):
            assert victim.process.poll() is None


def test_many_placeholders_for_one_attachment_do_not_multiply_it(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send(f'451-["no such event",{",".join([PLACE] * 30_000)}]')
        try:
            websocket.connection.send(encode_frame(BINARY, b"x" * 900_000))
            websocket.send('421["echo"]')
            assert websocket.receive() == "431[]"
        except (Closed, ConnectionError):
            assert victim.process.poll() is None
    assert victim.request("GET", "/memory").json()["resident"] < 1_000_000_000


def test_binary_before_connect_is_not_kept(victim: Victim) -> None:
    with victim.open_websocket() as websocket:
        websocket.connection.send(encode_frame(BINARY, b"x" * 900_000))
        assert websocket.receive_close() is not None
    with victim.open_polling() as session:
        session.post(f'451-["echo",{PLACE}]\x1ebAAAA')
        assert victim.request("POST", session.url, body=b"6").status in {200, 400}


def test_attachments_from_two_clients_do_not_mix(victim: Victim) -> None:
    with victim.join() as one, victim.join() as two:
        one.send(f'451-1["echo",{PLACE}]')
        two.send(f'451-1["echo",{PLACE}]')
        two.send(b"two")
        one.send(b"one")
        assert [one.receive(), one.receive()] == [f"461-1[{PLACE}]", b"one"]
        assert [two.receive(), two.receive()] == [f"461-1[{PLACE}]", b"two"]
