"""Request hooks: functions of the application, in Flask's manner, become what the Engine.IO server asks (``Hooks``).

Each runs in a Flask request context of the HTTP request at hand, so ``request``, ``session`` and ``g`` are there. That
context is made only where a function was registered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.globals import request
from werkzeug.datastructures import Headers as WerkzeugHeaders
from werkzeug.exceptions import HTTPException

from .engineio.hooks import Environ, Headers, Hooks, WSGIApp
from .engineio.server import EngineServer
from .errors import ConnectionRefusedError, EngineIOError
from .handlers import refuse_like_a_view

log = logging.getLogger(__name__)
Function = Callable[..., Any]


class RequestHooks:
    """The functions, and the ``hooks`` that ask them."""

    def __init__(self) -> None:
        self.app: Flask = None  # type: ignore[assignment]  # set by init_app(), before anybody can ask
        self.hooks = Hooks()
        self._engine: EngineServer | None = None
        self._functions: dict[str, list[Function]] = {}

    def add(self, kind: str, function: Function) -> None:
        """Register a function for one of the fields of :class:`~flask_socketio_py.engineio.hooks.Hooks`.

        Raises:
            TypeError: for what can't be called.
        """
        if not callable(function):
            raise TypeError(f"{kind} must be given a function, not {type(function).__name__}")
        self._functions.setdefault(kind, []).append(function)
        setattr(self.hooks, kind, getattr(self, f"_{kind}"))
        self._use()

    def serve(self, app: Flask, engine: EngineServer) -> None:
        """The server that asks, and what its options name. Where there is nothing to ask it has no hooks at all: every
        poll would pay.
        """
        self.app, self._engine = app, engine
        allow_request, generate_id = engine.options.allow_request, engine.options.generate_id
        if allow_request is not None:
            self.hooks.allow_request = lambda environ: self._allowed(allow_request, environ)
        if generate_id is not None:
            self.hooks.generate_id = lambda environ: self._in_context(environ, generate_id)
        self._use()

    def _use(self) -> None:
        if self._engine is not None and self.hooks != Hooks():
            self._engine.hooks = self.hooks

    def _in_context(self, environ: Environ, function: Function) -> Any:
        with self.app.request_context(environ):
            return function(request._get_current_object())  # type: ignore[attr-defined]

    def _allowed(self, function: Function, environ: Environ) -> bool | str:
        try:
            answer = self._in_context(environ, function)
            refuse_like_a_view(answer)
        except ConnectionRefusedError as error:
            return str(error.error_args["message"])
        except HTTPException as error:
            return error.name
        return answer if isinstance(answer, str) else bool(answer)

    def _before_request(self, environ: Environ) -> WSGIApp | None:
        with self.app.request_context(environ):
            for function in self._functions["before_request"]:
                try:
                    answer = function()
                except HTTPException as error:
                    answer = error
                if answer is not None:
                    response: WSGIApp = self.app.process_response(self.app.make_response(answer))
                    return response
        return None

    def _initial_headers(self, headers: Headers, environ: Environ) -> Headers:
        return self._changed("initial_headers", headers, environ)

    def _headers(self, headers: Headers, environ: Environ) -> Headers:
        return self._changed("headers", headers, environ)

    def _changed(self, kind: str, headers: Headers, environ: Environ) -> Headers:
        changed = WerkzeugHeaders(headers)
        with self.app.request_context(environ):
            for function in self._functions[kind]:
                function(changed, request._get_current_object())  # type: ignore[attr-defined]
        return list(changed)

    def _connection_error(self, error: EngineIOError, environ: Environ) -> None:
        with self.app.request_context(environ):
            for function in self._functions["connection_error"]:
                try:
                    function(error, request._get_current_object())  # type: ignore[attr-defined]
                except Exception:
                    log.exception("an on_connection_error function failed")
