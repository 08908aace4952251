"""ClusterAdapter: one namespace in a cluster. What is asked of many sockets at once reaches those of all servers.

Takes the place of the LocalAdapter there; the sockets of this server stay the LocalAdapter's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .adapters.cluster import Cluster
from .adapters.local import LocalAdapter, Room
from .adapters.operations import (
    Broadcast,
    Count,
    Counted,
    Disconnect,
    Fetch,
    Fetched,
    Join,
    Leave,
    Reply,
    ServerAnswer,
    ServerEvent,
)
from .adapters.shapes import told_rooms
from .broadcast import BroadcastOperator, Flags, FoundSockets
from .remote_socket import RemoteSocket

if TYPE_CHECKING:
    from .namespace import Namespace


class ServerAnswers(list[Any]):
    """The answers of the other servers; ``complete`` is false where one did not answer in time."""

    complete = True


class ClusterAdapter:
    """The sockets of one namespace, wherever they are."""

    def __init__(self, cluster: Cluster, namespace: Namespace) -> None:
        self.cluster = cluster
        self.namespace = namespace
        cluster.watch_rooms(namespace.name, namespace.adapter)

    @property
    def here(self) -> LocalAdapter:
        """Those of this server."""
        return self.namespace.adapter

    def broadcast(
        self, event: str, args: Sequence[Any], rooms: tuple[Room, ...], excepted: tuple[Room, ...], flags: Flags
    ) -> bool:
        """Let the others emit, too. Returns whether this server will receive it as well, and must not emit it yet.

        Raises:
            TypeError, ValueError, ClusterError: it can't be told to the others.
        """
        logs = self.cluster.dialect.logs and not flags.volatile
        here = self.all_here(rooms)
        if here and (not logs or self.here.recovery is None):
            return False
        operation = Broadcast([event, *args], rooms, excepted, flags.volatile, flags.compress, here=here)
        self.cluster.publish(self.namespace.name, operation)
        return logs

    def ask(
        self,
        event: str,
        args: Sequence[Any],
        operator: BroadcastOperator,
        timeout: float | None,
        on_reply: Callable[[Reply], None],
    ) -> Callable[[], None]:
        """Let the others emit and wait for acknowledgements, which come as replies. Returns what ends the asking.

        Raises:
            TypeError, ValueError, ClusterError: it can't be told to the others.
        """
        cluster, flags = self.cluster, operator.flags
        told = self.namespace.fixed(event, args)
        request_id = cluster.open(on_reply)
        operation = Broadcast(
            [event, *told], operator.rooms, operator.excepted, flags.volatile, flags.compress, request_id, timeout
        )
        try:
            cluster.publish(self.namespace.name, operation)
        except BaseException:
            cluster.end(request_id)
            raise
        return lambda: cluster.end(request_id)

    def others(self, rooms: Collection[Room]) -> int:
        """How many other servers have to be asked; may block for a moment."""
        return 0 if self.all_here(rooms) else self.cluster.others(self.namespace.name)

    def check_rooms(self, rooms: Collection[Room]) -> None:
        """Check rooms that sockets shall join.

        Raises:
            TypeError, ValueError: as for the LocalAdapter; or a room that is neither a string nor a whole number, which
                no other server would understand.
        """
        self.here.check_rooms(rooms)
        told_rooms(rooms)

    def fetch_sockets(self, rooms: Collection[Room], except_: Collection[Room], local: bool = False) -> list[Any]:
        """The connected sockets in any of the rooms (none: all), without those in the excepted rooms.

        Blocks until the other servers have answered; see :class:`FoundSockets`.
        """
        if local or self.all_here(rooms):
            return self.here.fetch_sockets(rooms, except_)
        name, wanted, unwanted = self.namespace.name, tuple(rooms), tuple(except_)
        replies, complete = self.cluster.ask(name, lambda request_id: Fetch(request_id, wanted, unwanted))
        found = FoundSockets(self.here.fetch_sockets(rooms, except_))
        for reply in replies:
            if isinstance(reply, Fetched):
                found.extend(RemoteSocket(self.namespace, details) for details in reply.sockets)
        found.complete = complete
        return found

    def count(self, rooms: Collection[Room], except_: Collection[Room], local: bool = False) -> int:
        """How many they are, without moving what is known of each; those of servers that don't answer are left out."""
        here = self.here.count(rooms, except_)
        if local or self.all_here(rooms):
            return here
        wanted, unwanted = tuple(rooms), tuple(except_)
        return here + sum(reply.total for reply in self._counted(wanted, unwanted, False))

    def room_sizes(self, local: bool = False) -> dict[Room, int]:
        """How many sockets there are in each room."""
        sizes: dict[Room, int] = dict(self.here.room_sizes())
        if not local:
            for reply in self._counted((), (), True):
                for room, size in (reply.room_sizes or {}).items():
                    sizes[room] = sizes.get(room, 0) + size
        return sizes

    def _counted(self, rooms: tuple[Room, ...], excepted: tuple[Room, ...], with_rooms: bool) -> list[Counted]:
        name = self.namespace.name
        replies, _ = self.cluster.ask(name, lambda request_id: Count(request_id, rooms, excepted, with_rooms))
        return [reply for reply in replies if isinstance(reply, Counted)]

    def add_sockets(self, rooms: Collection[Room], except_: Collection[Room], joined: Iterable[Room]) -> None:
        """Let them join further rooms."""
        joined = tuple(joined)
        if not self.all_here(rooms):
            self.cluster.publish(self.namespace.name, Join(tuple(rooms), tuple(except_), joined))
        self.here.add_sockets(rooms, except_, joined)

    def del_sockets(self, rooms: Collection[Room], except_: Collection[Room], left: Iterable[Room]) -> None:
        """Let them leave rooms."""
        left = tuple(left)
        if not self.all_here(rooms):
            self.cluster.publish(self.namespace.name, Leave(tuple(rooms), tuple(except_), left))
        self.here.del_sockets(rooms, except_, left)

    def disconnect_sockets(self, rooms: Collection[Room], except_: Collection[Room], close: bool) -> None:
        """Disconnect them."""
        if not self.all_here(rooms):
            self.cluster.publish(self.namespace.name, Disconnect(tuple(rooms), tuple(except_), close))
        self.here.disconnect_sockets(rooms, except_, close)

    def server_side_emit(self, args: Sequence[Any], wait: bool = False) -> list[Any]:
        """Tell the other servers; with ``wait`` blocks for the answer of each, see :class:`ServerAnswers`."""
        name, data = self.namespace.name, list(args)
        if not wait:
            self.cluster.publish(name, ServerEvent(data))
            return []
        replies, complete = self.cluster.ask(name, lambda request_id: ServerEvent(data, request_id))
        answers = ServerAnswers(reply.value for reply in replies if isinstance(reply, ServerAnswer))
        answers.complete = complete
        return answers

    def all_here(self, rooms: Collection[Room]) -> bool:
        """Whether these are sockets of this server alone: nobody else need be told."""
        sockets = self.here.sockets
        return bool(rooms) and all(room in sockets for room in rooms)
