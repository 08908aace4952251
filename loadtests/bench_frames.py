"""What the WebSocket layer's pure part costs for each frame.

    python loadtests/bench_frames.py [pyperf's options]

Chunked: as the kernel may hand it over, 8 KiB at a time (64 KiB), or many frames in one read (47 B).
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from flask_socketio_py.websocket.frames import BINARY, encode_frame, unmask, unmask_slowly
from flask_socketio_py.websocket.protocol import Protocol
from loadtests.inprocess import masked
from loadtests.measure import Bench, Timed, calling, of_call, run_as_script

SMALL, LARGE, CHUNK = 47, 65536, 8192
MANY = CHUNK // (SMALL + 6)
KEY = b"\x01\x02\x03\x04"
ASCII = b"x" * LARGE
MIXED = ("x" * 13 + "é").encode() * (LARGE // 15)


def receiving(name: str, stream: bytes, chunk: int, count: int = 1) -> Bench:
    """Feed a stream of ``count`` frames in chunks."""

    def make(stack: ExitStack) -> Timed:
        feed = Protocol(2**20).feed
        chunks = [stream[start : start + chunk] for start in range(0, len(stream), chunk)]
        assert sum(len(feed(part)) for part in chunks) == count
        if len(chunks) == 1:
            return calling(feed, stream)

        def work() -> None:
            for part in chunks:
                feed(part)

        return calling(work)

    return Bench(name, make, count)


BENCHES: list[Bench] = [
    receiving("receive 47 B, one a chunk", masked(b"x" * SMALL), CHUNK),
    receiving(f"receive 47 B, {MANY} a chunk", masked(b"x" * SMALL) * MANY, CHUNK, MANY),
    receiving("receive 47 B, byte by byte", masked(b"x" * SMALL), 1),
    receiving("receive 64 KiB, whole", masked(ASCII), 2 * LARGE),
    receiving("receive 64 KiB, 8 KiB chunks", masked(ASCII), CHUNK),
    receiving("receive 64 KiB, not ASCII", masked(MIXED), 2 * LARGE),
    receiving("receive 64 KiB, not ASCII, 8 KiB chunks", masked(MIXED), CHUNK),
    receiving("receive 64 KiB binary, 8 KiB chunks", masked(ASCII, BINARY), CHUNK),
    of_call("encode 47 B", encode_frame, b"x" * SMALL),
    of_call("encode 64 KiB", encode_frame, ASCII),
    of_call("unmask 47 B", unmask, b"x" * SMALL, KEY),
    of_call("unmask 64 KiB", unmask, ASCII, KEY),
    of_call("unmask 64 KiB without the C function", unmask_slowly, ASCII, KEY),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
