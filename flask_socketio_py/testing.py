"""SocketIOTestClient: a client inside the process, over the real session and codec.

Flask-SocketIO's, without its flaws.

It is a second implementation of Engine.IO's transport: nothing of the server is replaced or reconfigured for a test.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from flask import Flask
from flask.testing import EnvironBuilder

from .engineio import packet as packets
from .engineio.message import PreparedMessage
from .engineio.reasons import Reason
from .engineio.request import EngineIORequest
from .engineio.session import Event, Session
from .socketio import packet
from .socketio.client import Client
from .socketio.parser import decode_message

if TYPE_CHECKING:
    from .extension import SocketIO


class InProcessTransport:
    """Carries a session's packets to a function, at once and without a wire."""

    name = "websocket"
    writable = True

    def __init__(self, receive: Callable[[PreparedMessage], None]) -> None:
        self._receive = receive

    def write(self, message: PreparedMessage) -> bool:
        self._receive(message)
        return True

    def wake(self) -> None:
        """Nothing ever waits."""

    def close(self, reason: Reason) -> bool:
        return True

    def discard(self) -> None:
        """Nothing to end."""

    def pause(self) -> None:
        """The test waits for its handlers anyway."""

    def resume(self) -> None:
        """See :meth:`pause`."""


class SocketIOTestClient:
    """A Socket.IO client for tests, connected when it is made. Each call returns when the server's handlers have ended.

    Args:
        app, socketio: what is tested.
        namespace, query_string, headers, auth: as :meth:`connect`.
        flask_test_client: the Flask test client whose cookies (the user's session) are sent along.
    """

    def __init__(
        self,
        app: Flask,
        socketio: SocketIO,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
        flask_test_client: Any = None,
    ) -> None:
        self.app = app
        self.socketio = socketio
        self.flask_test_client = flask_test_client
        #: Whether each namespace is connected.
        self.connected: dict[str, bool] = {}
        #: What was received and not yet fetched, each as :meth:`get_received` gives it.
        self.queue: list[dict[str, Any]] = []
        #: The arguments of the acknowledgements received and not yet returned, by id.
        self.acks: dict[int, list[Any]] = {}
        #: The error object of the last refused connection, with ``message`` and perhaps ``data``.
        self.connect_error: dict[str, Any] | None = None
        #: The id of its session.
        self.eio_sid: str | None = None
        self._session: Session | None = None
        self._ack_ids = itertools.count(1)
        self._answers: dict[str, Callable[..., Any]] = {}
        self.connect(namespace, query_string, headers, auth)

    def connect(
        self, namespace: str | None = None, query_string: str | None = None, headers: Any = None, auth: Any = None
    ) -> None:
        """Connect to a namespace; ``is_connected`` and ``connect_error`` tell how it went."""
        namespace = namespace or "/"
        if self._session is None or self._session.sid not in self.socketio.engine.sessions:
            self._session = self._open_session(query_string, headers)
            self.eio_sid = self._session.sid
        parser = self.socketio.parser
        self._push(parser.encode_connect(parser.prefix(namespace), auth))

    def is_connected(self, namespace: str | None = None) -> bool:
        """Whether a namespace is connected."""
        return self.connected.get(namespace or "/", False)

    def disconnect(self, namespace: str | None = None) -> None:
        """Leave a namespace.

        Raises:
            RuntimeError: it is not connected.
        """
        namespace = self._connected(namespace)
        parser = self.socketio.parser
        self._push(parser.encode_disconnect(parser.prefix(namespace)))
        self.connected.pop(namespace, None)

    def close(self) -> None:
        """End the whole connection, as a client that goes away."""
        if self._session is not None:
            self._session.apply(Event.TRANSPORT_CLOSED)
            self._settle()
        self.connected.clear()

    def emit(self, event: str, *args: Any, callback: bool = False, namespace: str | None = None) -> Any:
        """Emit an event; with ``callback`` returns the acknowledgement: the value, or a list of several.

        Raises:
            RuntimeError: the namespace is not connected.
        """
        namespace = self._connected(namespace)
        ack_id = next(self._ack_ids) if callback else None
        parser = self.socketio.parser
        self._push(parser.encode_event(parser.prefix(namespace), [event, *args], ack_id))
        answer = None if ack_id is None else self.acks.pop(ack_id, None)
        return answer[0] if answer is not None and len(answer) == 1 else answer

    def send(self, data: Any, json: bool = False, callback: bool = False, namespace: str | None = None) -> Any:
        """Emit a ``message`` (``json``: a ``json``) event."""
        return self.emit("json" if json else "message", data, callback=callback, namespace=namespace)

    def answer(self, event: str, function: Callable[..., Any]) -> None:
        """Acknowledge this event of the server with what ``function(*args)`` returns, so that ``call()`` can be
        tested.
        """
        self._answers[event] = function

    def get_received(self, namespace: str | None = None) -> list[dict[str, Any]]:
        """What a namespace received since the last time: ``name``, ``args``, ``namespace`` each.

        ``args`` is a list, for ``message`` and ``json`` the bare payload.

        Raises:
            RuntimeError: it is not connected.
        """
        namespace = self._connected(namespace)
        gevent.sleep(0)
        received = [item for item in self.queue if item["namespace"] == namespace]
        self.queue = [item for item in self.queue if item["namespace"] != namespace]
        return received

    # -- inside ------------------------------------------------------------------------------------------------------

    def _connected(self, namespace: str | None) -> str:
        namespace = namespace or "/"
        if not self.is_connected(namespace):
            raise RuntimeError("not connected")
        return namespace

    def _open_session(self, query_string: str | None, headers: Any) -> Session:
        query = (query_string or "").lstrip("?")
        base = (self.flask_test_client or self.app.test_client()).environ_base
        builder = EnvironBuilder(self.app, path="/socket.io/", query_string=query, headers=headers, environ_base=base)
        environ = builder.get_environ()
        if self.flask_test_client is not None:
            self.flask_test_client._add_cookies_to_wsgi(environ)
        request = EngineIORequest(environ, "websocket", None, "4", False)
        return self.socketio.engine.adopt(request, InProcessTransport(self._receive))

    def _push(self, message: PreparedMessage) -> None:
        if self._session is None:
            raise RuntimeError("not connected")
        self._send(self._session, message)
        self._settle()

    @staticmethod
    def _send(session: Session, message: PreparedMessage) -> None:
        if message.text:
            session.receive(message.text.decode())
        for attachment in message.attachments:
            session.receive(attachment)

    def _settle(self) -> None:
        """Let the server's handlers end."""
        client = self._session.handler if self._session is not None else None
        if isinstance(client, Client):
            gevent.sleep(0)
            pause = 0.0
            while client.in_flight:
                gevent.sleep(pause)
                pause = 0.001

    def _receive(self, message: PreparedMessage) -> None:
        if message.text and not message.text.startswith(packets.MESSAGE.encode()):
            return
        kind, namespace, ack_id, data, _ = decode_message(self.socketio.parser, message)
        if kind in (packet.EVENT, packet.BINARY_EVENT):
            bare = data[0] in ("message", "json") and len(data) == 2
            self.queue.append({"name": data[0], "args": data[1] if bare else data[1:], "namespace": namespace})
            if ack_id is not None and data[0] in self._answers:
                gevent.spawn(self._acknowledge, namespace, ack_id, data)
        elif kind in (packet.ACK, packet.BINARY_ACK):
            self.acks[ack_id or 0] = data
        elif kind == packet.CONNECT:
            self.connected[namespace] = True
        elif kind == packet.DISCONNECT:
            self.connected.pop(namespace, None)
        elif kind == packet.CONNECT_ERROR:
            self.connect_error = data
            self.connected.pop(namespace, None)

    def _acknowledge(self, namespace: str, ack_id: int, data: list[Any]) -> None:
        result = self._answers[data[0]](*data[1:])
        args = () if result is None else result if isinstance(result, tuple) else (result,)
        parser = self.socketio.parser
        message = parser.encode_ack(parser.prefix(namespace), args, ack_id)
        if self._session is not None:
            self._send(self._session, message)
