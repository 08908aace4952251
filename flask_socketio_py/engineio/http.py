"""Engine.IO's HTTP answers: bodies, headers, compression, errors, bounded request bodies. No sessions here.

Every refusal becomes an answer in :func:`error_response`, and nowhere else.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from gevent import Timeout

from ..errors import EngineIOError
from .revision3 import content_type

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]


class Response(NamedTuple):
    """A whole answer."""

    status: str
    headers: Headers
    body: bytes

    def send(self, start_response: StartResponse, method: str = "GET") -> Iterable[bytes]:
        """Answer the WSGI request."""
        start_response(self.status, [*self.headers, ("Content-Length", str(len(self.body)))])
        return [] if method == "HEAD" else [self.body]


_PLAIN = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
#: Browsers that sniffed scripts into text; the reference switches their filter off.
_OLD_BROWSERS = (";MSIE", "Trident/")


def polling_headers(environ: Mapping[str, Any]) -> Headers:
    """What every polling answer carries."""
    agent = environ.get("HTTP_USER_AGENT", "")
    if any(name in agent for name in _OLD_BROWSERS):
        return [*_PLAIN, ("X-XSS-Protection", "0")]
    return list(_PLAIN)


def payload_response(environ: Mapping[str, Any], body: bytes, headers: Headers, threshold: int | None) -> Response:
    """The answer to a GET: packets, compressed from ``threshold`` bytes on where the client takes it (``None``:
    never).
    """
    headers = [("Content-Type", content_type(body)), *polling_headers(environ), *headers]
    if threshold is not None and len(body) >= threshold:
        encoding = _accepted_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
        if encoding == "gzip":
            body = gzip.compress(body, 6, mtime=0)
        elif encoding == "deflate":
            body = zlib.compress(body)
        if encoding:
            headers += [("Content-Encoding", encoding)]
    return Response("200 OK", headers, body)


def ok_response(environ: Mapping[str, Any], headers: Headers) -> Response:
    """The answer to a POST."""
    return Response("200 OK", [("Content-Type", "text/html"), *polling_headers(environ), *headers], b"ok")


def error_response(error: EngineIOError, headers: Headers, *, upgrade: bool = False) -> Response:
    """The answer to a request that is refused: JSON, or on an upgrade the bare message and no 403, as the reference has
    it.
    """
    if upgrade:
        status = "400 Bad Request" if error.code == 4 else error.status
        headers = [("Content-Type", "text/html"), ("Connection", "close"), *headers]
        return Response(status, headers, str(error).encode("utf-8", "replace"))
    if error.status[:3] in ("408", "413"):
        headers = [("Connection", "close"), *headers]  # what is left of the body is not waited for
    body = json.dumps({"code": error.code, "message": str(error)}, separators=(",", ":"))
    return Response(error.status, [("Content-Type", "application/json"), *_PLAIN, *headers], body.encode())


def read_body(environ: Mapping[str, Any], limit: int, timeout: float | None) -> bytes:
    """The body of a POST.

    Args:
        limit: most bytes it may have.
        timeout: seconds until it must be there.

    Raises:
        EngineIOError: 413 for a body above the limit (nothing of it is kept), 400 for a length that is none, 408 for
            a slow one.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if length and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise EngineIOError(3, "invalid Content-Length")
    if length and chunked:
        raise EngineIOError(3, "Content-Length and Transfer-Encoding")
    if length and int(length) > limit:
        raise EngineIOError(3, "the body is too large", status="413 Payload Too Large")
    wanted = limit + 1 if chunked else int(length or 0)
    if not wanted:
        return b""
    stream, parts, size = environ["wsgi.input"], [], 0
    try:
        with Timeout(timeout):
            while size < wanted:
                part = stream.read(wanted - size)
                if not part:
                    break
                parts.append(part)
                size += len(part)
    except Timeout as late:
        raise EngineIOError(3, "the body is too slow", status="408 Request Timeout") from late
    except (OSError, ValueError) as broken:
        raise EngineIOError(3, "the body can't be read") from broken
    if size > limit:
        raise EngineIOError(3, "the body is too large", status="413 Payload Too Large")
    if not chunked and size < wanted:
        raise EngineIOError(3, "the body ended early")
    return b"".join(parts)


def _accepted_encoding(header: str) -> str | None:
    accepted = {}
    for item in header.lower().split(",")[:20]:
        name, _, parameters = item.strip().partition(";")
        accepted[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    for encoding in ("gzip", "deflate"):
        if accepted.get(encoding, accepted.get("*", False)):
            return encoding
    return None
