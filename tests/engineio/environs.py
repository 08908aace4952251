"""WSGI environments for the tests of this folder."""

from __future__ import annotations

import io
from typing import Any


def environ(
    query: str = "EIO=4&transport=polling", method: str = "GET", body: bytes = b"", **more: Any
) -> dict[str, Any]:
    """The environment of one request to http://example.org/socket.io/; what is given by name wins."""
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/socket.io/",
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "example.org",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        **more,
    }


UPGRADE = {
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
}
