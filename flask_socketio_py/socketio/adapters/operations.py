"""What the servers of a cluster tell each other, whatever the wire. Data only.

Each dialect writes these down in its own form and reads them back; :class:`~.cluster.Cluster` acts on them. Node: the
message types of ``ClusterAdapter`` (facts: ``wire`` 2.4 to 2.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Rooms = tuple[Any, ...]


class Broadcast(NamedTuple):
    """Emit an event to the sockets in the rooms (none: all), without those in the excepted rooms."""

    #: The event's name and its arguments.
    data: Sequence[Any]
    rooms: Rooms = ()
    excepted: Rooms = ()
    volatile: bool = False
    compress: bool = True
    #: Set where acknowledgements are wanted: every server answers with an AckCount and then so many Acks.
    request_id: str | None = None
    #: Seconds for which acknowledgements are wanted.
    timeout: float | None = None
    #: Whether its receivers are sockets of the server that emits, and nobody else. Not on any wire.
    here: bool = False


class Join(NamedTuple):
    """Let the sockets join further rooms."""

    rooms: Rooms
    excepted: Rooms
    moved: Rooms


class Leave(NamedTuple):
    """Let the sockets leave rooms."""

    rooms: Rooms
    excepted: Rooms
    moved: Rooms


class Disconnect(NamedTuple):
    """Disconnect the sockets; ``close`` ends their connections."""

    rooms: Rooms
    excepted: Rooms
    close: bool = False


class Fetch(NamedTuple):
    """Who is there? Every server answers with a Fetched."""

    request_id: str
    rooms: Rooms
    excepted: Rooms


class Fetched(NamedTuple):
    """The sockets of one server: ``{"id", "handshake", "rooms", "data"}`` each."""

    request_id: str
    sockets: list[dict[str, Any]]


class Count(NamedTuple):
    """How many are there, and if wanted in each room? Every server answers with a Counted."""

    request_id: str
    rooms: Rooms
    excepted: Rooms
    with_rooms: bool = False


class Counted(NamedTuple):
    """How many sockets of one server there are, and how many in each room; ``None`` where nobody asked for that."""

    request_id: str
    total: int
    room_sizes: dict[Any, int] | None = None


class ServerEvent(NamedTuple):
    """An event for the servers themselves; with a request id each answers with a ServerAnswer."""

    data: Sequence[Any]
    request_id: str | None = None


class ServerAnswer(NamedTuple):
    """What one server says to a ServerEvent."""

    request_id: str
    value: Any


class AckCount(NamedTuple):
    """How many sockets of one server were asked by a Broadcast."""

    request_id: str
    total: int


class Ack(NamedTuple):
    """One socket's acknowledgement: the first argument, and all of them where the wire carries them."""

    request_id: str
    value: Any
    args: list[Any] | None = None


class NoAnswer(NamedTuple):
    """What a dialect says for a server that is counted, but does not understand the question."""

    request_id: str


Request = Broadcast | Join | Leave | Disconnect | Fetch | Count | ServerEvent
Reply = Fetched | Counted | ServerAnswer | AckCount | Ack | NoAnswer
Operation = Request | Reply
