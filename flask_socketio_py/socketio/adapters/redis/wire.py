"""One connection to one Redis server, and what goes over it: redis-py's, with sockets of our choice.

Owns opening (TCP, TLS or Unix socket; authentication, database, proof of life), and the encoding of commands. Never
retries: whoever uses a wire decides. With gevent's sockets it blocks its greenlet
only, whether the process is patched or not; with the standard library's it blocks the thread.
"""

from __future__ import annotations

import builtins
import contextlib
import select
import socket as standard_socket
import ssl as standard_ssl
from types import ModuleType
from typing import Any, ClassVar

import gevent.socket
import gevent.ssl
from redis.connection import Connection, DefaultParser
from redis.exceptions import (
    AskError,
    AuthenticationWrongNumberOfArgsError,
    ClusterDownError,
    ConnectionError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from .faults import PlaceError, tls_fix
from .urls import Address, RedisURL

Command = tuple[str | bytes | int, ...]

#: Seconds that a server may take to accept a connection, and to answer a command.
TIMEOUT = 2.0
#: Bytes that are written in no more than that time, and that the system may keep for us: what it has taken is then on
#: its way soon, and the answer comes in time over a slow network, too.
_PIECE = 1 << 18
#: What a wire may raise when it is of no more use.
BROKEN = (RedisError, OSError)


class NoReplicasError(ResponseError):
    """The server takes nothing while no replica follows (``min-replicas-to-write``)."""


#: Answers that say "not here, not now": another connection, a little later, may do.
PASSING = (ClusterDownError, MasterDownError, NoReplicasError, ReadOnlyError, TryAgainError)
#: How it shows that nobody there speaks our language.
_HUNG_UP = (ConnectionError, InvalidResponse, BrokenPipeError, ConnectionResetError)
#: Commands whose first argument is no key.
KEYLESS = frozenset(
    ("PUBLISH", "PUBSUB", "PING", "CLUSTER", "SENTINEL", "ROLE", "INFO", "TIME", "CLIENT", "CONFIG", "MULTI", "EXEC")
)


class _Parser(DefaultParser):  # type: ignore[misc, valid-type]
    """redis-py's. In its version 5 only its cluster client knew the answers of a cluster."""

    EXCEPTION_CLASSES: ClassVar[dict[str, Any]] = {
        **DefaultParser.EXCEPTION_CLASSES,
        "ASK": AskError,
        "CLUSTERDOWN": ClusterDownError,
        "MASTERDOWN": MasterDownError,
        "MOVED": MovedError,
        "NOREPLICAS": NoReplicasError,
        "TRYAGAIN": TryAgainError,
    }


def pack(command: Command) -> bytes:
    """A command as Redis reads it (RESP, array of bulk strings).

    Raises:
        TypeError: for an argument that is neither str, bytes nor int, or no command at all.
    """
    if not command:
        raise TypeError("a command has at least its name")
    pieces = [b"*%d\r\n" % len(command)]
    for argument in command:
        if isinstance(argument, str):
            argument = argument.encode()
        elif isinstance(argument, int) and not isinstance(argument, bool):
            argument = b"%d" % argument
        elif not isinstance(argument, (bytes, bytearray, memoryview)):
            raise TypeError(f"a command's arguments must be str, bytes or int, not {type(argument).__name__}")
        pieces += (b"$%d\r\n" % len(argument), argument, b"\r\n")
    return b"".join(pieces)


def name_of(command: Command) -> str:
    """The name of a command, for messages."""
    name = command[0] if command else ""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def key_of(command: Command) -> bytes | None:
    """The key or sharded channel that decides which server of a cluster a command goes to; ``None``: any."""
    name = name_of(command).upper()
    if len(command) < 2 or name in KEYLESS:
        return None
    key = command[2] if name == "XINFO" and len(command) > 2 else command[1]
    return key if isinstance(key, bytes) else str(key).encode()


class Wire(Connection):
    """A connection that is open once it is made; RESP 2, replies as bytes.

    Raises:
        RedisError, OSError: the server could not be reached, or did not let us in.
    """

    def __init__(
        self,
        url: RedisURL,
        address: Address,
        *,
        timeout: float | None = None,
        sockets: ModuleType = gevent.socket,
        sentinel: bool = False,
    ) -> None:
        self._url = url
        self._sentinel = sentinel
        self._sockets = sockets
        self._raw: Any = None
        super().__init__(  # type: ignore[no-untyped-call]
            host=address.host,
            port=address.port,
            db=0 if sentinel else url.database,
            username=url.sentinel_username if sentinel else url.username,
            password=url.sentinel_password if sentinel else url.password,
            socket_timeout=TIMEOUT if timeout is None else timeout,
            socket_connect_timeout=TIMEOUT,
            protocol=2,
            parser_class=_Parser,
            redis_connect_func=Wire._introduce,
        )
        try:
            self.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            # redis-py forgets a socket whose greenlet is killed in the midst.
            self.close()
            raise

    def _connect(self) -> Any:
        sockets = self._sockets
        error: OSError | None = None
        for family, kind, protocol, _, place in self._places():
            sock = sockets.socket(family, kind, protocol)
            try:
                sock.settimeout(self.socket_connect_timeout)
                if self.port:
                    sock.setsockopt(standard_socket.IPPROTO_TCP, standard_socket.TCP_NODELAY, 1)
                    sock.setsockopt(standard_socket.SOL_SOCKET, standard_socket.SO_KEEPALIVE, 1)
                    sock.setsockopt(standard_socket.SOL_SOCKET, standard_socket.SO_SNDBUF, _PIECE)
                sock.connect(place)
                if self._url.tls is not None:
                    sock = self._wrapped(sock)
                    _shake_hands(sock)
                self._raw = sock
                # The first answers must come within the same short time; then the wire's own timeout holds.
                return sock
            except OSError as failed:
                error = failed
                sock.close()
            except BaseException:
                sock.close()
                raise
        raise error or OSError("the host has no address")

    def _places(self) -> Any:
        if not self.port:
            return [(standard_socket.AF_UNIX, standard_socket.SOCK_STREAM, 0, "", self.host)]
        try:
            return self._sockets.getaddrinfo(self.host, self.port, 0, standard_socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("no host can have this name") from None

    def _wrapped(self, sock: Any) -> Any:
        tls = self._url.tls
        assert tls is not None
        module: Any = gevent.ssl if self._sockets is gevent.socket else standard_ssl
        context = module.SSLContext(standard_ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = tls.check_hostname
        context.verify_mode = {
            "none": standard_ssl.CERT_NONE,
            "optional": standard_ssl.CERT_OPTIONAL,
            "required": standard_ssl.CERT_REQUIRED,
        }[tls.cert_reqs]
        try:
            options = "ssl_ca_certs"
            if tls.ca_certs is not None:
                context.load_verify_locations(tls.ca_certs)
            elif tls.cert_reqs != "none":
                context.load_default_certs()
            options = "ssl_certfile or ssl_keyfile"
            if tls.certfile is not None:
                context.load_cert_chain(tls.certfile, tls.keyfile)
        except OSError as error:
            raise PlaceError(f"the file of {options} can't be used ({error.strerror})") from None
        # The handshake comes later: a greenlet that is killed in it must have the new socket to close.
        return context.wrap_socket(sock, server_hostname=self.host, do_handshake_on_connect=False)

    def _introduce(self) -> None:
        """Authentication, database, and a sign of life: a stopped server accepts connections, too."""
        self._parser.on_connect(self)
        try:
            self._greet()
        except (RedisError, OSError) as error:
            # Not their children: those are answers.
            if self._url.tls or not self.port or type(error) not in _HUNG_UP:
                raise
            reason = getattr(error if isinstance(error, OSError) else error.__context__, "strerror", None)
            raise PlaceError(
                f"the server hung up at once ({reason or 'no reason given'}): if its port is for TLS, write rediss://"
            ) from None
        self._raw.settimeout(self.socket_timeout)

    def _greet(self) -> None:
        if self.password is not None:
            secrets = (self.username, self.password) if self.username else (self.password,)
            try:
                self.ask("AUTH", *secrets)
            except AuthenticationWrongNumberOfArgsError:
                # Before Redis 6 there were no users.
                self.ask("AUTH", self.password)
        if self.db:
            self.ask("SELECT", self.db)
        if self._url.mode == "sentinel" and not self._sentinel:
            if self.ask("ROLE")[0] != b"master":
                raise PlaceError("the master that the sentinels name is none yet, or no more")
        else:
            self.ask("PING")

    def ask(self, *command: str | bytes | int) -> Any:
        """The answer to one command. An answer that is an error is raised."""
        self.write(pack(command))
        return self.read()

    def write(self, data: bytes) -> None:
        """Send packed commands. What went wrong, the one who reads will find out, too: there is no wire any more."""
        sock = self._raw
        try:
            # The time-out is for all of one sendall(): in pieces what is large has as long as it takes, while it moves.
            for start in range(0, len(data), _PIECE):
                sock.sendall(data if len(data) <= _PIECE else memoryview(data)[start : start + _PIECE])
        except builtins.TimeoutError:
            self.cut()
            raise TimeoutError("the server does not read") from None
        except OSError:
            self.cut()
            raise

    def read(self) -> Any:
        """The next answer. One that is an error is raised, and the wire stays; another error ends it."""
        try:
            return self.read_response(disable_decoding=True)
        except (AttributeError, ValueError) as error:
            # redis-py's buffer, closed by someone else while we waited; it hides why we wait no longer.
            if error.__context__ is not None and not isinstance(error.__context__, Exception):
                raise error.__context__ from None
            raise ConnectionError("the connection was closed") from None

    def cut(self) -> None:
        """End the connection under whoever reads from it, from any greenlet of the same hub."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(standard_socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go. In a child after a fork this takes nothing from the parent."""
        self.disconnect()  # type: ignore[no-untyped-call]

    @property
    def stale(self) -> bool:
        """Whether there is something to read though nothing was asked: the end of the connection, most likely."""
        poll = select.poll()
        try:
            poll.register(self._raw.fileno(), select.POLLIN)
        except (OSError, ValueError):
            return True
        return bool(poll.poll(0))


def _shake_hands(sock: Any) -> None:
    try:
        sock.do_handshake()
    except OSError as error:
        fix = tls_fix(error) if isinstance(error, standard_ssl.SSLError) else ""
        fix = fix or "if the port is not for TLS, write redis://"
        raise PlaceError(f"no TLS handshake ({error.strerror or 'no answer'}): {fix}") from None
