"""Every option once: its default, its unit, and why.

Checked at construction; knows nothing of the rest of the package.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

TRANSPORTS = ("polling", "websocket")
PARSERS = ("default", "msgpack")
#: What ``per_message_deflate`` may hold: the least and the most of each.
_DEFLATE_SETTINGS = {
    "threshold": (0, sys.maxsize),
    "level": (0, 9),
    "mem_level": (1, 9),
    "server_max_window_bits": (9, 15),
    "client_max_window_bits": (9, 15),
}


@dataclass(frozen=True)
class Options:
    """The options of ``SocketIO(app, ...)``. Times are in seconds, sizes in bytes.

    Each can also be set in ``app.config`` as ``SOCKETIO_<NAME>``; an argument wins.

    Raises:
        TypeError, ValueError: for a value that can't be meant.
    """

    #: URL path of the endpoint; a prefix match, with the trailing slash that official clients send.
    path: str = "socket.io"
    #: Whether the path must end in a slash; if not, both forms are served.
    add_trailing_slash: bool = True
    #: The transports offered.
    transports: Sequence[str] | str = TRANSPORTS
    #: Whether a polling client may go over to WebSocket.
    allow_upgrades: bool = True
    #: Seconds from a pong to the next ping; a tuple ``(interval, grace)`` tells the client ``interval + grace``.
    ping_interval: float | tuple[float, float] = 25.0
    #: How many seconds a ping may stay unanswered.
    ping_timeout: float = 20.0
    #: How many seconds an upgrade may take, from the probe on.
    upgrade_timeout: float = 10.0
    #: How many seconds a client may stay without joining a namespace; unauthenticated connections cost memory.
    connect_timeout: float = 45.0
    #: Bytes of the largest message, or body of a POST, from a client; checked before it is buffered.
    max_http_buffer_size: int = 1_000_000
    #: Bytes that may wait for a client that does not read; above it is disconnected with the reason ``outbox full``.
    max_outbox_size: int = 4_000_000
    #: How many handlers of one client may run at once; while they do its socket is not read (back-pressure).
    max_handlers_per_client: int = 100
    #: How many namespaces one client may join.
    max_namespaces_per_client: int = 100
    #: Whether handlers of one client overlap (they start in order); ``False``: strictly one after another.
    async_handlers: bool = True
    #: Answer CONNECT before the connect handler runs; a refusal then is a DISCONNECT.
    always_connect: bool = False
    #: Namespaces accepted in addition to those with handlers; ``"*"`` for all.
    namespaces: Sequence[str] | str = ("/",)
    #: Who may connect: ``None`` for the same origin, an origin, a list, ``"*"``, a function, ``[]`` for no check.
    cors_allowed_origins: str | Sequence[str] | Callable[..., bool] | None = None
    #: Allow credentials across origins; by default yes, but not together with ``"*"``.
    cors_credentials: bool | None = None
    #: CORS in full, in place of the two above: ``origin`` (also a compiled pattern, or ``True`` to allow any),
    #: ``methods``, ``allowed_headers``, ``exposed_headers``, ``credentials``, ``max_age``, ``options_success_status``.
    cors: Mapping[str, Any] | None = None
    #: Asked before a session is opened: ``(request)``, false or a message refuses. May block.
    allow_request: Callable[..., Any] | None = None
    #: Makes the id of a session: ``(request)``; it must be unguessable. By default 120 random bits.
    generate_id: Callable[..., str] | None = None
    #: A message that every session receives with its handshake: text or binary data, or a function that makes it.
    initial_packet: str | bytes | Callable[[], str | bytes] | None = None
    #: Also serve clients of revision 3 of Engine.IO and 4 of Socket.IO (JavaScript 2.x).
    allow_eio3: bool = False
    #: Compress WebSocket messages of clients that can; ``{"threshold": bytes, "level": 0 to 9, "mem_level": 1 to 9,
    #: "server_max_window_bits": 9 to 15, "client_max_window_bits": 9 to 15}`` with any of these, or ``True`` for the
    #: defaults: from 1024 bytes on, level 6, memory 8, windows 15.
    per_message_deflate: bool | Mapping[str, int] = False
    #: Compress polling answers (``{"threshold": bytes}`` is understood, too) ...
    http_compression: bool | Mapping[str, int] = True
    #: ... from this many bytes on.
    compression_threshold: int = 1024
    #: A cookie holding the session id, for proxies with sticky sessions: its name, a dict with ``name`` and attributes,
    #: or ``True`` for ``io; Path=/; HttpOnly; SameSite=Lax``.
    cookie: bool | str | Mapping[str, Any] | None = None
    #: Serve the official JavaScript client under the same path.
    serve_client: bool = True
    #: The folder of the JavaScript client's files; by default they are looked for.
    client_dir: str | None = None
    #: Fork the Flask session per client (``True``), or use the application's own for each event (``False``).
    manage_session: bool = True
    #: A module (or object) with ``dumps`` and ``loads`` to use instead of the built-in codec.
    json: Any = None
    #: What packets are encoded with: ``"default"``, ``"msgpack"`` (clients need ``socket.io-msgpack-parser``), or an
    #: object (see :class:`~flask_socketio_py.socketio.parser.Parser`). ``serializer`` means the same.
    parser: Any = "default"
    #: Keep the state of clients whose connection broke, so that they come back as if nothing had been: ``True``, or
    #: ``{"max_disconnection_duration": seconds, "skip_middlewares": bool, "max_buffer_size": bytes}``.
    connection_state_recovery: bool | Mapping[str, Any] | None = None
    #: Forget a dynamic namespace when its last client leaves.
    cleanup_empty_child_namespaces: bool = False
    #: How many seconds ``call()`` and ``emit_with_ack()`` wait where no timeout is given; ``None``: for ever.
    default_ack_timeout: float | None = 60.0
    #: Within how many seconds the body of a POST must have arrived.
    body_timeout: float = 30.0
    #: The other servers of a cluster: the URL of a Redis, or an object that implements
    #: ``socketio.adapters.cluster.Dialect``. ``client_manager`` takes such an object, too.
    message_queue: Any = None
    #: See ``message_queue``.
    client_manager: Any = None
    #: What the names of channels, streams and keys begin with; by default what the peers' own software uses.
    channel: str | None = None
    #: How long other servers of the cluster get to answer, in seconds.
    requests_timeout: float = 5.0
    #: Bytes that one message to the other servers, or of them, may have.
    max_cluster_message_size: int = 10_000_000
    #: ``True`` shows the package's log at level ``INFO``; a logger receives it.
    logger: Any = False
    #: The same for connections (Engine.IO) alone.
    engineio_logger: Any = False
    #: Accepted for Flask-SocketIO's sake: gevent serves whatever is named, except eventlet.
    async_mode: str | None = None

    def __post_init__(self) -> None:
        for name in ("ping_timeout", "upgrade_timeout", "connect_timeout", "body_timeout", "requests_timeout"):
            _positive(name, getattr(self, name))
        interval = self.ping_interval
        for value in interval if isinstance(interval, tuple) else (interval,):
            _positive("ping_interval", value)
        for name in (
            "max_http_buffer_size",
            "max_outbox_size",
            "max_handlers_per_client",
            "max_namespaces_per_client",
            "max_cluster_message_size",
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
        if not self.offered_transports:
            raise ValueError(f"transports must name at least one of {', '.join(TRANSPORTS)}, not {self.transports!r}")
        if self.async_mode not in (None, "gevent", "gevent_uwsgi", "threading"):
            hint = "eventlet is not supported: remove async_mode" if self.async_mode == "eventlet" else "leave it out"
            raise ValueError(f"Invalid async_mode specified: {self.async_mode!r} ({hint}, gevent always serves)")
        if not isinstance(self.allow_eio3, bool):
            raise TypeError(f"allow_eio3 must be True or False, not {self.allow_eio3!r}")
        if self.default_ack_timeout is not None:
            _positive("default_ack_timeout", self.default_ack_timeout)
        if isinstance(self.parser, str) and self.parser not in PARSERS:
            raise ValueError(f"parser must be one of {', '.join(PARSERS)}, or an object, not {self.parser!r}")
        if not isinstance(self.initial_packet, str | bytes | None) and not callable(self.initial_packet):
            raise TypeError("initial_packet must be str, bytes or a function")
        _check_deflate(self.per_message_deflate)
        for name in ("allow_request", "generate_id"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise TypeError(f"{name} must be a function")
        if not isinstance(self.path, str) or not self.path.strip("/"):
            raise ValueError(f"path must name a path below the root, such as 'socket.io', not {self.path!r}")
        if not isinstance(self.add_trailing_slash, bool):
            raise TypeError(f"add_trailing_slash must be True or False, not {self.add_trailing_slash!r}")
        _size("compression_threshold", self.compression_threshold)
        if isinstance(self.http_compression, Mapping):
            if unknown := set(self.http_compression) - {"threshold"}:
                raise ValueError(f"http_compression may only have 'threshold', not {', '.join(map(repr, unknown))}")
            _size("http_compression['threshold']", self.http_compression.get("threshold", 0))
        elif not isinstance(self.http_compression, bool):
            raise TypeError(f"http_compression must be True, False or a mapping, not {self.http_compression!r}")
        if self.cors is not None and not isinstance(self.cors, Mapping):
            raise TypeError(f"cors must be a mapping, not {type(self.cors).__name__}")
        if self.cors is not None and (self.cors_allowed_origins is not None or self.cors_credentials is not None):
            raise ValueError("cors stands in place of cors_allowed_origins and cors_credentials: give one or the other")
        if self.json is not None and not (hasattr(self.json, "dumps") and hasattr(self.json, "loads")):
            raise TypeError("json must have the functions dumps and loads")

    @property
    def offered_transports(self) -> tuple[str, ...]:
        """The known transports among those asked for."""
        wanted = (self.transports,) if isinstance(self.transports, str) else self.transports
        return tuple(name for name in TRANSPORTS if name in wanted)

    @property
    def interval(self) -> float:
        """Seconds between a pong and the next ping."""
        return float(self.ping_interval[0] if isinstance(self.ping_interval, tuple) else self.ping_interval)

    @property
    def announced_interval(self) -> float:
        """Seconds between pings as the client is told."""
        return float(sum(self.ping_interval) if isinstance(self.ping_interval, tuple) else self.ping_interval)

    @property
    def prefix(self) -> str:
        """What the paths of the endpoint begin with; without the last slash where one may end before it."""
        return f"/{self.path.strip('/')}" + ("/" if self.add_trailing_slash else "")

    @property
    def http_threshold(self) -> int | None:
        """From how many bytes on a polling answer is compressed; ``None``: never."""
        if isinstance(self.http_compression, Mapping):
            return self.http_compression.get("threshold", self.compression_threshold)
        return self.compression_threshold if self.http_compression else None


OPTION_NAMES = frozenset(item.name for item in fields(Options) if not item.name.startswith("_"))
#: Flask-SocketIO's names for some of them.
_OTHER_NAMES = {"resource": "path", "serializer": "parser"}
#: Options of Flask-SocketIO that mean nothing here: of its own servers.
_TOLERATED = frozenset(("monitor_clients", "debug", "threaded"))


def build(values: Mapping[str, Any]) -> Options:
    """Options from keyword arguments; unknown names warn with the nearest known one.

    Raises:
        TypeError, ValueError: for a value that can't be meant.
    """
    known = {name: value for name, value in values.items() if name in OPTION_NAMES}
    for name in values:
        if name not in known and name not in _TOLERATED:
            near = difflib.get_close_matches(name, OPTION_NAMES, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            warnings.warn(
                f"SocketIO has no option {name!r}: it is ignored.{hint}", UserWarning, stacklevel=_callers_level()
            )
    return Options(**known)


def _callers_level() -> int:
    """How far up the stack the code is that called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(__package__ or "?"):
        level, frame = level + 1, frame.f_back
    return level


def gather(application: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options set as ``SOCKETIO_<NAME>`` in an application's configuration, and over them the arguments."""
    keys = {name: f"SOCKETIO_{name.upper()}" for name in (*OPTION_NAMES, *_OTHER_NAMES)}
    values = {name: application[key] for name, key in keys.items() if key in application}
    values.update(arguments)
    for other, name in _OTHER_NAMES.items():
        if other in values:
            value = values.pop(other)
            values.setdefault(name, value)
    return values


def _positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}")


def _size(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a number of bytes, not {value!r}")


def _check_deflate(value: Any) -> None:
    if isinstance(value, bool):
        return
    if not isinstance(value, Mapping):
        raise TypeError(f"per_message_deflate must be True, False or a dict of settings, not {value!r}")
    for name, number in value.items():
        if name not in _DEFLATE_SETTINGS:
            raise ValueError(f"per_message_deflate has no setting {name!r}, only {', '.join(_DEFLATE_SETTINGS)}")
        least, most = _DEFLATE_SETTINGS[name]
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            limits = f"{least} to {most}" if most < sys.maxsize else f"of {least} or more"
            raise ValueError(f"per_message_deflate: {name} must be a whole number {limits}, not {number!r}")
