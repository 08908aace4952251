"""The exception tree, ordered by whose fault it is. Knows nothing of the rest of the package.

::

    Exception
    ├── SocketIOError                   base of everything this package raises on its own account
    │   ├── ConnectionRefusedError      raised BY a connect handler to refuse the client
    │   ├── EventRefusedError           raised BY a before_event function to refuse an event
    │   ├── TimeoutError                an acknowledgement did not arrive in time (also a builtin TimeoutError)
    │   │   ├── DisconnectedError       ... and never will: the client has gone
    │   │   └── BroadcastTimeoutError   ... from some of the receivers of a broadcast
    │   ├── ClusterError                the message queue is away, refused a command, or can take no more
    │   └── PeerError                   the peer broke a protocol: ends its connection, is never a traceback
    │       ├── PacketError             a packet that can't be decoded
    │       └── EngineIOError           an HTTP request the Engine.IO server refuses, with the protocol's code
    ├── TypeError, ValueError           our user's mistake, raised at the call that made it
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any


class SocketIOError(Exception):
    """Base of the errors this package raises on its own account."""


class ConnectionRefusedError(SocketIOError):
    """Raised by a connect handler to refuse the client.

    The first argument becomes the ``message`` of the CONNECT_ERROR packet, a second one its ``data`` (more than one
    further argument become a list). Without arguments the message is ``Connection rejected by server``.
    Socket.IO protocol 5, "Connection to a namespace".
    """

    @property
    def error_args(self) -> dict[str, Any]:
        """The error object the client receives."""
        return refusal(*self.args)


class EventRefusedError(SocketIOError):
    """Raised by a ``before_event`` function: the event reaches no handler and is not acknowledged.

    The namespace's error handler is told, if there is one; what it returns is the acknowledgement then.
    """


class TimeoutError(SocketIOError, builtins.TimeoutError):
    """An acknowledgement did not arrive within the timeout."""


class DisconnectedError(TimeoutError):
    """The client disconnected before it acknowledged; a :class:`TimeoutError`, so that one ``except`` serves."""


class BroadcastTimeoutError(TimeoutError):
    """Some receivers of a broadcast did not acknowledge it in time, or have gone.

    ``responses`` holds the answers that came, in the order of their arrival; ``missing`` the ids of the sockets of this
    server that did not answer (Node can't name them). In a cluster ``elsewhere`` is the number of those that did not
    answer on other servers, and ``silent_servers`` that of servers which did not even say whom they asked.
    """

    def __init__(self, responses: list[Any], missing: list[str], elsewhere: int = 0, silent_servers: int = 0) -> None:
        failed = len(missing) + elsewhere
        silent = f", and {silent_servers} servers did not answer" if silent_servers else ""
        total = len(responses) + failed
        super().__init__(f"operation has timed out: {failed} of {total} clients did not acknowledge{silent}")
        self.responses = responses
        self.missing = missing
        self.elsewhere = elsewhere
        self.silent_servers = silent_servers


class ClusterError(SocketIOError):
    """The message queue could not do what was asked: it is away, it refused, or too much waits for it already.

    The message names the command and the kind of failure; neither credentials nor payloads.
    """


class PeerError(SocketIOError):
    """The peer broke a protocol. Ends that peer's connection; never reaches user code."""


class PacketError(PeerError):
    """A packet that can't be decoded."""


#: Engine.IO's error table: code -> message (node-server: "error table").
ENGINE_ERRORS = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    4: "Forbidden",
    5: "Unsupported protocol version",
}
#: The name of an error where nothing more precise is known: the reference's name of the code.
_ENGINE_NAMES = (
    "UNKNOWN_TRANSPORT",
    "UNKNOWN_SID",
    "BAD_HANDSHAKE_METHOD",
    "BAD_REQUEST",
    "FORBIDDEN",
    "UNSUPPORTED_PROTOCOL_VERSION",
)


class EngineIOError(PeerError):
    """A request the Engine.IO server refuses.

    ``code`` is the protocol's number (:data:`ENGINE_ERRORS`), ``str(error)`` the message the client is told, ``status``
    the HTTP status line; ``context`` says for the log what was wrong, without payloads. ``name`` and ``details`` say it
    to programs. Names are the reference's, keys are written as Python writes them; what came from the client is cut to
    200 characters:

    ==== ================================ ==========================================================
    code name                             details
    ==== ================================ ==========================================================
    0    ``UNKNOWN_TRANSPORT``            ``transport``
    1    ``UNKNOWN_SID``                  ``sid``
    2    ``BAD_HANDSHAKE_METHOD``         ``method``
    3    ``INVALID_ORIGIN``               ``origin``: no browser sends such a header
    3    ``TRANSPORT_MISMATCH``           ``transport``, ``previous_transport``
    3    ``PROTOCOL_MISMATCH``            ``protocol``, ``previous_protocol``
    3    ``TRANSPORT_HANDSHAKE_ERROR``    ``transport``; ``message``: why there can be no WebSocket
    3    ``ID_GENERATION_ERROR``          ``error``: the exception
    3    ``MIDDLEWARE_FAILURE``           ``error``: the exception
    3    ``BAD_REQUEST``                  (none)
    4    ``FORBIDDEN``                    ``message``: what ``allow_request`` answered
    4    ``FOREIGN_ORIGIN``               ``origin``
    5    ``UNSUPPORTED_PROTOCOL_VERSION`` ``protocol``
    ==== ================================ ==========================================================
    """

    def __init__(
        self,
        code: int,
        context: str = "",
        *,
        status: str | None = None,
        name: str | None = None,
        details: Mapping[str, Any] | None = None,
        message: str | None = None,
    ) -> None:
        super().__init__(ENGINE_ERRORS[code] if message is None else message)
        self.code = code
        self.context = context
        self.status = status or ("403 Forbidden" if code == 4 else "400 Bad Request")
        self.name = name or _ENGINE_NAMES[code]
        self.details = {key: value[:200] if isinstance(value, str) else value for key, value in (details or {}).items()}


def refusal(*args: Any) -> dict[str, Any]:
    """The CONNECT_ERROR object for the arguments of a refusal: message, then data."""
    if not args:
        return {"message": "Connection rejected by server"}
    error: dict[str, Any] = {"message": str(args[0])}
    if len(args) == 2:
        error["data"] = args[1]
    elif len(args) > 2:
        error["data"] = list(args[1:])
    return error
