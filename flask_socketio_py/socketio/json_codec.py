"""JSON as JSON.stringify and JSON.parse have it, with binary data lifted out. Pure.

orjson does the work. What it refuses although browsers send it or Flask-SocketIO's users rely on it (lone surrogates,
keys that are numbers, integers above 64 bits when sending) takes the slower standard library, with the same result.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
import re
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from ..errors import PacketError

_SURROGATE = re.compile("[\ud800-\udfff]")
_BINARY = (bytes, bytearray, memoryview)


#: orjson has forms of its own for these, others have others.
_ONLY_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
TOO_DEEP = "the data is nested too deeply to be sent, or contains itself"


class DepthError(ValueError):
    """Data nested more deeply than can be encoded; where it came from a client, that is the client's doing."""


class Codec(Protocol):
    """What turns the data of packets into JSON and back."""

    def encode(self, value: Any) -> tuple[bytes, tuple[bytes, ...]]:
        """JSON in UTF-8 with placeholders, and the binary data they stand for in order.

        Raises:
            TypeError, ValueError: for a value that has no JSON form.
        """

    def decode(self, text: str) -> Any:
        """The value of a JSON text.

        Raises:
            PacketError: for text that is not JSON, or nested too deeply.
        """


class JsonCodec:
    """The built-in codec. ``default`` turns a value without JSON form into one that has, or raises TypeError."""

    def __init__(self, default: Callable[[Any], Any] | None = None) -> None:
        self._further = default

    def encode(self, value: Any) -> tuple[bytes, tuple[bytes, ...]]:
        try:
            return orjson.dumps(value), ()
        except TypeError:
            pass  # binary data, or something orjson has no native form for
        attachments: list[bytes] = []
        default = self._default(attachments)
        try:
            return orjson.dumps(value, default), tuple(attachments)
        except TypeError:
            attachments.clear()
        text = _dumps(value, default, attachments)
        escaped = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        return escaped.encode(), tuple(attachments)

    def decode(self, text: str) -> Any:
        try:
            return orjson.loads(text)
        except ValueError as error:
            if "\\ud" not in text and "\\uD" not in text:
                raise PacketError("not JSON") from error
        return _loads(text)

    def _default(self, attachments: list[bytes]) -> Callable[[Any], Any]:
        def default(value: Any) -> Any:
            if isinstance(value, _BINARY):
                attachments.append(bytes(value))
                return {"_placeholder": True, "num": len(attachments) - 1}
            return form_of(value, self._further)

        return default


class ModuleCodec:
    """Uses a ``json``-like module (or object) for text; binary data is lifted out before."""

    def __init__(self, module: Any) -> None:
        self._dumps: Callable[..., Any] = module.dumps
        self._loads: Callable[[str], Any] = module.loads

    def encode(self, value: Any) -> tuple[bytes, tuple[bytes, ...]]:
        attachments: list[bytes] = []
        try:
            text = self._dumps(lift_binary(value, attachments), separators=(",", ":"))
        except RecursionError as error:
            raise DepthError(TOO_DEEP) from error
        data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
        return data, tuple(attachments)

    def decode(self, text: str) -> Any:
        try:
            return self._loads(text)
        except (ValueError, RecursionError) as error:
            raise PacketError("not JSON") from error


def is_plain(value: Any) -> bool:
    """Whether it means the same in JSON and in MessagePack, whoever encodes it. (Not that it is all that does.)"""
    try:
        orjson.dumps(value, None, _ONLY_PLAIN)
    except TypeError:
        return False
    return True


def form_of(value: Any, further: Callable[[Any], Any] | None = None) -> Any:
    """What stands for a value that is none of JSON's: ``further`` (the user's) is asked last.

    Raises:
        TypeError: for a value that nothing stands for.
    """
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # orjson, which usually does this, leaves out the private ones.
        names = [item.name for item in dataclasses.fields(value) if not item.name.startswith("_")]
        return {name: getattr(value, name) for name in names}
    if further is not None:
        return further(value)
    raise TypeError(f"a value of type {type(value).__name__} can't be sent: it has no JSON form")


def lift_binary(value: Any, attachments: list[bytes]) -> Any:
    """A copy of ``value`` in which placeholders stand for binary data, which is appended to ``attachments``."""
    if isinstance(value, _BINARY):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, dict):
        return {key: lift_binary(item, attachments) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [lift_binary(item, attachments) for item in value]
    return value


def _dumps(value: Any, default: Callable[[Any], Any], attachments: list[bytes]) -> str:
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=default, allow_nan=False)
    try:
        return encoder.encode(value)
    except RecursionError as error:
        raise DepthError(TOO_DEEP) from error
    except ValueError:
        attachments.clear()
    try:
        return encoder.encode(_without_nan(value, 0))
    except RecursionError as error:
        raise DepthError(TOO_DEEP) from error


def _without_nan(value: Any, depth: int) -> Any:
    """NaN and the infinities are null in JSON.stringify."""
    if depth > 500:
        raise DepthError(TOO_DEEP)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item, depth + 1) for item in value]
    return value


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise PacketError("not JSON") from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number beyond the range of a double")
    return number
