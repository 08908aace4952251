"""Protocol: bytes in; messages, control replies and the end out. Fragments, UTF-8, limits. No I/O. RFC 6455, 5 to 8;
RFC 7692, 7.2.2 (messages that come compressed).

What a peer does wrong ends the connection here with the protocol's own close code; nothing is raised. Nothing is
allocated for what a peer only announces, and a payload is unmasked and checked as it arrives: bad UTF-8 is refused at
once, not when the message is complete.
"""

from __future__ import annotations

import zlib
from codecs import utf_8_decode
from collections.abc import Iterable

from .extensions import Inflation, TooBigError
from .frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_CONTROL,
    PING,
    PONG,
    RSV1,
    TEXT,
    CloseCode,
    encode_close,
    encode_frame,
    unmask,
    valid_close_code,
)

_WHOLE_TEXT = 0x81  # first byte of a text frame that is a message
_WHOLE_BINARY = 0x82
_MASKED_16 = 0xFE  # second byte of a masked frame with a 16-bit length
#: From here on a view is cheaper than a copy.
_LARGE = 1024

#: Most fragments a message may come in.
MAX_FRAGMENTS = 16384


class _Violation(Exception):
    """The peer broke the protocol."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Protocol:
    """The receiving side of one connection.

    After :meth:`feed`, ``replies`` holds frames to write (take them and set it back to ``b""``). ``close_code`` is set
    once the peer has closed, or broken the protocol (``failed``); nothing more is received then. ``window_bits`` is
    what permessage-deflate was agreed with, 0 where it was not.
    """

    __slots__ = (
        "_final",
        "_fragments",
        "_held",
        "_inflation",
        "_key",
        "_left",
        "_max_fragments",
        "_max_payload",
        "_message",
        "_tail",
        "_text",
        "_whole",
        "_window_bits",
        "close_code",
        "close_reason",
        "close_sent",
        "failed",
        "replies",
    )

    def __init__(self, max_payload: int, max_fragments: int = MAX_FRAGMENTS, window_bits: int = 0) -> None:
        self._max_payload = max_payload
        self._max_fragments = max_fragments
        self._window_bits = window_bits
        # The longest chunk that may be taken for one whole frame at once: -1 in the midst of anything.
        self._whole = max_payload
        # The start of a frame whose head is not complete, or of a control frame: some 130 bytes at most.
        self._held = b""
        # The message under way, unmasked and inflated: how many frames it came in so far, whether it is text, of text
        # the bytes at its end that may become a character, and what inflates it if it is compressed.
        self._message: bytearray | None = None
        self._fragments = 0
        self._text = False
        self._tail = b""
        self._inflation: Inflation | None = None
        # The data frame under way: its bytes still to come, the key turned to the next of them, whether it is the last.
        self._left = 0
        self._key = b""
        self._final = False
        self.replies = b""
        self.close_code: int | None = None
        self.close_reason = ""
        self.close_sent = False
        self.failed = False

    def feed(self, data: bytes) -> list[str | bytes]:
        """Receive bytes; returns the messages they complete: text as ``str``, binary as ``bytes``."""
        size = len(data)
        # Nearly every chunk is one whole text frame, with a 7-bit or (the longer ones) a 16-bit length.
        if 5 < size <= self._whole and data[0] == _WHOLE_TEXT:
            try:
                if data[1] == size + 122:  # masked, size - 6
                    if size < 132:
                        return [unmask(data[6:], data[2:6]).decode()]
                elif data[1] == _MASKED_16 and size > 133 and data[2] << 8 | data[3] == size - 8:
                    return [unmask(data[8:] if size < _LARGE else memoryview(data)[8:], data[4:8]).decode()]
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_PAYLOAD, "invalid UTF-8")
                return []
        return self._receive(data) if self.close_code is None else []

    def send_close(self, code: int, reason: str = "") -> bytes:
        """The frame that begins the closing handshake; the peer's answer needs no echo then."""
        self.close_sent = True
        return encode_close(code, reason)

    def _receive(self, data: bytes) -> list[str | bytes]:
        messages: list[str | bytes] = []
        replies: list[bytes] = []
        try:
            self._parse(data, messages, replies)
        except _Violation as violation:
            self._fail(violation.code, violation.reason, replies)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_PAYLOAD, "invalid UTF-8", replies)
        except TooBigError:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "the message is too big", replies)
        except zlib.error:
            self._fail(CloseCode.INVALID_PAYLOAD, "invalid compressed data", replies)
        else:
            busy = self._held or self._message is not None or self.close_code is not None
            self._whole = -1 if busy else self._max_payload
            if replies:
                self.replies += b"".join(replies)
        return messages

    def _parse(self, data: bytes, messages: list[str | bytes], replies: list[bytes]) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        position, end = 0, len(data)
        if self._left and (position := self._take(data, 0, messages)) == end:
            return
        while end - position > 1:
            first, second = data[position], data[position + 1]
            start = position + 6
            length = second - 128
            if first == _WHOLE_TEXT and 0 <= length < 126 and self._message is None:
                stop = start + length
                if stop <= end and length <= self._max_payload:
                    messages.append(unmask(data[start:stop], data[position + 2 : start]).decode())
                    position = stop
                    continue
            self._check_head(first, second)
            if length > 125:
                start += 2 if length == 126 else 8
                if end < start - 4:
                    break
                length = _length(data[position + 2 : start - 4])
            stop = start + length
            if first & CLOSE:  # the bit that makes an opcode a control frame's
                if end < stop:
                    break
                payload = unmask(data[start:stop], data[start - 4 : start])
                reply = self._control(first & 15, payload)
                if reply:
                    replies.append(reply)
                if self.close_code is not None:
                    return
                position = stop
            else:
                message = self._message
                # A compressed message may be longer than what it holds; its inflation keeps the count.
                if (
                    length + (len(message) if message else 0) > self._max_payload
                    and not first & RSV1
                    and self._inflation is None
                ):
                    raise _Violation(CloseCode.MESSAGE_TOO_BIG, "the message is too big")
                if end < start:
                    break
                if message is None and first > 127 and stop <= end:
                    view = memoryview(data)[start:stop] if length > _LARGE else data[start:stop]
                    payload = unmask(view, data[start - 4 : start])
                    if first == _WHOLE_TEXT:
                        messages.append(payload.decode())
                    else:
                        messages.append(payload if first == _WHOLE_BINARY else self._inflate(first, payload))
                    position = stop
                else:
                    self._begin(first, length, data[start - 4 : start])
                    position = self._take(data, start, messages)
        if position < end:
            self._held = data[position:]

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 15
        if first & 0x70 and (first & 0x70 != RSV1 or not self._window_bits or not 0 < opcode < CLOSE):
            raise _Violation(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
        if second < 128:
            raise _Violation(CloseCode.PROTOCOL_ERROR, "a frame that is not masked")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise _Violation(CloseCode.PROTOCOL_ERROR, "a reserved opcode")
            if first < 128 or second & 127 > MAX_CONTROL:
                raise _Violation(CloseCode.PROTOCOL_ERROR, "a control frame that is fragmented or too long")
        elif opcode > BINARY:
            raise _Violation(CloseCode.PROTOCOL_ERROR, "a reserved opcode")
        elif (opcode == CONTINUATION) != (self._message is not None):
            raise _Violation(CloseCode.PROTOCOL_ERROR, "a continuation of nothing, or a message inside a message")

    def _begin(self, first: int, length: int, key: bytes) -> None:
        """A data frame that is no message by itself, or not complete: from now on its bytes are taken as they come."""
        if self._message is None:
            self._message = bytearray()
            self._text = first & 15 == TEXT
            self._fragments = 0
            if first & RSV1:
                self._inflation = Inflation(self._window_bits, self._max_payload)
        if self._inflation is not None:
            self._inflation.expect(length)
        self._fragments += 1
        if self._fragments > self._max_fragments:
            raise _Violation(CloseCode.POLICY_VIOLATION, "too many fragments")
        self._left = length
        self._key = key
        self._final = first > 127

    def _take(self, data: bytes, start: int, messages: list[str | bytes]) -> int:
        """Take what ``data`` has of the frame under way; returns where the next frame starts."""
        message, left, key = self._message, self._left, self._key
        assert message is not None
        size = len(data) - start
        if size > left:
            size = left
            part = unmask(memoryview(data)[start : start + size], key)
        else:
            part = unmask(memoryview(data)[start:] if start else data, key)
        if size & 3:
            self._key = key[size & 3 :] + key[: size & 3]
        self._left = left = left - size
        if self._inflation is not None:
            part = self._inflation.take(part, self._final and not left)
        message += part
        if self._text and (self._tail or not part.isascii()):
            part = self._tail + part
            self._tail = part[utf_8_decode(part, "strict", False)[1] :]
        if self._final and not left:
            messages.append(message.decode() if self._text else bytes(message))
            self._message, self._inflation, self._tail, self._key = None, None, b"", b""
        return start + size

    def _inflate(self, first: int, payload: bytes) -> str | bytes:
        """A compressed message in a single frame."""
        inflation = Inflation(self._window_bits, self._max_payload)
        inflation.expect(len(payload))
        inflated = inflation.take(payload, True)
        return inflated.decode() if first & 15 == TEXT else inflated

    def _control(self, opcode: int, payload: bytes) -> bytes:
        """Handle a control frame; returns the frame that answers it, if any."""
        if opcode == PING:
            return encode_frame(payload, PONG)
        if opcode == PONG:
            return b""
        code, reason = int(CloseCode.NO_STATUS), ""
        if payload:
            code = int.from_bytes(payload[:2], "big")  # half a code is below all that are valid
            if not valid_close_code(code):
                raise _Violation(CloseCode.PROTOCOL_ERROR, "an invalid close code")
            reason = payload[2:].decode()
        self._end(code, reason)
        return b"" if self.close_sent else encode_frame(payload[:2], CLOSE)

    def _fail(self, code: CloseCode, reason: str, replies: Iterable[bytes] = ()) -> None:
        self._end(int(code), reason)
        self.failed = True
        self.replies = b"".join((self.replies, *replies, b"" if self.close_sent else encode_close(code, reason)))

    def _end(self, code: int, reason: str) -> None:
        """Nothing more is received, and nothing is kept of what was under way."""
        self.close_code, self.close_reason = code, reason
        self._message, self._inflation, self._left, self._whole = None, None, 0, -1
        self._held = self._tail = self._key = b""


def _length(field: bytes) -> int:
    """The payload length of a frame from its 16-bit or 64-bit field."""
    length = int.from_bytes(field, "big")
    if length < (126 if len(field) == 2 else 65536) or length >> 63:
        raise _Violation(CloseCode.PROTOCOL_ERROR, "a length that is not minimal, or beyond 63 bits")
    return length
