"""Which server a command goes to: the only one, the master that the sentinels name, or the owner of a cluster's slot.

What was learnt is kept until a failure makes it doubtful. Opens short connections to ask; keeps none.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import gevent.socket
from redis.crc import key_slot
from redis.exceptions import ConnectionError, ResponseError

from .faults import PlaceError
from .urls import Address, RedisURL
from .wire import BROKEN, Wire


class Topology:
    """Addresses for keys. Every method but :meth:`moved` and :meth:`failed` may ask a server, and raises what that
    does:

    Raises:
        RedisError, OSError: nobody who could know answers.
    """

    def __init__(self, url: RedisURL, sockets: ModuleType = gevent.socket) -> None:
        self._url = url
        self._sockets = sockets
        self._known = False
        #: first slot, last slot, master. Outside of a cluster one range holds every slot.
        self._ranges: list[tuple[int, int, Address]] = []
        self._moved: dict[int, Address] = {}
        self._failed: Address | None = None

    def locate(self, key: bytes | None) -> Address:
        """The server for a key or a sharded channel; for ``None`` one that serves what has no key."""
        self._learn()
        if self._url.mode != "cluster":
            return self._ranges[0][2]
        if key is None:
            masters = self.masters()
            return next((one for one in masters if one != self._failed), masters[0])
        slot = key_slot(key)
        if slot in self._moved:
            return self._moved[slot]
        for first, last, address in self._ranges:
            if first <= slot <= last:
                return address
        self._known = False
        raise ConnectionError("no server of the cluster serves this slot")

    def masters(self) -> list[Address]:
        """All servers that hold something of their own."""
        self._learn()
        return list(dict.fromkeys(address for _, _, address in self._ranges))

    def moved(self, error: Any, asked: Address) -> Address:
        """Where a MOVED or ASK answer of ``asked`` points to."""
        return Address(error.host or asked.host, int(error.port))

    def learn_moved(self, error: Any, asked: Address) -> None:
        """Remember what a MOVED answer says."""
        self._moved[int(error.slot_id)] = self.moved(error, asked)

    def failed(self, address: Address | None) -> None:
        """A connection to this server broke: what is known may be wrong, and others are preferred for now."""
        self._failed = address
        self._known = self._known and self._url.mode == "single"

    def _learn(self) -> None:
        if self._known:
            return
        if self._url.mode == "single":
            self._ranges = [(0, 16383, self._url.nodes[0])]
        elif self._url.mode == "sentinel":
            self._ranges = [(0, 16383, self._ask_sentinels())]
        else:
            self._ranges = self._ask_cluster()
        self._moved.clear()
        self._known = True

    def _ask_sentinels(self) -> Address:
        error: BaseException = ConnectionError()
        for address in self._url.nodes:
            try:
                found = self._ask(address, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._url.service)
                if found:
                    return Address(found[0].decode(), int(found[1]))
                error = PlaceError(f"the sentinels know no master by the name {self._url.service!r}")
            except ResponseError as answer:
                error = answer
                if "unknown command" in str(answer):
                    error = PlaceError("this is no sentinel (their port is 26379), or write redis:// without +sentinel")
            except BROKEN as failed:
                error = failed
        raise error

    def _ask_cluster(self) -> list[tuple[int, int, Address]]:
        error: BaseException = ConnectionError("no server knows the cluster")
        known = [one for _, _, one in self._ranges if one != self._failed]
        for address in dict.fromkeys((*known, *self._url.nodes)):
            try:
                ranges = [
                    (int(first), int(last), Address((master[0] or b"").decode() or address.host, int(master[1])))
                    for first, last, master, *_ in self._ask(address, "CLUSTER", "SLOTS")
                ]
                if ranges:
                    return ranges
            except ResponseError as answer:
                error = answer
                if "cluster support disabled" in str(answer) or "unknown command" in str(answer):
                    error = PlaceError("this Redis is none of a Redis Cluster: write redis:// without +cluster")
            except BROKEN as failed:
                error = failed
        raise error

    def _ask(self, address: Address, *command: str) -> Any:
        wire = Wire(self._url, address, sockets=self._sockets, sentinel=self._url.mode == "sentinel")
        try:
            return wire.ask(*command)
        finally:
            wire.close()
