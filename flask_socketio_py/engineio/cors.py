"""Which origins may talk to us, and what the answers tell the browser. Pure.

Unlike CORS in the reference server this also guards WebSockets: a browser sends their Origin but enforces nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..signatures import accepts
from .request import same_origin

AllowedOrigins = Any  # None | str | list[str] | Callable[[str, dict], bool]
Headers = list[tuple[str, str]]


class CorsPolicy:
    """``allowed``: ``None`` for the same origin, ``"*"``, an origin, several, a function of (origin, environ), ``[]``
    for no check.
    """

    def __init__(self, allowed: AllowedOrigins, credentials: bool | None) -> None:
        self._check: Callable[[str, dict[str, Any]], bool] | None = None
        self._same_origin = allowed is None
        origins = [allowed] if isinstance(allowed, str) else allowed
        self._off = origins is not None and not callable(origins) and not list(origins)
        self._any = not callable(origins) and bool(origins) and "*" in origins
        self._origins = frozenset() if origins is None or callable(origins) else frozenset(map(str.lower, origins))
        if callable(origins):
            self._check = origins if accepts(origins, "", {}) else lambda origin, _environ: origins(origin)
        # With "*" credentials are only allowed where somebody asked for them by name.
        self._credentials = credentials if credentials is not None else not self._any

    def allows(self, environ: dict[str, Any]) -> bool:
        """Whether a request with this environment may be served."""
        if self._off or self._any:
            return True
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            # A no-cors GET (an image, a script) carries no Origin; browsers mark it otherwise.
            return environ.get("HTTP_SEC_FETCH_SITE") != "cross-site"
        return self._allows_origin(origin, environ)

    def _allows_origin(self, origin: str, environ: dict[str, Any]) -> bool:
        if self._check is not None:
            return bool(self._check(origin, environ))
        if self._same_origin:
            return same_origin(environ, origin)
        return origin.lower() in self._origins

    def headers(self, environ: Mapping[str, Any]) -> Headers:
        """The headers of an answer to a request that was allowed."""
        origin = environ.get("HTTP_ORIGIN")
        if self._off or origin is None:
            return []
        if self._any and not self._credentials:
            return [("Access-Control-Allow-Origin", "*")]
        headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if self._credentials:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        return headers

    def preflight(self, environ: Mapping[str, Any]) -> Headers:
        """The further headers of the answer to an OPTIONS request."""
        headers = self.headers(environ)
        if headers:
            headers.append(("Access-Control-Allow-Methods", "OPTIONS, GET, POST"))
            wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
            if wanted:
                headers.append(("Access-Control-Allow-Headers", wanted))
        return headers
