"""An Engine.IO 4 client: one session over long-polling, over WebSocket, or from the one to the other.

Owns the session: handshake, heartbeat, upgrade, its end and the reason for it (the words of the official client). It
must not know Socket.IO: a message is a PreparedMessage out, text or bytes in.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import gevent
from gevent.event import Event

from flask_socketio_py.engineio import packet, payload
from flask_socketio_py.engineio.message import PONG, PreparedMessage
from flask_socketio_py.errors import PacketError

from .wire import ClosedError, Pool, TransportError, ViolationError, WebSocket

PROBE = PreparedMessage(packet.PROBE.encode())
UPGRADE = PreparedMessage(packet.UPGRADE.encode())
_FIELDS = {"sid": str, "upgrades": list, "pingInterval": int, "pingTimeout": int, "maxPayload": int}


class Place(NamedTuple):
    """Where a server is."""

    host: str
    port: int
    path: str
    query: dict[str, str]

    @classmethod
    def of(cls, url: str, path: str, query: dict[str, str] | None) -> Place:
        """Of an ``http://`` URL.

        Raises:
            ValueError: for another.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{url!r} is not http://host:port; this client speaks no TLS")
        return cls(parts.hostname, parts.port or 80, path, query or {})

    def target(self, transport: str, sid: str | None = None) -> str:
        own = {"EIO": "4", "transport": transport} | ({} if sid is None else {"sid": sid})
        return f"{self.path}?{urlencode({**self.query, **own})}"


@dataclass
class Counts:
    """What happened to one client, over all its sessions."""

    sessions: int = 0
    upgrades: int = 0
    pings: int = 0
    #: Sessions that ended, by the reason.
    ends: Counter[str] = field(default_factory=Counter)
    #: What servers, or the way to them, refused or broke.
    failures: Counter[str] = field(default_factory=Counter)
    #: What a server did that a protocol forbids.
    violations: list[str] = field(default_factory=list)


class Engine:
    """One session. ``on_message(data)`` must not block: nothing more is read meanwhile."""

    def __init__(
        self,
        place: Place,
        transports: Sequence[str],
        on_message: Callable[[str | bytes], None],
        counts: Counts,
        *,
        keep_alive: bool = True,
        timeout: float = 20.0,
    ) -> None:
        self.sid = ""
        #: ``polling`` or ``websocket``: what messages travel on now.
        self.transport = transports[0]
        self._place = place
        self._transports = transports
        self._on_message = on_message
        self._counts = counts
        self._timeout = timeout
        self._pool = Pool(place.host, place.port, keep_alive=keep_alive, timeout=timeout)
        self._websocket: WebSocket | None = None
        self._buffer: list[bytes] = []
        self._waiting: list[PreparedMessage] = []
        self._switching = False
        self._jobs: list[gevent.Greenlet[..., Any]] = []
        self._poller: gevent.Greenlet[..., Any] | None = None
        self._poster: gevent.Greenlet[..., Any] | None = None
        self._over = Event()
        self._reason = ""
        self._patience = self._deadline = 0.0
        self._max_payload = 0
        self._upgrades: list[str] = []

    # -- life --------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """The handshake.

        Raises:
            TransportError, ViolationError: no session; both are counted.
        """
        try:
            with gevent.Timeout(self._timeout, TransportError("no handshake in time")):
                first = self._open_websocket() if self.transport == "websocket" else self._open_polling()
                rest = self._begin(first)
            if self._over.is_set():
                raise TransportError("closed while it was opened")
        except TransportError as error:
            self._counts.failures[str(error)] += 1
            self._release()
            raise
        except ViolationError as error:
            self._counts.violations.append(str(error))
            self._release()
            raise
        self._counts.sessions += 1
        self._deadline = time.monotonic() + self._patience
        if self.transport == "websocket":
            self._jobs.append(gevent.spawn(self._guard, self._read))
            return
        self._guard(partial(self._receive_all, rest))
        self._poller = gevent.spawn(self._guard, self._poll)
        self._jobs.append(self._poller)
        if "websocket" in self._transports and "websocket" in self._upgrades:
            self._jobs.append(gevent.spawn(self._guard, self._upgrade))

    def _open_websocket(self) -> list[str | bytes]:
        self._websocket = WebSocket(self._place.host, self._place.port, self._place.target("websocket"), self._timeout)
        return [self._websocket.receive()]

    def _open_polling(self) -> list[str | bytes]:
        return _packets(self._pool.request("GET", self._place.target("polling")))

    def _begin(self, packets: list[str | bytes]) -> list[str | bytes]:
        first = packets[0]
        if not isinstance(first, str) or first[:1] != packet.OPEN:
            raise ViolationError("a session that does not begin with OPEN")
        try:
            found = json.loads(first[1:])
        except ValueError as error:
            raise ViolationError("an OPEN packet that is not JSON") from error
        if not isinstance(found, dict) or not all(type(found.get(name)) is kind for name, kind in _FIELDS.items()):
            raise ViolationError(f"an OPEN packet without {', '.join(_FIELDS)}")
        self.sid, self._upgrades = found["sid"], found["upgrades"]
        self._patience = (found["pingInterval"] + found["pingTimeout"]) / 1000
        self._max_payload = found["maxPayload"]
        return packets[1:]

    def wait(self) -> str:
        """The reason for its end, once it has ended."""
        while not self._over.is_set():
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._end("ping timeout")
            else:
                self._over.wait(left)
        return self._reason

    def close(self) -> None:
        """End it properly, what was sent before included."""
        if self._over.is_set():
            return
        if self.transport == "websocket":
            if self._websocket is not None:
                self._websocket.close()
        elif self.sid:
            self._buffer.append(packet.CLOSE_PACKET)
            self._flush()
            if self._poster is not None:
                self._poster.join(self._timeout)
        self._end("forced close")

    def drop(self) -> None:
        """Break the connection, without a word to the server."""
        self._end("transport close")

    def _end(self, reason: str) -> None:
        if not self._over.is_set():
            self._reason = reason
            self._counts.ends[reason] += 1
            self._over.set()
            self._release()

    def _release(self) -> None:
        own = gevent.getcurrent()
        gevent.killall([job for job in self._jobs if job is not own and not job.dead], block=False)
        self._pool.close()
        if self._websocket is not None:
            self._websocket.drop()

    def _guard(self, job: Callable[[], Any]) -> None:
        """Let a job end the session as its failure demands; an exception of a handler ends it, too, and is shown."""
        try:
            job()
        except ClosedError:
            self._end("transport close")
        except TransportError as error:
            if not self._over.is_set():
                self._counts.failures[str(error)] += 1
                self._end("transport error")
        except ViolationError as error:
            self._counts.violations.append(str(error))
            self._end("parse error")
        except gevent.GreenletExit:
            pass
        except BaseException as error:
            self._counts.violations.append(f"an error of the client's own: {error!r}")
            self._end("client error")
            raise

    # -- messages ----------------------------------------------------------------------------------------------------

    def send(self, message: PreparedMessage) -> None:
        """Send a message now, or with the next POST; after the end it is lost."""
        if self._over.is_set():
            return
        if self._switching:
            self._waiting.append(message)
        elif self.transport == "polling":
            self._buffer.append(message.packets())
            self._flush()
        elif self._websocket is not None:
            self._guard(partial(self._websocket.send, message))

    def _flush(self) -> None:
        if (self._poster is None or self._poster.dead) and self._buffer:
            self._poster = gevent.spawn(self._guard, self._post)
            self._jobs = [job for job in self._jobs if not job.dead]
            self._jobs.append(self._poster)

    def _receive_all(self, packets: list[str | bytes]) -> None:
        for one in packets:
            self._receive(one)

    def _receive(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self._on_message(data)
            return
        kind = data[:1]
        if kind == packet.MESSAGE:
            self._on_message(data[1:])
        elif kind == packet.PING and len(data) == 1:
            self._counts.pings += 1
            self._deadline = time.monotonic() + self._patience
            self.send(PONG)
        elif kind == packet.CLOSE and len(data) == 1:
            self._end("transport close")
        elif data != packet.NOOP or self.transport == "websocket":
            raise ViolationError(f"an unexpected packet: {data[:80]!r}")

    # -- transports --------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        while not self._switching and not self._over.is_set():
            self._receive_all(_packets(self._pool.request("GET", self._place.target("polling", self.sid))))

    def _post(self) -> None:
        while self._buffer:
            count, size = 1, len(self._buffer[0])
            while count < len(self._buffer) and size + 1 + len(self._buffer[count]) <= self._max_payload:
                size += 1 + len(self._buffer[count])
                count += 1
            body = payload.join(self._buffer[:count])
            del self._buffer[:count]
            answer = self._pool.request("POST", self._place.target("polling", self.sid), body)
            if answer != b"ok":
                raise ViolationError(f"a POST is answered with {answer[:80]!r}")

    def _read(self) -> None:
        assert self._websocket is not None
        while True:
            data = self._websocket.receive()
            if data == "":
                raise ViolationError("an empty packet")
            self._receive(data)

    def _upgrade(self) -> None:
        """From polling to WebSocket; where that fails, polling goes on."""
        try:
            websocket = WebSocket(
                self._place.host, self._place.port, self._place.target("websocket", self.sid), self._timeout
            )
        except TransportError as error:
            self._counts.failures[f"upgrade: {error}"] += 1
            return
        self._websocket = websocket
        try:
            websocket.send(PROBE)
            if websocket.receive() != "3probe":
                raise ViolationError("a probe is not answered with 3probe")
        except TransportError as error:
            self._counts.failures[f"upgrade: {error}"] += 1
            websocket.drop()
            return
        self._switching = True
        gevent.joinall([job for job in (self._poller, self._poster) if job is not None])
        if self._over.is_set():
            return
        websocket.send(UPGRADE)
        while self._waiting:
            websocket.send(self._waiting.pop(0))
        self.transport, self._switching = "websocket", False
        self._pool.close()
        self._counts.upgrades += 1
        self._read()


def _packets(body: bytes) -> list[str | bytes]:
    try:
        return list(payload.decode(body))
    except PacketError as error:
        raise ViolationError(f"a polling body: {error}") from error
