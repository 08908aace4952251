"""Bus: what the dialects over Redis' channels have in common: who we are, sending, hearing, and counting the others.

Owns both connections. What is heard is given to the dialect's function, and what that can't read is counted and logged:
a peer's malformed message hurts nobody.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from typing import Any

from gevent import get_hub
from greenlet import getcurrent

from ....errors import ClusterError, PacketError
from .. import shapes
from ..cluster_status import ClusterStatus
from ..complaints import Complaints
from .link import Status, summary
from .publisher import Publisher
from .subscriber import Subscriber
from .urls import RedisURL

log = logging.getLogger(__name__)

#: What the names of channels begin with.
CHANNEL = "socket.io"
#: Bytes that one message may have.
MAX_SIZE = 10_000_000
#: Seconds to wait for Redis where somebody waits for us.
PATIENCE = 2.0


class Bus:
    """``hear(channel, data)`` is called for what is said on the channels of :attr:`subscriber`; may raise PacketError.
    ``on_state(connected)`` hears of the connection for messages.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    def __init__(
        self,
        url: str | RedisURL,
        hear: Callable[[bytes, bytes], None],
        *,
        max_size: int,
        sharded: bool = False,
        on_state: Callable[[bool], Any] | None = None,
    ) -> None:
        self.publisher = Publisher(url, on_state=on_state, on_status=self.changed)
        self.subscriber = Subscriber(url, self._hear, on_status=self.changed)
        self._hear_checked = hear
        self._max_size = max_size
        self._sharded = sharded
        self._uid = ""
        self._uid_of = 0
        self._complaints = Complaints(log)
        #: Messages that could not be read.
        self.malformed = 0
        #: Hears that :attr:`status` may be another.
        self.on_status: Callable[[], Any] | None = None
        self.closed = False

    @property
    def uid(self) -> str:
        """Who we are, for our own messages are heard, too; another one in a child after a fork."""
        if self._uid_of != os.getpid():
            self._uid, self._uid_of = secrets.token_hex(8), os.getpid()
        return self._uid

    @property
    def status(self) -> ClusterStatus:
        """How the connections fare; of two that differ, the worse."""
        return self.status_with()

    def status_with(self, *further: Status, malformed: int = 0, lost: int = 0) -> ClusterStatus:
        """The same with further connections, and what was counted beside."""
        statuses = [self.publisher.status, self.subscriber.status, *further]
        publisher = self.publisher
        return summary(statuses, publisher.url, publisher.waiting, publisher.lost + lost, self.malformed + malformed)

    def changed(self) -> None:
        """The status may be another."""
        if self.on_status is not None:
            self.on_status()

    def start(self) -> None:
        """Connect."""
        if self.closed:
            return
        self.malformed = 0
        self.publisher.start()
        self.subscriber.start()

    def close(self) -> None:
        """What waits is sent, if that takes but a moment; then nothing is said or heard."""
        self.closed = True
        self.subscriber.close()
        self.publisher.close(0.0 if getcurrent() is get_hub() else PATIENCE)

    def send(self, channel: bytes | str, data: bytes) -> None:
        """Say something; never blocks. Nothing is said when it is closed, or on a channel that nobody can name.

        Raises:
            ValueError: it is too large.
        """
        shapes.with_size(data, self._max_size)
        try:
            name = channel.encode() if isinstance(channel, str) else channel
        except UnicodeEncodeError:
            return
        if not self.closed:
            self.publisher.send("SPUBLISH" if self._sharded else "PUBLISH", name, data)

    def others(self, channel: str, listening: bool) -> int | None:
        """How many others hear a channel; ``listening``: we do, too. ``None``: Redis does not say. May block."""
        if self.closed:
            return 0
        # Else we would be counted or not, as it happens.
        if self.subscriber.home.here and getcurrent() is not get_hub() and not self.subscriber.ready(PATIENCE):
            return None
        try:
            count = self.publisher.count_subscribers(channel, sharded=self._sharded, timeout=PATIENCE)
        except ClusterError as error:
            # While they can't be reached that is known already.
            if self.status.connected:
                self._complaints.warn("count", "the other servers can't be counted: %s", error)
            return None
        return max(0, count - listening)

    def _hear(self, channel: bytes, data: bytes) -> None:
        if self.closed:
            return
        try:
            if len(data) > self._max_size:
                raise PacketError("it is larger than the option max_cluster_message_size")
            self._hear_checked(channel, data)
        except PacketError as error:
            self.malformed += 1
            text = "a message on the channel %.200r can't be read: %s (%d so far)"
            self._complaints.warn(str(error), text, channel, error, self.malformed)


def told_channel(prefix: str, *names: Any) -> bytes | None:
    """``prefix#name#...#``; ``None`` for a name without a form in UTF-8."""
    try:
        return "".join(f"{part}#" for part in (prefix, *names)).encode()
    except UnicodeEncodeError:
        return None
