"""A client that comes back: the official client's side of connection state recovery, over clients without a network."""

from __future__ import annotations

import json
from typing import Any

from flask_socketio_py.engineio.session import Event
from flask_socketio_py.socketio.server import Server

from .application import PARSER, Peer
from .waiting import turn


class Browser:
    """A client as the official one behaves: it remembers its private ids and the offsets of what it received."""

    peer: Peer

    def __init__(self, server: Server) -> None:
        self.server = server
        #: Namespace -> private id, and offset.
        self.ids: dict[str, str] = {}
        self.offsets: dict[str, str] = {}
        self.events: list[list[Any]] = []
        #: What the last look brought, as (type, namespace, data).
        self.news: list[tuple[int, str, Any]] = []

    def connect(self, namespace: str = "/", peer: Peer | None = None, **auth: Any) -> Any:
        """On a new connection, unless one is given; returns the socket, or ``None`` if there is none."""
        self.peer = peer or Peer(self.server)
        claims = dict(auth)
        if namespace in self.ids:
            claims["pid"] = self.ids[namespace]
            if namespace in self.offsets:
                claims["offset"] = self.offsets[namespace]
        prefix = "" if namespace == "/" else namespace + ","
        self.peer.push("0" + prefix + (json.dumps(claims) if claims else ""))
        self.read()
        return self.peer.client.sockets.get(namespace)

    def read(self) -> None:
        """Take what has arrived."""
        self.news = []
        for text in self.peer.texts():
            kind, namespace, ack_id, data, _ = PARSER.decode(text)
            self.news.append((kind, namespace, data))
            if kind == 0:
                self.ids[namespace] = data["pid"]
            elif kind == 2:
                self.events.append(data)
                if ack_id is None and isinstance(data[-1], str) and len(data) > 1:
                    self.offsets[namespace] = data[-1]

    def vanish(self) -> None:
        """Its connection breaks."""
        self.read()
        self.peer.session.apply(Event.TRANSPORT_CLOSED)
        turn()


def names(browser: Browser) -> list[list[Any]]:
    """The events it received, without their offsets."""
    return [event[:-1] for event in browser.events]
