"""What the options of an application come to: its parser, its log. Asked once, by ``init_app``; keeps nothing."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask

from .config import Options
from .socketio.json_codec import JsonCodec, ModuleCodec
from .socketio.msgpack_parser import MsgpackParser
from .socketio.parser import DefaultParser, Parser, checked


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


def refuse_queue(options: dict[str, Any]) -> None:
    """One process is served.

    Raises:
        ValueError: for an option that asks for more.
    """
    for name in ("message_queue", "client_manager"):
        if options.get(name):
            raise ValueError(f"{name}: this version serves one process; clusters come with a later one")


def set_level(name: str, wanted: Any) -> None:
    """``logger=True`` asks for the log; without it logging is the application's affair alone."""
    logger = logging.getLogger(name)
    if isinstance(wanted, logging.Logger):
        logger.parent = wanted
    elif wanted:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logging.basicConfig()
