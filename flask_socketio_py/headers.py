"""The header lines of an HTTP request, as pywsgi asks for them: read once, bounded, nothing ambiguous. Pure.

RFC 9112, 5 and 6: what could make two readers disagree about where a request ends is refused.
"""

from __future__ import annotations

import functools
from typing import Any

#: Headers that say where a request ends, or whom it is for: a second one is a trick.
_DECISIVE = frozenset(("content-length", "transfer-encoding", "host"))
MAX_HEADERS = 100
MAX_HEAD = 65536


class HeadTooLargeError(ValueError):
    """More header lines, or bytes of them, than we read."""


class Headers:
    """The header lines of a request, as pywsgi asks for them. ``http.client`` would cost a tenth of a millisecond."""

    status = ""

    def __init__(self, fp: Any, seekable: int = 0) -> None:
        #: The lines as they came.
        self.headers: list[str] = []
        self._values: dict[str, str] = {}
        #: The names that WSGI gives them, and their values: what pywsgi would find by taking the lines apart again.
        self.variables: list[tuple[str, str]] = []
        size = 0
        while True:
            line = fp.readline(MAX_HEAD + 1)
            size += len(line)
            if size > MAX_HEAD or len(self.headers) > MAX_HEADERS:
                raise HeadTooLargeError("the head of the request is too large")
            if line in (b"\r\n", b"\n"):
                break
            if not line.endswith(b"\n"):
                raise ValueError("the head of the request is not complete")
            self._add(line.decode("latin-1"))
        self.typeheader = self._values.get("content-type")
        if "transfer-encoding" in self._values and "content-length" in self._values:
            raise ValueError("Content-Length and Transfer-Encoding in one request")

    def _add(self, line: str) -> None:
        name, colon, value = line.partition(":")
        if line[0] in " \t" or not colon or not name or name != name.strip():
            raise ValueError("a header line that is none")
        self.headers.append(line)
        name, variable = _names(name)
        value = value.strip()
        if name in _DECISIVE:
            if name in self._values:
                raise ValueError(f"{name} twice in one request")
            if name == "content-length" and not (value.isascii() and value.isdigit() and len(value) < 20):
                raise ValueError("a Content-Length that is no number")
            if name == "transfer-encoding" and value.lower() != "chunked":
                raise ValueError("an unknown Transfer-Encoding")
        self._values[name] = value
        if variable is not None:
            self.variables.append((variable, value))

    def get(self, name: str, default: Any = None) -> Any:
        """The (last) value of a header."""
        return self._values.get(name.lower(), default)

    getheader = get

    def __delitem__(self, name: str) -> None:
        del self._values[name.lower()]

    def items(self) -> list[tuple[str, str]]:
        """Names and values, for access logs."""
        return list(self._values.items())


@functools.lru_cache(1024)
def _names(name: str) -> tuple[str, str | None]:
    """A header's name in lower case, and as a variable of WSGI: none for one with ``_``, which could pose as another,
    nor for the two that have names of their own there.
    """
    lower = name.lower()
    hidden = "_" in name or lower in ("content-type", "content-length")
    return lower, None if hidden else f"HTTP_{name.replace('-', '_').upper()}"
