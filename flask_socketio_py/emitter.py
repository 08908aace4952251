"""Emitter: emits to the clients of a cluster from any process, a Celery task, a cron job, a shell, without a server.

Node: ``@socket.io/redis-emitter`` and ``@socket.io/redis-streams-emitter``. Needs neither an application nor a patched
standard library. Must not know Flask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .socketio.adapters.redis.outsider import MAX_SIZE, Outsider
from .socketio.broadcast import Audience, BroadcastOperator
from .socketio.namespace import Namespace
from .socketio.outside import OutsideServer

#: Names that servers tell each other themselves.
_RESERVED = frozenset(("connect", "connection", "new_namespace"))


class Emitter(Audience):
    """Emits through the Redis of a cluster: to everybody in a namespace, or to a choice (``to``, ``in_``, ``except_``,
    ``volatile``, ``compress``).

    Each call blocks until Redis has it; threads may share one, and a forked process may go on to use it. What needs an
    answer (acknowledgements, ``fetch_sockets``, ``count``) raises :class:`RuntimeError`.

    Args:
        url: the same as the servers' ``message_queue``.
        namespace: with or without the slash.
        channel: the same as the servers' option ``channel``.
        max_message_size: bytes that one message may have, as ``max_cluster_message_size``.

    Raises:
        TypeError, ValueError: for a URL that can't be meant.
    """

    def __init__(
        self, url: str, namespace: str = "/", channel: str | None = None, *, max_message_size: int = MAX_SIZE
    ) -> None:
        self._outsider = Outsider(url, channel=channel, max_size=max_message_size)
        self._namespace = OutsideServer(self._outsider.tell).of(namespace)

    def of(self, namespace: str) -> Emitter:
        """An emitter for another namespace over the same connection."""
        other = object.__new__(Emitter)
        other._outsider = self._outsider
        other._namespace = self._namespace.server.of(namespace)
        return other

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event to everybody in the namespace.

        Raises:
            TypeError, ValueError: for data that can't be sent.
            ClusterError: Redis can't be reached.
            RuntimeError: with a ``callback``: there are no acknowledgements.
        """
        self._operator().emit(event, *args, callback=callback)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)

    def server_side_emit(self, event: str, *args: Any) -> None:
        """Emit an event to the servers themselves (``on_server_side_emit``).

        Raises:
            TypeError, ValueError: for a reserved name, or data that can't be sent.
            ClusterError: Redis can't be reached.
        """
        if not isinstance(event, str):
            raise TypeError(f"the name of an event must be a string, not {type(event).__name__}")
        if event in _RESERVED:
            raise ValueError(f"{event!r} is a reserved event name")
        self._namespace.server_side_emit([event, *args])

    def close(self) -> None:
        """End the connection; a further call opens a new one."""
        self._outsider.close()

    def __enter__(self) -> Emitter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _operator(self) -> BroadcastOperator:
        # It has what an operator needs of a namespace to emit and to move, and says of the rest why it has not.
        return BroadcastOperator(cast(Namespace, self._namespace))
