"""Commands to Redis from a process that serves nobody: a Celery task, a cron job, a shell.

Plain blocking sockets, of the standard library, so neither gevent's hub nor a greenlet is needed; in a patched process
they are gevent's, and only the calling greenlet waits. One connection per server, kept for the next call.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from redis.exceptions import MovedError, ResponseError

from .faults import refused
from .topology import Topology
from .urls import Address, RedisURL, parse
from .wire import BROKEN, TIMEOUT, Command, Wire, key_of, name_of, pack


class BlockingClient:
    """Sends commands and returns the replies. Threads may share one, and a forked child opens connections of its own.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    def __init__(self, url: str | RedisURL, *, timeout: float = TIMEOUT) -> None:
        self.url = parse(url) if isinstance(url, str) else url
        self._timeout = timeout
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._topology = Topology(self.url, socket)
        self._wires: dict[Address, Wire] = {}

    def send(self, *commands: Command) -> list[Any]:
        """The replies to commands, in order; ``timeout`` seconds for each step.

        Tried anew once where nothing can have happened yet: no connection, one that had died, a slot that has moved.

        Raises:
            TypeError: for an argument that is neither str, bytes nor int.
            ClusterError: Redis is away or refused one; some of the commands may have been done.
        """
        packed = [pack(command) for command in commands]
        if self._pid != os.getpid():
            self.close()
            self._begin()
        with self._lock:
            return [self._one(command, data) for command, data in zip(commands, packed, strict=True)]

    def _one(self, command: Command, data: bytes) -> Any:
        name, error = name_of(command), None
        for _ in range(2):
            wire = address = None
            try:
                address = self._topology.locate(key_of(command))
                wire = self._wire(address)
                wire.write(data)
                return wire.read()
            except MovedError as moved:
                assert address is not None
                self._topology.learn_moved(moved, address)
                error = refused(name, moved, self.url)
            except ResponseError as answer:
                raise refused(name, answer, self.url) from None
            except BROKEN as broken:
                error = refused(name, broken, self.url)
                self._topology.failed(address)
                self._drop(address)
                if wire is not None:
                    # It may have been done.
                    break
        assert error is not None
        raise error

    def _wire(self, address: Address) -> Wire:
        wire = self._wires.get(address)
        if wire is not None and wire.stale:
            self._drop(address)
            wire = None
        if wire is None:
            wire = self._wires[address] = Wire(self.url, address, timeout=self._timeout, sockets=socket)
        return wire

    def _drop(self, address: Address | None) -> None:
        wire = self._wires.pop(address, None) if address is not None else None
        if wire is not None:
            wire.close()

    def close(self) -> None:
        """End the connections; a further :meth:`send` opens new ones."""
        for address in list(self._wires):
            self._drop(address)

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
