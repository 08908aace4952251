"""Namespace: the sockets of one name, their adapter and the counter of acknowledgement ids. Knows no transport."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from .adapters.local import LocalAdapter

if TYPE_CHECKING:
    from .server import Server
    from .socket import Socket


class Namespace:
    """One namespace of a server."""

    __slots__ = ("ack_ids", "adapter", "name", "prefix", "server")

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.prefix = server.parser.prefix(name)
        self.adapter = LocalAdapter()
        #: One counter for emits and broadcasts, so that one encoded packet can ask many sockets.
        self.ack_ids = itertools.count(1)

    @property
    def sockets(self) -> dict[str, Socket]:
        """The sockets by id, those whose connect handler still runs included."""
        return self.adapter.sockets
