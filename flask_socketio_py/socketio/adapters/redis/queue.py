"""QueueDialect: the queue of python-socketio and Flask-SocketIO, for a fleet whose workers move over one by one.

Owns whom a request is waited for. Everybody listens to one channel, and Redis counts the listeners; which of them are
servers of ours a roll call tells. The others, strangers, are spoken for here: they never answer what only we ask.
What the messages say is :mod:`.queue_codec`'s affair.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from gevent import get_hub
from gevent.event import Event

from ....errors import ClusterError, PacketError
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
from .link import summary
from .publisher import Publisher
from .queue_codec import CHANNEL, Asker, Heard, PickledError, QueueCodec
from .subscriber import Subscriber
from .urls import RedisURL

log = logging.getLogger(__name__)

MAX_SIZE = 10_000_000
#: Seconds that our own servers have to answer a roll call, and how long the answer holds.
ROLL_CALL = 0.5
ROLL_HOLDS = 30.0
#: Seconds to wait for Redis where somebody waits for us.
_PATIENCE = 2.0
_LOG_EVERY = 60.0
#: Questions to strangers that are remembered at once.
_MAX_ASKED = 1000
#: The id of a client, here and in python-socketio: then one answer is all there will be.
_SID = re.compile(r"[\w-]{20}", re.ASCII)


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
        self._max_size = max_size
        self._codec = QueueCodec(uuid.uuid4().hex, default)
        self._publisher = Publisher(url, on_status=self._changed)
        self._subscriber = Subscriber(url, self._hear, on_state=self._on_state, on_status=self._changed)
        self._listening = Event()
        self._receive: Receive | None = None
        self._loop: Any = None
        self._logged: dict[str, float] = {}
        self._malformed = 0
        self._on_status: Callable[[], Any] | None = None
        # The roll: our other servers, how many others there were in all, and when they were called.
        self._ours: set[str] = set()
        self._total = 0
        self._called_at: float | None = None
        self._rolls: list[_Roll] = []
        #: The questions whose answers strangers may give: request id -> whether there can be one only.
        self._asked: dict[str, bool] = {}

    @property
    def status(self) -> ClusterStatus:
        publisher = self._publisher
        statuses = [publisher.status, self._subscriber.status]
        return summary(statuses, publisher.url, publisher.waiting, publisher.lost, self._malformed)

    def watch(self, changed: Callable[[], Any]) -> None:
        self._on_status = changed

    def _changed(self) -> None:
        if self._on_status is not None:
            self._on_status()

    # -- the seam ----------------------------------------------------------------------------------------------------

    def start(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = get_hub().loop
        self._malformed = 0
        # After a fork the child is a server of its own.
        self._codec.host_id = uuid.uuid4().hex
        self._listening = Event()
        self._ours, self._total, self._called_at, self._rolls, self._asked = set(), 0, None, [], {}
        self._publisher.start()
        self._subscriber.subscribe(self.channel)

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

    def others(self, namespace: str) -> int:
        """How many other servers of ours there are; all strangers together are one more."""
        if not self._listening.wait(_PATIENCE):
            return 0
        try:
            total = self._publisher.count_subscribers(self.channel, timeout=_PATIENCE) - 1
        except ClusterError as error:
            self._warn(f"the other servers can't be counted: {error}")
            return 0
        called = self._called_at
        if total != self._total or called is None or time.monotonic() - called > ROLL_HOLDS:
            self._call_the_roll(total)
        return len(self._ours) + (1 if self._strangers else 0)

    def close(self) -> None:
        self._subscriber.close()
        self._publisher.close(_PATIENCE)

    # -- who is there ------------------------------------------------------------------------------------------------

    @property
    def _strangers(self) -> int:
        return max(0, self._total - len(self._ours))

    def _call_the_roll(self, total: int) -> None:
        roll = _Roll(total)
        if total > 0:
            self._rolls.append(roll)
            self._send(self._codec.roll_call())
            roll.complete.wait(ROLL_CALL)
            self._rolls.remove(roll)
        self._ours, self._total, self._called_at = roll.present, total, time.monotonic()

    def _on_state(self, connected: bool) -> None:
        if connected:
            self._listening.set()
        else:
            self._listening.clear()
            self._called_at = None

    def _present(self, sender: str) -> None:
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
                self._asked[operation.request_id] = len(rooms) == 1 and bool(_SID.fullmatch(str(rooms[0])))
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
        self._publisher.send("PUBLISH", self.channel, shapes.with_size(message, self._max_size))

    def _hear(self, channel: bytes, data: bytes) -> None:
        receive = self._receive
        if receive is None:
            return
        if len(data) > self._max_size:
            self._warn("a message on the queue was refused: it is larger than the option max_cluster_message_size")
            return
        try:
            heard = self._codec.decode(data)
        except PickledError:
            self._warn(
                "a pickled message on the queue was refused: upgrade its emitter to python-socketio 5.14 or newer"
            )
            return
        except PacketError as error:
            self._warn(f"a malformed message on the queue was refused: {error}")
            return
        if heard is None:
            return
        if heard.ours and heard.reply_to is not None:
            self._present(heard.reply_to.host_id)
        if heard.operation is not None:
            receive(heard.namespace, heard.operation, heard.reply_to, None)
            self._after_reply(heard, receive)
        elif heard.roll_call and heard.reply_to is not None:
            self._send(self._codec.here(heard.reply_to))

    def _warn(self, text: str) -> None:
        """Count, and log, but no flood: the same once a minute."""
        self._malformed += 1
        now = time.monotonic()
        if now - self._logged.get(text, -_LOG_EVERY) >= _LOG_EVERY:
            self._logged[text] = now
            log.warning(text)


class _Roll:
    """A roll call under way."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.present: set[str] = set()
        self.complete = Event()
