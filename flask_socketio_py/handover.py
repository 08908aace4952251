"""A request for a sibling's session goes there with its connection: what travels, and how a received one is served.

The request's head (again as bytes), what had been read past it, and the descriptor; so a received connection is one
that was just accepted, of which some bytes have already arrived, and each server does with it what it does with any
other: keep-alive, logs, limits. It may be handed on with its next request.

TLS ended in a worker can't move: there the sibling gets one end of a socket pair (``relay``).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import gevent
from gevent import socket
from gevent.pool import Pool, PoolFull
from gevent.ssl import SSLSocket

from .engineio.siblings import TOKEN_LENGTH, StartResponse
from .mesh import Mesh
from .relay import Relay
from .request_head import request_head
from .websocket.takeover import already_answered, buffered, find_socket, let_go, unwatch

log = logging.getLogger(__name__)

#: Received connections that wait until the server has a greenlet free (gunicorn's ``worker_connections``).
MAX_WAITING = 1024
_MAX_META = 2000

Address = Any  #: What ``accept`` says of a peer: a tuple, or a string under a Unix socket.


class HandedSocket(socket.socket):
    """A connection from a sibling; what it had read is read again first."""

    def __init__(self, descriptor: int, unreceived: bytes, peer: Address, local: Address) -> None:
        super().__init__(fileno=descriptor)
        self.unreceived = unreceived
        #: The addresses of the client's connection, which this one may only be relayed from.
        self.peer = peer
        self.local = local

    def recv(self, *args: Any) -> bytes:
        if not self.unreceived:
            return bytes(super().recv(*args))
        size, flags = (*args, 0)[:2]
        data = self.unreceived[:size]
        if not flags & socket.MSG_PEEK:
            self.unreceived = self.unreceived[size:]
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        if not self.unreceived:
            return int(super().recv_into(buffer, nbytes, flags))
        data = self.recv(nbytes or len(buffer), flags)
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def _real_close(self) -> None:
        # As in the standard library: close() calls it once nothing uses the socket any more. The sibling may not have
        # closed its copy yet.
        if self.fileno() >= 0:
            unwatch(self.fileno())
        super()._real_close()  # type: ignore[misc]  # gevent's, too


class Host(Protocol):
    """The server of this process."""

    def serve(self, sock: HandedSocket) -> None:
        """Serve a connection, in a greenlet; may be called in the hub."""

    @property
    def is_full(self) -> bool:
        """Whether too many connections wait to be served."""


class PywsgiHost:
    """A gunicorn worker on gevent's pywsgi."""

    def __init__(self, servers: list[Any]) -> None:
        self._servers = servers
        self._queue = _Queue()

    @property
    def is_full(self) -> bool:
        return self._queue.waiting >= MAX_WAITING

    def serve(self, sock: HandedSocket) -> None:
        server = _matching(self._servers, [server.address for server in self._servers], sock.local)
        self._queue.start(server.pool, server.handle, sock, sock.peer)


class GunicornHost:
    """``gunicorn -k gevent``: the worker itself handles connections.

    Raises:
        OSError: they don't carry HTTP.
    """

    def __init__(self, worker: Any) -> None:
        if getattr(worker.cfg, "protocol", "http") != "http":
            raise OSError("a request of gunicorn's uwsgi protocol can't be handed over")
        self._worker = worker
        self._listeners = [_Listener(sock.getsockname()) for sock in worker.sockets]
        #: The worker's pools are not to be had. It may so have twice the greenlets that it was told.
        self._pool = Pool(worker.worker_connections)
        self._queue = _Queue()

    @property
    def is_full(self) -> bool:
        return self._queue.waiting >= MAX_WAITING

    def serve(self, sock: HandedSocket) -> None:
        listener = _matching(self._listeners, [listener.getsockname() for listener in self._listeners], sock.local)
        self._queue.start(self._pool, self._worker.handle, listener, sock, sock.peer)


class _Listener:
    """Stands for a listening socket, which is closed while the worker drains."""

    def __init__(self, name: Address) -> None:
        self._name = name

    def getsockname(self) -> Address:
        return self._name


class _Queue:
    """Starts greenlets in a pool; those for which it has no room wait, in a greenlet each."""

    def __init__(self) -> None:
        self.waiting = 0

    def start(self, pool: Any, function: Callable[..., None], *args: Any) -> None:
        greenlet = gevent.Greenlet(function, *args)
        try:
            if pool is not None:
                pool.add(greenlet, blocking=False)
            greenlet.start()
        except PoolFull:
            self.waiting += 1
            gevent.spawn(self._wait, pool, greenlet)

    def _wait(self, pool: Any, greenlet: Any) -> None:
        try:
            pool.add(greenlet)
            greenlet.start()
        finally:
            self.waiting -= 1


def _matching(servers: list[Any], addresses: list[Address], local: Address) -> Any:
    """The one of several that listens where a connection came in, as far as its port tells."""
    port = local[1] if isinstance(local, tuple) else local
    for server, address in zip(servers, addresses, strict=True):
        if (address[1] if isinstance(address, tuple) else address) == port:
            return server
    return servers[0]


class Handover:
    """Implements ``engineio.siblings.Siblings`` over a mesh; one for each process.

    Raises:
        OSError: there is no way to have a mesh here.
    """

    def __init__(self, host: Host, parent: int | None = None) -> None:
        self._host = host
        self.mesh = Mesh(self._receive, parent)
        self.token = self.mesh.token

    # -- giving ------------------------------------------------------------------------------------------------------

    def hand_over(self, sid: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes] | None:
        delivery = self.mesh.connect(sid[:TOKEN_LENGTH])
        if delivery is None:
            return None
        sock = find_socket(environ, start_response)
        try:
            if sock is None or already_answered(environ) or not _is_whole(environ):
                raise ValueError("something has read its body or written its answer")
            meta = {"for": sid[:TOKEN_LENGTH], "peer": _peer(sock), "local": _local(sock)}
            data = json.dumps(meta).encode() + b"\n" + request_head(environ, start_response)
            data += buffered(environ, start_response)
            relay = Relay(sock) if isinstance(sock, SSLSocket) else None
        except (OSError, ValueError) as error:  # OSError: the client has gone, or no descriptor is left
            delivery.close()
            log.warning("a request for a session of another worker can't be handed over: %s", error)
            return None
        if relay is None:
            return let_go(environ, start_response) if delivery.send(sock.fileno(), data) else None
        if not delivery.send(relay.theirs.fileno(), data):
            relay.abandon()
            return None
        ended = let_go(environ, start_response)
        relay.run()
        return ended

    # -- taking ------------------------------------------------------------------------------------------------------

    def _receive(self, native: Any, data: bytes) -> Callable[[], None]:
        meta, rest = decode(data)
        if meta["for"] != self.token:
            raise ValueError("a request for another worker")  # so none can be handed on without end
        if self._host.is_full:
            raise ValueError("too many connections wait to be served")

        def serve() -> None:
            self._host.serve(HandedSocket(native.detach(), rest, meta["peer"], meta["local"]))

        return serve


def decode(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What a sibling says of a request (``for``, ``peer``, ``local``), and the request's bytes.

    Raises:
        ValueError: it says something else.
    """
    line, separator, _ = data[:_MAX_META].partition(b"\n")
    try:
        meta = json.loads(line)
    except RecursionError as error:
        raise ValueError("no request") from error
    if not separator or not isinstance(meta, dict) or meta.keys() != {"for", "peer", "local"}:
        raise ValueError("no request")
    return {**meta, "peer": _address(meta["peer"]), "local": _address(meta["local"])}, data[len(line) + 1 :]


def _is_whole(environ: dict[str, Any]) -> bool:
    """Whether nothing has been read of the body, and the connection carries one request after the other."""
    body = environ["wsgi.input"]
    reader = getattr(body, "reader", None)
    left = getattr(reader, "length", None)
    return (
        environ["SERVER_PROTOCOL"].startswith("HTTP/1.")
        and not getattr(body, "position", 0)
        and (left is None or left == int(environ.get("CONTENT_LENGTH") or 0))
    )


def _peer(sock: Any) -> Address:
    return sock.peer if isinstance(sock, HandedSocket) else sock.getpeername()


def _local(sock: Any) -> Address:
    return sock.local if isinstance(sock, HandedSocket) else sock.getsockname()


def _address(value: Any) -> Address:
    if isinstance(value, str):
        return value
    if (
        isinstance(value, list)
        and 2 <= len(value) <= 4
        and isinstance(value[0], str)
        and all(type(number) is int for number in value[1:])
    ):
        return tuple(value)
    raise ValueError("no address")


# -- finding the server ------------------------------------------------------------------------------------------------

#: The process it is for, and what was found; ``None`` if there can't be any.
_found: tuple[int, Handover | None] = (0, None)


def find(environ: dict[str, Any], start_response: StartResponse) -> Handover | None:
    """This process's siblings, if it is a gunicorn worker that we can serve received connections with.

    Made at the first request, so after the fork, ``--preload`` or not.
    """
    global _found
    if _found[0] != os.getpid():
        try:
            host = _host(environ)
            if host is None:
                return None
            _found = (os.getpid(), Handover(host))
        except OSError as error:
            _found = (os.getpid(), None)
            log.error(
                "this worker can't receive requests from the others: with several workers, long polling then needs "
                "a load balancer with sticky sessions (%s)",
                error,
            )
    return _found[1]


def _host(environ: dict[str, Any]) -> Host | None:
    handler = environ.get("flask_socketio_py.handler")
    if handler is not None:
        worker = getattr(handler.server, "worker", None)
        return PywsgiHost([handler.server] if worker is None else worker.servers)
    worker = _gunicorn_worker()
    return GunicornHost(worker) if worker is not None and "gunicorn.socket" in environ else None


def _gunicorn_worker() -> Any:
    """The gevent worker that this process is: its methods handle the signals."""
    module = sys.modules.get("gunicorn.workers.ggevent")
    for number in (signal.SIGABRT, signal.SIGUSR1, signal.SIGTERM):
        worker = getattr(signal.getsignal(number), "__self__", None)
        if module is not None and isinstance(worker, module.GeventWorker):
            return worker
    return None
