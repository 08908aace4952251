"""Handshake: what a socket knows of the request that opened its connection. Computed when asked; owns nothing. Pure.

Node: ``socket.handshake``.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from ..engineio.request import EngineIORequest


class Handshake:
    """The opening request of a connection, and the auth data of one namespace."""

    __slots__ = ("_request", "auth")

    def __init__(self, request: EngineIORequest, auth: Mapping[str, Any] | None) -> None:
        self._request = request
        #: What the client sent along with CONNECT; an empty dictionary where it sent nothing.
        self.auth: Mapping[str, Any] = {} if auth is None else auth

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, names in lower case."""
        environ = self._request.environ
        headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key[:5] == "HTTP_"}
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name):
                headers[name.replace("_", "-").lower()] = environ[name]
        return headers

    @property
    def address(self) -> str:
        """The client's address, as the WSGI server (or a proxy middleware like werkzeug's ProxyFix) has it."""
        return str(self._request.environ.get("REMOTE_ADDR", ""))

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self._request.environ.get("wsgi.url_scheme") == "https"

    @property
    def xdomain(self) -> bool:
        """Whether a browser made the request across origins."""
        return "HTTP_ORIGIN" in self._request.environ

    @property
    def issued(self) -> int:
        """When the connection was opened, in milliseconds since 1970."""
        return round(self._request.issued * 1000)

    @property
    def time(self) -> str:
        """The same as a text."""
        return formatdate(self._request.issued, usegmt=True)

    @property
    def url(self) -> str:
        """Path and query of the request."""
        environ = self._request.environ
        query = environ.get("QUERY_STRING", "")
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        return f"{path}?{query}" if query else path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query; the last of several with one name."""
        return dict(parse_qsl(self._request.environ.get("QUERY_STRING", ""), keep_blank_values=True))

    def as_dict(self) -> dict[str, Any]:
        """All of it."""
        names = ("headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth")
        return {name: getattr(self, name) for name in names}
