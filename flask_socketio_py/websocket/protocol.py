"""Protocol: bytes in; messages, control replies and the end out. Fragments, UTF-8, limits. No I/O. RFC 6455 sections 5 to 8.

What a peer does wrong ends the connection here with the protocol's own close code; nothing is raised.
"""

from __future__ import annotations

import codecs
from typing import Any

from .frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_CONTROL,
    PING,
    PONG,
    TEXT,
    CloseCode,
    encode_close,
    encode_frame,
    unmask,
    valid_close_code,
)

_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class _Violation(Exception):
    """The peer broke the protocol."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Protocol:
    """The receiving side of one connection.

    After :meth:`feed`, ``replies`` holds frames to write (take them and set it back to ``b""``), and ``close_code`` is set once
    the peer has closed, or broken the protocol (``failed``): then nothing more is received.
    """

    __slots__ = (
        "_buffer",
        "_decoder",
        "_fragments",
        "_max_fragments",
        "_max_payload",
        "_need",
        "_opcode",
        "_size",
        "close_code",
        "close_reason",
        "close_sent",
        "failed",
        "replies",
    )

    def __init__(self, max_payload: int, max_fragments: int = 16384) -> None:
        self._max_payload = max_payload
        self._max_fragments = max_fragments
        # What has arrived of the frame that is not complete, and how many bytes are needed to go on with it.
        self._buffer: bytearray | None = None
        self._need = 0
        # The message under way: its opcode, its fragments, their size, and the decoder of text.
        self._opcode = 0
        self._fragments: list[Any] | None = None
        self._size = 0
        self._decoder: Any = None
        self.replies = b""
        self.close_code: int | None = None
        self.close_reason = ""
        self.close_sent = False
        self.failed = False

    def feed(self, data: bytes) -> list[str | bytes]:
        """Receive bytes; returns the messages they complete: text as ``str``, binary as ``bytes``."""
        if self._buffer is None and self._fragments is None and len(data) > 5 and self.close_code is None:
            # The hot path: one whole masked text frame, alone.
            length = data[1] & 127
            start = 6
            if length == 126:
                length = data[2] << 8 | data[3]
                start = 8 if length > 125 else 0  # 0: not minimal, which is for the careful path to refuse
            if data[0] == 0x81 and data[1] > 127 and start and len(data) == start + length <= self._max_payload:
                try:
                    return [unmask(data[start:], data[start - 4 : start]).decode()]
                except UnicodeDecodeError:
                    self._fail(CloseCode.INVALID_PAYLOAD, "invalid UTF-8")
                    return []
        if self.close_code is not None:
            return []
        buffer = self._buffer
        if buffer is not None:
            buffer += data
            if len(buffer) < self._need:
                return []
            data = bytes(buffer)
            self._buffer = None
        messages: list[str | bytes] = []
        try:
            self._parse(data, messages)
        except _Violation as violation:
            self._fail(violation.code, violation.reason)
        return messages

    def send_close(self, code: int, reason: str = "") -> bytes:
        """The frame that begins the closing handshake; the peer's answer needs no echo then."""
        self.close_sent = True
        return encode_close(code, reason)

    def _parse(self, data: bytes, messages: list[str | bytes]) -> None:
        position, end = 0, len(data)
        self._need = 0
        while end - position >= 2 and self.close_code is None:
            first, second = data[position], data[position + 1]
            length, start = second & 127, position + 6
            self._check_head(first, second)
            if length == 126:
                start += 2
                if end < start - 4:
                    break
                length = data[position + 2] << 8 | data[position + 3]
                if length < 126:
                    raise _Violation(CloseCode.PROTOCOL_ERROR, "a length that is not minimal")
            elif length == 127:
                start += 8
                if end < start - 4:
                    break
                length = int.from_bytes(data[position + 2 : position + 10], "big")
                if length < 65536 or length >> 63:
                    raise _Violation(CloseCode.PROTOCOL_ERROR, "a length that is not minimal")
            if first & 15 < CLOSE and self._size + length > self._max_payload:
                raise _Violation(CloseCode.MESSAGE_TOO_BIG, "the message is too big")
            if end < start + length:
                self._need = start + length - position
                break
            payload = unmask(data[start : start + length], data[start - 4 : start]) if length else b""
            position = start + length
            if first & 15 >= CLOSE:
                self._control(first & 15, payload)
            else:
                message = self._data(first, payload)
                if message is not None:
                    messages.append(message)
        if position < end and self.close_code is None:
            self._buffer = bytearray(data[position:] if position else data)

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 15
        if first & 0x70:
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
        elif (opcode == CONTINUATION) != (self._fragments is not None):
            raise _Violation(CloseCode.PROTOCOL_ERROR, "a continuation of nothing, or a message inside a message")

    def _data(self, first: int, payload: bytes) -> str | bytes | None:
        opcode, final = first & 15, first >= 128
        fragments = self._fragments
        if fragments is None:
            if final:
                return self._text(payload) if opcode == TEXT else payload
            fragments = self._fragments = []
            self._opcode = opcode
            self._decoder = _utf8_decoder() if opcode == TEXT else None
        elif len(fragments) >= self._max_fragments:
            raise _Violation(CloseCode.POLICY_VIOLATION, "too many fragments")
        self._size += len(payload)
        if self._decoder is None:
            fragments.append(payload)
        else:
            try:
                fragments.append(self._decoder.decode(payload, final))
            except UnicodeDecodeError as error:
                raise _Violation(CloseCode.INVALID_PAYLOAD, "invalid UTF-8") from error
        if not final:
            return None
        self._fragments, self._size, self._decoder = None, 0, None
        return "".join(fragments) if self._opcode == TEXT else b"".join(fragments)

    @staticmethod
    def _text(payload: bytes) -> str:
        try:
            return payload.decode()
        except UnicodeDecodeError as error:
            raise _Violation(CloseCode.INVALID_PAYLOAD, "invalid UTF-8") from error

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.replies += encode_frame(payload, PONG)
        elif opcode == CLOSE:
            code, reason = CloseCode.NORMAL, ""
            if payload:
                code = int.from_bytes(payload[:2], "big")  # type: ignore[assignment]
                if len(payload) == 1 or not valid_close_code(code):
                    raise _Violation(CloseCode.PROTOCOL_ERROR, "an invalid close code")
                reason = self._text(payload[2:])
            self.close_code, self.close_reason = int(code), reason
            if not self.close_sent:
                self.replies += encode_frame(payload[:2], CLOSE)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._buffer = self._fragments = self._decoder = None
        self.failed = True
        self.close_code, self.close_reason = int(code), reason
        if not self.close_sent:
            self.replies += encode_close(code, reason)
