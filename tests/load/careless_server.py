"""A server that makes one mistake on purpose, so that it can be seen whether a load generator notices.

One thread for each connection, blocking; it knows just enough of WebSocket and Socket.IO to be taken for a server.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator

OPEN = b'0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
#: What becomes of the tenth acknowledgement.
MISTAKES: dict[str, Callable[[bytes], list[bytes]]] = {
    "none": lambda answer: [answer],
    "ping": lambda answer: [b"2", answer],
    "lost": lambda answer: [],
    "twice": lambda answer: [answer, answer],
    "wrong id": lambda answer: [answer.replace(b"43", b"439", 1)],
    "wrong data": lambda answer: [answer.replace(b"x", b"y", 1)],
    "closed": lambda answer: [b""],
}


def framed(payload: bytes) -> bytes:
    """A server's frame; an empty payload: the one that closes."""
    return bytes((0x81, len(payload))) + payload if payload else b"\x88\x00"


class Talk(socketserver.StreamRequestHandler):
    """One connection."""

    server: CarelessServer

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        self.wfile.write(framed(OPEN))
        with contextlib.suppress(ConnectionError):
            count = 0
            while head := self.rfile.read(2):
                key = self.rfile.read(4)
                covered = self.rfile.read(head[1] & 127)
                payload = bytes(byte ^ key[at % 4] for at, byte in enumerate(covered))
                if payload == b"3":
                    self.server.pongs += 1
                elif payload == b"40":
                    self.wfile.write(framed(b'40{"sid":"y"}'))
                else:
                    count += 1
                    answer = payload.replace(b"42", b"43", 1).replace(b'"echo",', b"")
                    answers = MISTAKES[self.server.mistake](answer) if count == 10 else [answer]
                    for each in answers:
                        self.wfile.write(framed(each))


class CarelessServer(socketserver.ThreadingTCPServer):
    """On a free port; counts the answers to its pings."""

    daemon_threads = True
    # Its threads end with their connections, which are the test's.
    block_on_close = False

    def __init__(self, mistake: str) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.mistake = mistake
        self.pongs = 0


@contextlib.contextmanager
def careless(mistake: str) -> Iterator[CarelessServer]:
    """Serve."""
    with CarelessServer(mistake) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
