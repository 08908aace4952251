"""Which user function handles what: the registry behind the decorators, and the rules by which it is asked.

Implements ``socketio.server.Listener``. A handler's arity is inspected once, when it is registered: an error inside
it is never mistaken for a signature. Resolution order and arguments are Flask-SocketIO's.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from .context import HandlerContext, current
from .engineio.reasons import Reason
from .errors import ConnectionRefusedError, DisconnectedError
from .signatures import accepts
from .socketio.socket import Socket

if TYPE_CHECKING:
    from .namespace import Namespace

log = logging.getLogger(__name__)
Handler = Callable[..., Any]
ANY = "*"


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
        statuses = [item for item in result[1:] if isinstance(item, int) and not isinstance(item, bool)]
        status = statuses[0] if statuses else refusal_status(result[0]) if result else None
    return status if status is not None and 300 <= status <= 599 else None


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
        self._functions: dict[tuple[str, Any], Handler] = {}
        self._runners: dict[tuple[str, Any], Callable[[Socket, list[Any]], Any]] = {}
        self._names = set[str]()

    # -- registration ------------------------------------------------------------------------------------------------

    def add(self, event: str, function: Handler, namespace: str | None) -> None:
        """Register a function for an event of a namespace.

        Raises:
            TypeError: for an event name that is no string, or a handler that can't be called.
        """
        namespace = namespace or "/"
        if not isinstance(event, str):
            raise TypeError(f"the name of an event must be a string, not {type(event).__name__}")
        if not callable(function):
            raise TypeError(f"the handler of {event!r} must be a function, not {type(function).__name__}")
        self.registered.append((event, function, namespace))
        self._names.add(namespace)
        if event in ("connect", "disconnect"):
            self._functions[namespace, event] = function if accepts(function, None) else _without_arguments(function)
        else:
            self._functions[namespace, event] = function
            if event != ANY and namespace != ANY:
                self._runners[namespace, event] = self._runner(event, function)

    def add_namespace(self, namespace: Namespace) -> None:
        """Register a class-based namespace."""
        self.namespaces[namespace.namespace] = namespace
        self._names.add(namespace.namespace)

    # -- Listener ----------------------------------------------------------------------------------------------------

    def accepts(self, namespace: str) -> bool:
        return namespace in self._names or namespace in self.accepted or ANY in self.accepted

    def connect_handler(self, namespace: str) -> Callable[[Socket, Any], None] | None:
        handler = self._resolve(namespace, "connect")
        if handler is None:
            return None

        def connect(socket: Socket, auth: Any) -> None:
            try:
                accepted = self._run(socket, handler, "connect", (auth,))
            except builtins.ConnectionRefusedError as error:
                raise ConnectionRefusedError("Connection refused by server") from error
            except HTTPException as error:  # abort(401), as Flask-Login's login_required does
                raise ConnectionRefusedError(error.name, {"status": error.code}) from error
            status = refusal_status(accepted)
            if status is not None:
                raise ConnectionRefusedError(HTTP_STATUS_CODES.get(status, "Refused"), {"status": status})
            if accepted is False:
                raise ConnectionRefusedError

        return connect

    def disconnect_handler(self, namespace: str) -> Callable[[Socket, Reason], None] | None:
        handler = self._resolve(namespace, "disconnect")
        if handler is None:
            return None

        def disconnect(socket: Socket, reason: Reason) -> None:
            self._run(socket, handler, "disconnect", (LEGACY_REASONS.get(reason) or reason.value,))

        return disconnect

    def event_handler(self, namespace: str, event: Any) -> Callable[[Socket, list[Any]], Any] | None:
        runner = self._runners.get((namespace, event))
        if runner is None:
            handler = self._resolve_event(namespace, event)
            if handler is not None:
                runner = self._runner(event, handler)
        return runner

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

    def _runner(self, event: Any, handler: Handler) -> Callable[[Socket, list[Any]], Any]:
        on_error = self._on_error

        def run(socket: Socket, args: list[Any]) -> Any:
            arguments = tuple(args[1:])
            context = HandlerContext(self.app, socket, event, arguments, self.manage_session)
            return context.run(handler, arguments, on_error)

        return run

    def _run(self, socket: Socket, handler: Handler, event: str, args: tuple[Any, ...]) -> Any:
        return HandlerContext(self.app, socket, event, args, self.manage_session).run(handler, args, self._on_error)

    def _on_error(self, error: Exception, namespace: str) -> Any:
        """Let the user's error handler answer for a handler, or raise again."""
        if isinstance(error, ConnectionRefusedError | builtins.ConnectionRefusedError):
            raise error
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
