"""Socket.IO for Flask on gevent: the public names, and nothing else."""

from __future__ import annotations

from .class_namespace import Namespace
from .errors import ConnectionRefusedError, DisconnectedError, SocketIOError, TimeoutError
from .extension import SocketIO
from .shortcuts import call, close_room, disconnect, emit, join_room, leave_room, rooms, send
from .testing import SocketIOTestClient

__all__ = [
    "ConnectionRefusedError",
    "DisconnectedError",
    "Namespace",
    "SocketIO",
    "SocketIOError",
    "SocketIOTestClient",
    "TimeoutError",
    "call",
    "close_room",
    "disconnect",
    "emit",
    "join_room",
    "leave_room",
    "rooms",
    "send",
]
