"""An application above a Socket.IO server, and clients of it without a network: what the tests of socketio/ need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_socketio_py.config import Options
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.json_codec import JsonCodec
from flask_socketio_py.socketio.namespace import Namespace
from flask_socketio_py.socketio.parser import DefaultParser
from flask_socketio_py.socketio.server import Server
from flask_socketio_py.socketio.socket import Socket

from .recording import DirectTransport, request
from .waiting import in_hub, turn, wait_until

PARSER = DefaultParser(JsonCodec())


class Application:
    """Implements ``server.Listener``: handlers by name, outside the main namespace by (namespace, name).

    ``guards`` holds middleware, ``searches`` what is asked for dynamic namespaces, ``made`` the namespaces there are,
    ``found`` those whose template was found later.
    """

    def __init__(self, namespaces: tuple[str, ...] = ("/",)) -> None:
        self.namespaces = namespaces
        self.connects: dict[str, Callable[[Socket, Any], None]] = {}
        self.events: dict[Any, Callable[..., Any]] = {}
        self.disconnects: dict[str, Callable[..., Any]] = {}
        self.guards: dict[str, Callable[[Socket, Any], None]] = {}
        self.searches: dict[str, str | Callable[[Socket], str | None]] = {}
        self.made: list[str] = []
        self.found: list[tuple[str, str]] = []

    def template(self, namespace: str) -> str | Callable[[Socket], str | None] | None:
        return namespace if namespace in self.namespaces else self.searches.get(namespace)

    def connect_handlers(self, socket: Socket) -> tuple[Any, Any]:
        template = socket.namespace.template
        return self.guards.get(template), self.connects.get(template)

    def bound(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        return callback

    def event_handler(self, socket: Socket, event: Any) -> Callable[[Socket, list[Any]], Any] | None:
        template = socket.namespace.template
        return self.events.get(event if template == "/" else (template, event))

    def disconnect_handler(self, socket: Socket) -> Callable[..., Any] | None:
        return self.disconnects.get(socket.namespace.template)

    def namespace_made(self, namespace: Namespace) -> None:
        self.made.append(namespace.name)

    def server_event_handler(self, namespace: str, event: Any) -> Callable[..., Any] | None:
        return None

    def static_namespaces(self) -> list[str]:
        return list(self.namespaces)

    def template_found(self, namespace: Namespace) -> None:
        self.found.append((namespace.name, namespace.template))


def serve(application: Application | None = None, dialect: Any = None, **options: Any) -> Server:
    """A Socket.IO server without a network."""
    return Server(Options(**options), application or Application(), PARSER, dialect)


class Peer:
    """One client: packets in as text and bytes, packets out as a list. The hub receives what it sends, as always."""

    def __init__(self, server: Server, room: int | None = None, revision: str = "4") -> None:
        self.server = server
        self.transport = DirectTransport(room)
        self.session = server.engine.adopt(request(revision), self.transport)
        self.transport.session = self.session
        self._seen = 0

    @property
    def client(self) -> Any:
        return self.session.handler

    def push(self, *packets: str | bytes) -> None:
        """Send Socket.IO packets, and let the hub run what that leads to."""
        for data in packets:
            in_hub(self.session.receive, data if isinstance(data, bytes) else "4" + data)
        turn()

    def join(self, namespace: str = "/", auth: str = "") -> Socket:
        """Connect to a namespace and return the server's socket."""
        before = set(self.server.of(namespace).sockets)
        self.push("0" + ("" if namespace == "/" else namespace + ",") + auth)
        [new] = set(self.server.of(namespace).sockets) - before
        socket = self.server.of(namespace).sockets[new]
        assert isinstance(socket, Socket)
        wait_until(lambda: socket.connected, "the client is connected")
        return socket

    @property
    def taken(self) -> list[PreparedMessage]:
        """All the messages so far, without Engine.IO's control packets."""
        return [message for message in self.transport.taken if message.text.startswith(b"4")]

    def texts(self) -> list[str]:
        """The Socket.IO packets since the last time, as text."""
        new = [message.text.decode()[1:] for message in self.taken[self._seen :]]
        self._seen += len(new)
        return new

    def events(self) -> list[list[Any]]:
        """The events since the last time, each as [name, *args], with their attachments in place."""
        start, events = self._seen, []
        self.texts()
        for message in self.taken[start:]:
            kind, _, _, data, _ = PARSER.decode(message.text.decode()[1:])
            if kind in (packet.EVENT, packet.BINARY_EVENT):
                events.append(packet.fill_placeholders(data, message.attachments))
        return events
