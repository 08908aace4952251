"""The server under attack, one per module (its OPTIONS apply), and the check after every test that it took no harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.launch import FOREIGN, Server
from conformance.raw import Headers, Polling, WebSocket, wait_until

#: Put into payloads, tokens and auth; must never be seen in a log.
SECRET = "s3cr3t-payload"
#: Abandoned polling sessions are gone after the sum of both.
DEFAULTS = {"ping_interval": 2, "ping_timeout": 2, "max_http_buffer_size": 1_000_000}


class Victim(Server):
    """The server under attack: remembers its sessions, says goodbye for them, and knows when it is unharmed."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.sids: list[str] = []
        self.log_seen = 0
        self.leftover: dict[str, tuple[int, int]] = {}
        super().__init__(Path(__file__).with_name("app.py"), options, FOREIGN)
        try:
            # What is made on first use (the resolver's threads, the pool's greenlets) is no leftover.
            for _ in range(2):
                self.serve_somebody()
            wait_until(lambda: self.stats()["sessions"] == 0, "the warm-up is over")
            self.baseline = self.stats()
        except BaseException:
            self.stop()
            raise

    def open_polling(self, headers: Headers = ()) -> Polling:
        session = super().open_polling(headers)
        self.sids.append(session.sid)
        return session

    def join(self, auth: str = "") -> WebSocket:
        """A client in the main namespace."""
        websocket = self.open_websocket()
        websocket.send("40" + auth)
        packet = websocket.receive()
        assert isinstance(packet, str)
        assert packet.startswith('40{"sid":"')
        return websocket

    def join_polling(self) -> Polling:
        """The same over long-polling."""
        session = self.open_polling()
        session.send("40")
        assert session.receive().startswith('40{"sid":"')
        return session

    def serve_somebody(self) -> None:
        """A fresh client is served on both transports."""
        with self.join() as websocket:
            websocket.send('421["echo","hello"]')
            assert websocket.receive() == '431["hello"]'
        with self.join_polling() as session:
            session.send('422["echo","hello"]')
            assert session.receive() == '432["hello"]'
            session.send("1")

    def is_clean(self) -> bool:
        now = self.stats()
        self.leftover = {
            name: (now[name], self.baseline[name])
            for name in ("sessions", "sockets", "greenlets", "fds")
            if now[name] > self.baseline[name]
        }
        return not self.leftover

    def assert_unharmed(self) -> None:
        assert self.process.poll() is None, "the server process ended"
        for sid in self.sids:
            self.request("POST", self.url(sid=sid), body=b"1")
        self.sids.clear()
        self.serve_somebody()
        self.leftover = {}
        try:
            wait_until(self.is_clean, "nothing is left over")
        except AssertionError:
            pytest.fail(f"left over (now, before): {self.leftover}")

    def assert_log_is_clean(self, allowed: tuple[str, ...] = ("on purpose", "on_purpose")) -> None:
        """What was logged since the last time holds no traceback but those of our own handlers, and no payload."""
        log = self.read_log()
        news, self.log_seen = log[self.log_seen :], len(log)
        parts = news.split("Traceback (most recent call last)")[1:]
        tracebacks = [part for part in parts if not any(word in part for word in allowed)]
        assert not tracebacks, news[-5000:]
        assert SECRET not in news
        assert "\x1b" not in news


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[[dict[str, Any]], Victim]]:
    victims: dict[str, Victim] = {}

    def start(options: dict[str, Any]) -> Victim:
        key = json.dumps(options, sort_keys=True)
        if key not in victims:
            victims[key] = Victim(options)
        return victims[key]

    yield start
    for victim in victims.values():
        victim.stop()


@pytest.fixture(scope="module")
def module_victim(request: pytest.FixtureRequest, launch: Callable[[dict[str, Any]], Victim]) -> Victim:
    return launch({**DEFAULTS, **getattr(request.module, "OPTIONS", {})})


@pytest.fixture
def victim(module_victim: Victim) -> Iterator[Victim]:
    """The server, checked after each test: it serves, and it holds no session, greenlet or descriptor more."""
    yield module_victim
    module_victim.assert_unharmed()
    if not FOREIGN:
        module_victim.assert_log_is_clean()
