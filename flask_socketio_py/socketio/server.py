"""Server: namespaces, the Engine.IO server below, the application above. The seam to it is :class:`Listener`.

Owns the encoding of events and the way of a message to its sockets from whichever thread or greenlet it comes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from gevent import get_hub, sleep
from gevent._hub_local import get_hub_if_exists
from greenlet import getcurrent

from ..config import Options
from ..engineio.message import PreparedMessage
from ..engineio.reasons import Reason
from ..engineio.server import EngineServer
from ..engineio.session import Session
from . import packet
from .broadcast import BroadcastOperator
from .client import Client
from .dispatch import Dispatcher
from .namespace import Namespace
from .parser import Parser
from .socket import Socket

log = logging.getLogger(__name__)

#: Broadcasts that other threads may have waiting; beyond, each of theirs waits up to so many milliseconds for room.
MAX_FROM_THREADS = 1000
MAX_HOLD_UPS = 5000
#: From here on empty namespaces are forgotten (with ``namespaces="*"`` clients choose the names).
MANY_NAMESPACES = 1000


class Listener(Protocol):
    """The application above. Asked in the reader, so its answers must be quick; what it returns runs in greenlets."""

    def accepts(self, namespace: str) -> bool:
        """Whether clients may join this namespace."""

    def connect_handler(self, namespace: str) -> Callable[[Socket, Any], None] | None:
        """``(socket, auth)``; raises :class:`~flask_socketio_py.ConnectionRefusedError` to refuse."""

    def event_handler(self, namespace: str, event: Any) -> Callable[[Socket, list[Any]], Any] | None:
        """``(socket, [event, *args])``; the result is the acknowledgement."""

    def disconnect_handler(self, namespace: str) -> Callable[[Socket, Reason], None] | None:
        """``(socket, reason)``, while the rooms are still there."""


class Server:
    """Socket.IO for one application in one process. Implements ``engineio.session.Handler``."""

    def __init__(self, options: Options, listener: Listener, parser: Parser) -> None:
        self.options = options
        self.listener = listener
        self.parser = parser
        self.max_handlers = options.max_handlers_per_client
        self.concurrent = options.async_handlers
        self.dispatcher = Dispatcher()
        self.namespaces: dict[str, Namespace] = {}
        self.engine = EngineServer(options, self)
        self._connecting = self.engine.timekeeper.queue(options.connect_timeout, self._connect_timed_out)
        self._hub: Any = None
        self._from_threads: deque[tuple[Any, ...]] = deque()

    def of(self, name: str) -> Namespace:
        """The namespace of this name, made when it is first asked for."""
        namespace = self.namespaces.get(name)
        if namespace is None:
            if len(self.namespaces) >= MANY_NAMESPACES:
                self.namespaces = {key: value for key, value in self.namespaces.items() if value.sockets}
            namespace = self.namespaces[name] = Namespace(self, name)
        return namespace

    def to(self, namespace: str = "/", *rooms: Any) -> BroadcastOperator:
        """A broadcast to rooms of a namespace."""
        return BroadcastOperator(self.of(namespace), rooms)

    def close(self) -> None:
        """Disconnect everybody with the reason ``server shutting down``."""
        self.engine.close()

    # -- Handler -----------------------------------------------------------------------------------------------------

    def on_open(self, session: Session) -> None:
        if self._hub is None:
            self._hub = get_hub()
        client = session.handler = Client(self, session)
        self.engine.timekeeper.add(self._connecting, client)
        client.on_open(session)

    def on_message(self, session: Session, data: str | bytes) -> None:
        """Never called: each session has a client of its own."""

    def on_close(self, session: Session, reason: Reason) -> None:
        """Never called: each session has a client of its own."""

    def joined(self, client: Client) -> None:
        """The client joined a namespace in time."""
        self._connecting.discard(client)

    def forget(self, client: Client) -> None:
        """The client has gone."""
        self._connecting.discard(client)

    def _connect_timed_out(self, client: Client) -> None:
        if client.sockets:  # a connect handler is still thinking
            self.engine.timekeeper.add(self._connecting, client)
        else:
            client.session.close(Reason.CONNECT_TIMEOUT)

    # -- outbound ----------------------------------------------------------------------------------------------------

    def encode_event(
        self, namespace: Namespace, event: str, args: Sequence[Any], ack_id: int | None
    ) -> PreparedMessage:
        """Encode an event once.

        Raises:
            TypeError: for an event name that is no string, or data without JSON form.
            ValueError: for a reserved name, or too many attachments.
        """
        if not isinstance(event, str):
            raise TypeError(f"the name of an event must be a string, not {type(event).__name__}")
        if event in packet.RESERVED:
            raise ValueError(f"{event!r} is a reserved event name")
        return self.parser.encode_event(namespace.prefix, [event, *args], ack_id)

    def deliver(
        self, targets: Iterable[Socket], message: PreparedMessage, namespace: Namespace, volatile: bool = False
    ) -> None:
        """Send a message to sockets, from any greenlet or thread; lets the hub catch up where clients are slow."""
        hub = self._hub
        if hub is None:
            return  # nobody has ever connected
        if get_hub_if_exists() is not hub:
            self._deliver_from_thread(namespace.adapter, message, list(targets), volatile)
            return
        recipients = targets if type(targets) is list else list(targets)
        namespace.adapter.broadcast(message, recipients, volatile)
        if len(recipients) == 1 and recipients[0].client.session.congested and getcurrent() is not hub:
            sleep(0)

    def _deliver_from_thread(self, *job: Any) -> None:
        """Leave a broadcast to the hub's thread; a thread far ahead of it is held up, but not for ever."""
        self._from_threads.append(job)
        self._hub.loop.run_callback_threadsafe(self._take_from_threads)
        for _ in range(MAX_HOLD_UPS):
            if len(self._from_threads) <= MAX_FROM_THREADS:
                return
            sleep(0.001)

    def _take_from_threads(self) -> None:
        adapter, message, targets, volatile = self._from_threads.popleft()
        adapter.broadcast(message, targets, volatile)

    def in_home_thread(self) -> bool:
        """Whether this thread runs the hub that serves the clients."""
        return self._hub is None or get_hub_if_exists() is self._hub

    def in_home_thread_do(self, function: Callable[..., Any], *args: Any) -> None:
        """Run a function where the clients are served: now, or soon if this is another thread."""
        if self.in_home_thread():
            function(*args)
        else:
            self._hub.loop.run_callback_threadsafe(function, *args)
