"""The cookie that holds a session's id, for proxies with sticky sessions: checked once, written per session. Pure.

RFC 6265 section 4.1, and its draft successor for ``SameSite``, ``Partitioned`` and ``Priority``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from ..signatures import accepts

log = logging.getLogger(__name__)

CookieOption = bool | str | Mapping[str, Any] | None
Headers = list[tuple[str, str]]

#: The reference's.
_DEFAULTS = {"name": "io", "Path": "/", "HttpOnly": True, "SameSite": "Lax"}
_ATTRIBUTES = (*("Path", "Domain", "Max-Age", "Expires", "HttpOnly", "Secure", "SameSite", "Partitioned", "Priority"),)
#: Any usual spelling, without its case, hyphens and underscores -> the attribute.
_SPELLINGS = {name.lower().replace("-", ""): name for name in _ATTRIBUTES}
_CHOICES = {
    "SameSite": {"strict": "Strict", "lax": "Lax", "none": "None"},
    "Priority": {"low": "Low", "medium": "Medium", "high": "High"},
}
_is_name = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_text = re.compile(r"[\x20-\x3a\x3c-\x7e]*").fullmatch
_is_number = re.compile(r"-?[0-9]{1,15}").fullmatch


class SessionCookie:
    """The option ``cookie``: ``True``, a name, or a mapping with ``name`` and exactly the attributes to send.

    A value may be a function, of the WSGI environment or of nothing, asked for each session.

    Raises:
        TypeError, ValueError: for a name, an attribute or a value that can't be sent.
    """

    def __init__(self, option: CookieOption) -> None:
        self._name: str | None = None
        self._attributes: list[tuple[str, str | Callable[[Any], Any]]] = []
        if option is True:
            option = _DEFAULTS
        if option is None or option is False or option == "":
            return
        if isinstance(option, str):
            # Spelled as Flask-SocketIO does.
            self._name, self._attributes = _checked_name(option), [("", "; path=/; SameSite=Lax")]
            return
        if not isinstance(option, Mapping):
            raise TypeError(f"cookie must be True, a name or a mapping, not {type(option).__name__}")
        self._name = _checked_name(option.get("name", "io"))
        for key, value in option.items():
            if key != "name":
                self._add(key, value)

    def _add(self, key: Any, value: Any) -> None:
        name = _SPELLINGS.get(key.lower().replace("-", "").replace("_", "")) if isinstance(key, str) else None
        if name is None:
            raise ValueError(f"cookie has no attribute {key!r}: it may have name, {', '.join(_ATTRIBUTES)}")
        if any(name == other for other, _ in self._attributes):
            raise ValueError(f"cookie: {name} is given twice")
        if not callable(value):
            self._attributes.append((name, _written(name, value)))
        elif accepts(value, {}):
            self._attributes.append((name, value))
        else:
            self._attributes.append((name, lambda _environ: value()))

    def headers(self, sid: str, environ: dict[str, Any]) -> Headers:
        """The Set-Cookie header for a new session; none if a function fails, for what it protects would be missing."""
        if self._name is None:
            return []
        text = f"{self._name}={sid}"
        try:
            for name, value in self._attributes:
                text += value if isinstance(value, str) else _written(name, value(environ))
        except Exception:
            log.exception("the cookie is not set: a function among its attributes failed")
            return []
        return [("Set-Cookie", text)]


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _is_name(name):
        raise ValueError(f"cookie: {name!r} can't be the name of a cookie")
    return name


def _written(name: str, value: Any) -> str:
    """An attribute with what precedes it, or nothing where it is to be left out.

    Raises:
        TypeError, ValueError: for a value that can't be sent.
    """
    if value is None or value is False:
        return ""
    if name in ("HttpOnly", "Secure", "Partitioned"):
        if value is not True:
            raise TypeError(f"cookie: {name} must be True or False, not {value!r}")
        return f"; {name}"
    if name in _CHOICES:
        value = "strict" if value is True and name == "SameSite" else value
        written = _CHOICES[name].get(value.lower()) if isinstance(value, str) else None
        if written is None:
            raise ValueError(f"cookie: {name} must be one of {', '.join(_CHOICES[name].values())}, not {value!r}")
        return f"; {name}={written}"
    if name == "Max-Age":
        if isinstance(value, timedelta):
            value = int(value.total_seconds())
        if isinstance(value, bool) or not _is_number(str(value)):
            raise ValueError(f"cookie: Max-Age must be a whole number of seconds, not {value!r}")
    elif name == "Expires" and isinstance(value, datetime):
        utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
        value = format_datetime(utc, usegmt=True)
    elif not isinstance(value, str) or not value or not _is_text(value):
        raise ValueError(f"cookie: {name} must be text without ';' and line breaks, not {value!r}")
    return f"; {name}={value}"
