"""Thin views of the server under python-socketio's names, for applications that reach into ``socketio.server``.

Nothing is kept here: every attribute is computed from the one truth below. Documented in docs/reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .socketio.acks import DEFAULT
from .socketio.adapters.local import LocalAdapter
from .socketio.broadcast import BroadcastOperator
from .socketio.client import Client
from .socketio.socket import Socket

if TYPE_CHECKING:
    from .extension import SocketIO
    from .socketio.server import Server


class ServerView:
    """What ``socketio.server`` is: the methods of ``socketio.Server`` that public applications use."""

    def __init__(self, extension: SocketIO, server: Server) -> None:
        self._extension = extension
        self._server = server
        self.manager = ManagerView(server)
        self.eio = EngineView(server)
        self.async_mode = "gevent"

    # -- emitting ----------------------------------------------------------------------------------------------------

    def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emit to a room, a sid, several of them, or everybody in the namespace."""
        self._extension.emit(
            *(event, data),
            to=to if to is not None else room,
            skip_sid=skip_sid,
            namespace=namespace,
            callback=callback,
            ignore_queue=ignore_queue,
        )

    def send(self, data: Any, to: Any = None, room: Any = None, **options: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", data, to, room, **options)

    def call(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = DEFAULT,
        ignore_queue: bool = False,
    ) -> Any:
        """Emit to one client and wait for its acknowledgement."""
        return self._extension.call(
            *(event, data),
            to=to if to is not None else sid,
            namespace=namespace,
            timeout=timeout,
            ignore_queue=ignore_queue,
        )

    # -- rooms and clients -------------------------------------------------------------------------------------------

    def socket(self, sid: str, namespace: str | None = None) -> Socket | None:
        """The socket with this id, if it is here."""
        found = self._server.namespaces.get(namespace or "/")
        return None if found is None else found.sockets.get(sid)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Put a client into a room.

        Raises:
            ValueError: for the room of another client.
        """
        found = self._server.of(namespace or "/")
        if found.shared is None or sid in found.sockets:
            found.adapter.join(sid, room)
        else:
            BroadcastOperator(found, (sid,)).sockets_join(room)

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Take a client out of a room."""
        found = self._server.of(namespace or "/")
        if found.shared is None or sid in found.sockets:
            found.adapter.leave(sid, room)
        else:
            BroadcastOperator(found, (sid,)).sockets_leave(room)

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Make everybody leave a room."""
        found = self._server.of(namespace or "/")
        found.adapter.close_room(room)
        if found.shared is not None:
            BroadcastOperator(found, (room,)).sockets_leave(room)

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """The rooms of a client, its own included."""
        found = self._server.of(namespace or "/")
        if found.shared is None or sid in found.sockets:
            return found.adapter.rooms_of(sid)
        sockets = BroadcastOperator(found, (sid,)).fetch_sockets()
        return list(sockets[0].rooms) if sockets else []

    def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """Disconnect a client from a namespace; ``ignore_queue``: only if it is one of this server."""
        socket = self.socket(sid, namespace)
        if socket is not None:
            self._server.in_home_thread_do(socket.disconnect)
        elif self._server.cluster is not None and not ignore_queue:
            BroadcastOperator(self._server.of(namespace or "/"), (sid,)).disconnect_sockets()

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """``"polling"`` or ``"websocket"``.

        Raises:
            KeyError: there is no such client.
        """
        return self._client(sid, namespace).session.transport.name

    @property
    def environ(self) -> Mapping[str, dict[str, Any]]:
        """The WSGI environment of each handshake, by the Engine.IO session's id."""
        return {sid: session.request.environ for sid, session in self._server.engine.sessions.copy().items()}

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The WSGI environment of a client's handshake."""
        socket = self.socket(sid, namespace)
        return None if socket is None else socket.client.session.request.environ

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The dictionary kept for a client of a namespace.

        Raises:
            KeyError: there is no such client.
        """
        environ = self._client(sid, namespace).session.request.environ
        session: dict[str, Any] = environ.setdefault("flask_socketio_py.sessions", {}).setdefault(namespace or "/", {})
        return session

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Replace the dictionary kept for a client of a namespace.

        Raises:
            KeyError: there is no such client.
        """
        environ = self._client(sid, namespace).session.request.environ
        environ.setdefault("flask_socketio_py.sessions", {})[namespace or "/"] = session

    @contextmanager
    def session(self, sid: str, namespace: str | None = None) -> Iterator[dict[str, Any]]:
        """The dictionary kept for a client, saved at the end of the ``with`` block."""
        session = self.get_session(sid, namespace)
        yield session
        self.save_session(sid, session, namespace)

    def _client(self, sid: str, namespace: str | None) -> Client:
        socket = self.socket(sid, namespace)
        if socket is None:
            raise KeyError(f"no client {sid!r} in the namespace {namespace or '/'!r}")
        return socket.client

    # -- the rest ----------------------------------------------------------------------------------------------------

    def handle_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a WSGI request to the endpoint."""
        return self._server.engine(environ, start_response)

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function in a greenlet."""
        return self._extension.start_background_task(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Let others run for a while."""
        self._extension.sleep(seconds)

    def shutdown(self) -> None:
        """Close every session."""
        self._server.close()


class ManagerView:
    """What ``socketio.server.manager`` is: who is where, in this process."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def rooms(self) -> dict[str, dict[Any, dict[str, str]]]:
        """namespace -> room -> sid -> Engine.IO session id; the room ``None`` holds everybody."""
        namespaces = self._server.namespaces.copy()
        return {name: self._rooms_of(namespace.adapter) for name, namespace in namespaces.items() if namespace.sockets}

    @staticmethod
    def _rooms_of(adapter: LocalAdapter) -> dict[Any, dict[str, str]]:
        # Copies, because another thread may ask while clients come and go. By copy(): what list() makes of items may
        # start the garbage collector half-way, which lets other threads run.
        everybody = {sid: socket.client.session.sid for sid, socket in adapter.sockets.copy().items()}
        rooms: dict[Any, dict[str, str]] = {None: everybody}
        rooms.update({sid: {sid: eio_sid} for sid, eio_sid in everybody.items()})
        for room, members in adapter.rooms.copy().items():
            rooms[room] = {sid: everybody[sid] for sid in list(members) if sid in everybody}
        return rooms

    def get_namespaces(self) -> list[str]:
        """The namespaces somebody is in."""
        return [name for name, namespace in self._server.namespaces.copy().items() if namespace.sockets]

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """(sid, Engine.IO session id) of everybody in a room (``None``: in the namespace), or in any of a list of
        rooms.
        """
        found = self._server.namespaces.get(namespace)
        if found is not None:
            rooms = () if room is None else tuple(room) if isinstance(room, list | tuple) else (room,)
            for socket in found.adapter.targets(rooms):
                yield socket.id, socket.client.session.sid

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        """The rooms of a client."""
        found = self._server.namespaces.get(namespace)
        return [] if found is None else found.adapter.rooms_of(sid)

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client is connected to a namespace."""
        found = self._server.namespaces.get(namespace)
        return found is not None and sid in found.sockets and found.sockets[sid].connected

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """The Engine.IO session id behind a client's sid."""
        found = self._server.namespaces.get(namespace)
        socket = None if found is None else found.sockets.get(sid)
        return None if socket is None else socket.client.session.sid

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        """The sid that an Engine.IO session has in a namespace."""
        session = self._server.engine.sessions.get(eio_sid)
        handler = None if session is None else session.handler
        socket = handler.sockets.get(namespace) if isinstance(handler, Client) else None
        return None if socket is None else socket.id


class EngineView:
    """What ``socketio.server.eio`` is."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.async_mode = "gevent"

    @property
    def sockets(self) -> Mapping[str, Any]:
        """The open Engine.IO sessions by sid."""
        return dict(self._server.engine.sessions)

    @property
    def cors_allowed_origins(self) -> Any:
        """The option."""
        return self._server.options.cors_allowed_origins

    def disconnect(self, sid: str | None = None) -> None:
        """Close one session, or all."""
        engine = self._server.engine
        sessions = (
            list(engine.sessions.values()) if sid is None else [engine.sessions[sid]] if sid in engine.sessions else []
        )
        for session in sessions:
            self._server.in_home_thread_do(session.close)
