"""Compressed messages that explode, lie, never end or are rubbish, against a server that has agreed to compression."""

from __future__ import annotations

import random
import zlib

import pytest
from conformance.raw import BINARY, TEXT, WebSocket, encode_frame

from .attack import survivors
from .conftest import SECRET, Victim
from .mutate import mutations
from .test_fuzz import settle

#: What the victim says stays plain, so that the client of the other tests reads it.
OPTIONS = {"per_message_deflate": {"threshold": 10_000_000}}
OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
RSV1 = 4


def deflate(data: bytes, level: int = 9, times: int = 1) -> bytes:
    """``data``, so many times over, as a client compresses it."""
    compressor = zlib.compressobj(level, wbits=-15)
    parts = [compressor.compress(data) for _ in range(times)]
    return (b"".join(parts) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def send(websocket: WebSocket, opcode: int, payload: bytes, pieces: int = 1) -> None:
    size = max(1, -(-len(payload) // pieces))
    parts = [payload[start : start + size] for start in range(0, len(payload), size)] or [b""]
    for at, part in enumerate(parts):
        rsv = 0 if at else RSV1
        websocket.connection.send(encode_frame(0 if at else opcode, part, fin=at == len(parts) - 1, rsv=rsv))


def resident(victim: Victim) -> int:
    return int(victim.request("GET", "/memory").json()["resident"])


@pytest.mark.parametrize("pieces", [1, 100])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_bomb_of_200_megabytes_is_refused_and_never_inflated(victim: Victim, opcode: int, pieces: int) -> None:
    bomb = deflate(bytes(2**20), times=200)
    assert len(bomb) < 220_000
    before = resident(victim)
    for _ in range(5):
        with victim.open_websocket(headers=OFFER) as websocket:
            try:
                send(websocket, opcode, bomb, pieces)
            except ConnectionError:
                continue
            assert websocket.receive_close() in {None, 1009}
    assert resident(victim) < before + 20_000_000


def test_many_bombs_that_wait_before_they_explode_hold_little(victim: Victim) -> None:
    lit = deflate(bytes(900_000))
    before = resident(victim)
    websockets = [victim.open_websocket(headers=OFFER) for _ in range(30)]
    for websocket in websockets:
        websocket.connection.send(encode_frame(BINARY, lit, fin=False, rsv=RSV1))
    victim.serve_somebody()
    assert resident(victim) < before + 30 * 1_000_000 + 30_000_000, "no more than as many plain messages under way"
    for websocket in websockets:
        websocket.connection.reset()


def test_a_message_within_the_limit_that_is_a_bomb_of_json_is_no_event(victim: Victim) -> None:
    with victim.open_websocket(headers=OFFER) as websocket:
        send(websocket, TEXT, deflate(b"42" + b"[" * 900_000))
        websocket.receive_close()


def test_blocks_that_hold_nothing_are_cut_off(victim: Victim) -> None:
    nothing = b"\0\0\0\xff\xff" * 10_000
    with victim.open_websocket(headers=OFFER) as websocket:
        try:
            websocket.connection.send(encode_frame(TEXT, nothing, fin=False, rsv=RSV1))
            for _ in range(100):
                websocket.connection.send(encode_frame(0, nothing, fin=False))
        except ConnectionError:
            return
        assert websocket.receive_close() in {None, 1009}


def test_events_arrive_whatever_went_before(victim: Victim) -> None:
    """The check that the others attack what they mean to: compressed events are understood."""
    with victim.open_websocket(headers=OFFER) as websocket:
        send(websocket, TEXT, deflate(b"40"))
        assert str(websocket.receive()).startswith("40")
        for pieces in (1, 2, 5):
            send(websocket, TEXT, deflate(b'421["echo","' + b"x" * 300 + b'"]'), pieces)
            assert websocket.receive() == '431["' + "x" * 300 + '"]'


EVENTS = [b"40", b'421["echo",1]', b'42["echo","' + SECRET.encode() * 50 + b'"]', b"3", b"2probe", b'42["ask"]']


@pytest.mark.parametrize("pieces", [1, 3])
def test_mutated_streams_of_deflate(victim: Victim, pieces: int) -> None:
    def outlives(websocket: WebSocket, data: bytes) -> bool:
        try:
            send(websocket, TEXT if len(data) % 3 else BINARY, data, pieces)
        except ConnectionError:
            return False
        return settle(websocket)

    streams = [deflate(event, level) for event in EVENTS for level in (0, 1, 9)]
    inputs = mutations(streams, 2000, seed=7692 + pieces)
    assert 0 < survivors(inputs, lambda: victim.open_websocket(headers=OFFER), outlives) < 2000


def test_random_frames_with_the_bit_of_compression(victim: Victim) -> None:
    source = random.Random(7692)
    for _ in range(600):
        with victim.open_websocket(headers=OFFER) as websocket:
            stream = b"".join(
                encode_frame(
                    source.choice([0, 1, 1, 2, 2, 3, 8, 9, 10]),
                    source.choice([deflate(source.choice(EVENTS)), source.randbytes(source.randrange(100))]),
                    fin=source.random() < 0.8,
                    rsv=source.choice([0, RSV1, RSV1, RSV1, source.randrange(8)]),
                )
                for _ in range(source.randrange(1, 6))
            )
            try:
                websocket.connection.send(stream)
            except ConnectionError:
                continue
            settle(websocket)
