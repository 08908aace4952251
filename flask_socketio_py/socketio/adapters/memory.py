"""MemoryDialect: several servers in one process, for tests and development. The simplest cluster there is.

What is published is copied, so that no two servers share an object, as on a real wire; but unlike
one it can't lose anything. Servers join a :class:`Hall` and hear what is said there in its order.
"""

from __future__ import annotations

import copy
from typing import Any

from gevent import get_hub

from .cluster import Receive
from .operations import Operation, Reply, Request


class Hall:
    """Where the servers of one cluster meet."""

    def __init__(self) -> None:
        self.members: list[MemoryDialect] = []


class MemoryDialect:
    """Implements ``Dialect`` for the servers of one process."""

    logs = False

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._receive: Receive | None = None
        self._namespaces: set[str] = set()
        self._loop: Any = None

    def start(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = get_hub().loop
        self._hall.members.append(self)

    def add_namespace(self, name: str) -> None:
        self._namespaces.add(name)

    def remove_namespace(self, name: str) -> None:
        self._namespaces.discard(name)

    def publish(self, namespace: str, operation: Request) -> None:
        for member in list(self._hall.members):
            if member is not self:
                member.hear(namespace, copy.deepcopy(operation), self)

    def reply(self, namespace: str, reply_to: Any, operation: Reply) -> None:
        reply_to.hear(namespace, copy.deepcopy(operation), self)

    def others(self, namespace: str) -> int:
        return sum(member is not self and namespace in member._namespaces for member in self._hall.members)

    def close(self) -> None:
        if self in self._hall.members:
            self._hall.members.remove(self)

    def hear(self, namespace: str, operation: Operation, sender: MemoryDialect) -> None:
        """Another member says something, in any thread; it is heard in the hub's next turn."""
        self._loop.run_callback_threadsafe(self._deliver, namespace, operation, sender)

    def _deliver(self, namespace: str, operation: Operation, sender: MemoryDialect) -> None:
        if self._receive is not None and self in self._hall.members:
            self._receive(namespace, operation, sender, None)
