"""Messages of the right structure with values that nobody means: each value of a valid message is left out, and
replaced by each of a list. The same ones in every run.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES: list[Any] = [
    *[None, True, False, 0, -1, 2.5, float("nan"), float("inf"), 1e308, 2**53, 2**64 - 1, -(2**63), 10**30, 10**400],
    *["", "x", "\ud800", "x" * 5000, "connect", b"bytes", "__proto__", "*", "a#b"],
    *[[], [1], [None], [[]], [{}], [True], [float("nan")], ["\ud800"], [10**400], ["x"] * 1000, {}, {"rooms": []}],
    *[nested(100), nested(600), nested(2000), {"a": nested(400)}],
    *[[name] for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")],
    *[
        ["x", *[b"1"] * 11],
        ["x", b"1"],
        ["x", {"_placeholder": True, "num": 9}, b"1"],
        ["x", {"a": {"b": [b"1"] * 12}}],
    ],
]


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*place, key))


def _changed(value: Any, place: tuple[Any, ...], change: list[Any]) -> Any:
    """A copy with another value in one place, or with none where there is no other."""
    copy = value.copy()
    key, *rest = place
    if rest:
        copy[key] = _changed(value[key], tuple(rest), change)
    elif change:
        copy[key] = change[0]
    else:
        del copy[key]
    return copy


def variants(seeds: Sequence[Any]) -> Iterator[Any]:
    """All of them."""
    for seed in seeds:
        for place in _places(seed):
            yield _changed(seed, place, [])
            for value in VALUES:
                yield _changed(seed, place, [value])


def encoded(seeds: Sequence[Any], count: int, *, binary: bool = True, text: bool = True) -> list[bytes]:
    """``count`` of them, in JSON and MessagePack, as far as they have such a form."""
    found = []
    for value in variants(seeds):
        for encode in (*([_json] if text else []), *([_msgpack] if binary else [])):
            try:
                found.append(encode(value))
            except (TypeError, ValueError, OverflowError, RecursionError):
                continue  # it has none
    chance = random.Random(len(found))
    return chance.sample(found, min(count, len(found)))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _msgpack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, unicode_errors="surrogatepass")
    return packed
