"""LogMessages: entries of the log as the clients that missed them are sent them, made once for all who come back.

When a server has ended its clients come back to the others all at once, and have missed the same. Owns what is kept of
that, bounded in bytes; knows nothing of who is in which room.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from ....engineio.message import PreparedMessage
from ....errors import PacketError
from ..operations import Broadcast
from .stream_log import Entry, LogCodec

if TYPE_CHECKING:
    from ...namespace import Namespace

log = logging.getLogger(__name__)

#: What is kept of an entry beside its bytes.
_OVERHEAD = 1000


class _Known:
    __slots__ = ("broadcast", "message", "size")

    def __init__(self, broadcast: Broadcast | None, size: int) -> None:
        #: ``None``: nothing that can be sent.
        self.broadcast = broadcast
        self.message: PreparedMessage | None = None
        self.size = size


class LogMessages:
    """Those of one namespace; of all together about ``max_size`` bytes are kept."""

    def __init__(self, namespace: Namespace, codec: LogCodec, max_size: float) -> None:
        self._namespace = namespace
        self._codec = codec
        self._max_size = max_size
        # By the id and, because Redis may lose an entry and give its id to another one, whose it is.
        self._known: OrderedDict[tuple[str, str, int | None], _Known] = OrderedDict()
        self.size = 0

    def clear(self) -> None:
        """Keep nothing."""
        self._known.clear()
        self.size = 0

    def of(self, identifier: str, entry: Entry, is_meant: Callable[[Broadcast], bool]) -> PreparedMessage | None:
        """The message of an entry, with its id as offset; ``None``: none that is meant."""
        key = identifier, entry.uid, entry.sequence
        known = self._known.get(key)
        if known is None:
            # What was read, or the packet and its frames: two or three times what was in the log.
            known = self._known[key] = _Known(self._read(entry), 3 * len(entry.data) + _OVERHEAD)
            self.size += known.size
            while self.size > self._max_size:
                self.size -= self._known.popitem(last=False)[1].size
        if known.broadcast is None or not is_meant(known.broadcast):
            return None
        if known.message is None:
            known.message = self._encode(known.broadcast, identifier)
            # From now on only the receivers are needed.
            known.broadcast = None if known.message is None else known.broadcast._replace(data=())
        return known.message

    def _read(self, entry: Entry) -> Broadcast | None:
        try:
            broadcast = self._codec.decode(entry.kind, entry.data)
        except (TypeError, ValueError, PacketError) as error:
            log.warning("an entry of the log can't be sent: %s", error)
            return None
        return broadcast if isinstance(broadcast, Broadcast) and not broadcast.volatile else None

    def _encode(self, broadcast: Broadcast, identifier: str) -> PreparedMessage | None:
        event, *args = broadcast.data
        try:
            message = self._namespace.encode(event, [*args, identifier])
        except (TypeError, ValueError) as error:
            log.warning("an entry of the log can't be sent: %s", type(error).__name__)
            return None
        message.compress = broadcast.compress
        return message
