"""Cluster: several servers that act as one, for any dialect. Requests, replies, timeouts, broadcast acknowledgements.

A server tells the others what it does, and does it itself; what others tell is done to the sockets that are here. The
seam to the wire is :class:`Dialect`; this file knows no Redis. What a peer says is never trusted to be sensible: an
operation that fails is logged, and hurts nobody.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from gevent.event import Event
from greenlet import getcurrent

from .cluster_status import ClusterStatus, State, Watch, now
from .complaints import Complaints
from .operations import (
    Ack,
    AckCount,
    Broadcast,
    Count,
    Counted,
    Disconnect,
    Fetch,
    Fetched,
    Join,
    Leave,
    NoAnswer,
    Operation,
    Reply,
    Request,
    ServerAnswer,
    ServerEvent,
)
from .recovery import RecoveryOptions
from .recovery_store import RecoveryStore

if TYPE_CHECKING:
    from ..namespace import Namespace
    from ..server import Server
    from .local import LocalAdapter

log = logging.getLogger(__name__)

#: Seconds that the other servers get to answer, where the caller names no time.
REQUESTS_TIMEOUT = 5.0
#: Requests that may be open at once; the oldest is given up beyond.
MAX_REQUESTS = 10_000

#: ``(namespace, operation, reply_to, offset)``. ``reply_to`` is the dialect's own, for :meth:`Dialect.reply`;
#: ``offset`` is the place of a broadcast in a log that clients can come back to, where the dialect keeps one.
Receive = Callable[[str, Operation, Any, "str | None"], None]


class Dialect(Protocol):
    """How the servers of a cluster talk. Implemented by ``memory`` and ``redis/*``. Called in the hub's thread, but for
    ``publish`` and ``others``: whatever thread emits or asks.
    """

    #: Whether it keeps a log: then a broadcast is received by its own server, too, in the one order of the log, and is
    #: not done before. The connection state of clients is kept there as well (``recovery``).
    logs: bool

    def start(self, receive: Receive) -> None:
        """Begin to listen; everything that others say is handed to ``receive``. Called once, in the serving process."""

    def add_namespace(self, name: str) -> None:
        """Listen to what concerns this namespace."""

    def remove_namespace(self, name: str) -> None:
        """It is not here any more."""

    def publish(self, namespace: str, operation: Request) -> None:
        """Tell all other servers. Never blocks.

        Raises:
            TypeError, ValueError: for what the wire can't carry, or is too large.
            ClusterError: too much waits already for a cluster that can't be reached.
        """

    def reply(self, namespace: str, reply_to: Any, operation: Reply) -> None:
        """Answer a request. Never blocks."""

    def others(self, namespace: str) -> int | None:
        """How many other servers there are; ``None``: that can't be found out now. May block for a moment."""

    def close(self) -> None:
        """Tell nothing and hear nothing any more."""


class LogDialect(Dialect, Protocol):
    """One that keeps a log (``logs`` is true)."""

    def recovery(self, namespace: Namespace, options: RecoveryOptions) -> RecoveryStore:
        """What lets the clients of a namespace come back, to any server."""

    def waiting(self, namespace: str) -> list[Broadcast]:
        """What this server has emitted and the log has not brought back yet."""


@runtime_checkable
class RoomWatcher(Protocol):
    """A dialect that also wants to know which rooms there are here, but for the sockets' own."""

    def room_came(self, namespace: str, room: Any) -> None:
        """A room has its first socket. Must not raise."""

    def room_went(self, namespace: str, room: Any) -> None:
        """A room is empty. Must not raise."""


@runtime_checkable
class StatusDialect(Protocol):
    """A dialect that also says how it fares. Another one counts as connected from its start to its end."""

    @property
    def status(self) -> ClusterStatus:
        """How it fares at the moment. Must not block and must not raise."""

    def watch(self, changed: Callable[[], Any]) -> None:
        """Call ``changed()`` in the hub's thread whenever :attr:`status` may be another. Called before the start."""


@runtime_checkable
class RoomReader(Protocol):
    """A dialect whose channels tell for which room a broadcast is: what is for nobody here need not be decoded."""

    #: ``(namespace, room)``: whether somebody here may be meant. Must not raise.
    concerns: Callable[[str, str], bool]


class _Open:
    """A request that waits for replies."""

    def __init__(self, on_reply: Callable[[Reply], None]) -> None:
        self.on_reply = on_reply


class Cluster:
    """The other servers, as one server sees them."""

    def __init__(self, server: Server, dialect: Dialect, requests_timeout: float = REQUESTS_TIMEOUT) -> None:
        self.server = server
        self.dialect = dialect
        if isinstance(dialect, RoomReader):
            dialect.concerns = self.concerns
        self.requests_timeout = requests_timeout
        self._open: dict[str, _Open] = {}
        self._complaints = Complaints(log)
        self._started_in = 0
        self._closed = False
        #: Notices how the others can be reached.
        self.watch = Watch(self._look)
        if isinstance(dialect, StatusDialect):
            dialect.watch(self.watch.changed)
        #: Tells the others from a process that does not serve, a task queue's for instance: no hub runs there that
        #: would send what the dialect is given. Blocks. ``None``: there is no such way.
        self.outside: Callable[[str, Request], None] | None = None

    def start(self) -> None:
        """Begin to listen, in the process and thread that serves; a second time changes nothing."""
        # After a fork the child is a server of its own.
        if self._started_in != os.getpid() and not self._closed and self.server.find_hub():
            self._started_in = os.getpid()
            self.watch.begin()
            self.dialect.start(self.receive)
            self.watch.changed()
            for name in {*self.server.namespaces, *self.server.listener.static_namespaces()}:
                self.dialect.add_namespace(name)

    def add_namespace(self, name: str) -> None:
        """A namespace has come into being."""
        if self._started_in:
            self.dialect.add_namespace(name)

    def remove_namespace(self, name: str) -> None:
        """A namespace is gone."""
        if self._started_in:
            self.dialect.remove_namespace(name)

    def watch_rooms(self, name: str, adapter: LocalAdapter) -> None:
        """Tell the dialect of the rooms of a new namespace, if it wants to know."""
        dialect = self.dialect
        if isinstance(dialect, RoomWatcher):
            watcher = dialect
            adapter.on_shared_room = lambda room, came: (watcher.room_came if came else watcher.room_went)(name, room)

    def close(self) -> None:
        """Leave the cluster."""
        self._closed = True
        if self._started_in:
            self._started_in = 0
            self.dialect.close()
            self.server.in_home_thread_do(self.watch.changed)

    def status(self) -> ClusterStatus:
        """How the other servers can be reached; a server that has not joined yet does so, if it can be one."""
        if getcurrent().parent is not None and self.server.in_home_thread():  # else no hub runs, or another one
            self.start()
        return self.watch.status

    def _look(self) -> ClusterStatus:
        state: State = "connected"
        if self._closed or self._started_in != os.getpid():
            state = "closed" if self._closed else "idle"
        dialect: Dialect | StatusDialect = self.dialect
        if not isinstance(dialect, StatusDialect):
            return ClusterStatus(state, now())
        found = dialect.status
        if state == "connected":
            state = "connecting" if found.state == "idle" else found.state
        return replace(found, state=state)

    @property
    def log(self) -> LogDialect | None:
        """The dialect, if it keeps a log."""
        return cast("LogDialect", self.dialect) if self.dialect.logs else None

    def recovery(self, namespace: Namespace, options: RecoveryOptions) -> RecoveryStore | None:
        """What lets the clients of a namespace come back to any server; ``None``: each server has its own way."""
        return None if self.log is None else self.log.recovery(namespace, options)

    # -- telling the others ------------------------------------------------------------------------------------------

    def publish(self, namespace: str, operation: Request) -> None:
        """Tell all other servers.

        Raises:
            TypeError, ValueError, ClusterError: as :meth:`Dialect.publish`.
        """
        if self.outside is not None and self._started_in != os.getpid() and getcurrent().parent is None:
            self.outside(namespace, operation)  # not in a greenlet of gevent's: nothing says that its hub will ever run
            return
        self.start()
        self.dialect.publish(namespace, operation)

    def others(self, namespace: str) -> int:
        """How many other servers there are; may block for a moment."""
        return self._counted(namespace) or 0

    def _counted(self, namespace: str) -> int | None:
        self.start()
        return self.dialect.others(namespace)

    def open(self, on_reply: Callable[[Reply], None]) -> str:
        """A request begins: replies with this id are handed to ``on_reply`` until :meth:`end`."""
        if len(self._open) >= MAX_REQUESTS:
            self._open.pop(next(iter(self._open)))
        request_id = secrets.token_hex(8)
        self._open[request_id] = _Open(on_reply)
        return request_id

    def end(self, request_id: str) -> None:
        """Nobody waits for replies any more."""
        self._open.pop(request_id, None)

    def ask(
        self, namespace: str, make: Callable[[str], Request], timeout: float | None = None
    ) -> tuple[list[Reply], bool]:
        """Ask all other servers and block until each has answered, or the time in seconds is up.

        Returns the replies, and whether they are complete.
        """
        expected = self._counted(namespace)
        replies: list[Reply] = []
        if not expected:
            return replies, expected is not None
        done = Event()

        def on_reply(reply: Reply) -> None:
            replies.append(reply)
            if len(replies) >= expected:
                done.set()

        request_id = self.open(on_reply)
        try:
            self.server.in_home_thread_do(self.publish, namespace, make(request_id))
            done.wait(self.requests_timeout if timeout is None else timeout)
        finally:
            self.end(request_id)
        return replies, len(replies) >= expected

    # -- what others tell --------------------------------------------------------------------------------------------

    def concerns(self, name: str, room: str) -> bool:
        """Whether a broadcast to one room may be for somebody here, or for somebody who may come back."""
        namespace = self.server.namespaces.get(name)
        return namespace is not None and (namespace.log is not None or namespace.adapter.has_room(room))

    def receive(self, name: str, operation: Operation, reply_to: Any = None, offset: str | None = None) -> None:
        """Another server says something. Called in the hub: must not block and must not raise."""
        try:
            if isinstance(operation, Fetched | Counted | ServerAnswer | AckCount | Ack | NoAnswer):
                request = self._open.get(operation.request_id)
                if request is not None:
                    request.on_reply(operation)
                return
            namespace = self.server.namespaces.get(name)
            if namespace is not None:
                self._act(namespace, operation, reply_to, offset)
            elif not isinstance(operation, Broadcast | Join | Leave | Disconnect):
                self._answer_for_nobody(name, operation, reply_to)
            elif isinstance(operation, Broadcast) and operation.request_id is not None:
                self.dialect.reply(name, reply_to, AckCount(operation.request_id, 0))
        except (TypeError, ValueError) as error:
            # The other's mistake, or something of ours that can't be told: a traceback would help nobody.
            kind = type(operation).__name__
            self._complaints.warn(kind, "what another server said could not be done: %s: %s", kind, error)
        except Exception:
            log.exception("what another server said could not be done: %s", type(operation).__name__)

    def _answer_for_nobody(self, name: str, operation: Request, reply_to: Any) -> None:
        """A namespace that nobody of ours is in: the others need not wait for us."""
        if isinstance(operation, Fetch):
            self.dialect.reply(name, reply_to, Fetched(operation.request_id, []))
        elif isinstance(operation, Count):
            self.dialect.reply(name, reply_to, Counted(operation.request_id, 0, {}))
        elif isinstance(operation, ServerEvent):
            self._server_event(name, operation, reply_to)

    def _act(self, namespace: Namespace, operation: Request, reply_to: Any, offset: str | None) -> None:
        adapter = namespace.adapter
        if isinstance(operation, Broadcast):
            if operation.request_id is None:
                namespace.receive(operation, offset)
            else:
                self._broadcast_with_ack(namespace, operation, operation.request_id, reply_to)
        elif isinstance(operation, Join):
            adapter.add_sockets(operation.rooms, operation.excepted, operation.moved)
        elif isinstance(operation, Leave):
            adapter.del_sockets(operation.rooms, operation.excepted, operation.moved)
        elif isinstance(operation, Disconnect):
            adapter.disconnect_sockets(operation.rooms, operation.excepted, operation.close)
        elif isinstance(operation, Fetch):
            found = adapter.fetch_sockets(operation.rooms, operation.excepted)
            details = [socket.details() for socket in found]
            self.dialect.reply(namespace.name, reply_to, Fetched(operation.request_id, details))
        elif isinstance(operation, Count):
            found = adapter.fetch_sockets(operation.rooms, operation.excepted)
            sizes = adapter.room_sizes() if operation.with_rooms else None
            self.dialect.reply(namespace.name, reply_to, Counted(operation.request_id, len(found), sizes))
        else:
            self._server_event(namespace.name, operation, reply_to)

    def _broadcast_with_ack(self, namespace: Namespace, operation: Broadcast, request_id: str, reply_to: Any) -> None:
        def on_ack(args: list[Any] | None) -> None:
            if args is not None:
                try:
                    self.dialect.reply(namespace.name, reply_to, Ack(request_id, args[0] if args else None, args))
                except (TypeError, ValueError) as error:
                    self._complaints.warn("Ack", "an acknowledgement could not be passed on: %s", error)

        asked = namespace.receive_with_ack(operation, on_ack, operation.timeout or self.requests_timeout)
        self.dialect.reply(namespace.name, reply_to, AckCount(request_id, asked))

    def _server_event(self, name: str, operation: ServerEvent, reply_to: Any) -> None:
        handler = self.server.listener.server_event_handler(name, operation.data[0])
        if handler is None:
            return  # as in the reference: the asking server's time runs out
        self.server.dispatcher.start(self._run_server_event, (name, operation, handler, reply_to))

    def _run_server_event(self, name: str, operation: ServerEvent, handler: Callable[..., Any], reply_to: Any) -> None:
        try:
            value = handler(*operation.data[1:])
            if operation.request_id is not None:
                self.dialect.reply(name, reply_to, ServerAnswer(operation.request_id, value))
        except Exception:
            log.exception("a handler of the server event %.100r failed", operation.data[0])
