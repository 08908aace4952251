"""The bytes of the comparison: frames that are made once, and the check that a client receives exactly its own.

Pure: knows no socket and no clock. What is sent goes round in PERIOD messages that differ in a number, so what has to
come back is known before, byte by byte. To check a whole segment is one comparison of memory; only where a ping of the
server came between, or messages changed places, are frames looked at one by one.
"""

from __future__ import annotations

PERIOD = 16
#: What one recv() asks for; messages are shorter.
MOST = 65535
PING, PONG = b"2", b"3"
_KEY = b"\x37\xfa\x21\x3d"
_TEXT, _CLOSE = 0x81, 0x88


class LoadError(Exception):
    """The server did not do what it has to: a message is missing, wrong or twice, or a connection ended."""


def _head(length: int, mask: int) -> bytes:
    if length < 126:
        return bytes((_TEXT, mask | length))
    return bytes((_TEXT, mask | 126)) + length.to_bytes(2, "big")


def masked(payload: bytes) -> bytes:
    """A text frame as a client sends it."""
    length = len(payload)
    key = (_KEY * (length // 4 + 1))[:length]
    covered = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
    return _head(length, 0x80) + _KEY + covered


def plain(payload: bytes) -> bytes:
    """A text frame as a server sends it."""
    return _head(len(payload), 0) + payload


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The payloads of a server's whole frames, and the bytes after them.

    Raises:
        LoadError: the server closes, or sends what no server of the comparison has a reason to send
    """
    payloads, at = [], 0
    while len(data) - at >= 2:
        if data[at] != _TEXT:
            raise LoadError("the server closed" if data[at] == _CLOSE else f"a frame that begins with {data[at]:#x}")
        length, start = data[at + 1], at + 2
        if length == 126:
            start += 2
            length = int.from_bytes(data[at + 2 : start], "big")
        if len(data) < start + length:
            break
        payloads.append(data[start : start + length])
        at = start + length
    return payloads, data[at:]


class Stream:
    """PERIOD messages of one length that a client has to receive again and again; shared by all clients."""

    __slots__ = ("frame", "payloads", "round", "wire")

    def __init__(self, payloads: list[bytes]) -> None:
        frames = [plain(payload) for payload in payloads]
        self.payloads = payloads
        self.frame = len(frames[0])
        self.round = self.frame * len(frames)
        # Wherever in a round a segment begins, it can be compared as a whole.
        self.wire = b"".join(frames) * (MOST // self.round + 2)
        assert {len(frame) for frame in frames} == {self.frame}


class Expected:
    """What one client has received of its stream: `count` whole messages, and `pings` that want an answer.

    Of these messages `swapped` came at the place of another one: not every server keeps the order. Each still has to
    come once: then `balance` is empty, which says of each message that it came too often, or too rarely.
    """

    __slots__ = ("_offset", "_rest", "_stream", "balance", "count", "pings", "swapped")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._offset = 0
        self._rest = b""
        self.count = 0
        self.pings = 0
        self.swapped = 0
        self.balance: dict[bytes, int] = {}

    def feed(self, data: bytes) -> int:
        """Take what came; how many messages have been completed by it.

        Raises:
            LoadError: it is no message of the stream
        """
        stream = self._stream
        if not self._rest and stream.wire.startswith(data, self._offset):
            whole = (self._offset % stream.frame + len(data)) // stream.frame
            self._offset = (self._offset + len(data)) % stream.round
            self.count += whole
            return whole
        return self._one_by_one(data)

    def _one_by_one(self, data: bytes) -> int:
        stream = self._stream
        if begun := self._offset % stream.frame:
            # The beginning of a frame was accepted: it was equal to what it had to be.
            self._rest = stream.wire[self._offset - begun : self._offset]
            self._offset -= begun
        payloads, self._rest = split(self._rest + data)
        whole = 0
        for payload in payloads:
            if payload == PING:
                self.pings += 1
                continue
            wanted = stream.payloads[self._offset // stream.frame]
            if payload != wanted:
                self._swap(payload, wanted)
            whole += 1
            self._offset = (self._offset + stream.frame) % stream.round
        self.count += whole
        return whole

    def _swap(self, came: bytes, wanted: bytes) -> None:
        if came not in self._stream.payloads:
            raise LoadError(f"came {came[:40]!r}, wanted {wanted[:40]!r}")
        self.swapped += 1
        for payload, step in ((came, 1), (wanted, -1)):
            self.balance[payload] = self.balance.get(payload, 0) + step
            if not self.balance[payload]:
                del self.balance[payload]
