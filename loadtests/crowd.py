"""The clients of an endurance run: what each does, what it must see, and how it is found out that it did not."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gevent
from gevent.pool import Pool

from loadtests.client import POLLING, Client

#: Every so many ticks a client sends binary data, and asks the server to ask it.
BINARY_EVERY, ASK_EVERY = 7, 5


def together(members: Sequence[Member], action: Callable[[Member], Any], at_once: int = 20) -> None:
    """Do it with all; the first failure is raised."""
    for _ in Pool(at_once).imap_unordered(action, members):
        pass


class Member:
    """One client. It notes what it is told in a room, and checks the acknowledgements of what it emits."""

    def __init__(self, url: str, number: int, transports: Sequence[str], *, keep_alive: bool) -> None:
        self.number = number
        self.polling = transports == POLLING
        self.client = Client(url, transports=transports, keep_alive=keep_alive, watch=self._watch)
        self.client.on("question", lambda value: value + 1)
        self.client.on("told", lambda note, *offset: self.told.append(tuple(note)))
        #: What was told, in order: (speaker, number).
        self.told: list[tuple[str, int]] = []
        self.latencies: list[float] = []
        self.connected_at = 0.0
        self.connects_known = 1
        #: The process that has its session.
        self.worker = 0
        #: Times that its own connection was broken on purpose.
        self.drops = 0
        #: Whether it must not tell the room anything, and of what it told no acknowledgement has come yet.
        self.mute = False
        self.telling = 0
        self.stopped = False
        self._sent = self._next = self._acked = self._asked = 0
        self._faults: list[str] = []

    def connect(self) -> None:
        self.client.connect()
        self.worker = self.client.call("worker")

    def leave(self) -> None:
        self.client.close()

    @property
    def upgraded(self) -> bool:
        return self.polling or (self.client.engine is not None and self.client.engine.transport == "websocket")

    def moved(self) -> bool:
        """Whether it has connected again, and is; its worker is the new one from then on."""
        if self.client.connected and self.client.counts.connects > self.connects_known:
            self.connects_known = self.client.counts.connects
            self.worker = self.client.call("worker")
            return True
        return False

    # -- what it does ------------------------------------------------------------------------------------------------

    def talk(self, pause: float) -> None:
        """Two events at a time, without waiting for the acknowledgement of the first, and now and then a question."""
        gevent.sleep(random.uniform(0, pause))
        tick = 0
        while not self.stopped:
            for _ in range(2):
                value, self._sent = self._sent, self._sent + 1
                data: str | bytes = "é" * (value % 50 * 10)
                if value % BINARY_EVERY == 0:
                    data = bytes(value % 256 for _ in range(100))
                self.client.emit("number", value, data, callback=partial(self._check, value, data))
            if tick % ASK_EVERY == 0:
                self._asked += 1
                self.client.emit("ask", tick, callback=partial(self._check_answer, tick))
            tick += 1
            gevent.sleep(pause * random.uniform(0.9, 1.1))

    def tell(self, rate: float, said: Counter[str]) -> None:
        """Let its worker tell the room numbers."""
        speaker = str(self.number)
        while not self.stopped and not self.mute:
            value = said[speaker]
            said[speaker] += 1
            self._asked += 1
            self.telling += 1
            self.client.emit("tell", speaker, value, callback=partial(self._check_told, value))
            gevent.sleep(random.uniform(0.5, 1.5) / rate)

    def _check(self, value: int, data: str | bytes, back: int, back_data: str | bytes) -> None:
        if value < self._next:
            self._fault("acknowledgements out of order")
        self._next = value + 1
        self._acked += 1
        if back != value or back_data != data:
            self._fault("an acknowledgement of something else")

    def _check_answer(self, value: int, back: int | None = None) -> None:
        self._asked -= 1
        if back != value + 1:
            self._fault("an answer to something else")

    def _check_told(self, value: int, back: int | None = None) -> None:
        self._asked -= 1
        self.telling -= 1
        if back != value:
            self._fault("an acknowledgement of something else")

    def _watch(self, what: str, name: str, seconds: float) -> None:
        if what == "connect":
            self.connected_at = time.monotonic()
        if what == "ack" and name == "number":
            self.latencies.append(seconds)

    def _fault(self, text: str) -> None:
        self._faults.append(f"client {self.number}: {text}")

    # -- what it found -----------------------------------------------------------------------------------------------

    @property
    def outstanding(self) -> int:
        """Acknowledgements that must still come: those whose connection has gone can't."""
        return self._sent - self._acked + self._asked - self.client.counts.unanswered

    def ack_faults(self) -> list[str]:
        missing = [f"client {self.number}: {self.outstanding} acknowledgements are missing"] if self.outstanding else []
        return missing + self._faults

    def errors(self, *, calm: bool) -> list[str]:
        """What its transports met; ``calm``: nothing but we ourselves broke a connection."""
        counts = self.client.counts
        found = list(counts.violations)
        if calm:
            expected = Counter({"transport close": self.drops}) if self.drops else Counter()
            found += [*counts.failures, *(f"ended: {reason}" for reason in (counts.ends - expected).elements())]
            if counts.connects != 1 + self.drops or counts.recoveries != self.drops or counts.unanswered:
                found.append(
                    f"{counts.connects} connects, {counts.recoveries} recoveries after {self.drops} breaks, "
                    f"{counts.unanswered} acknowledgements lost with them"
                )
        return [f"client {self.number}: {text}" for text in found]


class Redelivery:
    """What everybody in the room must have been told: how many numbers by which speaker, each once and in order."""

    def __init__(self, expected: dict[str, int]) -> None:
        self._expected = expected

    def faults(self, member: Member) -> list[str]:
        """What a client was told otherwise."""
        found = []
        for speaker, count in self._expected.items():
            numbers = [number for one, number in member.told if one == speaker]
            times = Counter(numbers)
            missing = sorted(set(range(count)) - set(times))
            twice = sorted(number for number, often in times.items() if often > 1)
            if missing:
                found.append(f"of {speaker} {len(missing)} are missing: {missing[:10]}")
            if twice:
                found.append(f"of {speaker} {len(twice)} came more than once: {twice[:10]}")
            if any(number >= count for number in numbers):
                found.append(f"of {speaker} more than were said")
            if not missing and not twice and numbers != sorted(numbers):
                found.append(f"of {speaker} not in order")
        return [f"client {member.number}: {text}" for text in found]
