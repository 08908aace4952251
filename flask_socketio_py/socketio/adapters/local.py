"""LocalAdapter: rooms <-> socket ids of one namespace in this process, and the fan-out to them.

The only truth about rooms. What is asked of many sockets at once (who is there, join, leave, disconnect) goes through
it, since a cluster's adapter will ask the other servers too.

Every socket is in a room of its own id; that room is implied, not stored. Knows nothing of packets or transports.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from gevent import get_hub, sleep
from gevent.event import Event
from greenlet import getcurrent

from ...engineio.message import PreparedMessage
from .recovery_store import RecoveryStore

Room = Hashable
#: ``(event, room, socket id or None)``: "create-room", "delete-room", "join-room" and "leave-room".
RoomListener = Callable[[str, Room, "str | None"], None]
#: Deliveries between two turns of the hub during one fan-out.
BATCH = 1000


class Recipient(Protocol):
    """What the adapter needs of a socket."""

    id: str
    connected: bool

    def deliver(self, message: PreparedMessage, volatile: bool = False) -> None:
        """Send an encoded message."""

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect it; ``close`` ends its whole connection."""


class LocalAdapter:
    """Two mirrored maps: room -> members, and socket id -> rooms."""

    def __init__(self, recovery: RecoveryStore | None = None) -> None:
        self.recovery = recovery
        #: Told of rooms that come and go; ``None`` where nobody asked.
        self.on_room: RoomListener | None = None
        #: The same for a cluster, before: ``(room, whether it came)``, but for the sockets' own rooms.
        self.on_shared_room: Callable[[Room, bool], None] | None = None
        self.sockets: dict[str, Any] = {}
        self.rooms: dict[Room, dict[str, Any]] = {}
        # socket id -> room -> from which position of the recovery's log on it is in there.
        self._memberships: dict[str, dict[Room, Any]] = {}
        self._fan_outs: deque[tuple[PreparedMessage, list[Any], bool, Event]] = deque()
        self._fanning_out = False

    # -- membership --------------------------------------------------------------------------------------------------

    def add(self, socket: Recipient) -> None:
        """A socket joined the namespace."""
        self.sockets[socket.id] = socket
        if self.on_room is not None:
            self.on_room("create-room", socket.id, None)
            self.on_room("join-room", socket.id, socket.id)

    def remove(self, socket: Recipient) -> None:
        """A socket left the namespace, and with it all rooms."""
        if self.sockets.get(socket.id) is not socket:
            return  # it was recovered meanwhile: the id is another object's now
        del self.sockets[socket.id]
        for room in self._memberships.pop(socket.id, ()):
            self._drop(room, socket.id)
        if self.on_room is not None:
            self.on_room("leave-room", socket.id, socket.id)
            self.on_room("delete-room", socket.id, None)

    def join(self, sid: str, room: Room) -> None:
        """A socket joins a room; a second time changes nothing.

        Raises:
            ValueError: for the room of another socket.
            TypeError: for a room name that can't be a key.
        """
        socket = self.sockets.get(sid)
        if socket is None or room == sid:
            return
        self.check_rooms((room,))
        self._join(socket, room, 0 if self.recovery is None else self.recovery.position)

    def restore(self, sid: str, rooms: Mapping[Room, Any]) -> None:
        """A socket that was recovered is in its rooms again, but for names that have become the id of a socket."""
        for room, since in rooms.items():
            if room not in self.sockets:
                self._join(self.sockets[sid], room, since)

    def _join(self, socket: Recipient, room: Room, since: Any) -> None:
        sid = socket.id
        members = self.rooms.get(room)
        if members is not None and sid in members:
            return
        if members is None:
            self.rooms[room] = {sid: socket}
        else:
            members[sid] = socket
        self._memberships.setdefault(sid, {})[room] = since
        if self.recovery is not None:
            self.recovery.changed(socket)
        if members is None and self.on_shared_room is not None:
            self.on_shared_room(room, True)
        if self.on_room is not None:  # when all is done: it may lead to further changes
            if members is None:
                self.on_room("create-room", room, None)
            self.on_room("join-room", room, sid)

    def check_rooms(self, rooms: Iterable[Room]) -> None:
        """Check that sockets may join these rooms.

        Raises:
            ValueError: for the room of a socket.
        """
        for room in rooms:
            if room in self.sockets:
                raise ValueError("cannot enter a sid room: a socket's own room is for that socket alone")

    def leave(self, sid: str, room: Room) -> None:
        """A socket leaves a room."""
        rooms = self._memberships.get(sid)
        if rooms is None or room not in rooms:
            return
        del rooms[room]
        if not rooms:
            del self._memberships[sid]
        if self.recovery is not None:
            self.recovery.changed(self.sockets[sid])
        self._drop(room, sid)

    def close_room(self, room: Room) -> None:
        """Everybody leaves a room.

        Raises:
            ValueError: for a socket's own room.
        """
        if room in self.sockets:
            raise ValueError("cannot close a sid room")
        for sid in list(self.rooms.get(room, ())):
            self.leave(sid, room)

    def rooms_of(self, sid: str) -> list[Room]:
        """The rooms of a socket, its own first."""
        if sid not in self.sockets:
            return []
        return [sid, *self._memberships.get(sid, ())]

    def memberships(self, sid: str) -> dict[Room, Any]:
        """The rooms of a socket but for its own, and from which position of the recovery's log on it is in each."""
        return dict(self._memberships.get(sid, {}))

    def members(self, room: Room) -> list[str]:
        """The ids of the sockets in a room, which may be a socket's own."""
        if room in self.sockets:
            return [str(room)]
        return list(self.rooms.get(room, ()))

    def _drop(self, room: Room, sid: str) -> None:
        members = self.rooms[room]
        del members[sid]
        if not members:
            del self.rooms[room]
            if self.on_shared_room is not None:
                self.on_shared_room(room, False)
        if self.on_room is not None:  # when all is done: it may lead to further changes
            self.on_room("leave-room", room, sid)
            if not members and room not in self.rooms:
                self.on_room("delete-room", room, None)

    # -- many at once ------------------------------------------------------------------------------------------------

    def fetch_sockets(self, rooms: Collection[Room], except_: Collection[Room], local: bool = False) -> list[Any]:
        """The connected sockets in any of the rooms (none: all), without those in the excepted rooms."""
        return [socket for socket in self.targets(rooms, except_) if socket.connected]

    def count(self, rooms: Collection[Room], except_: Collection[Room], local: bool = False) -> int:
        """How many they are."""
        return len(self.fetch_sockets(rooms, except_, local))

    def room_sizes(self, local: bool = False) -> dict[Room, int]:
        """How many sockets there are in each room; a socket's own room is left out."""
        return {room: len(members) for room, members in self.rooms.copy().items()}

    def add_sockets(self, rooms: Collection[Room], except_: Collection[Room], joined: Iterable[Room]) -> None:
        """Let them join further rooms.

        Raises:
            ValueError: for the room of a socket, before anybody has joined any.
        """
        joined = tuple(joined)
        self.check_rooms(joined)
        for socket in self.fetch_sockets(rooms, except_):
            for room in joined:
                self.join(socket.id, room)

    def del_sockets(self, rooms: Collection[Room], except_: Collection[Room], left: Iterable[Room]) -> None:
        """Let them leave rooms."""
        left = tuple(left)
        for socket in self.fetch_sockets(rooms, except_):
            for room in left:
                self.leave(socket.id, room)

    def disconnect_sockets(self, rooms: Collection[Room], except_: Collection[Room], close: bool) -> None:
        """Disconnect them."""
        for socket in self.fetch_sockets(rooms, except_):
            socket.disconnect(close=close)

    def server_side_emit(self, args: Sequence[Any], wait: bool = False) -> list[Any]:
        """Tell the other servers of the cluster; the answers of those that were asked. There are none."""
        return []

    # -- fan-out -----------------------------------------------------------------------------------------------------

    def has_room(self, name: str) -> bool:
        """Whether anybody is in the room that is called so in the name of a channel: a text, or a number."""
        if name in self.sockets or name in self.rooms:
            return True
        try:
            return float(name) in self.rooms
        except ValueError:
            return False

    def targets(self, rooms: Collection[Room], except_: Iterable[Room] = ()) -> list[Any]:
        """The sockets in any of the rooms (none given: all), each once, without those in the excepted rooms."""
        if not rooms:
            chosen = self.sockets
        elif len(rooms) == 1:
            chosen = self._room(next(iter(rooms)))
        else:
            chosen = {}
            for room in rooms:
                chosen.update(self._room(room))
        excepted = {sid for room in except_ for sid in self.members(room)}
        if not excepted:
            return list(chosen.values())
        # A copy, because another thread may emit while clients come and go. By copy(): what list() makes of items may
        # start the garbage collector half-way, which lets other threads run.
        return [socket for sid, socket in chosen.copy().items() if sid not in excepted]

    def _room(self, room: Room) -> dict[str, Any]:
        socket = self.sockets.get(room)  # type: ignore[call-overload]
        if socket is not None:
            return {socket.id: socket}
        return self.rooms.get(room, {})

    def broadcast(self, message: PreparedMessage, targets: list[Any], volatile: bool = False) -> None:
        """Send one message to many.

        Large fan-outs let the hub have a turn now and then; all recipients see one order.
        """
        if len(targets) <= BATCH and not self._fanning_out:
            for socket in targets:
                socket.deliver(message, volatile)
            return
        done = Event()
        self._fan_outs.append((message, targets, volatile, done))
        if self._fanning_out:
            if getcurrent() is not get_hub():
                done.wait()
            return
        self._fanning_out = True
        try:
            while self._fan_outs:
                self._fan_out(*self._fan_outs.popleft())
        finally:
            self._fanning_out = False
            if self._fan_outs:  # this greenlet was killed: those behind it go on in the hub
                get_hub().loop.run_callback(self._go_on)

    def _go_on(self) -> None:
        while self._fan_outs and not self._fanning_out:
            self._fan_out(*self._fan_outs.popleft())

    @staticmethod
    def _fan_out(message: PreparedMessage, targets: list[Any], volatile: bool, done: Event) -> None:
        may_sleep = getcurrent() is not get_hub()
        interruption: BaseException | None = None
        for start in range(0, len(targets), BATCH):
            if start and may_sleep:
                try:
                    sleep(0)
                except BaseException as error:  # killed: nobody may miss what the others have received
                    interruption, may_sleep = error, False
            for socket in targets[start : start + BATCH]:
                socket.deliver(message, volatile)
        done.set()
        if interruption is not None:
            raise interruption
