"""Entrance: from a CONNECT packet to a connected socket, or a refusal.

Finds the namespace (which may mean asking the application), recovers the socket of a client that comes back, lets
middleware and the connect handler decide, and answers. From the first moment on the client's place in the namespace is
taken, so that a second CONNECT finds it so. Socket.IO protocol 5, "Connection to a namespace".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engineio.message import PreparedMessage
from ..engineio.reasons import Reason
from ..engineio.session import Event
from ..errors import ConnectionRefusedError, PacketError, refusal
from .adapters.recovery import Recovery, SavedState
from .namespace import Namespace
from .socket import Socket

if TYPE_CHECKING:
    from .client import Client

log = logging.getLogger(__name__)
#: ``(socket, auth)``; raises :class:`~flask_socketio_py.ConnectionRefusedError` to refuse.
Connect = Callable[[Socket, Any], None]
#: ``(socket)`` of a namespace that is not known: finds its template, or ``None``; may block.
Search = Callable[[Socket], "str | None"]
_INVALID = {"message": "Invalid namespace"}


def connect(client: Client, name: str, auth: dict[str, Any] | None) -> None:
    """A CONNECT arrived.

    Raises:
        PacketError: for a namespace that the client is in, or about to be.
    """
    server = client.server
    if name in client.sockets:
        raise PacketError("a second CONNECT to a namespace")
    template = server.listener.template(name)
    if template is None:
        refuse(client, name, _INVALID)
    elif len(client.sockets) >= server.options.max_namespaces_per_client:
        refuse(client, name, {"message": "Too many namespaces"})
    elif isinstance(template, str):
        _enter(client, server.of(name, template), auth)
    else:
        socket = client.sockets[name] = Socket(client, Namespace(server, name, name))
        socket.auth = auth if server.recovery is None else _public(auth)
        client.start(_run_search, (socket, template, auth))


def _run_search(socket: Socket, search: Search, auth: dict[str, Any] | None) -> None:
    """Find the template of a dynamic namespace; then it is entered like any other."""
    client, name = socket.client, socket.namespace.name
    try:
        template = search(socket)
    except ConnectionRefusedError as error:
        _drop(socket, error.error_args)
    except BaseException as error:
        _fail(socket, error)
    else:
        client.vacate(socket)
        if socket.disconnect_reason is None:
            if template is None:
                refuse(client, name, _INVALID)
            else:
                _enter(client, client.server.of(name, template), auth)
    finally:
        client.ended()


def _enter(client: Client, namespace: Namespace, auth: dict[str, Any] | None) -> None:
    server = client.server
    recovery = namespace.adapter.recovery if client.session.protocol == 4 else None
    state: SavedState | None = None
    missed: list[PreparedMessage] = []
    if recovery is not None and auth is not None:
        if isinstance(auth.get("pid"), str):
            state, missed = _recover(client, namespace, recovery, auth["pid"], auth.get("offset"))
        auth = _public(auth)
    socket = client.sockets[namespace.name] = Socket(client, namespace, state)
    socket.auth = auth
    if client.session.protocol == 3:
        _name(socket)
    namespace.adapter.add(socket)
    if recovery is not None:
        if state is None:
            socket.presence = recovery.enter(socket.id)
        else:
            recovery.present[state.presence.pid] = socket.id
            socket.held = missed
            namespace.adapter.restore(socket.id, state.rooms)
    guard, handler = server.listener.connect_handlers(socket)
    if socket.recovered and server.recovery is not None and server.recovery.skip_middlewares:
        guard = None
    socket.admitted = guard is None
    if guard is None and (handler is None or server.options.always_connect):
        accept(socket)
    if guard is not None or handler is not None:
        client.start(_run_connect, (socket, guard, handler))


def _name(socket: Socket) -> None:
    """Give a socket the id that clients of protocol 4 work out for themselves."""
    namespace, sid = socket.namespace, socket.client.session.sid
    socket.id = sid if namespace.name == "/" else f"{namespace.name}#{sid}"
    earlier = namespace.sockets.get(socket.id)
    if earlier is not None:  # its disconnect handler still runs, but the id and its rooms are the new one's now
        namespace.adapter.remove(earlier)


def _public(auth: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the client's application sent: without the private id, which is nobody's business."""
    if auth is None or not isinstance(auth.get("pid"), str):
        return auth
    return {key: value for key, value in auth.items() if key not in ("pid", "offset")} or None


def _recover(
    client: Client, namespace: Namespace, recovery: Recovery, pid: str, offset: Any
) -> tuple[SavedState | None, list[PreparedMessage]]:
    """What is kept for the client that has this private id."""
    sid = recovery.present.get(pid)
    old = None if sid is None else namespace.sockets.get(sid)
    if old is not None and old.client is not client:
        # It comes back before we have noticed that its old connection is dead.
        old.client.session.apply(Event.TRANSPORT_CLOSED)
    if offset is not None and not isinstance(offset, str):
        return None, []
    found = recovery.restore(pid, offset, time.monotonic())
    if found is None:
        return None, []
    left_over = namespace.sockets.get(found[0].sid)
    if left_over is not None:  # its disconnect handler still runs
        namespace.adapter.remove(left_over)
    return found


def _run_connect(socket: Socket, guard: Connect | None, handler: Connect | None) -> None:
    client = socket.client
    try:
        if guard is not None:
            guard(socket, socket.auth)
            socket.admitted = socket.disconnect_reason is None
            if client.server.options.always_connect and socket.admitted:
                accept(socket)
        if handler is not None and socket.admitted:
            handler(socket, socket.auth)
    except ConnectionRefusedError as error:
        _drop(socket, error.error_args)
    except BaseException as error:
        _fail(socket, error)
    else:
        if not socket.connected and socket.disconnect_reason is None:
            accept(socket)
        elif not socket.connected and client.sockets.get(socket.namespace.name) is socket:
            client.finish(socket, was_connected=False)  # it left meanwhile
    finally:
        client.ended()


def accept(socket: Socket) -> None:
    """Let the client in: answer its CONNECT, then send what was held back."""
    client, held = socket.client, socket.held or ()
    socket.connected = True
    socket.held = None
    client.server.joined(client)
    data: dict[str, Any] | None = {"sid": socket.id} if client.session.protocol == 4 else None
    if data is not None and socket.presence is not None:
        data["pid"] = socket.presence.pid
    answer = client.server.parser.encode_connect(socket.namespace.prefix, data)
    # What a recovered client missed comes after CONNECT, too. In the reference it comes before, where official clients
    # keep it until they are connected: if the connection breaks in between, they have it, and get it once more.
    for message in (answer, *held):
        client.session.send(message)


def refuse(client: Client, name: str, error: dict[str, Any]) -> None:
    """Answer a CONNECT with CONNECT_ERROR."""
    parser = client.server.parser
    full: Any = error
    bare: Any = {"message": error["message"]}
    if client.session.protocol == 3:  # one value: the data where it can be sent by itself, else the message
        bare, data = error["message"], error.get("data")
        full = data if data and isinstance(data, str | dict | list) else bare
    try:
        message = parser.encode_connect_error(parser.prefix(name), full)
    except (TypeError, ValueError):
        log.exception("the data of a refusal can't be sent")
        message = parser.encode_connect_error(parser.prefix(name), bare)
    client.session.send(message)


def _drop(socket: Socket, error: dict[str, Any]) -> None:
    """This socket was refused."""
    client = socket.client
    if socket.connected:  # always_connect
        client.session.send(client.server.parser.encode_disconnect(socket.namespace.prefix))
    elif socket.disconnect_reason is None:
        refuse(client, socket.namespace.name, error)
    socket.connected = False
    if socket.disconnect_reason is None:
        socket.disconnect_reason = Reason.SERVER_NAMESPACE_DISCONNECT
        socket.let_go()
    client.vacate(socket)
    client.remove(socket)


def _fail(socket: Socket, error: BaseException) -> None:
    """A gevent.Timeout or a kill leaves no client without an answer either."""
    _drop(socket, refusal("Internal server error"))
    if not isinstance(error, Exception):
        raise error
    log.error("a connect handler failed", exc_info=error)
