"""emit, send, call, rooms and disconnect for use inside a handler: they find the client in Flask's ``request``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import flask

from .extension import SocketIO
from .socketio.acks import DEFAULT

#: Stands for the namespace of the event that is handled; ``None`` or an empty one are the main namespace.
HERE = "<that of the event>"


def _socketio() -> SocketIO:
    return cast(SocketIO, flask.current_app.extensions["socketio"])


def _request() -> Any:
    return flask.request


def emit(
    event: str,
    *args: Any,
    namespace: str | None = HERE,
    to: Any = None,
    room: Any = None,
    broadcast: bool = False,
    include_self: bool = True,
    skip_sid: Any = None,
    callback: Callable[..., Any] | None = None,
    ignore_queue: bool = False,
    **_further: Any,
) -> None:
    """Emit an event to the client whose event is handled, or to ``to`` (a room, several, a sid), or with
    ``broadcast`` to all.

    Several arguments, or a tuple, arrive as several arguments. ``callback`` is called with the client's
    acknowledgement.

    Raises:
        TypeError, ValueError: for data that can't be sent.
    """
    request = _request()
    to = to if to is not None else room
    if to is None and not broadcast:
        to = request.sid
    _socketio().emit(
        event,
        *args,
        namespace=request.namespace if namespace is HERE else namespace,
        to=to,
        include_self=include_self,
        skip_sid=skip_sid,
        callback=callback,
        ignore_queue=ignore_queue,
    )


def send(message: Any, json: bool = False, **options: Any) -> None:
    """Emit a ``message`` event (``json``: a ``json`` event); options as in :func:`emit`."""
    emit("json" if json else "message", message, **options)


def call(
    event: str,
    *args: Any,
    to: Any = None,
    room: Any = None,
    namespace: str | None = HERE,
    timeout: float | None = DEFAULT,
    ignore_queue: bool = False,
) -> Any:
    """Emit an event to one client, by default the one whose event is handled, and wait for its acknowledgement.

    Returns ``None``, the value, or a tuple of several.

    Raises:
        TimeoutError: none came within ``timeout`` seconds (by default the option ``default_ack_timeout``), or
            (``DisconnectedError``) the client has gone.
    """
    request = _request()
    target = to if to is not None else room
    return _socketio().call(
        event,
        *args,
        to=target if target is not None else request.sid,
        namespace=request.namespace if namespace is HERE else namespace,
        timeout=timeout,
        ignore_queue=ignore_queue,
    )


def join_room(room: Any, sid: str | None = None, namespace: str | None = None) -> None:
    """Put the client (or the one with this ``sid``) into a room."""
    request = _request()
    _socketio().server.enter_room(sid or request.sid, room, namespace or request.namespace)


def leave_room(room: Any, sid: str | None = None, namespace: str | None = None) -> None:
    """Take the client (or the one with this ``sid``) out of a room."""
    request = _request()
    _socketio().server.leave_room(sid or request.sid, room, namespace or request.namespace)


def close_room(room: Any, namespace: str | None = None) -> None:
    """Make everybody leave a room."""
    _socketio().close_room(room, namespace or _request().namespace)


def rooms(sid: str | None = None, namespace: str | None = None) -> list[Any]:
    """The rooms of the client (or the one with this ``sid``), its own included."""
    request = _request()
    return _socketio().server.rooms(sid or request.sid, namespace or request.namespace)


def disconnect(sid: str | None = None, namespace: str | None = None, silent: bool = False) -> None:
    """Disconnect the client (or the one with this ``sid``) from its namespace; ``silent`` is accepted and means
    nothing.
    """
    request = _request()
    _socketio().server.disconnect(sid or request.sid, namespace or request.namespace)
