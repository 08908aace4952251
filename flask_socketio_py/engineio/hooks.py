"""Hooks: what an application may have a say in at the level of HTTP requests, and how far it may go.

Node: ``engine.use``, ``allowRequest``, ``generateId`` and the events ``initial_headers``, ``headers`` and
``connection_error``. Everything works on WSGI environments, so that this layer needs no web framework. The server asks,
through the methods; what a hook raises or returns can refuse a request, but never break the answer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import EngineIOError

log = logging.getLogger(__name__)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

#: An id is part of URLs and of cookies; the reference's has 20 characters.
_is_id = re.compile(r"[A-Za-z0-9_-]{1,128}").fullmatch
#: RFC 9110, 5.1 and 5.5.
_is_name = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
#: How the answer is framed and encoded is the server's affair.
_FRAMING = frozenset(
    ("connection", "content-encoding", "content-length", "keep-alive", "trailer", "transfer-encoding", "upgrade")
)


@dataclass
class Hooks:
    """``None`` where the application has nothing to say; each may block, and runs in the request's greenlet."""

    #: Every request of the endpoint whose origin is allowed, before anything else of it is looked at (preflights are
    #: answered earlier): a WSGI application that answers in our place, on an upgrade too, or ``None`` to go on. What it
    #: raises refuses the request (code 3, ``MIDDLEWARE_FAILURE``).
    before_request: Callable[[Environ], WSGIApp | None] | None = None
    #: A request that would open a session: ``True`` lets it; ``False``, or a message for the client, refuses with
    #: code 4, and so does what it raises.
    allow_request: Callable[[Environ], bool | str] | None = None
    #: The id of a new session: 1 to 128 characters of A-Z, a-z, 0-9, ``_`` and ``-`` that nobody can guess and no other
    #: session has; anything else refuses the request (code 3, ``ID_GENERATION_ERROR``).
    generate_id: Callable[[Environ], str] | None = None
    #: The headers of the first answer of a session, or of its 101: returns those to send, or ``None`` if it changed the
    #: list it was given.
    initial_headers: Callable[[Headers, Environ], Headers | None] | None = None
    #: The same for every polling answer and each 101; on a first answer it comes after ``initial_headers``.
    headers: Callable[[Headers, Environ], Headers | None] | None = None
    #: A request was refused.
    connection_error: Callable[[EngineIOError, Environ], None] | None = None

    def intercept(self, environ: Environ) -> WSGIApp | None:
        """Ask ``before_request``.

        Raises:
            EngineIOError: code 3 if it failed.
        """
        if self.before_request is None:
            return None
        try:
            app = self.before_request(environ)
            if app is not None and not callable(app):
                raise TypeError(f"before_request must return a WSGI application or None, not {type(app).__name__}")
        except Exception as error:
            raise _failure(error) from error
        return app

    def admit(self, environ: Environ) -> None:
        """Ask ``allow_request``.

        Raises:
            EngineIOError: code 4 if it refuses, or fails.
        """
        if self.allow_request is None:
            return
        try:
            answer = self.allow_request(environ)
            if not isinstance(answer, bool | str):
                raise TypeError(f"allow_request must return True, False or a message, not {type(answer).__name__}")
        except Exception:
            log.exception("the hook allow_request failed: the request is refused")
            answer = False
        if answer is not True:
            message = answer if isinstance(answer, str) and answer else None
            raise EngineIOError(4, "allow_request refused", message=message, details={"message": message})

    def make_id(self, environ: Environ, taken: Callable[[str], bool]) -> str:
        """Ask ``generate_id`` (which must be set); ``taken`` tells whether another session has an id.

        Raises:
            EngineIOError: code 3 if it failed, or made an id that can't be one.
        """
        if self.generate_id is None:
            raise AssertionError("asked for an id without a hook that makes it")
        try:
            sid = self.generate_id(environ)
            if not isinstance(sid, str) or not _is_id(sid):
                raise ValueError("generate_id must return 1 to 128 characters of A-Z, a-z, 0-9, '_' and '-'")
            if taken(sid):
                raise ValueError("generate_id returned an id that another session has")
        except Exception as error:
            log.exception("the hook generate_id failed: the request is refused")
            raise EngineIOError(3, "no id", name="ID_GENERATION_ERROR", details={"error": error}) from error
        return sid

    def shape(self, headers: Headers, environ: Environ, *, first: bool) -> Headers:
        """Ask ``initial_headers`` (of a ``first`` answer) and ``headers``; what can't be sent is logged, left out."""
        for name, hook in (("initial_headers", self.initial_headers if first else None), ("headers", self.headers)):
            if hook is not None:
                headers = _ask_for_headers(name, hook, headers, environ)
        return headers

    def report(self, error: EngineIOError, environ: Environ) -> None:
        """Tell ``connection_error``."""
        if self.connection_error is not None:
            try:
                self.connection_error(error, environ)
            except Exception as failure:
                failure.__suppress_context__ = True  # that a peer was refused is no part of what went wrong
                log.exception("the hook connection_error failed")


def answer_with(app: WSGIApp, environ: Environ, start_response: StartResponse, *, upgrade: bool) -> Iterable[bytes]:
    """Let an application of ``before_request`` answer. A refused upgrade ends its connection: frames may follow.

    Raises:
        EngineIOError: code 3 if it failed before it began to answer.
    """
    started = False

    def start(status: str, headers: Headers, *exc_info: Any) -> Any:
        nonlocal started
        started = True
        if upgrade:
            headers = [*(pair for pair in headers if pair[0].lower() != "connection"), ("Connection", "close")]
        return start_response(status, headers, *exc_info)

    try:
        return app(environ, start)
    except Exception as error:
        if started:
            raise
        raise _failure(error) from error


def _failure(error: Exception) -> EngineIOError:
    log.error("the hook before_request failed: the request is refused", exc_info=error)
    return EngineIOError(3, "before_request failed", name="MIDDLEWARE_FAILURE", details={"error": error})


def _ask_for_headers(
    name: str, hook: Callable[[Headers, Environ], Headers | None], headers: Headers, environ: Environ
) -> Headers:
    framing = [pair for pair in headers if pair[0].lower() in _FRAMING]
    given = [pair for pair in headers if pair[0].lower() not in _FRAMING]
    try:
        returned = hook(given, environ)
        wanted: Any = given if returned is None else returned
        pairs = [(key, value) for key, value in (wanted.items() if isinstance(wanted, Mapping) else wanted)]
    except Exception:
        log.exception("the hook %s failed: the headers are as they would be without it", name)
        return headers
    kept = []
    for key, value in pairs:
        if isinstance(key, str) and isinstance(value, str) and _is_name(key) and _is_value(value):
            lower = key.lower()
            if lower not in _FRAMING and not lower.startswith("sec-websocket-"):
                kept.append((key, value))
                continue
        log.error("the hook %s gave a header that can't be sent: %.100r is left out", name, key)
    return [*framing, *kept]
