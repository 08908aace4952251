"""Socket.IO for Flask on gevent: the public names, each loaded when first asked for.

`python -m flask_socketio_py` and gunicorn's arbiter import this package before gevent has patched the standard library.
Flask and what it stands on must not be imported before that: a lock that they bind would stay the blocking one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .errors import (
    BroadcastTimeoutError,
    ClusterError,
    ConnectionRefusedError,
    DisconnectedError,
    EventRefusedError,
    SocketIOError,
    TimeoutError,
)

if TYPE_CHECKING:
    from .context import current_socket
    from .emitter import Emitter
    from .extension import SocketIO
    from .namespace import Namespace
    from .shortcuts import call, close_room, disconnect, emit, join_room, leave_room, rooms, send
    from .testing import SocketIOTestClient

__all__ = [
    "BroadcastTimeoutError",
    "ClusterError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "Emitter",
    "EventRefusedError",
    "Namespace",
    "SocketIO",
    "SocketIOError",
    "SocketIOTestClient",
    "TimeoutError",
    "call",
    "close_room",
    "current_socket",
    "disconnect",
    "emit",
    "join_room",
    "leave_room",
    "rooms",
    "send",
]

_HOMES = {
    "Emitter": "emitter",
    "Namespace": "namespace",
    "SocketIO": "extension",
    "SocketIOTestClient": "testing",
    "current_socket": "context",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".{_HOMES.get(name, 'shortcuts')}", __name__), name)
    return value
