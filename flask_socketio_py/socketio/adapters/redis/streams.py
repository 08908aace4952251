"""StreamsDialect: the wire of ``@socket.io/redis-streams-adapter``, for one cluster with Node. It keeps a log.

Owns what goes into the log and what over channels (facts: ``wire`` 2.6). A broadcast is delivered when it is read in
the log, by the server that emitted it, too: so all clients see one order, and the id of its entry is the offset with
which a client can come back to any server (:mod:`.stream_recovery`). There is one stream (Node: ``streamCount`` 1).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ....errors import ClusterError
from ...msgpack_codec import MSGPACK_JAVASCRIPT
from .. import shapes
from ..cluster import Receive
from ..cluster_codec import ClusterCodec
from ..cluster_status import ClusterStatus
from ..complaints import Complaints
from ..operations import Broadcast, Disconnect, Join, Leave, Reply, Request
from ..recovery import RecoveryOptions
from .bus import CHANNEL, MAX_SIZE, Bus, told_channel
from .home import make_lock
from .log_history import LogHistory
from .log_reader import LogReader
from .sessions import PATIENCE, Sessions, insist
from .stream_log import Entry, LogCodec
from .stream_pending import Pending
from .stream_recovery import StreamRecovery
from .urls import RedisURL

if TYPE_CHECKING:
    from ...namespace import Namespace

log = logging.getLogger(__name__)

#: Entries that the stream keeps, about; with them go the offsets that clients can come back with.
MAX_LENGTH = 10_000
#: What the keys of sessions begin with, where no channel is named.
SESSIONS = "sio:session:"


class StreamsDialect:
    """Implements ``LogDialect`` over one stream and PUBLISH.

    ``channel`` is the name of the stream and what the names of channels begin with (Node: ``streamName`` and
    ``channelPrefix``; ``sessionKeyPrefix`` is then ``<channel>:session:``), ``max_size`` how many bytes a message may
    have, and ``default`` turns a value without a form into one that has.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    logs = True

    def __init__(
        self,
        url: str | RedisURL,
        *,
        channel: str | None = None,
        max_size: int = MAX_SIZE,
        default: Callable[[Any], Any] | None = None,
        max_length: int = MAX_LENGTH,
    ) -> None:
        self.channel = channel or CHANNEL
        self._prefix = f"{channel}:session:" if channel else SESSIONS
        self._max_size = max_size
        self._max_length = max_length
        self.bus = Bus(url, self._hear, max_size=max_size, on_state=self._on_writing)
        self._codec = ClusterCodec(MSGPACK_JAVASCRIPT, default)
        self.log_codec = LogCodec(self._codec)
        self.pending = Pending(self._deliver_here)
        self.reader = self._new_reader()
        #: What those who come back have missed.
        self.history = LogHistory(partial(insist, self.bus.publisher.ask), PATIENCE)
        self._sessions: Sessions | None = None
        self._recoveries: dict[str, StreamRecovery] = {}
        self._sequence = itertools.count(1)
        self._appending = make_lock()
        self._receive: Receive | None = None
        self._namespaces: set[str] = set()
        self._writes = self._reads = False
        self._complaints = Complaints(log)
        # Broadcasts that Redis did not take.
        self._untold = 0

    @property
    def status(self) -> ClusterStatus:
        reader = self.reader
        return self.bus.status_with(reader.status, malformed=reader.malformed, lost=self._untold)

    def watch(self, changed: Callable[[], Any]) -> None:
        self.bus.on_status = changed

    def _new_reader(self) -> LogReader:
        return LogReader(
            self.bus.publisher,
            self.channel,
            self._take,
            on_state=self._on_reading,
            on_gap=lambda reason: self.pending.lost(),
            on_status=self.bus.changed,
        )

    # -- the seam ----------------------------------------------------------------------------------------------------

    def start(self, receive: Receive) -> None:
        self._receive = receive
        self._untold = 0
        self._appending = make_lock()  # a thread of the parent's may have held the other one at the fork
        self._namespaces.clear()
        self._writes = self._reads = False
        self.pending.start()
        self.reader.close()  # after a fork, the parent's
        self.reader = self._new_reader()
        self.reader.start()
        self.bus.start()

    def add_namespace(self, name: str) -> None:
        channels = told_channel(self.channel, name), told_channel(self.channel, name, self.bus.uid)
        if name not in self._namespaces and None not in channels:
            self._namespaces.add(name)
            self.bus.subscriber.subscribe(*filter(None, channels))

    def remove_namespace(self, name: str) -> None:
        self._recoveries.pop(name, None)
        if name in self._namespaces and not self.bus.closed:
            self._namespaces.discard(name)
            channels = told_channel(self.channel, name), told_channel(self.channel, name, self.bus.uid)
            self.bus.subscriber.unsubscribe(*filter(None, channels))

    def publish(self, namespace: str, operation: Request) -> None:
        if isinstance(operation, Broadcast):
            if operation.volatile or operation.request_id is not None:
                self._say(namespace, operation)
            else:
                self._append_broadcast(namespace, operation)
        elif isinstance(operation, Join | Leave | Disconnect):
            if not self.bus.closed:
                self._append_operation(namespace, operation)
        else:
            self._say(namespace, operation)

    def reply(self, namespace: str, reply_to: str, operation: Reply) -> None:
        self._say(namespace, operation, reply_to)

    def others(self, namespace: str) -> int | None:
        return self.bus.others(f"{self.channel}#{namespace}#", namespace in self._namespaces)

    def close(self) -> None:
        self.reader.close()
        self.bus.close()
        self.pending.close()

    def recovery(self, namespace: Namespace, options: RecoveryOptions) -> StreamRecovery:
        if self._sessions is None:
            timekeeper = namespace.server.engine.timekeeper
            self._sessions = Sessions(
                self.bus, self._prefix, self._codec.msgpack, timekeeper, options, max_size=self._max_size
            )
        return StreamRecovery(namespace, options, self._sessions, self)

    def attend(self, namespace: str, recovery: StreamRecovery) -> None:
        """Somebody is here who may come back. (Not every namespace that was made is used.)"""
        self._recoveries[namespace] = recovery

    def announce(self, namespace: str, sid: str) -> None:
        """Let whoever still has this client's old connection know that it is here now."""
        self._append_operation(namespace, Disconnect((sid,), ()), "recovered", "1")

    def waiting(self, namespace: str) -> list[Broadcast]:
        return self.pending.of(namespace)

    # -- what we say -------------------------------------------------------------------------------------------------

    def _say(self, namespace: str, operation: Request | Reply, to: str | None = None) -> None:
        message = self._codec.msgpack.encode(self._codec.message(self.bus.uid, namespace, operation))
        self.bus.send(f"{self.channel}#{namespace}#" + (f"{to}#" if to else ""), message)

    def _append_broadcast(self, namespace: str, operation: Broadcast) -> None:
        kind, data = self._encoded(operation)
        try:
            with self._appending:  # in the order of their numbers, whichever threads they come from
                number = next(self._sequence)
                self.pending.add(number, namespace, operation)
                if not self.bus.closed:
                    self._append(namespace, kind, data, number, partial(self._written, number))
        except ClusterError as error:
            if not self.pending.serves_here(operation):
                self.pending.discard(number)
                raise
            # Those who are here are sent it as ever; it is not in the log.
            self.pending.refused(number)
            if not operation.here:
                self._lost(error)
        except BaseException:
            self.pending.discard(number)
            raise
        else:
            (self.pending.refused if self.bus.closed else self.pending.sent)(number)

    def _append_operation(self, namespace: str, operation: Request, *further: str) -> None:
        kind, data = self._encoded(operation)
        with self._appending:
            self._append(namespace, kind, data, next(self._sequence), None, *further)

    def _encoded(self, operation: Request) -> tuple[int, bytes]:
        kind, data = self.log_codec.encode(operation)
        shapes.with_size(data, self._max_size)
        return kind, data

    def _append(
        self,
        namespace: str,
        kind: int,
        data: bytes,
        number: int,
        done: Callable[[Any], None] | None,
        *further: str,
    ) -> None:
        self.bus.publisher.send(
            *("XADD", self.channel, "MAXLEN", "~", self._max_length, "*"),
            *("uid", self.bus.uid, "nsp", namespace, "type", kind, "data", data, "seq", number),
            *further,
            done=done,
            durable=True,
        )

    def _lost(self, error: ClusterError) -> None:
        self._untold += 1
        if not self.bus.closed:
            self._complaints.warn("untold", "broadcasts could not be told to the other servers: %s", error)

    def _written(self, number: int, answer: Any) -> None:
        if isinstance(answer, ClusterError):
            self._lost(answer)
            self.pending.failed(number)
        else:
            self.pending.written(number)

    # -- what is said ------------------------------------------------------------------------------------------------

    def _hear(self, channel: bytes, data: bytes) -> None:
        uid, namespace, operation = self._codec.decode(data)
        if uid != self.bus.uid and namespace in self._namespaces and self._receive is not None:
            self._receive(namespace, operation, uid, None)

    def _take(self, identifier: str, entry: Entry) -> None:
        own = entry.uid == self.bus.uid
        early = self.pending.returned(entry.sequence) if own and entry.sequence is not None else 0
        if entry.namespace not in self._namespaces or self._receive is None or (own and not entry.is_broadcast):
            return  # the last: it was done at once
        recovery = self._recoveries.get(entry.namespace)
        operation = self.log_codec.decode(entry.kind, entry.data)
        if entry.recovered and isinstance(operation, Disconnect):
            if recovery is not None:
                for sid in operation.rooms:
                    recovery.taken_over(str(sid), identifier)
            return
        if early and isinstance(operation, Broadcast):
            others = None if recovery is None else recovery.all_but_late(early)
            if others is None:
                return
            operation = operation._replace(excepted=(*operation.excepted, *others))
        self._receive(entry.namespace, operation, entry.uid, identifier)

    def _deliver_here(self, namespace: str, operation: Broadcast) -> None:
        if self._receive is not None:
            self._receive(namespace, operation, None, None)

    # -- the connections ---------------------------------------------------------------------------------------------

    def _on_writing(self, connected: bool) -> None:
        self._writes = connected
        self._tell_pending()

    def _on_reading(self, connected: bool) -> None:
        self._reads = connected
        self._tell_pending()

    def _tell_pending(self) -> None:
        if self._receive is not None and not self.bus.closed:
            self.pending.changed(self._writes and self._reads)
