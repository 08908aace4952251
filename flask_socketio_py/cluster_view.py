"""ClusterView: what ``socketio.cluster`` is, and StatusHook: how the application hears of its changes.

Nothing is kept here but what waits to be told. Must not know how the servers of a cluster talk.
"""

from __future__ import annotations

import logging
from collections import deque

import gevent
from flask import Flask

from .registry import ANY, Registry, normalized
from .socketio.adapters.cluster import Cluster
from .socketio.adapters.cluster_status import ClusterStatus

log = logging.getLogger(__name__)

#: Changes that may wait for functions that are slow; beyond, the oldest are left out.
MAX_WAITING = 100
KIND = "on_cluster_status"


class ClusterView:
    """The cluster that this server belongs to, to be looked at."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def status(self) -> ClusterStatus:
        """How the other servers can be reached, at the moment.

        Where this is asked in a request, a handler or a background task, a server that has not joined yet does so, as
        with its first client.
        """
        return self._cluster.status()

    def servers(self, namespace: str = "/") -> int:
        """How many servers have a namespace, this one included; it alone, where the others can't be reached. May block
        for a moment. With ``redis+queue://`` all that don't run this package count as one.
        """
        return 1 + self._cluster.others(normalized(namespace))

    def __repr__(self) -> str:
        return f"<ClusterView: {self._cluster.watch.status}>"


class StatusHook:
    """Calls what is registered as ``on_cluster_status``, one change after the other, in a greenlet of its own."""

    def __init__(self, app: Flask, registry: Registry) -> None:
        self._app = app
        self._registry = registry
        self._waiting: deque[ClusterStatus] = deque(maxlen=MAX_WAITING)
        self._running = False

    def tell(self, status: ClusterStatus) -> None:
        """The state is another. Returns at once."""
        if self._registry.of(KIND, ANY):
            self._waiting.append(status)
            if not self._running:
                self._running = True
                gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            while self._waiting:
                status = self._waiting.popleft()
                for function in self._registry.of(KIND, ANY):
                    try:
                        with self._app.app_context():
                            function(status)
                    except (Exception, gevent.Timeout):
                        log.exception("an on_cluster_status function failed")
        finally:
            self._running = False
