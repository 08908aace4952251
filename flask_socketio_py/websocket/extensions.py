"""permessage-deflate: what a client offers -> what is agreed; a message <-> its compressed form. Pure. RFC 7692.

No context is ever taken over, in either direction: a message is compressed once for all who receive it, and between
messages a connection keeps neither window nor compressor. Knows no frames.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

NAME = "permessage-deflate"
# What ends every compressed message, and is left out on the wire (7.2.1).
_TAIL = b"\x00\x00\xff\xff"
# The same and an empty final block. A message whose last block is complete, and nothing else, ends with it.
_END = _TAIL + b"\x03\x00"
# What may be left when a message had a final block of its own: nothing, or the octet of 7.2.3.4.
_RESTS = (b"", b"\x00", _END, b"\x00" + _END)

# The grammar of RFC 6455, 9.1. Nothing here can match in two ways, so each step is linear in what it consumes.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_is_token = re.compile(_TOKEN).fullmatch
_separators = re.compile(r"[ \t,]*").match
_name = re.compile(_TOKEN).match
_parameter = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)"))?').match
_end = re.compile(r"[ \t]*(?:,|\Z)").match
_unescape = re.compile(r"\\(.)").sub
_is_window = re.compile(r"[89]|1[0-5]").fullmatch

Parameters = list[tuple[str, str | None]]


class TooBigError(Exception):
    """The message is longer than it may be."""


class Agreement(NamedTuple):
    """What a connection has agreed to."""

    #: The value of the Sec-WebSocket-Extensions header of the 101 answer.
    header: str
    #: Base two logarithm of the window that the client's messages need.
    window_bits: int


@dataclass(frozen=True, slots=True)
class Deflate:
    """The settings of one server; the checks are those of ``config``."""

    #: Bytes from which on a text or an attachment is compressed.
    threshold: int = 1024
    #: 0 (nothing) to 9 (smallest, slowest).
    level: int = 6
    #: 1 to 9: of the memory a compression takes, 2 ** (mem_level + 9) bytes are due to this.
    mem_level: int = 8
    #: 9 to 15: our messages need a window of 2 ** server_max_window_bits bytes at most.
    server_max_window_bits: int = 15
    #: 9 to 15: the most a client may use, if it can do with less than 15.
    client_max_window_bits: int = 15

    def negotiate(self, offers: str) -> Agreement | None:
        """The first offer that can be had, of a Sec-WebSocket-Extensions header; ``None`` for none (RFC 7692, 5.1).

        A header that breaks the grammar offers nothing: a connection without compression serves its client as well.
        """
        for name, parameters in _parse(offers):
            if name == NAME and (agreement := self._accept(parameters)) is not None:
                return agreement
        return None

    def compress(self, payload: bytes) -> bytes | None:
        """The payload of a frame with RSV1 set; ``None`` where the plain one is better (7.2.1)."""
        if len(payload) < self.threshold:
            return None
        compressor = zlib.compressobj(self.level, zlib.DEFLATED, -self.server_max_window_bits, self.mem_level)
        data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return data[: -len(_TAIL)] if len(data) - len(_TAIL) < len(payload) else None

    def _accept(self, parameters: Parameters) -> Agreement | None:
        """An offer is declined for what it asks, or asks twice, that RFC 7692, 7.1 does not know."""
        asked = dict(parameters)
        if len(asked) != len(parameters):
            return None
        ours, theirs = self.server_max_window_bits, 15
        for name, value in parameters:
            if name in ("server_no_context_takeover", "client_no_context_takeover"):
                if value is not None:
                    return None
            elif name == "server_max_window_bits":
                # What is compressed for all must suit this one, too.
                if value is None or not _is_window(value) or int(value) < ours:
                    return None
            elif name == "client_max_window_bits":
                if value is not None and not _is_window(value):
                    return None
                theirs = min(self.client_max_window_bits, int(value or 15))
            else:
                return None
        header = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
        if ours < 15 or "server_max_window_bits" in asked:
            header += f"; server_max_window_bits={ours}"
        if theirs < 15:
            header += f"; client_max_window_bits={theirs}"
        return Agreement(header, max(9, theirs))  # zlib can't compress with 8, and whoever says so means 9


class Inflation:
    """One compressed message on its way in (7.2.2). Allocates nothing before its first byte has arrived.

    ``limit`` bounds what comes out, and what goes in by what zlib makes of that in the worst case.
    """

    __slots__ = ("_inflater", "_left", "_room", "_window_bits")

    def __init__(self, window_bits: int, limit: int) -> None:
        self._window_bits = window_bits
        self._room = limit
        self._left = limit + (limit >> 3) + 64
        self._inflater: Any = None

    def expect(self, size: int) -> None:
        """A frame of so many bytes has begun.

        Raises:
            TooBigError: when the compressed message is longer than one within the limit can be.
        """
        self._left -= size
        if self._left < 0:
            raise TooBigError

    def take(self, data: bytes, last: bool) -> bytes:
        """What the next bytes inflate to; ``last``: none follow.

        Raises:
            TooBigError: as soon as more would come out than the limit; that is never allocated.
            zlib.error: for what is no compressed message. Of several final blocks too: each would cost a new window.
        """
        inflater = self._inflater
        if inflater is None:
            if not data:
                return b""  # nothing yet, or an empty message whose sender left the octet of 7.2.3.6 out
            inflater = self._inflater = zlib.decompressobj(-self._window_bits)
        inflated: bytes = inflater.decompress(data + _END if last else data, self._room + 1)
        self._room -= len(inflated)
        if self._room < 0:
            raise TooBigError
        if inflater.eof:
            if inflater.unused_data not in _RESTS:
                raise zlib.error("data behind the final block")
        elif last:
            raise zlib.error("an incomplete block")
        return inflated


def _parse(header: str) -> list[tuple[str, Parameters]]:
    """The extensions of a header in order, each with its parameters; none where any of it breaks the grammar."""
    extensions: list[tuple[str, Parameters]] = []
    position = _skip(header, 0)
    while position < len(header):
        found = _name(header, position)
        if found is None:
            return []
        position = found.end()
        parameters: Parameters = []
        while (parameter := _parameter(header, position)) is not None:
            position = parameter.end()
            key, value, quoted = parameter.groups()
            if quoted is not None:
                value = _unescape(r"\1", quoted)
                if not _is_token(value):
                    return []
            parameters.append((key, value))
        extensions.append((found[0], parameters))
        end = _end(header, position)
        if end is None:
            return []
        position = _skip(header, end.end())
    return extensions


def _skip(header: str, position: int) -> int:
    """Where the next extension begins: a list may have empty elements (RFC 9110, 5.6.1)."""
    match = _separators(header, position)
    return position if match is None else match.end()
