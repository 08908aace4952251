"""The opening handshake: request headers -> 101 headers, or an error. Pure. RFC 6455 section 4.2.

Everything here is linear in the length of a header. What extensions a client offers is the affair of ``extensions``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
#: 16 bytes in base64.
_is_key = re.compile(r"[A-Za-z0-9+/]{22}==").fullmatch


class HandshakeError(Exception):
    """The request can't become a WebSocket: an HTTP status line, further headers, a message."""

    def __init__(self, status: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = list(headers)


def is_upgrade(environ: Mapping[str, Any]) -> bool:
    """Whether a request asks for a WebSocket, be it badly: :func:`accept` says whether it can have it."""
    upgrade = environ.get("HTTP_UPGRADE")
    return upgrade is not None and "websocket" in upgrade.lower()


def accept(environ: Mapping[str, Any], *, subprotocols: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The headers of the 101 answer; the first of ``subprotocols`` that the client offers is chosen.

    Raises:
        HandshakeError: 426 for another version than 13, 400 for everything else that is wrong.
    """
    if environ.get("REQUEST_METHOD") != "GET":
        raise HandshakeError("400 Bad Request", "a WebSocket is opened by GET")
    if environ.get("SERVER_PROTOCOL", "HTTP/1.1") != "HTTP/1.1":
        raise HandshakeError("400 Bad Request", "a WebSocket needs HTTP/1.1")
    if "websocket" not in _tokens(environ.get("HTTP_UPGRADE", "")):
        raise HandshakeError("400 Bad Request", "the Upgrade header does not say websocket")
    if "upgrade" not in _tokens(environ.get("HTTP_CONNECTION", "")):
        raise HandshakeError("400 Bad Request", "the Connection header does not say Upgrade")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise HandshakeError(
            "426 Upgrade Required", "WebSocket version 13 is served", [("Sec-WebSocket-Version", "13")]
        )
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    if not _is_key(key):
        raise HandshakeError("400 Bad Request", "Sec-WebSocket-Key is not 16 bytes in base64")
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    ]
    if subprotocols:
        offered = {name.strip() for name in environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").split(",")}
        chosen = next((name for name in subprotocols if name in offered), None)
        if chosen is not None:
            headers.append(("Sec-WebSocket-Protocol", chosen))
    return headers


def response_head(headers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of the 101 answer.

    Raises:
        ValueError: for a header that would end its line, or is not Latin-1.
    """
    lines = ["HTTP/1.1 101 Switching Protocols"]
    for name, value in headers:
        if "\r" in value or "\n" in value or "\r" in name or "\n" in name:
            raise ValueError(f"the header {name!r} contains a line break")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _tokens(header: str) -> list[str]:
    return [token.strip().lower() for token in header.split(",")]
