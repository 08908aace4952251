"""A light Socket.IO client for load tests: one namespace, on greenlets, as the official client behaves and no kinder.

Owns connecting, acknowledgements both ways, reconnection with the official client's delays, and recovery of the
connection's state. What it sees is counted in ``client.counts``, and told to ``watch(what, name, seconds)``: a load
generator builds its figures on that. Nothing a server does wrong is swallowed: it is in ``counts.violations``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gevent
from gevent.event import AsyncResult, Event

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.json_codec import JsonCodec
from flask_socketio_py.socketio.parser import DefaultParser

from . import engine
from .wire import TransportError, ViolationError

POLLING, UPGRADING, WEBSOCKET = ("polling",), ("polling", "websocket"), ("websocket",)
PARSER = DefaultParser(JsonCodec())
#: What the official client does not reconnect after.
_FINAL = frozenset(("io server disconnect", "io client disconnect", "refused"))
#: Acknowledgements that came too late for a call are no violation: so many calls are remembered.
_REMEMBERED = 10_000


class RefusedError(Exception):
    """The server refused the namespace; the arguments are what it said."""


class DisconnectedError(Exception):
    """The connection ended before the acknowledgement came."""


@dataclass
class Counts(engine.Counts):
    """What happened to one client."""

    connects: int = 0
    recoveries: int = 0
    emitted: int = 0
    acked: int = 0
    #: Acknowledgements that can't come any more, since their connection is gone.
    unanswered: int = 0
    received: int = 0
    answered: int = 0


class _Pending(NamedTuple):
    event: str
    since: float
    settle: Callable[[Any, BaseException | None], Any]


class Client:
    """One socket.

    Args:
        url: ``http://host:port``.
        namespace: its name with the slash.
        transports: ``POLLING``, ``UPGRADING`` or ``WEBSOCKET``.
        auth: the data of the CONNECT packet.
        query: further parameters of every request.
        recover: come back as who one was, where the server can.
        reconnect: whether to come back at all.
        delay, delay_max: seconds; doubled with each attempt, and random by half.
        keep_alive: reuse connections for polling, as browsers do; or open one for each request, so that a host with
            several processes spreads one session over all of them.
        timeout: seconds for a handshake.
        watch: is told ``("connect" | "ack" | "event" | "disconnect", name, seconds)``: the time of a connect and an
            acknowledgement; the name is the event, or the reason of a disconnect. It may not block.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "/",
        transports: Sequence[str] = UPGRADING,
        auth: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        path: str = "/socket.io/",
        recover: bool = True,
        reconnect: bool = True,
        delay: float = 1.0,
        delay_max: float = 5.0,
        keep_alive: bool = True,
        timeout: float = 20.0,
        watch: Callable[[str, str, float], None] | None = None,
    ) -> None:
        if tuple(transports) not in (POLLING, UPGRADING, WEBSOCKET):
            raise ValueError(f"transports={transports!r}: choose POLLING, UPGRADING or WEBSOCKET")
        self.counts = Counts()
        #: The socket's id while it is connected.
        self.sid: str | None = None
        self.recovered = False
        #: Characters and bytes of the packet that is told of, for ``watch``.
        self.size = 0
        self.engine: engine.Engine | None = None
        self._place = engine.Place.of(url, path, query)
        self._namespace, self._prefix = namespace, PARSER.prefix(namespace)
        self._transports, self._keep_alive, self._timeout = tuple(transports), keep_alive, timeout
        self._auth, self._recover, self._reconnect = auth, recover, reconnect
        self._delay, self._delay_max = delay, delay_max
        self._watch = watch or (lambda what, name, seconds: None)
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._pending: dict[int, _Pending] = {}
        self._given_up: dict[int, None] = {}
        self._next_id = 0
        self._unsent: dict[int, PreparedMessage] = {}
        self._unconnected: list[tuple[list[Any], int | None]] = []
        self._gathering: tuple[packet.Packet, list[bytes]] | None = None
        self._pid: str | None = None
        self._offset: str | None = None
        self._connected, self._closing = Event(), Event()
        self._settled: AsyncResult[None] = AsyncResult()
        self._runner: gevent.Greenlet[..., Any] | None = None
        self._started = 0.0
        self._reason: str | None = None

    # -- what a user does --------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return bool(self._connected.is_set())

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        """Call ``handler(*args)`` for each such event. It must not block.

        With recovery on a server's event ends with its offset, which the handler gets, too, as in JavaScript. What it
        returns is the acknowledgement, where one is asked for: a tuple for several values, ``None`` for none.
        """
        self._handlers[event] = handler

    def connect(self, timeout: float = 20.0) -> None:
        """Connect and stay connected; returns when it is for the first time.

        Raises:
            RefusedError: the server does not want this client.
            TimeoutError: it is still trying.
            TransportError, ViolationError: it could not, and ``reconnect`` is false.
        """
        if self._runner is None:
            self._runner = gevent.spawn(self._run)
        try:
            self._settled.get(timeout=timeout)
        except gevent.Timeout as error:
            raise TimeoutError(f"not connected in {timeout} s: {dict(self.counts.failures)}") from error

    def wait_connected(self, timeout: float = 20.0) -> bool:
        """Whether it is connected, again, in so many seconds."""
        return bool(self._connected.wait(timeout))

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event; ``callback(*args)`` is called with its acknowledgement. While there is no connection it waits
        for the next one.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        self._emit(event, args, None if callback is None else lambda answer, error: error or callback(*answer))

    def call(self, event: str, *args: Any, timeout: float = 20.0) -> Any:
        """Emit an event and return its acknowledgement: the value if it is one, else the list (``None`` for none).

        Raises:
            TimeoutError: there was none in time.
            DisconnectedError: the connection ended before.
            TypeError, ValueError: for data that can't be sent.
        """
        result: AsyncResult[list[Any]] = AsyncResult()
        number = self._emit(
            event, args, lambda answer, error: result.set(answer) if error is None else result.set_exception(error)
        )
        try:
            answer = result.get(timeout=timeout)
        except gevent.Timeout as error:
            if self._pending.pop(number, None) is not None:
                self._given_up[number] = None
                if len(self._given_up) > _REMEMBERED:
                    del self._given_up[next(iter(self._given_up))]
            raise TimeoutError(f"{event!r} was not acknowledged in {timeout} s") from error
        assert answer is not None
        return answer[0] if len(answer) == 1 else answer or None

    def close(self) -> None:
        """Leave, for good."""
        self._closing.set()
        if self.engine is not None:
            if self.connected:
                self.engine.send(PARSER.encode_disconnect(self._prefix))
                self._reason = "io client disconnect"
            self.engine.close()
        if self._runner is not None:
            self._runner.join()

    def drop(self) -> None:
        """Lose the connection without a word; the client reconnects if it does so at all."""
        if self.engine is not None:
            self.engine.drop()

    # -- life --------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        attempt = 0
        while not self._closing.is_set():
            self._started = time.perf_counter()
            self._reason = None
            session = self.engine = engine.Engine(
                self._place,
                self._transports,
                self._on_message,
                self.counts,
                keep_alive=self._keep_alive,
                timeout=self._timeout,
            )
            try:
                session.open()
            except (TransportError, ViolationError) as error:
                if not self._reconnect:
                    self._settled.set_exception(error)
                    return
            else:
                attempt = 0
                self._send_connect(session)
                reason = session.wait()
                self._disconnected(self._reason or reason)
                if not self._reconnect or self._reason in _FINAL:
                    return
            delay = min(self._delay_max, self._delay * 2**attempt)
            attempt += 1
            self._closing.wait(delay * random.uniform(0.5, 1.5))

    def _send_connect(self, session: engine.Engine) -> None:
        data = dict(self._auth or {})
        if self._recover and self._pid is not None:
            data = {"pid": self._pid, **({} if self._offset is None else {"offset": self._offset}), **data}
        session.send(PARSER.encode_connect(self._prefix, data or None))

    def _disconnected(self, reason: str) -> None:
        self._gathering = None
        # The official client keeps these, and shows them twice when they come again with what was missed.
        self._unconnected.clear()
        if self.connected:
            self._connected.clear()
            self.sid = None
            self._watch("disconnect", reason, 0.0)
        elif not self._settled.ready() and not self._reconnect:
            self._settled.set_exception(DisconnectedError(reason))
        lost = [self._pending.pop(number) for number in list(self._pending) if number not in self._unsent]
        self.counts.unanswered += len(lost)
        for one in lost:
            one.settle(None, DisconnectedError(f"{one.event!r} was not acknowledged: {reason}"))

    def _emit(self, event: str, args: Sequence[Any], settle: Callable[..., Any] | None) -> int:
        number = self._next_id
        message = PARSER.encode_event(self._prefix, [event, *args], None if settle is None else number)
        self._next_id += 1
        if settle is not None:
            self._pending[number] = _Pending(event, time.perf_counter(), settle)
        self.counts.emitted += 1
        if self.connected and self.engine is not None:
            self.engine.send(message)
        else:
            self._unsent[number] = message
        return number

    # -- what comes --------------------------------------------------------------------------------------------------

    def _on_message(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            if self._gathering is None:
                raise ViolationError("binary data that belongs to no packet")
            found, attachments = self._gathering
            attachments.append(data)
        else:
            if self._gathering is not None:
                raise ViolationError("a packet before the attachments of the last one")
            found, attachments, self.size = self._checked(lambda: PARSER.decode(data)), [], len(data)
        kind, namespace, ack_id, content, expected = found
        if len(attachments) < expected:
            self._gathering = found, attachments
            return
        if expected:
            self._gathering = None
            content = self._checked(lambda: packet.fill_placeholders(content, attachments))
            self.size += sum(map(len, attachments))
        if namespace != self._namespace:
            raise ViolationError(f"a packet for the namespace {namespace!r}")
        self._on_packet(kind, ack_id, content)

    def _checked(self, decode: Callable[[], Any]) -> Any:
        try:
            return decode()
        except PacketError as error:
            raise ViolationError(str(error)) from error

    def _on_packet(self, kind: int, ack_id: int | None, data: Any) -> None:
        if kind in (packet.EVENT, packet.BINARY_EVENT):
            if self.connected:
                self._on_event(data, ack_id)
            else:
                self._unconnected.append((data, ack_id))
        elif kind in (packet.ACK, packet.BINARY_ACK):
            assert ack_id is not None
            self._on_ack(ack_id, data)
        elif kind == packet.CONNECT:
            self._on_connect(data)
        elif kind == packet.DISCONNECT:
            self._leave("io server disconnect")
        else:
            self._settled.set_exception(RefusedError(data))
            self._leave("refused")

    def _leave(self, reason: str) -> None:
        self._reason = reason
        assert self.engine is not None
        gevent.spawn(self.engine.close)

    def _on_connect(self, data: Any) -> None:
        if self.connected or not isinstance(data, dict) or not isinstance(data.get("sid"), str):
            raise ViolationError(f"an unexpected CONNECT: {str(data)[:80]}")
        pid = data.get("pid")
        if not isinstance(pid, str | None):
            raise ViolationError("a pid that is no string")
        self.recovered = pid is not None and pid == self._pid
        self._pid, self.sid = pid, data["sid"]
        self.counts.connects += 1
        self.counts.recoveries += self.recovered
        self._connected.set()
        received, self._unconnected = self._unconnected, []
        for args, ack_id in received:
            self._on_event(args, ack_id)
        unsent, self._unsent = self._unsent, {}
        for message in unsent.values():
            assert self.engine is not None
            self.engine.send(message)
        self._watch("connect", self._namespace, time.perf_counter() - self._started)
        self._settled.set(None)

    def _on_event(self, data: list[Any], ack_id: int | None) -> None:
        event, *args = data
        self.counts.received += 1
        if self._pid is not None and ack_id is None and args and isinstance(args[-1], str):
            self._offset = args[-1]
        self._watch("event", event, 0.0)
        handler = self._handlers.get(event)
        answer = None if handler is None else handler(*args)
        if ack_id is not None and handler is not None:
            self.counts.answered += 1
            values = answer if isinstance(answer, tuple) else () if answer is None else (answer,)
            assert self.engine is not None
            self.engine.send(PARSER.encode_ack(self._prefix, values, ack_id))

    def _on_ack(self, ack_id: int, data: list[Any]) -> None:
        pending = self._pending.pop(ack_id, None)
        if pending is None:
            if ack_id not in self._given_up:
                raise ViolationError(f"an acknowledgement of nothing, or a second one: {ack_id}")
            del self._given_up[ack_id]
            return
        self.counts.acked += 1
        self._watch("ack", pending.event, time.perf_counter() - pending.since)
        pending.settle(data, None)
