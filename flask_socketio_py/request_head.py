"""The head of a request again as bytes, for the server of another process that has to read it as this one did.

What frames the request and what says who sent it must not change on the way, whatever a hostile client puts there.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from gevent import socket

from .engineio.siblings import StartResponse

_is_header = re.compile(r"HTTP_[A-Z0-9_]+").fullmatch
_has_break = re.compile(r"[\r\n\0]").search
#: The PROXY protocol's version 2: signature, version and command, family and protocol, length.
_PROXY_2 = struct.Struct("!12sBBH")
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FAMILIES = {"TCP4": (socket.AF_INET, 0x11), "TCP6": (socket.AF_INET6, 0x21)}


def request_head(environ: dict[str, Any], start_response: StartResponse) -> bytes:
    """The request line and the header lines.

    Our pywsgi handler still has them as they came. gunicorn has its header list; only where some middleware hides that
    from us they are made of what gunicorn has made of them.

    Raises:
        OSError, ValueError: what there is can't be sent as the same request.
    """
    handler = environ.get("flask_socketio_py.handler")
    if handler is not None:
        return _join([handler.requestline, *(line.rstrip("\r\n") for line in handler.headers.headers)])
    response = getattr(start_response, "__self__", None)
    request = getattr(response, "req", None)
    headers = getattr(request, "headers", None)
    target = environ.get("RAW_URI") or environ["PATH_INFO"] + "?" + environ.get("QUERY_STRING", "")
    lines = [f"{environ['REQUEST_METHOD']} {target} {environ['SERVER_PROTOCOL']}"]
    for name, value in _from_environ(environ) if headers is None else headers:
        if name.upper() == "EXPECT":
            continue  # gunicorn has answered it
        if _has_break(f"{name}{value}"):
            raise ValueError("a header with a line break")
        lines.append(f"{name}: {value}")
    mode = getattr(getattr(response, "cfg", None), "proxy_protocol", "auto")
    return _proxy_header(_proxied(environ, request), mode) + _join(lines)


def _join(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _from_environ(environ: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key, value in environ.items():
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = key
        elif _is_header(key):
            name = key[5:]
        else:
            continue
        name = name.replace("_", "-").title()
        # With --header-map dangerous these may have had another name, and then they meant nothing.
        if key == "HTTP_SCRIPT_NAME" and environ.get("SCRIPT_NAME") in str(value).split(","):
            name = "SCRIPT_NAME"  # gunicorn has it from a proxy that it trusts
            value = environ["SCRIPT_NAME"]
        if key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"):
            found.append((name, str(value)))
    if hasattr(getattr(environ["wsgi.input"], "reader", None), "parse_chunked"):
        found.append(("Transfer-Encoding", "chunked"))
    return found


def _proxied(environ: dict[str, Any], request: Any) -> dict[str, Any]:
    """What the PROXY protocol said, in gunicorn's words. A middleware may have put another address into the environ."""
    if request is not None:
        return getattr(request, "proxy_protocol_info", None) or {}
    names = {"client_addr": "REMOTE_ADDR", "client_port": "REMOTE_PORT"}
    names |= {"proxy_protocol": "PROXY_PROTOCOL", "proxy_addr": "PROXY_ADDR", "proxy_port": "PROXY_PORT"}
    return {name: environ.get(key) for name, key in names.items()}


def _proxy_header(info: dict[str, Any], mode: str) -> bytes:
    """The PROXY protocol's header, which gunicorn expects before the first request of a connection."""
    kind = info.get("proxy_protocol")
    if kind not in _FAMILIES:
        return b""
    names = ("client_addr", "proxy_addr", "client_port", "proxy_port")
    client, proxy, client_port, proxy_port = (str(info[name]) for name in names)
    family, code = _FAMILIES[kind]
    addresses = socket.inet_pton(family, client) + socket.inet_pton(family, proxy)
    if mode != "v2":
        return f"PROXY {kind} {client} {proxy} {int(client_port)} {int(proxy_port)}\r\n".encode("ascii")
    ports = struct.pack("!HH", int(client_port), int(proxy_port))
    return _PROXY_2.pack(_SIGNATURE, 0x21, code, len(addresses) + len(ports)) + addresses + ports
