"""Why a session or a socket ended: one enum with the field's strings. Pure."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """The reason a disconnect handler is told. The strings are the official server's, but for the last two."""

    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"
    PING_TIMEOUT = "ping timeout"
    PARSE_ERROR = "parse error"
    FORCED_CLOSE = "forced close"
    FORCED_SERVER_CLOSE = "forced server close"
    SERVER_SHUTTING_DOWN = "server shutting down"
    CLIENT_NAMESPACE_DISCONNECT = "client namespace disconnect"
    SERVER_NAMESPACE_DISCONNECT = "server namespace disconnect"
    #: More bytes waited for the client than ``max_outbox_size`` allows: it does not read, or too slowly.
    OUTBOX_FULL = "outbox full"
    #: It joined no namespace within ``connect_timeout``.
    CONNECT_TIMEOUT = "connect timeout"

    def __str__(self) -> str:
        return self.value
