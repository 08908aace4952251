"""What runs around the handler of one event, and in which order. Called inside the event's context; owns nothing.

``on_any`` functions of the socket, ``before_event`` functions of the namespace and of the socket, the handler, the
socket's own handlers, ``after_event`` functions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from .context import HandlerContext
from .registry import Registry
from .socketio.client import NO_ACK
from .socketio.socket import Socket

log = logging.getLogger(__name__)
Function = Callable[..., Any]


def chain(context: HandlerContext, registry: Registry, handler: Function | None) -> Any:
    """Run all of it; returns the acknowledgement, or ``NO_ACK`` where nobody handles the event."""
    socket, event, args = context.socket, context.event, list(context.args)
    template, extras = socket.namespace.template, socket.extras
    before = registry.of("before_event", template)
    if extras is not None:
        for function in list(extras.incoming):
            function(event, *args)
        before += extras.before
    for function in before:
        answer = function(event, args)
        if answer is not None:
            return answer
    if before:
        context.replace_args(tuple(args))
        if not socket.connected:
            return NO_ACK
    result = NO_ACK
    if handler is not None:
        result = handler(*args)
    if socket.extras is not None:
        for function in socket.extras.take(event):
            answer = function(*args)
            if result is NO_ACK or result is None:
                result = answer
    if result is not NO_ACK:
        for function in registry.of("after_event", template):
            changed = function(event, args, result)
            if changed is not None:
                result = changed
    return result


def end(socket: Socket, handler: Function | None, reason: str) -> Any:
    """A disconnect: every function is told; the first exception is raised when all have been."""
    functions: list[Function] = [] if handler is None else [handler]
    if socket.extras is not None:
        functions = [*socket.extras.take("disconnecting"), *functions, *socket.extras.take("disconnect")]
    failure: Exception | None = None
    for function in functions:
        try:
            function(reason)
        except Exception as error:
            if failure is not None:
                log.exception("a disconnect handler failed")
            failure = failure or error
    if failure is not None:
        raise failure


def tell_of_room(functions: Iterable[Function], args: tuple[Any, ...]) -> None:
    """A room came or went; a function that fails stops nobody."""
    for function in functions:
        try:
            function(*args)
        except Exception:
            log.exception("an on_adapter_event function failed")
