"""Server: namespaces, the Engine.IO server below, the application above. The seam to it is :class:`Listener`.

Owns the encoding of events and the way of a message to its sockets from whichever thread or greenlet it comes.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gevent import get_hub, sleep
from gevent._hub_local import get_hub_if_exists
from greenlet import getcurrent

from ..config import Options
from ..engineio.message import PreparedMessage
from ..engineio.reasons import Reason
from ..engineio.server import EngineServer
from ..engineio.session import Session
from .adapters.cluster import Cluster, Dialect
from .adapters.recovery import RecoveryOptions
from .broadcast import BroadcastOperator
from .client import Client
from .dispatch import Dispatcher
from .entrance import Connect, Search
from .namespace import Namespace
from .parser import Parser
from .socket import Socket

log = logging.getLogger(__name__)

#: What other threads may have waiting; beyond, each of theirs waits up to so many milliseconds for room.
MAX_FROM_THREADS = 1000
MAX_HOLD_UPS = 5000
#: From here on empty namespaces are forgotten (with ``namespaces="*"`` clients choose the names).
MANY_NAMESPACES = 1000


class Listener(Protocol):
    """The application above. Asked in the reader, so its answers must be quick; what it returns runs in greenlets."""

    def template(self, namespace: str) -> str | Search | None:
        """The name under which the handlers of a namespace are registered (its own, if it is a static one); ``None``
        if clients may not join it; or a function that finds out.
        """

    def connect_handlers(self, socket: Socket) -> tuple[Connect | None, Connect | None]:
        """The middleware of its namespace in one function, and the connect handler."""

    def event_handler(self, socket: Socket, event: Any) -> Callable[[Socket, list[Any]], Any] | None:
        """``(socket, [event, *args])``; the result is the acknowledgement, or :data:`~.client.NO_ACK`."""

    def disconnect_handler(self, socket: Socket) -> Callable[[Socket, Reason], None] | None:
        """``(socket, reason)``, while the rooms are still there."""

    def bound(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """``callback``, to be called later as if by the handler that is running now."""

    def namespace_made(self, namespace: Namespace) -> None:
        """A namespace has come into being; must not block."""

    def server_event_handler(self, namespace: str, event: Any) -> Callable[..., Any] | None:
        """``(*args)`` of an event that another server of the cluster emits for servers."""

    def static_namespaces(self) -> list[str]:
        """The namespaces that there are from the start."""

    def template_found(self, namespace: Namespace) -> None:
        """A namespace has another template than when it was made; must not block."""


class Server:
    """Socket.IO for one application in one process. Implements ``engineio.session.Handler``."""

    def __init__(self, options: Options, listener: Listener, parser: Parser, dialect: Dialect | None = None) -> None:
        self.options = options
        self.listener = listener
        self.parser = parser
        self.max_handlers = options.max_handlers_per_client
        self.concurrent = options.async_handlers
        self.dispatcher = Dispatcher()
        self.recovery = RecoveryOptions.of(options.connection_state_recovery)
        #: The other servers; ``None``: there are none.
        self.cluster = None if dialect is None else Cluster(self, dialect, options.requests_timeout)
        self.namespaces: dict[str, Namespace] = {}
        self._sweep_at = MANY_NAMESPACES
        self.engine = EngineServer(options, self)
        self._connecting = self.engine.timekeeper.queue(options.connect_timeout, self._connect_timed_out)
        recovered_for = 1.0 if self.recovery is None else self.recovery.max_disconnection_duration
        self._recoveries = self.engine.timekeeper.queue(recovered_for, self._expire_recovery)
        self._cleanup = options.cleanup_empty_child_namespaces
        self._hub: Any = None
        self._from_threads: deque[tuple[Any, ...]] = deque()

    def of(self, name: str, template: str | None = None) -> Namespace:
        """The namespace of this name, made when it is first asked for.

        ``template`` is what a parent's function was asked for, when a client enters.
        """
        namespace = self.namespaces.get(name)
        if namespace is None:
            if len(self.namespaces) >= self._sweep_at and self.in_home_thread():
                self._sweep()
            found = template or self.listener.template(name)
            made = Namespace(self, name, found if isinstance(found, str) else name)
            namespace = self.namespaces.setdefault(name, made)  # another thread may have been faster
            if namespace is made:
                self.listener.namespace_made(namespace)
                if self.cluster is not None:
                    self.cluster.add_namespace(name)
        elif template is not None and namespace.template == name != template:
            # The application addressed it before anybody knew whose child it is: from now on the middleware and the
            # handlers of its parent are asked.
            namespace.template = template
            self.listener.template_found(namespace)
        return namespace

    def _sweep(self) -> None:
        for name, namespace in list(self.namespaces.items()):
            if namespace.idle:
                self._forget_namespace(name)
        self._sweep_at = max(MANY_NAMESPACES, 2 * len(self.namespaces))

    def emptied(self, namespace: Namespace) -> None:
        """A socket has left: an empty child namespace may be forgotten."""
        if (
            self._cleanup
            and namespace.idle
            and namespace.template != namespace.name
            and self.namespaces.get(namespace.name) is namespace
        ):
            self._forget_namespace(namespace.name)

    def _forget_namespace(self, name: str) -> None:
        del self.namespaces[name]
        if self.cluster is not None:
            self.cluster.remove_namespace(name)

    def to(self, namespace: str = "/", *rooms: Any) -> BroadcastOperator:
        """A broadcast to rooms of a namespace."""
        return BroadcastOperator(self.of(namespace), rooms)

    def close(self) -> None:
        """Disconnect everybody with the reason ``server shutting down``."""
        self.engine.close()
        if self.cluster is not None:
            self.cluster.close()

    # -- Handler -----------------------------------------------------------------------------------------------------

    def on_open(self, session: Session) -> None:
        if self._hub is None:
            self._adopt(get_hub())
        if self.cluster is not None:
            self.cluster.start()
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

    def watch_recovery(self, namespace: Namespace) -> None:
        """Something is kept for those who may come back: not for ever."""
        if namespace not in self._recoveries:
            self.engine.timekeeper.add(self._recoveries, namespace)

    def _expire_recovery(self, namespace: Namespace) -> None:
        recovery = namespace.adapter.recovery
        if recovery is not None:
            recovery.expire(time.monotonic())
            if recovery.empty:
                self.emptied(namespace)
            else:
                self.engine.timekeeper.add(self._recoveries, namespace)

    # -- outbound ----------------------------------------------------------------------------------------------------

    def deliver(
        self, targets: Iterable[Socket], message: PreparedMessage, namespace: Namespace, volatile: bool = False
    ) -> None:
        """Send a message to sockets, from any greenlet or thread; lets the hub catch up where clients are slow."""
        if self._hub is None:
            return  # nobody has ever connected
        recipients = targets if type(targets) is list else list(targets)
        if get_hub_if_exists() is not self._hub:
            self.in_home_thread_do(namespace.adapter.broadcast, message, recipients, volatile)
            return
        namespace.adapter.broadcast(message, recipients, volatile)
        if len(recipients) == 1 and recipients[0].client.session.congested and getcurrent() is not self._hub:
            sleep(0)

    def find_hub(self) -> bool:
        """Whether it is known, or can be concluded now, which thread serves: the main one, where it has a hub."""
        if self._hub is None:
            hub = get_hub()
            if hub.main_hub:
                self._adopt(hub)
        return self._hub is not None

    def _adopt(self, hub: Any) -> None:
        self._hub = hub
        self.dispatcher.bind(hub)

    @property
    def hub_known(self) -> bool:
        """Whether a client has ever connected, so that it is known which thread serves."""
        return self._hub is not None

    def in_home_thread(self) -> bool:
        """Whether this thread runs the hub that serves the clients."""
        return self._hub is None or get_hub_if_exists() is self._hub

    def in_home_thread_do(self, function: Callable[..., Any], *args: Any) -> None:
        """Run a function where the clients are served: now, or soon if this is another thread.

        What other threads ask for happens in their order; a thread far ahead of the hub is held up, but not for ever.
        """
        if self.in_home_thread():
            function(*args)
            return
        self._from_threads.append((function, args))
        self._hub.loop.run_callback_threadsafe(self._take_from_threads)
        for _ in range(MAX_HOLD_UPS):
            if len(self._from_threads) <= MAX_FROM_THREADS:
                return
            sleep(0.001)

    def _take_from_threads(self) -> None:
        function, args = self._from_threads.popleft()
        function(*args)
