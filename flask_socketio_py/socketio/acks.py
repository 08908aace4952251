"""Acks: the answers that one emit waits for, from however many sockets. Knows no wire and no transport.

Every way of waiting ends here: a function that is called, or a greenlet that blocks; one client, or all of a broadcast.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gevent import get_hub
from gevent.event import AsyncResult, Event

from ..errors import BroadcastTimeoutError, DisconnectedError, TimeoutError
from .adapters.operations import Ack, AckCount

if TYPE_CHECKING:
    from .server import Server
    from .socket import Socket

log = logging.getLogger(__name__)

#: Stands for "what the option ``default_ack_timeout`` says".
DEFAULT: Any = "<default_ack_timeout>"
_LONG = 3600.0
#: Seconds that answers of other servers are waited for where nobody named a time.
LONGEST = 3600.0
#: What settles an acknowledgement: its arguments, or ``None`` if it will never come.
Settle = Callable[["list[Any] | None"], None]


class Answers:
    """The acknowledgements of one broadcast.

    ``on_end(error, answers)`` is called once: when all have answered, or can't any more, or the time is up.
    """

    def __init__(self, on_end: Callable[[BroadcastTimeoutError | None, list[Any]], None]) -> None:
        self._on_end: Callable[[BroadcastTimeoutError | None, list[Any]], None] | None = on_end
        self._waiting: dict[str, tuple[Socket, int]] = {}
        self._gone: list[str] = []
        self._answers: list[Any] = []
        self._complete = False
        # Of the other servers of a cluster: those that have still to say how many they asked, the answers to come from
        # there, and what ends the asking.
        self._servers = 0
        self._elsewhere = 0
        self._closers: list[Callable[[], None]] = []

    def expect_servers(self, count: int, close: Callable[[], None]) -> None:
        """So many other servers are asked, too; ``close`` is called when nobody waits for them any more."""
        self._servers += count
        self._closers.append(close)

    def on_reply(self, reply: Any) -> None:
        """Another server says how many it asked, or passes an answer on."""
        if isinstance(reply, AckCount):
            self._servers -= 1
            self._elsewhere += reply.total
        elif isinstance(reply, Ack):
            self._elsewhere -= 1
            self._answers.append(reply.value)
        self._end_if_done()

    def expect(self, socket: Socket, ack_id: int) -> None:
        """One more socket that is asked; nobody waits for one that is not (or not yet) let in."""
        if not socket.connected:
            return
        self._waiting[socket.id] = socket, ack_id
        socket.client.begin_call()
        socket.expect(ack_id, lambda args: self._settle(socket, args))

    def all_asked(self) -> None:
        """No more sockets will be asked."""
        self._complete = True
        self._end_if_done()

    def give_up(self) -> None:
        """The time is up."""
        self._end()

    def cancel(self) -> None:
        """Nothing was asked after all."""
        self._on_end = None
        self._release()

    def _settle(self, socket: Socket, args: list[Any] | None) -> None:
        if self._waiting.pop(socket.id, None) is None:
            return
        socket.client.end_call()
        if args is None:
            self._gone.append(socket.id)
        else:
            self._answers.append(args[0] if args else None)  # the first argument alone, as in the reference
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._complete and not self._waiting and self._servers <= 0 and self._elsewhere <= 0:
            self._end()

    def _end(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is None:
            return
        waiting = self._release()
        missing = [*waiting, *self._gone]
        elsewhere, servers = max(0, self._elsewhere), max(0, self._servers)
        error = None
        if missing or elsewhere or servers:
            error = BroadcastTimeoutError(self._answers, missing, elsewhere, servers)
        on_end(error, self._answers)

    def _release(self) -> list[str]:
        waiting, self._waiting = self._waiting, {}
        closers, self._closers = self._closers, []
        for close in closers:
            close()
        for socket, ack_id in waiting.values():
            socket.forget_ack(ack_id)
            socket.client.end_call()
        return list(waiting)


class Elsewhere:
    """The acknowledgements of one emit by clients of other servers: each is passed on to ``settle`` as it comes.

    Nobody counted the servers that were asked, for that takes a moment; but in the time that servers get to answer all
    have said how many clients they asked. ``end`` ends the asking; it may be called again.
    """

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self._asked = 0
        self._answered = 0
        self._counted = False
        self._cancel: Callable[[], None] | None = None
        self.end: Callable[[], None] = _nothing

    def begin(self, counted_in: float, timeout: float) -> None:
        """The time runs: in seconds until all have said how many they asked, and until nobody waits any more."""
        self._cancel = call_later(timeout, self.end)
        call_later(min(counted_in, timeout), self._all_counted)

    def on_reply(self, reply: Any) -> None:
        """Another server says how many it asked, or passes an answer on."""
        if isinstance(reply, AckCount):
            self._asked += reply.total
        elif isinstance(reply, Ack):
            self._answered += 1
            self._settle([reply.value] if reply.args is None else reply.args)
        self._end_if_done()

    def _all_counted(self) -> None:
        self._counted = True
        self._end_if_done()

    def _end_if_done(self) -> None:
        # Where nobody said that he asked somebody, there may be servers that never say so.
        if self._counted and 0 < self._asked <= self._answered:
            self.end()
            if self._cancel is not None:
                self._cancel()


def _nothing() -> None:
    """Nothing was asked yet."""


def wait_for_all(server: Server, ask: Callable[[Answers], None], timeout: float | None) -> list[Any]:
    """Ask many and block until all have answered.

    Raises:
        BroadcastTimeoutError: some did not within ``timeout`` seconds, or have gone.
    """
    done = Event()
    result: list[Any] = []

    def on_end(error: Exception | None, answers: list[Any]) -> None:
        result.extend((error, answers))
        done.set()

    def begin() -> None:
        try:
            _ask(ask, answers)
        except Exception as error:  # perhaps in another thread than the one that waits: raised there
            on_end(error, [])

    answers = Answers(on_end)
    server.in_home_thread_do(begin)
    try:
        wait_in_any_thread(done, timeout)
    finally:
        server.in_home_thread_do(answers.give_up)
    wait_in_any_thread(done, None)  # in another thread: the hub has still to tell
    error: Exception | None = result[0]
    if error is not None:
        raise error
    collected: list[Any] = result[1]
    return collected


def wait_in_any_thread(what: Event | AsyncResult[Any], timeout: float | None) -> None:
    """Wait; where ``timeout`` is ``None`` for ever, but with a timer: gevent lets no thread of its own wait without."""
    if timeout is not None:
        what.wait(timeout)
    else:
        while not what.ready():
            what.wait(_LONG)


def call_when_all(server: Server, ask: Callable[[Answers], None], callback: Callable[..., Any], timeout: float) -> None:
    """Ask many and call ``callback(error, answers)`` when all have answered, or the time in seconds is up."""
    callback = server.listener.bound(callback)

    def on_end(error: BroadcastTimeoutError | None, answers: list[Any]) -> None:
        timer.close()
        server.dispatcher.start(run_callback, (callback, [error, answers]))

    answers = Answers(on_end)
    timer = get_hub().loop.timer(timeout)
    timer.start(answers.give_up)
    try:
        _ask(ask, answers)
    except BaseException:
        timer.close()
        raise


def _ask(ask: Callable[[Answers], None], answers: Answers) -> None:
    try:
        ask(answers)
    except BaseException:
        answers.cancel()
        raise
    answers.all_asked()


def call_once(server: Server, callback: Callable[..., Any]) -> Settle:
    """A function that calls ``callback(*answer)`` in a greenlet of its own; not if no answer comes."""
    callback = server.listener.bound(callback)

    def settle(args: list[Any] | None) -> None:
        if args is not None:
            server.dispatcher.start(run_callback, (callback, args))

    return settle


def call_within(socket: Socket, ack_id: int, callback: Callable[..., Any], timeout: float) -> Settle:
    """A function that calls ``callback(None, *answer)``; after ``timeout`` seconds without one, ``callback(error)``."""
    server = socket.namespace.server
    dispatcher, callback = server.dispatcher, server.listener.bound(callback)

    def settle(args: list[Any] | None) -> None:
        timer.close()
        answer = [DisconnectedError("the client has disconnected")] if args is None else [None, *args]
        dispatcher.start(run_callback, (callback, answer))

    def late() -> None:
        timer.close()
        if socket.forget_ack(ack_id):
            dispatcher.start(run_callback, (callback, [TimeoutError("operation has timed out")]))

    timer = get_hub().loop.timer(timeout)
    timer.start(late)
    return settle


def call_later(seconds: float, function: Callable[[], None]) -> Callable[[], None]:
    """Call a quick function of ours in the hub, after a while. Returns what prevents it."""

    def call() -> None:
        timer.close()
        function()

    timer = get_hub().loop.timer(seconds)
    timer.start(call)
    cancel: Callable[[], None] = timer.close
    return cancel


def run_callback(callback: Callable[..., Any], args: Iterable[Any]) -> None:
    """Call a user's function; what it raises is logged."""
    try:
        callback(*args)
    except Exception:
        log.exception("an acknowledgement callback failed")
