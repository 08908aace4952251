"""The servers of a cluster, as a process sees them that is none of them: it tells them what to do, and hears nothing.

Takes the place of the server and its namespaces for what emits to many (``BroadcastOperator``). Whatever needs clients,
or an answer, raises an error that says so. Must not know how the servers are told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from . import packet
from .adapters.local import Room
from .adapters.operations import Broadcast, Disconnect, Join, Leave, Request, ServerEvent
from .broadcast import Flags

#: ``(namespace, operation)``: tells all servers.
Tell = Callable[[str, Request], None]
_NO_CLIENTS = (
    "only a server has clients and hears from them, and this is none: it can emit, and let clients join, leave and go"
)


class OutsideServer:
    """All servers. ``tell`` may raise what it likes at the one who emits."""

    #: There are other servers, for whoever looks.
    cluster = True

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.namespaces: dict[str, Any] = {}

    def of(self, name: str) -> OutsideNamespace:
        """A namespace, with or without the slash."""
        return OutsideNamespace(self, name if name.startswith("/") else f"/{name}")

    def in_home_thread_do(self, function: Callable[..., Any], *args: Any) -> None:
        """Run a function now: any thread may tell."""
        function(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(_NO_CLIENTS)


class OutsideNamespace:
    """One namespace on all servers. It is its own adapter."""

    def __init__(self, server: OutsideServer, name: str) -> None:
        self.server = server
        self.name = name
        self.sockets: dict[str, Any] = {}

    @property
    def shared(self) -> OutsideNamespace:
        """All clients are elsewhere."""
        return self

    @property
    def adapter(self) -> OutsideNamespace:
        """What moves its clients."""
        return self

    @property
    def adapters(self) -> list[OutsideNamespace]:
        """The same."""
        return [self]

    def emit(
        self,
        event: str,
        args: Sequence[Any],
        rooms: tuple[Room, ...],
        excepted: tuple[Room, ...],
        flags: Flags,
        expect: Any = None,
    ) -> None:
        """Let all servers emit an event.

        Raises:
            TypeError, ValueError: for an event or data that can't be sent.
            RuntimeError: with an acknowledgement, or to local clients.
            ClusterError: the servers can't be told.
        """
        if expect is not None:
            raise RuntimeError(f"acknowledgements are not supported: {_NO_CLIENTS}")
        if flags.local:
            raise RuntimeError(f"there are no local clients: {_NO_CLIENTS}")
        packet.check_event(event)
        self._tell(Broadcast([event, *args], rooms, excepted, flags.volatile, flags.compress))

    def check_rooms(self, rooms: Collection[Room]) -> None:
        """Whether they have a form on the wire is seen when they are told."""

    def add_sockets(self, rooms: Collection[Room], except_: Collection[Room], joined: Iterable[Room]) -> None:
        """Let clients join further rooms."""
        self._tell(Join(tuple(rooms), tuple(except_), tuple(joined)))

    def del_sockets(self, rooms: Collection[Room], except_: Collection[Room], left: Iterable[Room]) -> None:
        """Let clients leave rooms."""
        self._tell(Leave(tuple(rooms), tuple(except_), tuple(left)))

    def disconnect_sockets(self, rooms: Collection[Room], except_: Collection[Room], close: bool) -> None:
        """Disconnect clients."""
        self._tell(Disconnect(tuple(rooms), tuple(except_), close))

    def close_room(self, room: Room) -> None:
        """Nobody is here who could be in it."""

    def server_side_emit(self, args: Sequence[Any], wait: bool = False) -> list[Any]:
        """Emit an event to the servers themselves.

        Raises:
            RuntimeError: with ``wait``.
        """
        if wait:
            raise RuntimeError(f"servers can't answer: {_NO_CLIENTS}")
        self._tell(ServerEvent(list(args)))
        return []

    def _tell(self, operation: Request) -> None:
        self.server.tell(self.name, operation)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(_NO_CLIENTS)
