"""QueueDialect: the queue of python-socketio and Flask-SocketIO, for a fleet whose workers move over one by one.

Owns whom a request is waited for. Everybody listens to one channel, and Redis counts the listeners; which of them are
servers of ours a roll call tells. The others, strangers, are spoken for here: they never answer what only we ask.
What the messages say is :mod:`.queue_codec`'s affair.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from gevent import get_hub
from gevent.event import Event

from .. import shapes
from ..cluster import Receive
from ..cluster_status import ClusterStatus
from ..operations import (
    Ack,
    AckCount,
    Broadcast,
    Count,
    Fetch,
    NoAnswer,
    Operation,
    Reply,
    Request,
    ServerEvent,
)
from .bus import MAX_SIZE, Bus
from .queue_codec import CHANNEL, Asker, Heard, QueueCodec
from .urls import RedisURL

#: Seconds that our own servers have to answer a roll call, and how long the answer holds.
ROLL_CALL = 0.5
ROLL_HOLDS = 30.0
#: Questions to strangers that are remembered at once.
_MAX_ASKED = 1000


class QueueDialect:
    """Implements ``Dialect`` over one channel of Redis.

    Args:
        url: the Redis, see :mod:`.urls`.
        channel: by default that of Flask-SocketIO.
        max_size: bytes that one message may have, sent or received.
        default: turns a value without a form into one that has, or raises TypeError.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    logs = False

    def __init__(
        self,
        url: str | RedisURL,
        *,
        channel: str | None = None,
        max_size: int = MAX_SIZE,
        default: Callable[[Any], Any] | None = None,
    ) -> None:
        self.channel = channel or CHANNEL
        self.bus = Bus(url, self._hear, max_size=max_size)
        self._codec = QueueCodec(uuid.uuid4().hex, default)
        self._receive: Receive | None = None
        self._loop: Any = None
        # The roll: our other servers, how many others there were in all, and when they were called.
        self._ours: set[str] = set()
        self._total = 0
        self._called_at: float | None = None
        self._rolls: list[_Roll] = []
        #: The questions whose answers strangers may give: request id -> whether there can be one only.
        self._asked: dict[str, bool] = {}

    @property
    def status(self) -> ClusterStatus:
        return self.bus.status

    def watch(self, changed: Callable[[], Any]) -> None:
        self.bus.on_status = changed

    # -- the seam ----------------------------------------------------------------------------------------------------

    def start(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = get_hub().loop
        # After a fork the child is a server of its own.
        self._codec.host_id = uuid.uuid4().hex
        self._ours, self._total, self._called_at, self._rolls, self._asked = set(), 0, None, [], {}
        self.bus.start()
        self.bus.subscriber.subscribe(self.channel)

    def add_namespace(self, name: str) -> None:
        """All are on the one channel."""

    def remove_namespace(self, name: str) -> None:
        """All are on the one channel."""

    def publish(self, namespace: str, operation: Request) -> None:
        for message in self._codec.encode_request(namespace, operation):
            self._send(message)
        if self._strangers:
            self._speak_for_strangers(namespace, operation)

    def reply(self, namespace: str, reply_to: Asker, operation: Reply) -> None:
        message = self._codec.encode_reply(namespace, reply_to, operation)
        if message is not None:
            self._send(message)

    def others(self, namespace: str) -> int | None:
        """How many other servers of ours there are; all strangers together are one more."""
        total = self.bus.others(self.channel, True)
        if total is None:
            return None
        called = self._called_at
        if total != self._total or called is None or time.monotonic() - called > ROLL_HOLDS:
            self._call_the_roll(total)
        return len(self._ours) + (1 if self._strangers else 0)

    def close(self) -> None:
        self.bus.close()

    # -- who is there ------------------------------------------------------------------------------------------------

    @property
    def _strangers(self) -> int:
        return max(0, self._total - len(self._ours))

    def _call_the_roll(self, total: int) -> None:
        roll = _Roll(total)
        if total > 0:
            self._rolls.append(roll)
            try:
                self._send(self._codec.roll_call())
                roll.complete.wait(ROLL_CALL)
            finally:
                self._rolls.remove(roll)
        self._ours, self._total, self._called_at = roll.present, total, time.monotonic()

    def _present(self, sender: str) -> None:
        if len(self._ours) < self._total:  # more than listen there can't be
            self._ours.add(sender)  # also one that was too late for the roll call
        for roll in list(self._rolls):
            roll.present.add(sender)
            if len(roll.present) >= roll.total:
                roll.complete.set()

    # -- strangers ---------------------------------------------------------------------------------------------------

    def _speak_for_strangers(self, namespace: str, operation: Request) -> None:
        if isinstance(operation, Broadcast):
            if operation.request_id is not None:
                if len(self._asked) >= _MAX_ASKED:
                    del self._asked[next(iter(self._asked))]
                rooms = operation.rooms
                self._asked[operation.request_id] = len(rooms) == 1 and shapes.is_socket_id(rooms[0])
        elif isinstance(operation, Fetch | Count | ServerEvent) and operation.request_id is not None:
            self._later(namespace, NoAnswer(operation.request_id))

    def _later(self, namespace: str, operation: Operation) -> None:
        if self._loop is not None and self._receive is not None:
            self._loop.run_callback_threadsafe(self._receive, namespace, operation, None, None)

    def _after_reply(self, heard: Heard, receive: Receive) -> None:
        """Strangers don't say how many clients they asked. Of one client it is known once somebody has it; of many it
        never is, and the time of who asks runs out.
        """
        operation = heard.operation
        if isinstance(operation, AckCount) and operation.total and self._asked.get(operation.request_id):
            del self._asked[operation.request_id]
            receive(heard.namespace, AckCount(operation.request_id, 0), None, None)
        elif isinstance(operation, Ack) and not heard.ours and self._asked.pop(operation.request_id, False):
            receive(heard.namespace, AckCount(operation.request_id, 1), None, None)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _send(self, message: bytes) -> None:
        self.bus.send(self.channel, message)

    def _hear(self, channel: bytes, data: bytes) -> None:
        receive = self._receive
        heard = None if receive is None else self._codec.decode(data)
        if heard is None or receive is None:
            return
        if heard.ours and heard.reply_to is not None:
            self._present(heard.reply_to.host_id)
        if heard.operation is not None:
            receive(heard.namespace, heard.operation, heard.reply_to, None)
            self._after_reply(heard, receive)
        elif heard.roll_call and heard.reply_to is not None:
            self._send(self._codec.here(heard.reply_to))


class _Roll:
    """A roll call under way."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.present: set[str] = set()
        self.complete = Event()
