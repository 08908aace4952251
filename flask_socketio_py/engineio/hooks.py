"""Hooks: what an application may have a say in at the level of HTTP requests. Data only; the server asks it.

Node: ``engine.use``, ``allowRequest``, ``generateId`` and the events ``initial_headers``, ``headers`` and
``connection_error``. Everything works on WSGI environments, so that this layer needs no web framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import EngineIOError

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass
class Hooks:
    """``None`` where the application has nothing to say; each may block, and runs in the request's greenlet."""

    #: Every request of the endpoint, before anything is looked at: a WSGI application that answers in our place, or
    #: ``None`` to go on. What it raises refuses the request (code 3, context ``MIDDLEWARE_FAILURE``).
    before_request: Callable[[Environ], WSGIApp | None] | None = None
    #: A request that would open a session: true lets it; false, or a message, refuses with code 4.
    allow_request: Callable[[Environ], bool | str] | None = None
    #: The id of a new session; what it raises refuses the request (code 3, context ``ID_GENERATION_ERROR``).
    generate_id: Callable[[Environ], str] | None = None
    #: The headers of the first answer of a session: returns those to send.
    initial_headers: Callable[[Headers, Environ], Headers] | None = None
    #: The headers of every polling answer and of each 101.
    headers: Callable[[Headers, Environ], Headers] | None = None
    #: A request was refused.
    connection_error: Callable[[EngineIOError, Environ], None] | None = None
