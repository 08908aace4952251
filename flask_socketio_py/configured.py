"""What the options of an application come to: its parser, its log. Asked once, by ``init_app``; keeps nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask

from .config import Options
from .socketio.adapters.cluster import Dialect
from .socketio.adapters.redis import urls
from .socketio.adapters.redis.classic import ClassicDialect
from .socketio.adapters.redis.sharded import ShardedDialect
from .socketio.adapters.redis.streams import StreamsDialect
from .socketio.json_codec import JsonCodec, ModuleCodec
from .socketio.msgpack_parser import MsgpackParser
from .socketio.parser import DefaultParser, Parser, checked

#: What the parts of a URL before ``://`` ask for; without a name of a dialect the first.
DIALECTS: dict[str | None, Callable[..., Dialect]] = {
    None: ClassicDialect,
    "sharded": ShardedDialect,
    "streams": StreamsDialect,
}
_DIALECT = ("logs", "start", "add_namespace", "remove_namespace", "publish", "reply", "others", "close")


def parser(app: Flask, options: Options) -> Parser:
    """The parser that the options ask for.

    Raises:
        TypeError, ValueError: for one that can't be meant.
    """
    default = getattr(app.json, "default", None)
    if options.parser == "default":
        return DefaultParser(JsonCodec(default) if options.json is None else ModuleCodec(options.json))
    if options.json is not None:
        raise ValueError("json goes with parser='default' only: another parser does its own encoding")
    return MsgpackParser(default) if options.parser == "msgpack" else checked(options.parser)


def dialect(options: Options) -> Dialect | None:
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
        return DIALECTS[url.dialect](url, channel=options.channel, max_size=options.max_cluster_message_size)
    needed = (*_DIALECT, "recovery", "waiting") if getattr(wanted, "logs", False) else _DIALECT
    missing = [name for name in needed if not hasattr(wanted, name)]
    if missing:
        raise TypeError(
            f"message_queue must be the URL of a Redis, or a dialect: this object lacks {', '.join(missing)}"
        )
    found: Dialect = wanted
    return found


def set_level(name: str, wanted: Any) -> None:
    """``logger=True`` asks for the log; without it logging is the application's affair alone."""
    logger = logging.getLogger(name)
    if isinstance(wanted, logging.Logger):
        logger.parent = wanted
    elif wanted:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logging.basicConfig()
