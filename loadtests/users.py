"""A user for locust that talks Socket.IO, with this folder's light client: ``SocketIOUser``.

It turns what the client sees into locust's requests, which are rows of its tables, plots and CSV files:

- ``connect <namespace>``: from the first byte to being connected; ``reconnect``: the same, after a connection was lost
- ``ack <event>``: from ``call()`` to the acknowledgement
- ``broadcast <event>``: from the time that the event's data names to its arrival, for what ``broadcasts`` lists
- ``disconnect <reason>`` and ``fault <what>``: failures only. A connection that ends without having been asked to, and
  what a protocol forbids a server.

Knows locust and the client, and nothing of a scenario.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gevent
from locust import User
from locust.env import Environment
from locust.exception import RescheduleTask, StopUser

from .client import POLLING, UPGRADING, Client, DisconnectedError, RefusedError
from .wire import TransportError, ViolationError


class SocketIOUser(User):
    """One person with one Socket.IO connection. Derive from it, and write ``@task`` methods that use :meth:`call`.

    ``on_start`` connects and ``on_stop`` leaves: who overrides them calls them, too.
    """

    abstract = True

    #: The namespace, with its slash.
    namespace: ClassVar[str] = "/"
    #: ``POLLING``, ``UPGRADING`` (what official clients do) or ``WEBSOCKET``, of :mod:`loadtests.client`.
    transports: ClassVar[tuple[str, ...]] = UPGRADING
    #: How many of the users stay on polling all the same, 0 to 1.
    polling_share: ClassVar[float] = 0.0
    #: What is sent with the connect packet.
    auth: ClassVar[dict[str, Any] | None] = None
    #: Further arguments of :class:`loadtests.client.Client`.
    options: ClassVar[Mapping[str, Any]] = {}
    #: Events whose way is measured: a function of their arguments returns when they were sent, by ``time.time()``.
    broadcasts: ClassVar[Mapping[str, Callable[..., float]]] = {}
    #: Locust starts users in batches, once a second; each waits up to so many seconds before it connects.
    spread: ClassVar[float] = 1.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if self.host is None:
            raise ValueError("where is the server? Give --host http://127.0.0.1:5000, or the class a host")
        #: 0, 1, 2 ... among the users of this class in this process, in this run.
        self.number = _number(environment, type(self))
        few = self.polling_share and self.number % round(1 / self.polling_share) == 0
        self.client = Client(
            self.host,
            namespace=self.namespace,
            transports=POLLING if few else self.transports,
            auth=self.auth,
            watch=self._watch,
            **self.options,
        )
        self._leaving = False
        self._failures_told: Counter[str] = Counter()
        self._violations_told = 0
        for event in self.broadcasts:
            self.on(event, lambda *args: None)

    # -- what a scenario uses ----------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Connect, and stay connected: a connection that is lost comes back as with the official client."""
        gevent.sleep(random.uniform(0, self.spread))
        while True:
            began = time.perf_counter()
            try:
                self.client.connect()
                return
            except (TimeoutError, RefusedError, TransportError, ViolationError, DisconnectedError) as error:
                self._new_failures()  # that is them
                self.report("connect", self.namespace, time.perf_counter() - began, error=error)
                if not isinstance(error, TimeoutError):
                    raise StopUser from error

    def on_stop(self) -> None:
        """Leave."""
        for text in self._new_failures():
            self.report("fault", "transport", 0.0, error=TransportError(text))
        self._leaving = True
        self.client.close()
        self._tell_violations()

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        """Call ``handler(*args)`` for each such event; what it returns is the acknowledgement. It must not block."""
        sent_at = self.broadcasts.get(event)
        if sent_at is None:
            self.client.on(event, handler)
            return

        def measured(*args: Any) -> Any:
            self.report("broadcast", event, time.time() - sent_at(*args), length=self.client.size)
            return handler(*args)

        self.client.on(event, measured)

    def call(self, event: str, *args: Any, timeout: float = 20.0) -> Any:
        """Emit an event and return its acknowledgement: the value if it is one, else the list (``None`` for none).

        Without one the request has failed, and the task ends here.
        """
        began = time.perf_counter()
        try:
            return self.client.call(event, *args, timeout=timeout)
        except (TimeoutError, DisconnectedError) as error:
            self.report("ack", event, time.perf_counter() - began, error=error)
            raise RescheduleTask from error

    def emit(self, event: str, *args: Any) -> None:
        """Emit an event that nobody acknowledges; what comes of it is measured where it arrives (``broadcasts``)."""
        self.client.emit(event, *args)

    def on_disconnect(self, reason: str) -> None:
        """The connection was lost; override it where that is part of the scenario, and no failure."""
        self.report("disconnect", reason, 0.0, error=DisconnectedError(reason))

    def report(
        self, kind: str, name: str, seconds: float, *, length: int = 0, error: BaseException | None = None
    ) -> None:
        """One request for locust's tables, of a kind of one's own if you like; with an error it is a failure."""
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=seconds * 1000,
            response_length=length,
            exception=error,
            context=self.context(),
        )

    # -- what the client tells ---------------------------------------------------------------------------------------

    def _watch(self, what: str, name: str, seconds: float) -> None:
        if what == "ack":
            self.report("ack", name, seconds, length=self.client.size)
        elif what == "connect":
            kind = "connect" if self.client.counts.connects == 1 else "reconnect"
            self.report(kind, name, seconds, length=self.client.size)
        elif what == "disconnect" and not self._leaving:
            # A connection that broke is counted as a failure, too: it is the same one.
            broken = [text for text in self._new_failures() if not self._tell_failed_upgrade(text)]
            self._tell_violations()
            self.on_disconnect(": ".join([name, *broken]))

    def _new_failures(self) -> list[str]:
        counted = Counter(self.client.counts.failures)
        new = list((counted - self._failures_told).elements())
        self._failures_told = counted
        return new

    def _tell_failed_upgrade(self, text: str) -> bool:
        failed = text.startswith("upgrade")
        if failed:
            self.report("fault", "transport", 0.0, error=TransportError(text))
        return failed

    def _tell_violations(self) -> None:
        for text in self.client.counts.violations[self._violations_told :]:
            self.report("fault", "protocol", 0.0, error=ViolationError(text))
        self._violations_told = len(self.client.counts.violations)


def _number(environment: Environment, kind: type[User]) -> int:
    """The next number of a class; from zero again with each run."""
    numbers: Counter[type[User]] | None = getattr(environment, "socketio_numbers", None)
    if numbers is None:
        numbers = environment.socketio_numbers = Counter()
        environment.events.test_stop.add_listener(lambda **_: numbers.clear())
    numbers[kind] += 1
    return numbers[kind] - 1
