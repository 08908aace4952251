"""Scaffold: what the extension and each of its namespaces have in common: registering handlers, and addressing clients.

As in Flask, where application and blueprint share theirs. Decorators return the function unchanged, and may be used
before ``init_app`` as well as after it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .handlers import ROOM_EVENTS, Handlers
from .registry import Selector
from .socketio.broadcast import Audience, BroadcastOperator
from .socketio.cluster_adapter import ServerAnswers
from .socketio.namespace import Namespace, ParentNamespace

if TYPE_CHECKING:
    from .socketio.socket import Socket

Function = TypeVar("Function", bound=Callable[..., Any])
#: Names that servers tell each other themselves.
_RESERVED_BETWEEN_SERVERS = frozenset(("connect", "connection", "new_namespace"))


class Scaffold(Audience):
    """Registers handlers for one namespace, by default, and addresses the clients in it."""

    _handlers: Handlers
    _selector: Selector = "/"

    @abstractmethod
    def _core(self) -> Namespace | ParentNamespace:
        """The namespace of a running server."""

    def _operator(self) -> BroadcastOperator:
        return BroadcastOperator(self._core())

    def _mine(self, namespace: Selector) -> Selector:
        return self._selector if namespace is None else namespace

    # -- registration ------------------------------------------------------------------------------------------------

    def on(self, message: str, namespace: Selector = None) -> Callable[[Function], Function]:
        """Decorator: handle an event. ``"*"`` as event or namespace catches what nothing else handles."""

        def decorator(handler: Function) -> Function:
            self._handlers.add(message, handler, self._mine(namespace))
            return handler

        return decorator

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Decorator: handle the event that has the function's name.

        ``@socketio.event`` or ``@socketio.event(namespace=...)``.
        """
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__)(args[0])

        def decorator(handler: Function) -> Function:
            return self.on(handler.__name__, *args, **kwargs)(handler)

        return decorator

    def on_event(self, message: str, handler: Callable[..., Any], namespace: Selector = None) -> None:
        """Register a handler without a decorator."""
        self._handlers.add(message, handler, self._mine(namespace))

    def on_error(self, namespace: Selector = None) -> Callable[[Function], Function]:
        """Decorator: handle the exceptions of a namespace's handlers; what it returns is the acknowledgement."""

        def decorator(exception_handler: Function) -> Function:
            if not callable(exception_handler):
                raise ValueError("exception_handler must be callable")
            key = self._handlers.registry.key(self._mine(namespace))
            self._handlers.exception_handlers[key] = exception_handler
            return exception_handler

        return decorator

    def use(self, function: Any = None, *, namespace: Selector = None) -> Any:
        """Decorator: middleware ``(socket)`` that runs before a client may enter the namespace, in order of
        registration; ``namespace="*"``: any.

        It lets the client in by returning. It refuses by raising
        :class:`~flask_socketio_py.ConnectionRefusedError` (message, data), by ``False``, or as a view does: a
        response or status from 300 on, ``abort(401)``. Another exception refuses with ``Internal server error``.
        """
        return self._registered("use", function, namespace)

    def before_event(self, function: Any = None, *, namespace: Selector = None) -> Any:
        """Decorator: a function ``(event, args)`` that runs before the handlers of every event of the namespace;
        ``namespace="*"``: of any.

        ``args`` is a list, which it may change. What it returns, unless ``None``, is the acknowledgement, and no
        handler runs. Raising :class:`~flask_socketio_py.EventRefusedError` refuses the event without one.
        """
        return self._registered("before_event", function, namespace)

    def after_event(self, function: Any = None, *, namespace: Selector = None) -> Any:
        """Decorator: a function ``(event, args, result)`` that runs after the handler of every event of the
        namespace; ``namespace="*"``: of any. What it returns, unless ``None``, is acknowledged instead of the result.
        """
        return self._registered("after_event", function, namespace)

    def on_adapter_event(self, name: str, namespace: Selector = None) -> Callable[[Function], Function]:
        """Decorator: be told of rooms. ``"create-room"`` and ``"delete-room"``: ``(room)``; ``"join-room"`` and
        ``"leave-room"``: ``(room, sid)``. Called by whoever moves the client, and should be quick.

        Raises:
            ValueError: for another name.
        """
        if name not in ROOM_EVENTS:
            raise ValueError(f"there is no adapter event {name!r}, only {', '.join(ROOM_EVENTS)}")

        def decorator(function: Function) -> Function:
            self._handlers.watch(name, self._mine(namespace), function)
            return function

        return decorator

    def on_server_side_emit(self, event: str, namespace: Selector = None) -> Callable[[Function], Function]:
        """Decorator: handle an event that another server of the cluster emits for servers: ``(*args)``.

        What it returns is the answer of this server. It runs in an application context.

        Raises:
            ValueError: for a reserved name.
        """
        _check_server_event(event)

        def decorator(function: Function) -> Function:
            self._handlers.registry.add(f"on_server_side_emit {event}", self._mine(namespace), function)
            return function

        return decorator

    def _registered(self, kind: str, function: Any, namespace: Selector) -> Any:
        def decorator(function: Function) -> Function:
            self._handlers.registry.add(kind, self._mine(namespace), function)
            return function

        return decorator if function is None else decorator(function)

    # -- the namespace -----------------------------------------------------------------------------------------------

    @property
    def sockets(self) -> dict[str, Socket]:
        """The connected sockets of this server by id; a copy."""
        return {socket.id: socket for socket in self.local.fetch_sockets()}

    def room_sizes(self, local: bool = False) -> dict[Any, int]:
        """How many connected sockets there are in each room, in the whole cluster unless ``local``; a socket's own
        room is left out. Servers that don't answer in time are not counted.
        """
        sizes: dict[Any, int] = {}
        for adapter in self._core().adapters:
            for room, size in adapter.room_sizes(local).items():
                sizes[room] = sizes.get(room, 0) + size
        return sizes

    def server_side_emit(self, event: str, *args: Any) -> None:
        """Emit to the other servers of the cluster (``on_server_side_emit``); alone there is nobody to hear it.

        Raises:
            ValueError: for a reserved name.
        """
        _check_server_event(event)
        for adapter in self._core().adapters:
            adapter.server_side_emit([event, *args])

    def server_side_emit_with_ack(self, event: str, *args: Any) -> list[Any]:
        """Emit to the other servers of the cluster and wait; one answer of each. Alone: an empty list.

        Where a server does not answer in time the list has ``complete = False``.

        Raises:
            ValueError: for a reserved name.
        """
        _check_server_event(event)
        answers = ServerAnswers()
        for adapter in self._core().adapters:
            found = adapter.server_side_emit([event, *args], wait=True)
            answers.extend(found)
            answers.complete = answers.complete and getattr(found, "complete", True)
        return answers


def _check_server_event(event: str) -> None:
    if event in _RESERVED_BETWEEN_SERVERS:
        raise ValueError(f"{event!r} is a reserved event name")
