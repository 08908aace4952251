"""A WSGI environment becomes a checked Engine.IO request, or an EngineIOError with the protocol's code. Pure.

The order of the checks is the reference server's (node-server: "order of checks"), because clients see the first
failure.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ..errors import EngineIOError
from ..websocket.handshake import is_upgrade

TRANSPORTS = ("polling", "websocket")
#: The body of every kept request: its own has been read, or was none.
NO_BODY = io.BytesIO()
#: Stands for a parameter that came twice: no transport, session or revision is called that.
_REPEATED = "?"
#: Not ``wsgi.errors``: it is the server's, and what ``app.logger`` writes to while there is a request.
_TRANSIENT = (
    "wsgi.input",
    "wsgi.websocket",
    "wsgi.file_wrapper",
    "wsgi.early_hints",
    "gunicorn.",
    "werkzeug.",
    "flask_socketio_py.",
)


class EngineIORequest:
    """One request to the Engine.IO endpoint, its query read and its transport known."""

    __slots__ = ("environ", "issued", "memo", "protocol", "sid", "transport", "upgrade")

    def __init__(self, environ: dict[str, Any], transport: str, sid: str | None, protocol: str, upgrade: bool) -> None:
        self.environ = environ
        self.transport = transport
        self.sid = sid
        self.protocol = protocol
        self.upgrade = upgrade
        #: When it opened a session, in seconds since 1970; set by the server.
        self.issued = 0.0
        #: What the application keeps with the connection (the extension: its Flask request).
        self.memo: Any = None

    def keep(self) -> None:
        """Keep what describes the request for the life of the session, and nothing that holds sockets or buffers."""
        environ = self.environ
        self.environ = {
            sys.intern(key): value
            for key, value in environ.items()
            if "." not in key or not key.startswith(_TRANSIENT)  # nearly all have no dot
        }
        self.environ["wsgi.input"] = NO_BODY

    @property
    def text_only(self) -> bool:
        """Whether this is a client of revision 3 that can't take binary data (``b64=1``)."""
        if self.protocol != "3":
            return False
        return any(name == "b64" for name, _ in parse_qsl(self.environ.get("QUERY_STRING", ""), max_num_fields=100))

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.environ["REQUEST_METHOD"])


def parse(environ: dict[str, Any], transports: tuple[str, ...]) -> EngineIORequest:
    """Read the query string of a request.

    Raises:
        EngineIOError: code 0 for a transport that is unknown or switched off, 3 for an Origin no browser sends.
    """
    try:
        query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise EngineIOError(3, "unreadable query string") from error
    parameters: dict[str, str] = {}
    for name, value in query:
        if name in ("transport", "sid", "EIO") and name in parameters:
            # The reference gets an array here, which equals no transport and no session id.
            parameters[name] = _REPEATED
        else:
            parameters[name] = value
    transport = parameters.get("transport", "")
    if transport not in TRANSPORTS or transport not in transports:
        raise EngineIOError(0, f"transport {transport[:40]!r}", details={"transport": transport})
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _printable(origin):
        raise EngineIOError(3, "invalid Origin header", name="INVALID_ORIGIN", details={"origin": origin})
    return EngineIORequest(environ, transport, parameters.get("sid"), parameters.get("EIO", ""), is_upgrade(environ))


def check_session(request: EngineIORequest, transport: str | None, protocol: str = "4") -> None:
    """Check a request for a session whose transport (``None``: there is no such session) and revision are given.

    Raises:
        EngineIOError: code 1 for an unknown session, 3 for another transport or another protocol revision.
    """
    if transport is None:
        raise EngineIOError(1, "unknown session id", details={"sid": request.sid})
    if not request.upgrade and request.transport != transport:
        raise EngineIOError(
            3,
            f"transport mismatch: the session uses {transport}",
            name="TRANSPORT_MISMATCH",
            details={"transport": request.transport, "previous_transport": transport},
        )
    if request.protocol != protocol:
        raise EngineIOError(
            3,
            "protocol mismatch",
            name="PROTOCOL_MISMATCH",
            details={"protocol": request.protocol, "previous_protocol": protocol},
        )
    if request.upgrade and request.transport != "websocket":
        raise EngineIOError(
            3,
            "upgrade to a transport that is no WebSocket",
            name="TRANSPORT_HANDSHAKE_ERROR",
            details={"transport": request.transport},
        )


def check_handshake(request: EngineIORequest) -> None:
    """Check a request that would open a session.

    Raises:
        EngineIOError: code 2 for another method than GET, 3 for a WebSocket transport without an upgrade (or the
            reverse).
    """
    if request.method != "GET":
        raise EngineIOError(2, f"method {request.method[:20]!r}", details={"method": request.method})
    if (request.transport == "websocket") != request.upgrade:
        raise EngineIOError(
            3,
            "transport and upgrade don't match",
            name="TRANSPORT_HANDSHAKE_ERROR",
            details={"transport": request.transport},
        )


def check_revision(request: EngineIORequest, *, allow_eio3: bool = False) -> None:
    """Check the protocol revision of a handshake, which the reference does after everything else.

    The reference takes whatever is not 4 for revision 3; here a client has to say so (``EIO=3``).

    Raises:
        EngineIOError: code 5 for anything but revision 4, and revision 3 where it is allowed.
    """
    if request.protocol != "4" and not (allow_eio3 and request.protocol == "3"):
        raise EngineIOError(5, f"revision {request.protocol[:10]!r}", details={"protocol": request.protocol})


def same_origin(environ: Mapping[str, Any], origin: str) -> bool:
    """Whether an Origin is the one this request was addressed to.

    A proxy's ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` count as well: the check defends against other sites in a
    user's browser, and a page can't make a browser send these headers across sites.
    """
    hosts = [(environ.get("wsgi.url_scheme", "http"), environ.get("HTTP_HOST") or _server_host(environ))]
    forwarded_host = environ.get("HTTP_X_FORWARDED_HOST")
    forwarded_proto = environ.get("HTTP_X_FORWARDED_PROTO")
    if forwarded_host or forwarded_proto:
        scheme, host = hosts[0]
        hosts.append(
            (
                (forwarded_proto or scheme).split(",")[0].strip(),
                (forwarded_host or host).split(",")[0].strip(),
            )
        )
    return any(f"{scheme}://{host}".lower() == origin.lower() for scheme, host in hosts)


def _server_host(environ: Mapping[str, Any]) -> str:
    name, port = str(environ.get("SERVER_NAME", "")), str(environ.get("SERVER_PORT", "80"))
    default = "443" if environ.get("wsgi.url_scheme") == "https" else "80"
    return name if port == default else f"{name}:{port}"


def _printable(value: str) -> bool:
    return all(" " <= character <= "~" or character == "\t" or "\x80" <= character <= "\xff" for character in value)
