"""Sends commands to Redis from any greenlet or thread, without ever blocking the one who sends.

Owns which lane a command takes: messages have one of their own, so that no question with a long answer delays them. The
thread that first uses it (or calls ``start``) gives the hub that does the work, and in which ``done`` is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent.event import Event
from redis.exceptions import RedisError

from ....errors import ClusterError
from .faults import describe, refused
from .home import Home, make_lock
from .lane import Lane
from .link import Status, worst
from .outbox import Entry
from .urls import Address, RedisURL, parse
from .wire import BROKEN, Command, key_of, name_of, pack

#: Commands, and bytes of them, that may wait.
MAX_ENTRIES = 100_000
MAX_BYTES = 64 << 20
#: Seconds that a message which may be lost waits for a connection: what is older has no meaning any more.
PATIENCE = 5.0
_MULTI, _EXEC = pack(("MULTI",)), pack(("EXEC",))


class Publisher:
    """See the module. ``on_state(connected)`` hears of the connection for messages, ``on_status()`` that
    :attr:`status` may be another.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    def __init__(
        self,
        url: str | RedisURL,
        *,
        on_state: Callable[[bool], Any] | None = None,
        on_status: Callable[[], Any] | None = None,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.url = parse(url) if isinstance(url, str) else url
        self._home = Home(self._start, self._leave)

        def lane(what: str, on_lane_state: Callable[[bool], Any] | None = None) -> Lane:
            bounds = {"max_entries": max_entries, "max_bytes": max_bytes}
            return Lane(self.url, self._home, what, **bounds, on_state=on_lane_state, on_status=on_status)

        self._messages = lane("messages to Redis", on_state)
        self._questions = lane("questions to Redis")

    @property
    def status(self) -> Status:
        """How the connections fare; of two that differ, the worse."""
        return worst([self._messages.status, self._questions.status])

    @property
    def lost(self) -> int:
        """Messages that could not be sent, or of which nobody knows."""
        return self._messages.lost

    @property
    def waiting(self) -> int:
        """Commands that were given to :meth:`send` and are not answered yet."""
        return self._messages.outbox.entries

    def start(self) -> None:
        """Connect now, not at the first command; the caller's hub does the work."""
        self._home.enter()

    def close(self, timeout: float = 0.0) -> None:
        """End; what waits is given up to ``timeout`` seconds to be sent, then it fails."""
        if self._home.here and not self._home.closed:
            deadline = time.monotonic() + timeout
            while self.waiting and time.monotonic() < deadline:
                gevent.sleep(0.005)
        self._home.close(self._finish)

    def _start(self) -> None:
        self._messages.start()
        self._questions.start()

    def _leave(self) -> None:
        self._messages.leave()
        self._questions.leave()

    def _finish(self) -> None:
        self._messages.finish()
        self._questions.finish()

    def send(
        self,
        *command: str | bytes | int,
        done: Callable[[Any], None] | None = None,
        durable: bool = False,
    ) -> None:
        """Queue a command, and return at once.

        ``done(answer)`` is called in the hub's thread with Redis' reply or a :class:`ClusterError`, in the order of the
        commands (in a cluster: of those for one server). A ``durable`` one is repeated, byte for byte, until Redis
        answers (or no connection survives it), so it may be done twice; another one at most once more, and may be lost
        (:attr:`lost`).

        Raises:
            TypeError: for an argument that is neither str, bytes nor int.
            ClusterError: closed; or too much waits, and the command is durable.
        """
        entry = Entry(
            name_of(command),
            pack(command),
            key_of(command),
            "durable" if durable else "lossy",
            done=done,
        )
        if not durable:
            entry.deadline = time.monotonic() + PATIENCE
        self._messages.put(entry)

    def ask(self, *command: str | bytes | int, timeout: float = PATIENCE) -> Any:
        """The reply to a command. Only the calling greenlet waits, at most ``timeout`` seconds.

        In another thread than the hub's it is the thread that waits.

        Raises:
            TypeError: for an argument that is neither str, bytes nor int.
            ClusterError: no reply, or a refusal.
        """
        return self._wait([Entry(name_of(command), pack(command), key_of(command), "ask")], timeout)[0]

    def transaction(self, *commands: Command, timeout: float = PATIENCE) -> list[Any]:
        """The replies to commands that are done together or not at all (MULTI ... EXEC); their keys share one slot.

        Raises:
            TypeError: for an argument that is neither str, bytes nor int.
            ClusterError: no reply, or a refusal.
        """
        packed = b"".join((_MULTI, *map(pack, commands), _EXEC))
        entry = Entry("MULTI", packed, key_of(commands[0]), "ask", replies=len(commands) + 2)
        replies = self._wait([entry], timeout)[0]
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, RedisError):
                raise refused(name_of(command), reply, self.url)
        return list(replies)

    def count_subscribers(self, channel: str | bytes, *, sharded: bool = False, timeout: float = PATIENCE) -> int:
        """How many connections are subscribed to a channel, in a cluster at all its masters (PUBSUB NUMSUB).

        Raises:
            ClusterError: no reply, or a refusal.
        """
        addresses: Sequence[Address | None] = (None,)
        if self.url.mode == "cluster":
            try:
                addresses = self._questions.topology.masters()
            except BROKEN as error:
                raise ClusterError(f"PUBSUB failed: {describe(error, self.url)}") from None
        packed = pack(("PUBSUB", "SHARDNUMSUB" if sharded else "NUMSUB", channel))
        entries = [Entry("PUBSUB", packed, None, "ask", address=address) for address in addresses]
        return sum(int(reply[1]) for reply in self._wait(entries, timeout))

    def _wait(self, entries: list[Entry], timeout: float) -> list[Any]:
        """The replies to entries, once all of them are there."""
        self._home.enter()
        answers: dict[Entry, Any] = {}
        deadline = time.monotonic() + timeout
        all_there = Event()
        # Another thread is not given a hub for it, which nobody would end with the thread.
        lock = make_lock()
        lock.acquire()

        def answered(entry: Entry, answer: Any) -> None:
            answers[entry] = answer
            if len(answers) == len(entries):
                all_there.set()
                lock.release()

        for entry in entries:
            entry.deadline = deadline
            entry.done = lambda answer, entry=entry: answered(entry, answer)
            self._questions.put(entry)
        if not (all_there.wait(timeout) if self._home.here else lock.acquire(timeout=timeout)):
            raise ClusterError(
                f"{entries[0].name} failed: no reply within {timeout} s ({self._questions.status.state})"
            )
        for answer in answers.values():
            if isinstance(answer, ClusterError):
                raise answer
        return [answers[entry] for entry in entries]
