"""The worker processes of one gunicorn master find each other, and pass a descriptor with some bytes to one another.

Owns the private directory, one Unix socket per process in it, and the checks of who is at the other end. What is passed
is not looked into here: that is ``handover``'s affair.

On the wire: ``fsp1``, the length as 4 bytes, so many bytes, and with the first of them exactly one descriptor
(SCM_RIGHTS). The receiver answers with one byte when it has taken it; when it closes instead, the sender keeps it.
"""

from __future__ import annotations

import _socket
import array
import atexit
import logging
import os
import re
import secrets
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.socket import wait_read, wait_write

from . import mesh_directory
from .engineio.siblings import TOKEN_LENGTH

log = logging.getLogger(__name__)

#: Bytes of the largest delivery: a request's head and what had been read past it.
MAX_DELIVERY = 4 * 1024 * 1024
#: Seconds a delivery may take, until the receiver has answered.
DEADLINE = 10.0
#: Deliveries that may be incomplete at one time; further ones are refused.
MAX_INCOMPLETE = 64
#: Connections accepted in one turn of the hub.
_BURST = 16
_HEAD = struct.Struct("!4sI")
_MAGIC = b"fsp1"
_TAKEN = b"\1"
_READ = 1
_is_token = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}").fullmatch

Receive = Callable[[Any, bytes], Callable[[], None]]


class Mesh:
    """This process among its siblings. Begin after the fork, in the thread of the hub that serves.

    Args:
        receive: called with a socket and bytes that a sibling sent; returns what is called once the sibling knows that
            they are ours, or raises ``ValueError`` to refuse. It must not block. The socket is native and non-blocking.
        parent: the process whose children find each other.

    Raises:
        OSError: there is no place for the directory, or it can't be trusted.
    """

    def __init__(self, receive: Receive, parent: int | None = None) -> None:
        self._receive = receive
        self._process = os.getpid()
        self._incomplete = 0
        self.token = secrets.token_urlsafe(TOKEN_LENGTH)[:TOKEN_LENGTH]
        self.directory = mesh_directory.directory_of(os.getppid() if parent is None else parent)
        self._listener = self._listen()
        mesh_directory.clean(self.directory)
        self._hub = gevent.get_hub()
        self._watcher = self._hub.loop.io(self._listener.fileno(), _READ)
        self._watcher.start(self._on_connections)
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def _listen(self) -> Any:
        for attempt in range(5):
            mesh_directory.private_directory(self.directory)
            listener = _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.setblocking(False)
            # Under its own name only when it listens: a sibling that sweeps takes one that refuses for dead.
            hidden = self._path("." + self.token)
            try:
                listener.bind(hidden)
                os.chmod(hidden, 0o600)
                listener.listen(512)
                os.rename(hidden, self._path(self.token))
                return listener
            except FileNotFoundError:  # the last sibling has just left, and the directory with it
                listener.close()
                if attempt == 4:
                    raise
            except OSError:
                listener.close()
                raise
        raise AssertionError("the last attempt returns or raises")

    def _path(self, token: str) -> str:
        return os.path.join(self.directory, token)

    def close(self) -> None:
        """Take no more deliveries; siblings that ask find nobody. The directory goes with the last of them."""
        if self._process != os.getpid() or self._listener.fileno() < 0:
            return
        self._watcher.stop()
        self._watcher.close()
        self._listener.close()
        atexit.unregister(self.close)
        mesh_directory.remove(self._path(self.token))
        mesh_directory.sweep(self.directory)

    def _forget(self) -> None:
        """In a child of this process: who holds the listening socket keeps it alive after us."""
        if self._process != os.getpid() and self._listener.fileno() >= 0:
            self._listener.close()

    # -- sending -----------------------------------------------------------------------------------------------------

    def connect(self, token: str) -> Delivery | None:
        """A way to the sibling with this token, or ``None`` if there is none; waits only for a crowded one."""
        if token == self.token or not _is_token(token):
            return None
        deadline = time.monotonic() + DEADLINE
        conn = _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        conn.setblocking(False)
        while True:
            try:
                conn.connect(self._path(token))
                if is_trusted(conn):
                    return Delivery(conn, deadline)
                log.error("a process of another user listens in %s: it gets nothing", self.directory)
            except BlockingIOError:  # its backlog is full
                if time.monotonic() < deadline:
                    gevent.sleep(0.005)
                    continue
                log.warning("a worker did not take a request for one of its sessions in %.0f s", DEADLINE)
            except ConnectionRefusedError:
                mesh_directory.remove(self._path(token))  # it was killed
            except FileNotFoundError:
                log.debug("no worker %s", token)
            except OSError as error:
                log.error("no way to a worker: %s", error)
            conn.close()
            return None

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _on_connections(self) -> None:
        for _ in range(_BURST):
            try:
                descriptor = self._listener._accept()[0]
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors left: the siblings wait, and we don't spin
                log.error("can't accept a request from a worker: %s", error)
                self._watcher.stop()
                gevent.spawn_later(0.1, self._resume)
                return
            inbound = _Inbound(_socket.socket(fileno=descriptor))
            try:
                if inbound.read():
                    self._take(inbound)
                elif self._incomplete < MAX_INCOMPLETE:
                    self._incomplete += 1
                    gevent.spawn(self._read_rest, inbound)
                else:
                    raise ValueError("too many incomplete deliveries")
            except (OSError, ValueError) as error:
                inbound.refuse(error)

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._watcher.start(self._on_connections)

    def _read_rest(self, inbound: _Inbound) -> None:
        try:
            with gevent.Timeout(DEADLINE, TimeoutError("a delivery did not come in time")):
                while not inbound.read():
                    wait_read(inbound.conn.fileno())
            self._take(inbound)
        except (OSError, ValueError) as error:
            inbound.refuse(error)
        finally:
            self._incomplete -= 1

    def _take(self, inbound: _Inbound) -> None:
        sock = inbound.socket()
        try:
            serve = self._receive(sock, bytes(inbound.data))
            inbound.conn.send(_TAKEN)  # raises if the sender has given up: then the connection is still its own
        except BaseException:
            sock.close()
            raise
        inbound.conn.close()
        serve()


class Delivery:
    """A connection to a sibling that takes one descriptor and some bytes."""

    def __init__(self, conn: Any, deadline: float) -> None:
        self._conn = conn
        self._deadline = deadline

    def send(self, descriptor: int, data: bytes) -> bool:
        """Whether the sibling has taken them; if so, the caller must let go of its own copy of the descriptor."""
        conn = self._conn
        try:
            if len(data) > MAX_DELIVERY:
                raise ValueError("a delivery is too large")
            rest = memoryview(_HEAD.pack(_MAGIC, len(data)) + data)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            rest = rest[conn.sendmsg([rest], rights) :]
            while rest:
                try:
                    rest = rest[conn.send(rest) :]
                except BlockingIOError:
                    wait_write(conn.fileno(), self._seconds(), TimeoutError("a worker reads too slowly"))
            return self._taken()
        except (OSError, ValueError) as error:
            log.warning("a worker did not take a request for one of its sessions: %s", error)
            return False
        finally:
            conn.close()

    def close(self) -> None:
        """Send nothing."""
        self._conn.close()

    def _taken(self) -> bool:
        try:
            wait_read(self._conn.fileno(), self._seconds(), TimeoutError("no answer"))
        except TimeoutError:
            # From here on its answer fails, and it drops what it got; unless the answer is here already.
            self._conn.shutdown(socket.SHUT_RD)
        return bool(self._conn.recv(1) == _TAKEN)

    def _seconds(self) -> float:
        return max(0.001, self._deadline - time.monotonic())


class _Inbound:
    """What a sibling is sending."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.data = bytearray()
        self._wanted: int | None = None
        self._descriptors: list[int] = []
        self._trusted = False
        conn.setblocking(False)

    def read(self) -> bool:
        """Whether everything is there; ``data`` and :meth:`socket` may be used then.

        Raises:
            OSError: the sender has gone.
            ValueError: this is no delivery.
        """
        if not self._trusted:
            if not is_trusted(self.conn):
                raise ValueError("from a process of another user")
            self._trusted = True
        while True:
            try:
                data, ancillary, flags, _ = self.conn.recvmsg(
                    65536, socket.CMSG_SPACE(2 * array.array("i").itemsize), getattr(socket, "MSG_CMSG_CLOEXEC", 0)
                )
            except BlockingIOError:
                return False
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    received = array.array("i")
                    received.frombytes(content[: len(content) - len(content) % received.itemsize])
                    self._descriptors.extend(received)
            if flags & socket.MSG_CTRUNC or len(self._descriptors) > 1:
                raise ValueError("more than one descriptor")
            if not data:
                raise ConnectionResetError("the delivery ended early")
            if not self._descriptors:
                raise ValueError("no descriptor with the first bytes")
            self.data += data
            if self._complete():
                return True

    def _complete(self) -> bool:
        if self._wanted is None:
            if len(self.data) < _HEAD.size:
                return False
            magic, self._wanted = _HEAD.unpack_from(self.data)
            if magic != _MAGIC or self._wanted > MAX_DELIVERY:
                raise ValueError("no delivery")
            del self.data[: _HEAD.size]
        if len(self.data) > self._wanted:
            raise ValueError("more bytes than announced")
        return len(self.data) == self._wanted

    def socket(self) -> Any:
        """The connection that was sent.

        Raises:
            OSError, ValueError: it is none.
        """
        sock = _socket.socket(fileno=self._descriptors[0])
        self._descriptors.clear()
        sock.setblocking(False)
        if sock.type & 0xF != socket.SOCK_STREAM or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.close()
            raise ValueError("no connection")
        return sock

    def refuse(self, reason: Exception) -> None:
        """Close everything: the sender keeps what it sent."""
        if self.data or self._descriptors:  # else a sibling that looked whether we live
            log.warning("refused a request from a worker: %s", reason)
        for descriptor in self._descriptors:
            _socket.close(descriptor)  # os.close, as gevent has it, would come too late
        self._descriptors.clear()
        self.conn.close()


def is_trusted(conn: Any) -> bool:
    """Whether the other end of a Unix socket is a process of the same user (where the system says so)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the directory keeps others out
    credentials = conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.geteuid())
