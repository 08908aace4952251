"""Which user function handles what: the registry behind the decorators, and the rules by which it is asked.

Implements ``socketio.server.Listener``. A handler's arity is inspected once, when it is registered: an error inside
it is never mistaken for a signature. Resolution order and arguments are Flask-SocketIO's.
"""

from __future__ import annotations

import builtins
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from . import events
from .context import HandlerContext, OnError, bound, current
from .engineio.reasons import Reason
from .errors import ConnectionRefusedError, DisconnectedError, EventRefusedError
from .registry import ANY, Registry, Selector
from .signatures import accepts
from .socketio.client import NO_ACK
from .socketio.entrance import Connect, Search
from .socketio.namespace import Namespace as CoreNamespace
from .socketio.socket import Socket

if TYPE_CHECKING:
    from .namespace import Namespace
    from .socketio.server import Server

log = logging.getLogger(__name__)
Handler = Callable[..., Any]
Runner = Callable[[Socket, list[Any]], Any]
#: What is told of rooms.
ROOM_EVENTS = ("create-room", "delete-room", "join-room", "leave-room")


class DisconnectReason:
    """The reasons a disconnect handler is told, as ``socketio.reason``."""

    SERVER_DISCONNECT = "server disconnect"
    CLIENT_DISCONNECT = "client disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"
    PARSE_ERROR = "parse error"
    FORCED_CLOSE = "forced close"
    SERVER_SHUTTING_DOWN = "server shutting down"
    OUTBOX_FULL = "outbox full"


#: Reasons as Flask-SocketIO's users compare them.
LEGACY_REASONS = {
    Reason.CLIENT_NAMESPACE_DISCONNECT: "client disconnect",
    Reason.SERVER_NAMESPACE_DISCONNECT: "server disconnect",
    Reason.FORCED_SERVER_CLOSE: "server disconnect",
}


def refusal_status(result: Any) -> int | None:
    """The HTTP status of what a connect handler returned, if a view that returns this would have refused.

    Decorators made for views (Flask-HTTPAuth, Flask-Login) answer for the function they guard: with a response, or a
    tuple with a status. A redirection to a login page is a refusal too.
    """
    status: Any = None
    if isinstance(result, Response):
        status = result.status_code
    elif isinstance(result, tuple):
        statuses = [found for item in result[1:] if (found := _as_status(item)) is not None]
        status = statuses[0] if statuses else refusal_status(result[0]) if result else None
    return status if status is not None and 300 <= status <= 599 else None


def _as_status(item: Any) -> int | None:
    """``401``, or as Flask allows too ``"401 UNAUTHORIZED"``."""
    if isinstance(item, str):
        return int(item[:3]) if item[:3].isdecimal() and item[:3].isascii() and item[3:4] in ("", " ") else None
    return item if isinstance(item, int) and not isinstance(item, bool) else None


def refuse(result: Any) -> None:
    """Refuse a client if what was asked said so.

    Raises:
        ConnectionRefusedError: it did, by ``False`` or by a view's refusal.
    """
    refuse_like_a_view(result)
    if result is False:
        raise ConnectionRefusedError


def refuse_like_a_view(result: Any) -> None:
    """Refuse a client if a guard made for views has answered.

    Raises:
        ConnectionRefusedError: it did, with a response or a status that is a refusal.
    """
    status = refusal_status(result)
    if status is not None:
        raise ConnectionRefusedError(HTTP_STATUS_CODES.get(status, "Refused"), {"status": status})


class Handlers:
    """All handlers of one ``SocketIO``."""

    def __init__(self) -> None:
        self.app: Flask = None  # type: ignore[assignment]  # set by init_app(), before anybody can connect
        self.manage_session = True
        self.accepted: frozenset[str] = frozenset(("/",))
        #: (event, handler, namespace) in the order of registration.
        self.registered: list[tuple[str, Handler, str]] = []
        self.namespaces: dict[str, Namespace] = {}
        self.exception_handlers: dict[str, Handler] = {}
        self.default_exception_handler: Handler | None = None
        self.registry = Registry()
        #: The server, once there is one.
        self.server: Server | None = None
        self._functions: dict[tuple[str, Any], Handler] = {}
        self._runners: dict[tuple[str, Any], Runner] = {}

    # -- registration ------------------------------------------------------------------------------------------------

    def add(self, event: str, function: Handler, namespace: Selector) -> None:
        """Register a function for an event of a namespace.

        Raises:
            TypeError: for an event name that is no string, or a handler that can't be called.
        """
        if not isinstance(event, str):
            raise TypeError(f"the name of an event must be a string, not {type(event).__name__}")
        if not callable(function):
            raise TypeError(f"the handler of {event!r} must be a function, not {type(function).__name__}")
        namespace = self.registry.name(namespace)
        self.registered.append((event, function, namespace))
        if event in ("connect", "disconnect"):
            self._functions[namespace, event] = function if accepts(function, None) else _without_arguments(function)
        else:
            self._functions[namespace, event] = function
            if event != ANY and namespace != ANY:
                self._runners[namespace, event] = self._runner(event, function)

    def add_namespace(self, namespace: Namespace) -> None:
        """Register a class-based namespace."""
        self.namespaces[namespace.namespace] = namespace
        self.registry.name(namespace.namespace)

    def watch(self, event: str, namespace: Selector, function: Handler) -> None:
        """Register a function for an adapter's event."""
        self.registry.add(f"on_adapter_event {event}", namespace, function)
        if self.server is not None:
            for made in self.server.namespaces.values():
                self.watch_rooms(made)

    # -- Listener ----------------------------------------------------------------------------------------------------

    def template(self, namespace: str) -> str | Search | None:
        registry = self.registry
        if namespace in registry.names or namespace in self.accepted:
            return namespace
        found = registry.parent(namespace)
        if found is None:
            return namespace if ANY in self.accepted else None
        if isinstance(found, str):
            return found
        candidates = found

        def search(socket: Socket) -> str | None:
            for selector, key in candidates:
                if isinstance(selector, re.Pattern):
                    return key  # it matched
                answer = self._judged(socket, selector, (namespace, socket.auth), None)
                refuse_like_a_view(answer)
                if answer:
                    return key
            return namespace if ANY in self.accepted else None

        return search

    def connect_handlers(self, socket: Socket) -> tuple[Connect | None, Connect | None]:
        template = socket.namespace.template
        handler = self._resolve(template, "connect")
        guards = self.registry.of("use", template)

        def guard(socket: Socket, auth: Any) -> None:
            for function in guards:
                if socket.disconnect_reason is None:
                    # What a middleware raises is for nobody to swallow: the client would be let in.
                    refuse(self._judged(socket, function, (socket,), None))

        def connect(socket: Socket, auth: Any) -> None:
            refuse(self._judged(socket, handler, (auth,), self._on_error))

        return guard if guards else None, None if handler is None else connect

    def disconnect_handler(self, socket: Socket) -> Callable[[Socket, Reason], None] | None:
        handler = self._resolve(socket.namespace.template, "disconnect")
        if handler is None and socket.extras is None:
            return None

        def disconnect(socket: Socket, reason: Reason) -> None:
            text = LEGACY_REASONS.get(reason) or reason.value
            self._call(socket, "disconnect", (text,), events.end, (socket, handler, text), self._on_error)

        return disconnect

    def bound(self, callback: Handler) -> Handler:
        return bound(callback)

    def event_handler(self, socket: Socket, event: Any) -> Runner | None:
        template = socket.namespace.template
        runner = self._runners.get((template, event))
        if runner is None:
            handler = self._resolve_event(template, event)
            if handler is not None or socket.extras is not None or self.registry.has("before_event", template):
                runner = self._runner(event, handler)
        return runner

    def namespace_made(self, namespace: CoreNamespace) -> None:
        self.watch_rooms(namespace)
        if namespace.name != "/":
            server = namespace.server
            for function in self.registry.of("on_new_namespace", ANY):
                server.in_home_thread_do(server.dispatcher.start, self._announce, (function, namespace))

    def _announce(self, function: Handler, namespace: CoreNamespace) -> None:
        try:
            with self.app.app_context():
                function(self.app.extensions["socketio"].of(namespace.name))
        except Exception:
            log.exception("an on_new_namespace function failed")

    def server_event_handler(self, namespace: str, event: Any) -> Handler | None:
        found = self.template(namespace)
        template = found if isinstance(found, str) else namespace
        functions = self.registry.of(f"on_server_side_emit {event}", template) if isinstance(event, str) else []
        if not functions:
            return None

        def handle(*args: Any) -> Any:
            with self.app.app_context():
                answers = [function(*args) for function in functions]
            return next((answer for answer in answers if answer is not None), None)

        return handle

    def static_namespaces(self) -> list[str]:
        return [name for name in {*self.registry.names, *self.accepted, "/"} if name[:1] == "/"]

    def template_found(self, namespace: CoreNamespace) -> None:
        self.watch_rooms(namespace)

    def watch_rooms(self, namespace: CoreNamespace) -> None:
        """Let those who asked know of the rooms of a namespace."""
        kinds = {
            event: functions
            for event in ROOM_EVENTS
            if (functions := self.registry.of(f"on_adapter_event {event}", namespace.template))
        }
        if kinds:
            namespace.adapter.on_room = lambda event, room, sid: events.tell_of_room(
                kinds.get(event, ()), (room,) if sid is None else (room, sid)
            )

    # -- resolution --------------------------------------------------------------------------------------------------

    def _resolve(self, namespace: str, event: str) -> Handler | None:
        """The handler of ``connect`` or ``disconnect``, which catch-all events don't see."""
        functions = self._functions
        return (
            functions.get((namespace, event))
            or functions.get((ANY, event))
            or self._class_handler(namespace, event)
            or self._class_handler(ANY, event)
        )

    def _resolve_event(self, namespace: str, event: Any) -> Handler | None:
        functions = self._functions
        handler = functions.get((namespace, ANY))
        if handler is not None:
            return _with_name(handler, event)
        handler = functions.get((ANY, event))
        if handler is not None:
            return handler
        handler = functions.get((ANY, ANY))
        if handler is not None:
            return _with_name(handler, event)
        return self._class_handler(namespace, event) or self._class_handler(ANY, event)

    def _class_handler(self, namespace: str, event: Any) -> Handler | None:
        instance = self.namespaces.get(namespace)
        if instance is None or not isinstance(event, str) or not instance.handles(event):
            return None

        def trigger(*args: Any) -> Any:
            context = current()
            if context is None:
                raise AssertionError("a handler runs without its context")
            sid = context.socket.id
            if event == "connect":
                return instance.trigger_event(event, sid, context.request.environ, *args)
            return instance.trigger_event(event, sid, *args)

        return trigger

    # -- the call ----------------------------------------------------------------------------------------------------

    def _runner(self, event: Any, handler: Handler | None) -> Runner:
        on_error, registry = self._on_error, self.registry

        def run(socket: Socket, args: list[Any]) -> Any:
            arguments = tuple(args[1:])
            context = HandlerContext(self.app, socket, event, arguments, self.manage_session)
            if handler is not None and socket.extras is None and not registry.wrapped:
                return context.run(handler, arguments, on_error)
            try:
                return context.run(events.chain, (context, registry, handler), on_error)
            except EventRefusedError as error:
                log.info("an event was refused: %s", type(error).__name__)
                return NO_ACK

        return run

    def _call(
        self,
        socket: Socket,
        event: str,
        args: tuple[Any, ...],
        function: Handler,
        arguments: tuple[Any, ...],
        on_error: OnError | None,
    ) -> Any:
        """Call a function in the context of an event."""
        return HandlerContext(self.app, socket, event, args, self.manage_session).run(function, arguments, on_error)

    def _judged(
        self, socket: Socket, function: Handler | None, arguments: tuple[Any, ...], on_error: OnError | None
    ) -> Any:
        """What a function says that may refuse a client; refusals of every other kind become ours."""
        if function is None:
            raise AssertionError("there is nobody to ask")
        try:
            return self._call(socket, "connect", (socket.auth,), function, arguments, on_error)
        except builtins.ConnectionRefusedError as error:
            raise ConnectionRefusedError("Connection refused by server") from error
        except HTTPException as error:  # abort(401), as Flask-Login's login_required does
            if error.response is not None:
                refuse(error.response)
            raise ConnectionRefusedError(error.name, {"status": error.code}) from error

    def _on_error(self, error: Exception, namespace: str) -> Any:
        """Let the user's error handler answer for a handler, or raise again."""
        if isinstance(error, ConnectionRefusedError | builtins.ConnectionRefusedError):
            raise error
        # A child namespace has the error handler of what made it, under its template.
        handle = (
            self.exception_handlers.get(namespace) or self.default_exception_handler or self._class_error(namespace)
        )
        if handle is None:
            raise error
        return handle(error)

    def _class_error(self, namespace: str) -> Handler | None:
        instance = self.namespaces.get(namespace)
        return getattr(instance, "error", None)


def _without_arguments(function: Handler) -> Handler:
    return lambda *_args: function()


def _with_name(function: Handler, event: Any) -> Handler:
    return lambda *args: function(event, *args)


def unknown_client(sid: Any) -> DisconnectedError:
    """What ``call()`` raises for a client that is not (or no longer) here."""
    return DisconnectedError(f"no client {sid!r} is connected")
