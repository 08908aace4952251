"""What the WebSocket layer's pure part costs: CPU nanoseconds per frame, the least of many rounds.

    python loadtests/micro/frames.py

Chunked: as the kernel may hand it over, 8 KiB at a time (64 KiB), or many frames in one read (47 B).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

from flask_socketio_py.websocket.frames import BINARY, TEXT, encode_frame, unmask, unmask_slowly
from flask_socketio_py.websocket.protocol import Protocol

SMALL, LARGE, CHUNK = 47, 65536, 8192
ROUNDS = 50
#: CPU time that one round may take, in nanoseconds.
ROUND = 4_000_000


def mask_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A frame as a client sends it."""
    frame = encode_frame(payload, opcode)
    key = os.urandom(4)
    start = len(frame) - len(payload)
    return frame[:1] + bytes([frame[1] | 128]) + frame[2:start] + key + unmask(payload, key)


def measure(work: Callable[[], object], frames: int = 1) -> float:
    """Nanoseconds per frame of ``work``, which handles ``frames`` of them."""
    started = time.process_time_ns()
    for _ in range(20):
        work()
    repeat = range(max(1, 20 * ROUND // max(1, time.process_time_ns() - started)))
    least = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        for _ in repeat:
            work()
        least = min(least, (time.process_time_ns() - started) / len(repeat) / frames)
    return least


def receive(stream: bytes, chunk: int, count: int) -> Callable[[], object]:
    """Work that feeds a stream of ``count`` frames in chunks."""
    feed = Protocol(2**20).feed
    chunks = [stream[start : start + chunk] for start in range(0, len(stream), chunk)]
    assert sum(len(feed(part)) for part in chunks) == count
    if len(chunks) == 1:
        return partial(feed, stream)

    def work() -> None:
        for part in chunks:
            feed(part)

    return work


def main() -> None:
    small = b"x" * SMALL
    ascii_text = b"x" * LARGE
    mixed_text = ("x" * 13 + "é").encode() * (LARGE // 15)
    many = CHUNK // (SMALL + 6)
    key = b"\x01\x02\x03\x04"
    results = {
        "receive 47 B, one a chunk": measure(receive(mask_frame(b"x" * SMALL), CHUNK, 1)),
        f"receive 47 B, {many} a chunk": measure(receive(mask_frame(b"x" * SMALL) * many, CHUNK, many), many),
        "receive 47 B, byte by byte": measure(receive(mask_frame(b"x" * SMALL), 1, 1)),
        "receive 64 KiB, whole": measure(receive(mask_frame(ascii_text), 2 * LARGE, 1)),
        "receive 64 KiB, 8 KiB chunks": measure(receive(mask_frame(ascii_text), CHUNK, 1)),
        "receive 64 KiB, not ASCII": measure(receive(mask_frame(mixed_text), 2 * LARGE, 1)),
        "receive 64 KiB, not ASCII, 8 KiB chunks": measure(receive(mask_frame(mixed_text), CHUNK, 1)),
        "receive 64 KiB binary, 8 KiB chunks": measure(receive(mask_frame(ascii_text, BINARY), CHUNK, 1)),
        "encode 47 B": measure(partial(encode_frame, small)),
        "encode 64 KiB": measure(partial(encode_frame, ascii_text)),
        "unmask 47 B": measure(partial(unmask, small, key)),
        "unmask 64 KiB": measure(partial(unmask, ascii_text, key)),
        "unmask 64 KiB without the C function": measure(partial(unmask_slowly, ascii_text, key)),
    }
    for name, nanoseconds in results.items():
        print(f"{name:45} {nanoseconds:10,.0f} ns")


if __name__ == "__main__":
    main()
