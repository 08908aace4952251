"""What the options come to: a parser, the cluster, the log. Asked once, by ``init_app``; keeps nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask

from .config import Options
from .socketio.adapters.cluster import Dialect
from .socketio.adapters.redis import urls
from .socketio.adapters.redis.classic import ClassicDialect
from .socketio.adapters.redis.outsider import Outsider
from .socketio.adapters.redis.queue import QueueDialect
from .socketio.adapters.redis.sharded import ShardedDialect
from .socketio.adapters.redis.streams import StreamsDialect
from .socketio.json_codec import JsonCodec, ModuleCodec
from .socketio.msgpack_parser import MsgpackParser
from .socketio.outside import OutsideServer, Tell
from .socketio.parser import DefaultParser, Parser, checked

#: What the parts of a URL before ``://`` ask for; without a name of a dialect the first.
DIALECTS: dict[str | None, Callable[..., Dialect]] = {
    None: ClassicDialect,
    "sharded": ShardedDialect,
    "streams": StreamsDialect,
    "queue": QueueDialect,
}
_DIALECT = ("logs", "start", "add_namespace", "remove_namespace", "publish", "reply", "others", "close")


def parser(app: Flask, options: Options) -> Parser:
    """The parser that the options ask for.

    Raises:
        TypeError, ValueError: for one that can't be meant.
    """
    further = getattr(app.json, "default", None)
    if options.parser == "default":
        return DefaultParser(JsonCodec(further) if options.json is None else ModuleCodec(options.json))
    if options.json is not None:
        raise ValueError("json goes with parser='default' only: another parser does its own encoding")
    return MsgpackParser(further) if options.parser == "msgpack" else checked(options.parser)


def dialect(app: Flask, options: Options) -> Dialect | None:
    """How the servers of the cluster talk that the options ask for; ``None``: there is no cluster.

    Raises:
        TypeError, ValueError: for what can't be meant.
    """
    wanted = options.message_queue or options.client_manager
    if not wanted:
        return None
    if options.message_queue and options.client_manager:
        raise ValueError("message_queue and client_manager both name a cluster: give one or the other")
    if isinstance(wanted, str):
        url = urls.parse(wanted)
        return DIALECTS[url.dialect](
            url, channel=options.channel, max_size=options.max_cluster_message_size, default=default(app, options)
        )
    if type(wanted).__module__.partition(".")[0] == "socketio":  # not imported, it need not be there
        raise ValueError(
            f"a {type(wanted).__name__} of python-socketio can't be used: give message_queue='redis+queue://host:port' "
            "and its channel, which is the same queue, instead of the object"
        )
    needed = (*_DIALECT, "recovery", "waiting") if getattr(wanted, "logs", False) else _DIALECT
    missing = [name for name in needed if not hasattr(wanted, name)]
    if missing:
        raise TypeError(
            f"message_queue must be the URL of a Redis, or a dialect: this object lacks {', '.join(missing)}"
        )
    found: Dialect = wanted
    return found


def default(app: Flask, options: Options) -> Callable[[Any], Any] | None:
    """What turns a value without a form into one that has: the application's, as for clients."""
    module = options.json
    if module is None:
        return getattr(app.json, "default", None)
    return lambda value: module.loads(module.dumps(value))


def outside(options: Options) -> OutsideServer:
    """The servers of the cluster, for a process that is none of them.

    Raises:
        TypeError, ValueError: for what can't be meant.
    """
    found = tell(options)
    if found is None:
        raise ValueError("without an application SocketIO can only emit, and needs the URL of a message_queue for it")
    return OutsideServer(found)


def tell(options: Options, further: Callable[[Any], Any] | None = None) -> Tell | None:
    """What tells the servers of the cluster from a process that does not serve; ``None`` where there is no URL.

    Raises:
        ValueError: for a URL that can't be meant.
    """
    url = options.message_queue
    if not url or not isinstance(url, str):
        return None
    return Outsider(
        url,
        channel=options.channel,
        max_size=options.max_cluster_message_size,
        default=further,
        default_parser=options.parser == "default",
    ).tell


def set_level(name: str, wanted: Any) -> None:
    """``logger=True`` asks for the log; without it logging is the application's affair alone."""
    logger = logging.getLogger(name)
    if isinstance(wanted, logging.Logger):
        logger.parent = wanted
    elif wanted:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logging.basicConfig()
