"""What the URL of a message queue means. Pure: opens nothing, looks nothing up; no message or repr shows a password.

The grammar::

    PARTS "://" [[USER] ":" PASSWORD "@"] HOSTS ["/" SERVICE] ["/" DATABASE] ["?" OPTIONS]
    HOSTS = HOST [":" PORT] {"," HOST [":" PORT]}

PARTS are words joined by ``+``, in any order:

- exactly one of ``redis``, ``valkey`` (plain TCP), ``rediss``, ``valkeys`` (TLS), ``unix`` (a socket's path instead
  of hosts);
- at most one of ``cluster`` (the hosts are seeds) and ``sentinel`` (the hosts are sentinels, SERVICE is the master's
  name);
- at most one dialect, ``streams``, ``sharded`` or ``queue``. Without one the caller decides.

So ``redis://localhost``, ``rediss+streams://:secret@redis.example.org:6380/1``,
``redis+cluster+sharded://a:7000,b:7000``, ``redis+sentinel://h1,h2:26379/mymaster/0``,
``unix+streams:///run/redis.sock?db=2``. Only a sentinel's URL has a SERVICE and only it and a cluster's have several
hosts; a cluster has database 0 only.

USER, PASSWORD, SERVICE and a socket's path are percent-decoded. OPTIONS: ``db``; with TLS ``ssl_cert_reqs``
(``required``, ``optional`` or ``none``), ``ssl_check_hostname`` (``true`` or ``false``), ``ssl_ca_certs``,
``ssl_certfile``, ``ssl_keyfile``; with sentinels ``sentinel_username`` and ``sentinel_password``. TLS holds for the
sentinels, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NoReturn
from urllib.parse import unquote, unquote_plus

_PLAIN = ("redis", "valkey")
_TLS = ("rediss", "valkeys")
_BASES = (*_PLAIN, *_TLS, "unix")
_MODES = ("cluster", "sentinel")
_DIALECTS = ("streams", "sharded", "queue")
_TLS_OPTIONS = ("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
_SHAPE = "redis://[user:password@]host[:port][/database]"
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@\s]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,30}", re.ASCII)


class Address(NamedTuple):
    """Where one server listens; a Unix socket has its path as host and port 0."""

    host: str
    port: int


@dataclass(frozen=True)
class TLSOptions:
    """How the server's certificate is checked, and which one is shown to it. Paths are of PEM files."""

    cert_reqs: Literal["required", "optional", "none"] = "required"
    check_hostname: bool = True
    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None


@dataclass(frozen=True)
class RedisURL:
    """A URL, understood."""

    mode: Literal["single", "cluster", "sentinel"]
    nodes: tuple[Address, ...]
    #: ``streams``, ``sharded``, ``queue``, or ``None``: it does not say.
    dialect: str | None = None
    database: int = 0
    tls: TLSOptions | None = None
    #: The name of the master that the sentinels watch.
    service: str = ""
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The place, without credentials: for logs."""
        return ",".join(f"{host}:{port}" if port else host for host, port in self.nodes)


def parse(url: str) -> RedisURL:
    """What a URL means.

    Raises:
        TypeError: for something else than a string.
        ValueError: for a URL that can't be meant; says what was expected, and never quotes what may be a secret.
    """
    if not isinstance(url, str):
        raise TypeError(f"the URL of a message queue must be a str like {_SHAPE}, not {type(url).__name__}")
    scheme, separator, rest = url.partition("://")
    if not separator:
        _refuse(f"expected {_SHAPE}")
    base, mode, dialect = _parts(scheme.lower())
    if "#" in rest:
        _refuse("a '#' has no meaning in it; in a password it is written %23")
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    if "@" in path or "@" in query:
        _refuse("in a user name, password or path '/' is written %2F, '?' %3F and '@' %40")
    options = _options(query, tls=base in _TLS, sentinel=mode == "sentinel")
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    if base == "unix":
        if mode != "single":
            _refuse(f"a Unix socket and {mode} exclude each other")
        if hosts or not path:
            _refuse("expected the absolute path of a socket: unix:///path/to/redis.sock")
        nodes: tuple[Address, ...] = (Address("/" + _decoded(path), 0),)
        service, database = "", ""
    else:
        nodes = _addresses(hosts, 26379 if mode == "sentinel" else 6379)
        service, database = _path(path, mode)
        if mode == "single" and len(nodes) > 1:
            _refuse("several hosts are for redis+cluster:// and redis+sentinel:// only")
    return RedisURL(
        mode=mode,
        nodes=nodes,
        dialect=dialect,
        database=_database(database, options.get("db"), mode),
        tls=_tls(options) if base in _TLS else None,
        service=service,
        username=_decoded(user) or None,
        password=_decoded(password) or None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _refuse(what: str) -> NoReturn:
    # Without the cause: its message may quote the URL.
    raise ValueError(f"the URL of the message queue: {what}") from None


def _parts(scheme: str) -> tuple[str, Literal["single", "cluster", "sentinel"], str | None]:
    parts = scheme.split("+")
    found = []
    for names, what in ((_BASES, "one"), (_MODES, "at most one"), (_DIALECTS, "at most one")):
        chosen = [part for part in parts if part in names]
        if len(chosen) > 1 or (what == "one" and not chosen):
            _refuse(f"expected {what} of {', '.join(names)} before '://', as in redis+cluster+sharded://")
        found.append(chosen[0] if chosen else None)
        parts = [part for part in parts if part not in names]
    if parts:
        quoted = f"{parts[0]!r} is unknown; " if _WORD.fullmatch(parts[0]) else ""
        _refuse(f"{quoted}the parts before '://' are {', '.join((*_BASES, *_MODES, *_DIALECTS))}, joined by '+'")
    base, mode, dialect = found
    assert base is not None
    return base, "cluster" if mode == "cluster" else "sentinel" if mode == "sentinel" else "single", dialect


def _addresses(text: str, port: int) -> tuple[Address, ...]:
    addresses = []
    for one in text.split(","):
        # Flask-SocketIO's default is redis://, and redis-py takes redis://:6379 too.
        match = _HOST.fullmatch("localhost" + one if one == "" or one[0] == ":" else one)
        number = int(match["port"] or port) if match else 0
        if match is None or not 0 < number < 65536:
            _refuse(f"expected host:port, an IPv6 address in [brackets], the port from 1 to 65535: {_SHAPE}")
        addresses.append(Address(match["six"] or match["name"], number))
    return tuple(addresses)


def _path(path: str, mode: str) -> tuple[str, str]:
    """The service and the database in a path."""
    if mode != "sentinel":
        return "", path.rstrip("/")
    service, _, database = path.partition("/")
    if not service:
        _refuse("expected the name of the master: redis+sentinel://host:26379/mymaster[/database]")
    return _decoded(service), database.rstrip("/")


def _database(in_path: str, option: str | None, mode: str) -> int:
    if in_path and option is not None:
        _refuse("the database is there twice, in the path and as db")
    text = in_path or option or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        _refuse("expected the number of a database: redis://host:port/0")
    if int(text) and mode == "cluster":
        _refuse("a cluster has no other database than 0")
    return int(text)


def _options(query: str, *, tls: bool, sentinel: bool) -> dict[str, str]:
    allowed = ("db", *(_TLS_OPTIONS if tls else ()), *(_SENTINEL_OPTIONS if sentinel else ()))
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals or name not in allowed:
            hint = " (for TLS write rediss://)" if name in _TLS_OPTIONS else ""
            quoted = f"{name!r} is not known here{hint}; " if equals and _WORD.fullmatch(name) else ""
            _refuse(f"{quoted}the options after '?' are {', '.join(allowed)}, each as name=value")
        if name in options:
            _refuse(f"{name} is there twice")
        options[name] = _decoded(value, plus=True)
    return options


def _tls(options: dict[str, str]) -> TLSOptions:
    reqs = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if reqs not in ("required", "optional", "none"):
        _refuse("ssl_cert_reqs must be required, optional or none")
    check = options.get("ssl_check_hostname", "true").lower()
    if check not in ("true", "false"):
        _refuse("ssl_check_hostname must be true or false")
    certfile, keyfile = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if keyfile and not certfile:
        _refuse("ssl_keyfile needs ssl_certfile")
    return TLSOptions(
        cert_reqs="none" if reqs == "none" else "optional" if reqs == "optional" else "required",
        check_hostname=check == "true" and reqs != "none",
        ca_certs=options.get("ssl_ca_certs"),
        certfile=certfile,
        keyfile=keyfile,
    )


def _decoded(text: str, *, plus: bool = False) -> str:
    try:
        decoded = (unquote_plus if plus else unquote)(text, errors="strict")
    except UnicodeDecodeError:
        _refuse("what is percent-encoded must be UTF-8")
    if "\0" in decoded:
        _refuse("it may not hold a null character")
    return decoded
