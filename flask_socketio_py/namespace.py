"""Namespace: handlers as the methods ``on_<event>`` of a class.

Flask-SocketIO's class, and python-socketio's below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .signatures import accepts
from .socketio.acks import DEFAULT

if TYPE_CHECKING:
    from .extension import SocketIO


class Namespace:
    """Subclass it, write methods ``on_connect``, ``on_disconnect``, ``on_<event>``, and register an instance with
    :meth:`SocketIO.on_namespace`. A method ``error(self, exception)`` handles the exceptions of the others.

    ``namespace`` is its name, by default the main one; ``"*"`` handles what no other namespace does.
    """

    #: The extension; set by :meth:`SocketIO.on_namespace`.
    socketio: SocketIO

    def __init__(self, namespace: str | None = None) -> None:
        #: Its name.
        self.namespace = namespace or "/"

    @property
    def server(self) -> Any:
        """The server view, as ``socketio.server``."""
        return self.socketio.server

    def handles(self, event: str) -> bool:
        """Whether this event is for this class: it has a method for it, or a ``trigger_event`` of its own."""
        return type(self).trigger_event is not Namespace.trigger_event or self._method(event) is not None

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Call the method for an event; may be overridden.

        ``args`` are the client's sid and the arguments of the event; for ``connect`` the sid, the WSGI environment of
        the handshake and the auth data; for ``disconnect`` the sid and the reason.
        """
        method = self._method(event)
        if method is None:
            return None
        data = args[2:] if event == "connect" else args[1:]
        if event in ("connect", "disconnect") and not accepts(method, None):
            return method()
        return method(*data)

    def _method(self, event: str) -> Callable[..., Any] | None:
        """The only place where a client's string becomes an attribute name."""
        if not callable(getattr(type(self), "on_" + event, None)):
            return None
        method: Callable[..., Any] = getattr(self, "on_" + event)
        return method

    def emit(
        self,
        event: str,
        data: Any = None,
        room: Any = None,
        include_self: bool = True,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        *,
        to: Any = None,
        skip_sid: Any = None,
    ) -> None:
        """Emit to clients of this namespace; see :meth:`SocketIO.emit`."""
        self.socketio.emit(
            event,
            data,
            to=to if to is not None else room,
            include_self=include_self,
            skip_sid=skip_sid,
            namespace=namespace or self.namespace,
            callback=callback,
        )

    def send(
        self,
        data: Any,
        room: Any = None,
        include_self: bool = True,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> None:
        """Emit a ``message`` event to clients of this namespace."""
        self.emit("message", data, room, include_self, namespace, callback)

    def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = DEFAULT,
        ignore_queue: bool = False,
    ) -> Any:
        """Emit to one client and wait for its answer; see :meth:`SocketIO.call`."""
        return self.socketio.call(event, data, to=to or sid, namespace=namespace or self.namespace, timeout=timeout)

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Make everybody leave a room."""
        self.socketio.close_room(room, namespace or self.namespace)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Put a client into a room."""
        self.server.enter_room(sid, room, namespace or self.namespace)

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Take a client out of a room."""
        self.server.leave_room(sid, room, namespace or self.namespace)

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """The rooms of a client."""
        rooms: list[Any] = self.server.rooms(sid, namespace or self.namespace)
        return rooms

    def disconnect(self, sid: str, namespace: str | None = None) -> None:
        """Disconnect a client from this namespace."""
        self.server.disconnect(sid, namespace or self.namespace)

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The dictionary kept for a client."""
        session: dict[str, Any] = self.server.get_session(sid, namespace or self.namespace)
        return session

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Replace the dictionary kept for a client."""
        self.server.save_session(sid, session, namespace or self.namespace)

    @contextmanager
    def session(self, sid: str, namespace: str | None = None) -> Iterator[dict[str, Any]]:
        """The dictionary kept for a client, saved at the end of the ``with`` block."""
        session = self.get_session(sid, namespace)
        yield session
        self.save_session(sid, session, namespace)
