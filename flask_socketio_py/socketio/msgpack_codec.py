"""MessagePack as Socket.IO's JavaScript packages write it, and what they accept. Pure.

The packages differ in how a Date travels, so there is one :class:`Flavour` for each. Everything else is one codec:
values without a form of their own get the one they have in JSON (``json_codec.form_of``), numbers are what a JavaScript
client would have read from JSON. The C library does the work; what it would do otherwise takes a slower way in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import msgpack
import orjson

from ..errors import PacketError
from .json_codec import TOO_DEEP, DepthError, form_of

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
#: How deep data that is sent may be nested; the library itself goes to 1024, also when reading.
MAX_DEPTH = 500
#: MessagePack of what is known to need no second look: a number, a name.
pack_plain: Callable[[int | str], bytes] = msgpack.packb
#: Raises TypeError for what needs the slower way: keys that are not str, lone surrogates, integers above 64 bits, data
#: nested deeply. Asking orjson takes a quarter of the time of packing; looking in Python would take several times it.
_check_plain = partial(orjson.dumps, default=lambda value: list(value) if isinstance(value, tuple) else None)


@dataclass(frozen=True)
class Flavour:
    """How one JavaScript package has MessagePack."""

    #: What stands for a Date.
    date: Callable[[datetime], Any]
    #: Whether extension type 0 is read: undefined, Date or ArrayBuffer.
    extension_zero: bool


def _zero(moment: datetime) -> Any:
    """Extension type 0: milliseconds in 64 bits."""
    return msgpack.ExtType(0, ((moment - _EPOCH) // _MILLISECOND).to_bytes(8, "big", signed=True))


def _timestamp(moment: datetime) -> Any:
    """Extension type -1: MessagePack's own timestamp, in the shortest of its three forms."""
    seconds, microseconds = divmod((moment - _EPOCH) // _MICROSECOND, 1_000_000)
    return msgpack.Timestamp(seconds, microseconds * 1000)


#: notepack.io 2: ``socket.io-msgpack-parser``.
NOTEPACK_2 = Flavour(_zero, extension_zero=True)
#: notepack.io 3: ``@socket.io/redis-adapter`` and ``@socket.io/redis-emitter``. It still reads what version 2 wrote.
NOTEPACK_3 = Flavour(_timestamp, extension_zero=True)
#: @msgpack/msgpack: ``@socket.io/redis-streams-adapter``.
MSGPACK_JAVASCRIPT = Flavour(_timestamp, extension_zero=False)


class MsgpackCodec:
    """One flavour. ``default`` turns a value without a form into one that has, or raises TypeError, as in JsonCodec."""

    def __init__(self, flavour: Flavour, default: Callable[[Any], Any] | None = None) -> None:
        self._flavour = flavour
        self._further = default
        self._pack = partial(msgpack.packb, default=partial(self._plain, depth=0))
        # The library limits every length it reads to that of the data.
        self._unpack = partial(msgpack.unpackb, raw=False, unicode_errors="replace")

    def encode(self, value: Any) -> bytes:
        """MessagePack of a value.

        A datetime becomes a Date (without a time zone it is taken as UTC, as Flask does), an integer above 64 bits a
        double, a lone surrogate U+FFFD, a key that is a number or ``None`` the text of it.

        Raises:
            TypeError, ValueError: for a value that can't be sent.
        """
        try:
            _check_plain(value)
            packed: bytes = self._pack(value)
        except DepthError:
            raise
        except (TypeError, ValueError, OverflowError, BufferError):
            try:
                packed = self._pack(self._plain(value, 0))
            except RecursionError as error:
                raise DepthError(TOO_DEEP) from error
        return packed

    def decode(self, data: bytes) -> Any:
        """The value of a message.

        A Date becomes an aware datetime in UTC, or ``None`` where Python has none (as JSON has it of an invalid date),
        undefined ``None``, invalid UTF-8 U+FFFD, a key that is no text the text of it.

        Raises:
            PacketError: for anything but one value, or one nested too deeply.
        """
        try:
            value = self._unpack(data, ext_hook=self._extensions(data), timestamp=3)
            _check_plain(value)  # the library lets binary data pass as a key
            return value
        except ValueError as error:
            if "strict_map_key" not in str(error):  # malformed: not even the slower way can read it
                raise PacketError("not MessagePack") from error
        except (TypeError, OverflowError):
            pass  # keys of binary data, dates far away
        try:
            value = self._unpack(
                data,
                ext_hook=self._extensions(data),
                timestamp=0,
                strict_map_key=False,
                object_pairs_hook=_object,
                list_hook=_list,
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise PacketError("not MessagePack") from error
        return _near(value)

    # -- encoding ----------------------------------------------------------------------------------------------------

    def _plain(self, value: Any, depth: int) -> Any:
        """The value in terms of what the library packs as it should."""
        if depth > MAX_DEPTH:
            raise DepthError(TOO_DEEP)
        if isinstance(value, str):
            return _text(value)
        if value is None or isinstance(value, bool | float | bytes | bytearray | msgpack.ExtType | msgpack.Timestamp):
            return value
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**64 else _double(value)
        if isinstance(value, dict):
            return {_key(key): self._plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._plain(item, depth + 1) for item in value]
        if isinstance(value, memoryview):
            return bytes(value)
        if isinstance(value, datetime):
            return self._flavour.date(value if value.utcoffset() is not None else value.replace(tzinfo=timezone.utc))
        return self._plain(form_of(value, self._further), depth + 1)

    # -- decoding ----------------------------------------------------------------------------------------------------

    def _extensions(self, data: bytes) -> Callable[[int, bytes], Any]:
        """The hook for the extensions of one reading of the data."""
        if not self._flavour.extension_zero:
            return _refuse
        if b"\xc7\x01\x00" in data or b"\xc7\x08\x00" in data:
            return _LongForms(data)
        return _extension_zero


def _double(number: int) -> float:
    """What JavaScript reads where JSON has this integer."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _text(text: str) -> str:
    """The text with pairs of surrogates joined and lone ones replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _text(key)
    if key is None or isinstance(key, bool):
        return "null" if key is None else "true" if key else "false"
    if isinstance(key, int | float):
        return (int if isinstance(key, int) else float).__repr__(key)
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


def _object(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    return {str(key, "utf-8", "replace") if isinstance(key, bytes) else _key(key): _near(value) for key, value in pairs}


def _list(items: list[Any]) -> list[Any]:
    return [_near(item) for item in items]


def _near(value: Any) -> Any:
    """A timestamp as a datetime, if there is one."""
    if not isinstance(value, msgpack.Timestamp):
        return value
    try:
        return value.to_datetime()
    except (OverflowError, ValueError):
        return None


def _refuse(code: int, data: bytes) -> Any:
    raise PacketError("an extension type that is not Socket.IO's")


def _extension_zero(code: int, data: bytes) -> Any:
    """The value of an extension where one of one byte is undefined, and one of eight bytes a Date."""
    if code != 0:
        _refuse(code, data)
    if len(data) == 8:
        try:
            return _EPOCH + timedelta(milliseconds=int.from_bytes(data, "big", signed=True))
        except OverflowError:
            return None
    return None if len(data) == 1 else data


class _LongForms:
    """The value of an extension where that is ambiguous: only by the form of its head, which the library hides, do
    undefined and Date differ from ArrayBuffers of one and eight bytes.
    """

    __slots__ = ("_heads",)

    def __init__(self, data: bytes) -> None:
        self._heads = _heads_of_extension_zero(data)

    def __call__(self, code: int, data: bytes) -> Any:
        if code == 0 and not next(self._heads, True):
            return data
        return _extension_zero(code, data)


#: What is one byte: small integers, the heads of small containers, nil, booleans.
_SINGLE = re.compile(rb"[\x00-\x9f\xc0-\xc3\xe0-\xff]*")
#: How many bytes follow a first byte: texts up to 31 bytes, numbers, extensions of a fixed length, heads of containers.
_FOLLOWING = {
    **{0xA0 + length: length for length in range(32)},
    **dict(zip(range(0xCA, 0xD4), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8), strict=True)),
    **dict(zip(range(0xD4, 0xD9), (2, 3, 5, 9, 17), strict=True)),
    **dict(zip(range(0xDC, 0xE0), (2, 4, 2, 4), strict=True)),
}
#: First byte -> how many bytes the length has that follows it: binary data, extensions, longer texts.
_MEASURED = dict(zip((0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xD9, 0xDA, 0xDB), (1, 2, 4) * 3, strict=True))


def _heads_of_extension_zero(data: bytes) -> Iterator[bool]:
    """In the order of the data, for each extension of type 0: whether its head is the short form, without a length."""
    place, end = 0, len(data)
    while True:
        place = _SINGLE.match(data, place).end()  # type: ignore[union-attr]  # it matches the empty text
        if place >= end:
            return
        first = data[place]
        place += 1
        if first in _FOLLOWING:
            if 0xD4 <= first <= 0xD8 and data[place] == 0:
                yield True
            place += _FOLLOWING[first]
        else:
            width = _MEASURED[first]
            length = int.from_bytes(data[place : place + width], "big")
            place += width
            if 0xC7 <= first <= 0xC9:
                if data[place : place + 1] == b"\x00":
                    yield False
                place += 1
            place += length
