"""Whom an event shall reach, as an immutable value; then emit. Pure but for what the namespace does then.

Node: ``BroadcastOperator``. ``namespace.to("a").except_("b").emit("news", 1)``. :class:`Audience` is the grammar that
the extension, its namespaces, and the operator itself share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .acks import DEFAULT, LONGEST, Answers, Elsewhere, Settle, call_once, call_when_all, wait_for_all
from .adapters.local import LocalAdapter, Room

if TYPE_CHECKING:
    from .cluster_adapter import ClusterAdapter
    from .namespace import Namespace, ParentNamespace

Rooms = tuple[Room, ...]


class FoundSockets(list[Any]):
    """Sockets, of a whole cluster: :class:`~.socket.Socket` and :class:`~.remote_socket.RemoteSocket`.

    ``complete`` is false where a server did not answer in time: then some may be missing.
    """

    complete = True


class Flags(NamedTuple):
    """How to emit."""

    volatile: bool = False
    compress: bool = True
    local: bool = False
    #: Seconds to wait for acknowledgements.
    timeout: float | None = DEFAULT


NO_FLAGS = Flags()
VOLATILE = Flags(volatile=True)


def flattened(rooms: Iterable[Any]) -> Rooms:
    """Rooms given one by one, or as lists.

    Raises:
        TypeError: for a room that can't be a key.
    """
    found: list[Room] = []
    for room in rooms:
        if isinstance(room, list | tuple | set | frozenset):
            found.extend(room)
        else:
            found.append(room)
    hash(rooms := tuple(found))
    return rooms


def checked_timeout(seconds: float | None) -> float | None:
    """A number of seconds above 0, or ``None`` for ever.

    Raises:
        ValueError: for anything else.
    """
    if seconds is None or seconds is DEFAULT:
        return seconds
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise ValueError(f"timeout must be a number of seconds above 0, or None, not {seconds!r}")
    return seconds


class Audience(ABC):
    """Somebody to address: everybody in a namespace, or a choice of them.

    The methods that narrow it give a new :class:`BroadcastOperator`; nothing is ever changed.
    """

    __slots__ = ()

    @abstractmethod
    def _operator(self) -> BroadcastOperator:
        """Everybody who is meant."""

    # -- choosing ----------------------------------------------------------------------------------------------------

    def to(self, *rooms: Any) -> BroadcastOperator:
        """To the sockets in these rooms, each once; a socket's id is a room. Further rooms add to those before."""
        operator = self._operator()
        return replace(operator, rooms=operator.rooms + flattened(rooms))

    def in_(self, *rooms: Any) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self.to(*rooms)

    def except_(self, *rooms: Any) -> BroadcastOperator:
        """Not to the sockets in these rooms."""
        operator = self._operator()
        return replace(operator, excepted=operator.excepted + flattened(rooms))

    @property
    def local(self) -> BroadcastOperator:
        """Only to the sockets of this server, in a cluster."""
        return self._flagged(local=True)

    @property
    def volatile(self) -> BroadcastOperator:
        """Drop the event for clients that can't receive it right now."""
        return self._flagged(volatile=True)

    def compress(self, compress: bool) -> BroadcastOperator:
        """Whether the event may be compressed, where that is switched on; by default it may."""
        return self._flagged(compress=bool(compress))

    def timeout(self, seconds: float | None) -> BroadcastOperator:
        """How long to wait for acknowledgements, in seconds; ``None``: for ever.

        Raises:
            ValueError: for what is no number above 0.
        """
        return self._flagged(timeout=checked_timeout(seconds))

    def _flagged(self, **flags: Any) -> BroadcastOperator:
        operator = self._operator()
        return replace(operator, flags=operator.flags._replace(**flags))

    # -- asking and moving all of them -------------------------------------------------------------------------------

    def emit_with_ack(self, event: str, *args: Any) -> list[Any]:
        """Emit an event and wait until all have acknowledged it.

        Returns the first argument of each answer, in the order of their arrival; an empty list where nobody is.

        Raises:
            BroadcastTimeoutError: some did not answer in time (``timeout()``, or the option ``default_ack_timeout``),
                or have gone: it has the answers that came, and says who is missing.
            TypeError, ValueError: for data that can't be sent.
        """
        operator = self._operator()
        server = operator.namespace.server
        timeout = operator.flags.timeout
        if timeout is DEFAULT:
            timeout = server.options.default_ack_timeout
        return wait_for_all(server, operator._asking(event, args, timeout), timeout)

    def fetch_sockets(self) -> FoundSockets:
        """The connected sockets, those of other servers too; its ``complete`` is false where one did not answer."""
        operator = self._operator()
        rooms, excepted, local = operator.rooms, operator.excepted, operator.flags.local
        found = FoundSockets()
        for adapter in operator.namespace.adapters:
            sockets = adapter.fetch_sockets(rooms, excepted, local)
            found.extend(sockets)
            found.complete = found.complete and getattr(sockets, "complete", True)
        return found

    def count(self) -> int:
        """How many connected sockets there are."""
        operator = self._operator()
        rooms, excepted, local = operator.rooms, operator.excepted, operator.flags.local
        return sum(adapter.count(rooms, excepted, local) for adapter in operator.namespace.adapters)

    def sockets_join(self, *rooms: Any) -> None:
        """Let all of them join rooms.

        Raises:
            ValueError: for the room of a socket.
            TypeError: for a room that can't be a key.
        """
        joined = flattened(rooms)
        for adapter in self._operator().namespace.adapters:
            adapter.check_rooms(joined)
        self._with_adapters(lambda adapter, rooms, excepted: adapter.add_sockets(rooms, excepted, joined))

    def sockets_leave(self, *rooms: Any) -> None:
        """Let all of them leave rooms."""
        left = flattened(rooms)
        self._with_adapters(lambda adapter, rooms, excepted: adapter.del_sockets(rooms, excepted, left))

    def disconnect_sockets(self, close: bool = False) -> None:
        """Disconnect all of them; ``close`` ends their connections, with all namespaces."""
        self._with_adapters(lambda adapter, rooms, excepted: adapter.disconnect_sockets(rooms, excepted, close))

    def _with_adapters(self, function: Callable[[LocalAdapter | ClusterAdapter, Rooms, Rooms], None]) -> None:
        operator = self._operator()
        for adapter in operator.namespace.adapters:
            operator.namespace.server.in_home_thread_do(function, adapter, operator.rooms, operator.excepted)


@dataclass(frozen=True)
class BroadcastOperator(Audience):
    """The sockets of a namespace in any of ``rooms`` (none: all), without those in the excepted rooms."""

    namespace: Namespace | ParentNamespace
    rooms: tuple[Room, ...] = ()
    excepted: tuple[Room, ...] = ()
    flags: Flags = NO_FLAGS

    def _operator(self) -> BroadcastOperator:
        return self

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event to all of them.

        ``callback(*answer)`` runs for each client that acknowledges. After ``timeout()`` it runs once,
        ``callback(error, answers)``: with ``None`` when all have answered, or with the
        :class:`~flask_socketio_py.BroadcastTimeoutError` when the time is up.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        namespace, flags = self.namespace, self.flags
        if callback is None:
            namespace.emit(event, args, self.rooms, self.excepted, flags)
            return
        server = namespace.server
        if flags.timeout is DEFAULT or flags.timeout is None:
            settle = call_once(server, callback)
            namespace.emit(
                event, args, self.rooms, self.excepted, flags, lambda socket, ack_id: socket.expect(ack_id, settle)
            )
            if not flags.local:
                self._call_for_others(event, args, settle)
            return
        asking = self._asking(event, args, flags.timeout)
        server.in_home_thread_do(call_when_all, server, asking, callback, flags.timeout)

    def _asking(self, event: str, args: tuple[Any, ...], timeout: float | None) -> Callable[[Answers], None]:
        """What asks all of them; in another thread what is wrong is raised now."""
        namespace, rooms, excepted, flags = self.namespace, self.rooms, self.excepted, self.flags
        values: Sequence[Any] = args
        if not namespace.server.in_home_thread():
            values = namespace.fixed(event, args, rooms + excepted)
        # Counted now, because it may take a moment, and what asks must not.
        others = [] if flags.local else [(each, each.others(rooms)) for each in namespace.clusters]

        def ask(answers: Answers) -> None:
            namespace.emit(event, values, rooms, excepted, flags, answers.expect)
            for cluster, count in others:
                if count:
                    answers.expect_servers(count, cluster.ask(event, values, self, timeout, answers.on_reply))

        return ask

    def _call_for_others(self, event: str, args: tuple[Any, ...], settle: Settle) -> None:
        """Let the clients of other servers answer, too, for as long as acknowledgements are waited for by default."""
        server = self.namespace.server
        timeout = server.options.default_ack_timeout or LONGEST
        for cluster in self.namespace.clusters:
            if not cluster.all_here(self.rooms):
                elsewhere = Elsewhere(settle)
                elsewhere.end = cluster.ask(event, args, self, timeout, elsewhere.on_reply)
                server.in_home_thread_do(elsewhere.begin, cluster.cluster.requests_timeout, timeout)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)


def chosen(rooms: Any) -> Rooms:
    """What Flask-SocketIO's ``to=`` may be: nothing, a room, or several."""
    if rooms is None:
        return ()
    return tuple(rooms) if isinstance(rooms, list | tuple | set | frozenset) else (rooms,)
