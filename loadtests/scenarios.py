"""The load scenarios: a class for each, which is a user of it. Its docstring says what it does; the server's side is
``server_app.py``.

How many users there are is said where a scenario is started: on locust's command line, its web page, or in ``tour.py``.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import gevent
from locust import between, constant, constant_pacing, constant_throughput, task

from .client import POLLING, WEBSOCKET
from .users import SocketIOUser

MEMBERS = 5
RECEIVERS = 1000
BREAK_EVERY = 4.0


def sent_at(message: dict[str, Any], *offset: str) -> float:
    """When a message of these scenarios was sent; on a server with recovery its offset follows it."""
    return float(message["at"])


def letters(count: int) -> str:
    return "socket io " * (count // 10)


class ChatRooms(SocketIOUser):
    """Many rooms, few members: five people to a room, and everybody says something about once a second."""

    transports = WEBSOCKET
    broadcasts: ClassVar = {"said": sent_at}
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        super().on_start()
        self.room = f"room {self.number // MEMBERS}"
        self.call("join", self.room)

    @task
    def say(self) -> None:
        self.call("say", self.room, {"at": time.time(), "text": letters(60)})


class BroadcastStorm(SocketIOUser):
    """Few senders, thousands of receivers: of a thousand users one shouts twice a second, and all hear it."""

    transports = WEBSOCKET
    broadcasts: ClassVar = {"heard": sent_at}
    wait_time = constant_pacing(0.5)

    @task
    def shout(self) -> None:
        if self.number % RECEIVERS:
            gevent.sleep(5)
        else:
            self.call("shout", {"at": time.time(), "text": letters(60)})


class RequestResponse(SocketIOUser):
    """Requests and their acknowledgements, ten a second from each user, of 32 bytes, 1 kB and now and then 16 kB."""

    transports = WEBSOCKET
    wait_time = constant_throughput(10)

    @task(10)
    def small(self) -> None:
        self.call("echo", letters(30))

    @task(5)
    def middle(self) -> None:
        self.call("echo 1 kB", letters(1000))

    @task(1)
    def large(self) -> None:
        self.call("echo 16 kB", letters(16000))


class ConnectStorm(SocketIOUser):
    """Everybody comes at once, in waves: connects, upgrades, asks one thing, and leaves with the wave.

    The waves are the load shape in ``shapes/waves.py``.
    """

    spread = 0.0
    wait_time = constant(1.0)

    def on_start(self) -> None:
        super().on_start()
        self.call("echo", "here I am")

    @task
    def stay(self) -> None:
        """A connection that does nothing."""


class MassReconnect(SocketIOUser):
    """All connections break in the same moment, every four seconds, and come back with the delays of the official
    client: 0.5 to 1.5 seconds after.

    ``back after-break`` is the time without a connection, that delay included; ``reconnect`` is the server's share.
    """

    transports = WEBSOCKET
    wait_time = constant(0.0)

    @task
    def break_and_come_back(self) -> None:
        # By the wall clock, so that users of several load generators do it together.
        gevent.sleep(BREAK_EVERY - time.time() % BREAK_EVERY)
        lost = time.perf_counter()
        self.client.drop()
        while self.client.connected:
            gevent.sleep(0)
        if self.client.wait_connected():
            self.report("back", "after-break", time.perf_counter() - lost)
            self.call("echo", "here I am again")
        else:
            self.report("back", "after-break", time.perf_counter() - lost, error=TimeoutError("did not come back"))

    def on_disconnect(self, reason: str) -> None:
        """That is what this is about."""


class PollingOnly(ChatRooms):
    """The chat rooms, and everybody on long-polling, as behind a proxy that lets no WebSocket through."""

    transports = POLLING


class MixedTransports(ChatRooms):
    """The chat rooms with the official client's transports: polling first, then the upgrade. One of twenty can't."""

    transports = SocketIOUser.transports
    polling_share = 0.05


class Cluster(ChatRooms):
    """The chat rooms on several gunicorn workers with Redis, half of the users polling, half upgrading; nothing is
    sticky. Each request of polling is a connection of its own, so that one session's requests reach all workers.
    """

    transports = SocketIOUser.transports
    polling_share = 0.5
    options: ClassVar = {"keep_alive": False}


class SlowReaders(SocketIOUser):
    """One user in ten stops reading while pictures of 400 kB come ten times a second; the others must not notice.

    The server has to disconnect who doesn't read, with the reason ``outbox full``, so ``cut-off`` is what is expected;
    never to be cut off is the failure.
    """

    transports = WEBSOCKET
    broadcasts: ClassVar = {"picture": sent_at}
    wait_time = constant_pacing(0.1)
    #: Seconds without reading. After them the server has given up on it.
    stall = 6.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stalled_since: float | None = None
        #: The connection that is in the gallery: the first, the second ...
        self.joined = 0
        self.slow = self.number % 10 == 1
        if self.slow:
            self.client.on("picture", self.stop_reading)

    def stop_reading(self, message: Any, *offset: str) -> None:
        """A handler that blocks keeps its client from reading."""
        if self.stalled_since is None:
            self.stalled_since = time.perf_counter()
            gevent.sleep(self.stall)
            gevent.spawn_later(self.stall, self.must_be_over, self.stalled_since)

    def must_be_over(self, since: float) -> None:
        if self.stalled_since == since and self.client.connected:
            self.report("cut-off", "slow-reader", 0.0, error=TimeoutError("was never disconnected"))

    def on_disconnect(self, reason: str) -> None:
        if self.stalled_since is None:
            super().on_disconnect(reason)
        else:
            self.report("cut-off", "slow-reader", time.perf_counter() - self.stalled_since)
            self.stalled_since = None

    @task
    def look_or_show(self) -> None:
        if self.number:
            if self.client.counts.connects > self.joined:
                self.call("join", "gallery")
                self.joined = self.client.counts.connects
            gevent.sleep(1)
        else:
            self.call("show", {"at": time.time(), "data": letters(400_000)})
