"""JSON that Python's parsers treat differently from a browser's: depth, numbers, surrogates, keys."""

from __future__ import annotations

import json

import pytest
from conformance.raw import Closed, WebSocket

from .conftest import Victim


def exchange(victim: Victim, packet: str | bytes) -> str | None:
    """What a client that sends this is answered; None where its connection is closed."""
    with victim.join() as websocket:
        try:
            websocket.send(packet)
            answer = websocket.receive()
        except (Closed, ConnectionError):
            return None
        assert isinstance(answer, str)
        return answer


@pytest.mark.parametrize("depth", [100, 900, 1000, 1100, 5000, 100_000, 490_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_echoed_or_closes_the_connection(
    victim: Victim, depth: int, opening: str, closing: str
) -> None:
    if len(opening) * depth > 900_000:
        depth = 900_000 // len(opening) // 2
    inner = opening * depth + "1" + closing * depth
    answer = exchange(victim, f'421["echo",{inner}]')
    assert answer in {f"431[{inner}]", None}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[{" * 50_000, '["echo",' + "[" * 99_999])
@pytest.mark.parametrize("kind", ["40", "42", "431", "45-1"])
def test_what_opens_and_never_closes_is_refused(victim: Victim, kind: str, text: str) -> None:
    assert exchange(victim, kind + text) is None


@pytest.mark.parametrize(
    "number",
    [
        "9" * 20,
        "9" * 309,
        "9" * 4300,
        "9" * 4301,
        "9" * 100_000,
        "-" + "9" * 5000,
        "1e400",
        "-1e400",
        "1e-400",
        "1" + "0" * 400,
    ],
    ids=lambda number: f"{number[:5]}x{len(number)}",
)
def test_numbers_beyond_every_range_are_echoed_as_json_or_refused(victim: Victim, number: str) -> None:
    answer = exchange(victim, f'421["echo",{number}]')
    if answer is not None:
        # Whatever they became, a browser has to be able to read it.
        json.loads(answer[3:], parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "word", ["NaN", "Infinity", "-Infinity", "nan", "undefined", "None", "True", "0x10", "01", ".5", "1."]
)
def test_words_that_are_no_json_are_refused(victim: Victim, word: str) -> None:
    assert exchange(victim, f'421["echo",{word}]') is None


@pytest.mark.parametrize(
    "text", ["\\ud800", "\\udfff", "\\udc00\\ud800", "a\\ud83d", "\\ud800\\ud800\\udc00", "\\u0000", "\\ud83d\\ude00"]
)
@pytest.mark.parametrize("place", ['"{}"', '{{"{}":1}}', '[["{}"]]'])
def test_lone_surrogates_come_back_as_escapes_on_both_transports(victim: Victim, text: str, place: str) -> None:
    value = place.format(text)
    answer = exchange(victim, f'421["echo",{value}]')
    assert answer is not None
    assert json.loads(answer[3:]) == [json.loads(value)]
    with victim.join_polling() as session:
        session.send(f'421["echo",{value}]')
        assert json.loads(session.receive()[3:]) == [json.loads(value)]


def test_a_lone_surrogate_as_the_events_name_reaches_nobody(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send('42["\\ud800"]')
        websocket.send('421["echo"]')
        assert websocket.receive() == "431[]"


def test_a_lone_surrogate_in_the_namespace_is_invalid(victim: Victim) -> None:
    with victim.open_websocket() as websocket:
        websocket.connection.send(b"\x81\x87\x00\x00\x00\x0040/\xed\xa0\x80,")
        assert websocket.receive_close() == 1007


def test_a_hundred_thousand_keys_are_taken_in_time(victim: Victim) -> None:
    keys = {f"k{number}": 1 for number in range(60_000)}
    answer = exchange(victim, f'421["echo",{json.dumps(keys, separators=(",", ":"))}]')
    assert answer is not None
    assert json.loads(answer[3:]) == [keys]


@pytest.mark.parametrize("key", ["__proto__", "constructor", "__class__", "", "\\u0000", "_placeholder"])
def test_keys_with_a_meaning_elsewhere_are_data_here(victim: Victim, key: str) -> None:
    answer = exchange(victim, f'421["echo",{{"{key}":{{"x":1}},"num":0}}]')
    assert answer == f'431[{{"{key}":{{"x":1}},"num":0}}]'


def test_repeated_keys_are_read_once(victim: Victim) -> None:
    assert exchange(victim, '421["echo",{"a":1,"a":2}]') == '431[{"a":2}]'


@pytest.mark.parametrize(
    "filler", ["1" * 900_000, " " * 900_000, "0" * 900_000, "-" * 900_000, "/" * 900_000, "\t" * 900_000]
)
@pytest.mark.parametrize("start", ["4", "40", "42", "43", "45", "451-", "42/"])
def test_a_megabyte_of_one_character_is_refused_in_linear_time(victim: Victim, start: str, filler: str) -> None:
    with victim.join() as websocket:
        websocket.send(start + filler)
        websocket.send_close()
        websocket.receive_close()


@pytest.mark.parametrize(
    "auth", ["[]", "1", '"x"', "null", "true", '{"a":' * 2000, '{"refuse":{}}', '{"behaviour":[]}']
)
def test_auth_of_any_shape_is_served_or_refused(victim: Victim, auth: str) -> None:
    with victim.open_websocket() as websocket:
        websocket.send("40" + auth)
        try:
            packet = websocket.receive()
        except (Closed, ConnectionError):
            return
        assert isinstance(packet, str)
        assert packet[:2] in {"40", "44"}


def test_whitespace_between_the_parts_is_refused_or_read(victim: Victim) -> None:
    for packet in ('42 ["echo"]', ' 42["echo"]', '4 2["echo"]', '42\n["echo"]', '42["echo"] '):
        with victim.join() as websocket:
            assert isinstance(websocket, WebSocket)
            websocket.send(packet)
            websocket.send_close()
            websocket.receive_close()
