"""Which origins may talk to us, and what the answers tell the browser. Pure.

Unlike CORS in the reference server this also guards, polling and WebSockets: a browser sends the Origin of a WebSocket
but enforces nothing.
"""

from __future__ import annotations

import difflib
import http
import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..signatures import accepts
from .request import same_origin

log = logging.getLogger(__name__)

#: None | str | re.Pattern | a collection of those | Callable[[str, dict], bool] | Callable[[str], bool]
AllowedOrigins = Any
Headers = list[tuple[str, str]]

_KEYS = ("origin", "methods", "allowed_headers", "exposed_headers", "credentials", "max_age", "options_success_status")
_is_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
#: No browser sends a longer one; a pattern of the application's need not read it.
_LONGEST = 1024


class CorsPolicy:
    """The options ``cors_allowed_origins`` and ``cors_credentials``, or ``cors`` in their place.

    ``allowed``: ``None`` for the same origin, ``"*"``, an origin, a compiled pattern that the whole origin must match,
    several of these, a function of (origin, environ) or (origin), ``[]`` for no check and no headers. ``cors`` has the
    keys of npm's module, in Python's spelling; its ``origin`` may also be ``True`` (any, by name) or ``False`` (none),
    ``[]`` means nobody, and the own origin is always served.

    Raises:
        TypeError, ValueError: for a key or a value that can't be meant.
    """

    def __init__(
        self, allowed: AllowedOrigins, credentials: bool | None, cors: Mapping[str, Any] | None = None
    ) -> None:
        self.preflight_status = "204 No Content"
        self._check: Callable[[str, dict[str, Any]], bool] | None = None
        self._any = self._off = False
        self._same_origin = allowed is None or cors is not None
        self._origins: frozenset[str] = frozenset()
        self._patterns: tuple[re.Pattern[str], ...] = ()
        self._preflight: Headers = [("Access-Control-Allow-Methods", "OPTIONS, GET, POST")]
        self._reflect_headers = True
        exposed: Headers = []
        if cors is None:
            if allowed is not None:
                self._allow("cors_allowed_origins", allowed)
            self._off = isinstance(allowed, Collection) and not isinstance(allowed, str) and not allowed
            if credentials is not None:
                _check_bool("cors_credentials", credentials)
            # With "*" credentials are only allowed where somebody asked for them by name.
            by_name, with_credentials = credentials is True, not self._any if credentials is None else credentials
        else:
            by_name, with_credentials, exposed = self._read(cors)
        #: What an answer says to any request, where it doesn't depend on its Origin.
        self._fixed: Headers | None = None
        #: What every answer says to caches.
        self.vary: Headers = []
        if self._off or (cors is not None and cors.get("origin") is False):
            self._fixed = []
        elif self._any and not by_name:
            self._fixed = [("Access-Control-Allow-Origin", "*"), *exposed]
        elif allowed is not None or cors is not None:
            self.vary = [("Vary", "Origin")]
        self._more: Headers = [("Vary", "Origin")]
        if with_credentials:
            self._more.append(("Access-Control-Allow-Credentials", "true"))
        self._more += exposed

    def _read(self, cors: Mapping[str, Any]) -> tuple[bool, bool, Headers]:
        """Take ``cors`` apart: whether any origin is told its name, credentials, and the headers of each answer."""
        for key in cors:
            if key not in _KEYS:
                spelled = re.sub("(?<=[a-z])(?=[A-Z])", "_", str(key)).lower()
                near = difflib.get_close_matches(spelled, _KEYS, 1)
                raise ValueError(f"cors has no key {key!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        origin = cors.get("origin", "*")
        if not isinstance(origin, bool):
            self._allow("cors['origin']", origin)
        self._any = self._any or origin is True
        credentials = cors.get("credentials", False)
        _check_bool("cors['credentials']", credentials)
        if self._any and credentials and origin is not True:
            raise ValueError("cors: browsers give no credentials to the origin '*': name origins, or True to allow any")
        methods = _tokens(cors, "methods") or ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]
        self._preflight = [("Access-Control-Allow-Methods", ",".join(methods))]
        self._reflect_headers = cors.get("allowed_headers") is None
        if headers := _tokens(cors, "allowed_headers"):
            self._preflight.append(("Access-Control-Allow-Headers", ",".join(headers)))
        age = cors.get("max_age")
        if age is not None:
            if not isinstance(age, int) or isinstance(age, bool) or age < 0:
                raise ValueError(f"cors['max_age'] must be a whole number of seconds, not {age!r}")
            self._preflight.append(("Access-Control-Max-Age", str(age)))
        status = cors.get("options_success_status", 204)
        if type(status) is not int or status not in range(200, 300) or status not in map(int, http.HTTPStatus):
            raise ValueError(f"cors['options_success_status'] must be a status from 200 to 299, not {status!r}")
        self.preflight_status = f"{status} {http.HTTPStatus(status).phrase}"
        exposed = _tokens(cors, "exposed_headers")
        return origin is True, credentials, [("Access-Control-Expose-Headers", ",".join(exposed))] if exposed else []

    def _allow(self, option: str, allowed: AllowedOrigins) -> None:
        if callable(allowed):
            self._check = allowed if accepts(allowed, "", {}) else lambda origin, _environ: allowed(origin)
            return
        origins = [allowed] if isinstance(allowed, str | re.Pattern) else allowed
        if not isinstance(origins, Collection) or isinstance(origins, bytes | Mapping):
            raise TypeError(f"{option} must be an origin, a pattern, several of them, or a function, not {allowed!r}")
        for origin in origins:
            if not isinstance(origin, str) and not (isinstance(origin, re.Pattern) and isinstance(origin.pattern, str)):
                raise TypeError(f"{option}: {origin!r} is neither text nor a compiled pattern of text")
        self._any = "*" in origins
        self._origins = frozenset(origin.lower() for origin in origins if isinstance(origin, str))
        self._patterns = tuple(origin for origin in origins if isinstance(origin, re.Pattern))

    def allows(self, environ: dict[str, Any]) -> bool:
        """Whether a request with this environment may be served."""
        if self._off or self._any:
            return True
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            # A no-cors GET (an image, a script) carries no Origin; browsers mark it otherwise.
            return environ.get("HTTP_SEC_FETCH_SITE") != "cross-site"
        return self._allows_origin(origin, environ) or (self._same_origin and same_origin(environ, origin))

    def _allows_origin(self, origin: str, environ: dict[str, Any]) -> bool:
        if self._check is not None:
            try:
                return bool(self._check(origin, environ))
            except Exception:
                log.exception("the function that decides about origins failed: the request is refused")
                return False
        if origin.lower() in self._origins:
            return True
        if not self._patterns or len(origin) > _LONGEST:
            return False
        return any(pattern.fullmatch(origin) for pattern in self._patterns)

    def headers(self, environ: Mapping[str, Any]) -> Headers:
        """The headers of an answer to a request that was allowed."""
        if self._fixed is not None:
            return list(self._fixed)
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or not (origin.isascii() and origin.isprintable()):
            return list(self.vary)
        return [("Access-Control-Allow-Origin", origin), *self._more]

    def public_headers(self, environ: dict[str, Any]) -> Headers:
        """The headers of an answer that anybody may have, but only those who are allowed may read across origins."""
        return self.headers(environ) if self.allows(environ) else list(self.vary)

    def preflight(self, environ: Mapping[str, Any]) -> Headers:
        """All the headers of the answer to an OPTIONS request that was allowed; none: it is no preflight."""
        if self._fixed == [] or environ.get("HTTP_ORIGIN") is None:
            return []
        headers = [*self.headers(environ), *self._preflight]
        wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
        if self._reflect_headers and wanted and wanted.isascii() and wanted.isprintable():
            headers += [("Access-Control-Allow-Headers", wanted), ("Vary", "Access-Control-Request-Headers")]
        return headers


def _check_bool(option: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{option} must be True or False, not {value!r}")


def _tokens(cors: Mapping[str, Any], key: str) -> list[str]:
    """The names in a list, or in a text with commas."""
    value = cors.get(key)
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, Collection) or isinstance(names, bytes | Mapping):
        raise TypeError(f"cors[{key!r}] must be text or a list of text, not {value!r}")
    for name in names:
        if not isinstance(name, str) or not _is_token(name):
            raise ValueError(f"cors[{key!r}]: {name!r} is no name")
    return list(names)
