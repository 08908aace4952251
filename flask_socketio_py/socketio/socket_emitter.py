"""SocketEmitter: emits to one socket, in a certain way, and waits for its acknowledgement if somebody wants it.

An immutable value: ``socket.volatile``, ``socket.compress(False)``, ``socket.timeout(5)`` each give a new one. Knows no
wire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gevent.event import AsyncResult

from ..errors import DisconnectedError, TimeoutError
from .acks import DEFAULT, Settle, call_once, call_within, run_callback, wait_in_any_thread
from .broadcast import BroadcastOperator, Flags, checked_timeout

if TYPE_CHECKING:
    from .socket import Socket


class SocketEmitter:
    """A socket, and how to emit to it."""

    __slots__ = ("_flags", "_socket")

    def __init__(self, socket: Socket, flags: Flags) -> None:
        self._socket = socket
        self._flags = flags

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event.

        ``callback(*answer)`` runs in a greenlet of its own when the client acknowledges. After ``timeout()`` it always
        runs: ``callback(None, *answer)``, or ``callback(error)`` with a :class:`~flask_socketio_py.TimeoutError`.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        timeout = self._flags.timeout
        namespace = self._socket.namespace
        server = namespace.server
        if callback is None:
            self._emit(event, args)
        elif timeout is DEFAULT or timeout is None:
            settle = call_once(server, callback)
            self._emit(event, args, lambda _socket, _ack_id: settle)
        elif server.in_home_thread():
            self._emit_within(event, args, callback, timeout)
        else:  # a timer belongs to the hub that serves the clients
            values = namespace.fixed(event, args)
            server.in_home_thread_do(self._emit_within, event, values, callback, timeout)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)

    def emit_with_ack(self, event: str, *args: Any) -> Any:
        """Emit an event and wait for the acknowledgement, of which the first argument is returned.

        Raises:
            TimeoutError: none came in time, or (``DisconnectedError``) the client has gone.
            TypeError, ValueError: for data that can't be sent.
        """
        answer = self.ask(event, *args)
        return answer[0] if answer else None

    def ask(self, event: str, *args: Any) -> list[Any]:
        """Emit an event and wait for the acknowledgement, of which all arguments are returned.

        Raises:
            TimeoutError, DisconnectedError, TypeError, ValueError: as for :meth:`emit_with_ack`.
        """
        namespace = self._socket.namespace
        server = namespace.server
        timeout = self._flags.timeout
        if timeout is DEFAULT:
            timeout = server.options.default_ack_timeout
        result: AsyncResult[list[Any] | None] = AsyncResult()
        asked: list[tuple[Socket, int]] = []
        try:
            if server.in_home_thread():
                self._ask(event, args, result, asked)
            else:  # what is known of the client belongs to the hub that serves it
                server.in_home_thread_do(self._ask, event, namespace.fixed(event, args), result, asked)
            wait_in_any_thread(result, timeout)
        finally:
            server.in_home_thread_do(_ask_no_more, asked)
        if not result.ready():
            raise TimeoutError(f"no acknowledgement within {timeout} s")
        answer = result.get()
        if answer is None:
            raise DisconnectedError("the client disconnected before it acknowledged")
        return answer

    def _ask(
        self,
        event: str,
        args: Sequence[Any],
        result: AsyncResult[list[Any] | None],
        asked: list[tuple[Socket, int]],
    ) -> None:
        def settle(socket: Socket, ack_id: int) -> Settle:
            # Not always our own socket: another one may have its id, if it was recovered.
            asked.append((socket, ack_id))
            socket.client.begin_call()
            return result.set

        self._emit(event, args, settle)
        if not asked:
            result.set(None)

    def _emit_within(self, event: str, args: Sequence[Any], callback: Callable[..., Any], timeout: float) -> None:
        asked: list[int] = []

        def settle(socket: Socket, ack_id: int) -> Settle:
            asked.append(ack_id)
            return call_within(socket, ack_id, callback, timeout)

        self._emit(event, args, settle)
        if not asked:
            error = DisconnectedError("the client has disconnected")
            self._socket.namespace.server.dispatcher.start(run_callback, (callback, [error]))

    def _emit(self, event: str, args: Sequence[Any], settle: Callable[[Socket, int], Settle] | None = None) -> None:
        socket = self._socket
        expect = None
        if settle is not None:

            def expect(socket: Socket, ack_id: int) -> None:
                socket.expect(ack_id, settle(socket, ack_id))

        socket.namespace.emit(event, args, (socket.id,), (), self._flags, expect)

    # -- other ways --------------------------------------------------------------------------------------------------

    @property
    def volatile(self) -> SocketEmitter:
        """Drop the event if the client can't receive it right now."""
        return SocketEmitter(self._socket, self._flags._replace(volatile=True))

    def compress(self, compress: bool) -> SocketEmitter:
        """Whether the event may be compressed, where that is switched on; by default it may."""
        return SocketEmitter(self._socket, self._flags._replace(compress=bool(compress)))

    def timeout(self, seconds: float | None) -> SocketEmitter:
        """How long to wait for the acknowledgement, in seconds; ``None``: for ever.

        Raises:
            ValueError: for what is no number above 0.
        """
        return SocketEmitter(self._socket, self._flags._replace(timeout=checked_timeout(seconds)))

    @property
    def broadcast(self) -> BroadcastOperator:
        """Everybody else in the namespace, in the same way."""
        socket = self._socket
        return BroadcastOperator(socket.namespace, (), (socket.id,), self._flags)

    def to(self, *rooms: Any) -> BroadcastOperator:
        """Everybody else in these rooms, in the same way."""
        return self.broadcast.to(*rooms)


def _ask_no_more(asked: list[tuple[Socket, int]]) -> None:
    for socket, ack_id in asked:
        socket.forget_ack(ack_id)
        socket.client.end_call()
