"""The Flask context around one handler call: current_app, g, request (with sid, namespace, event), session, teardown.

A context pushed as for an HTTP request costs fifty microseconds; this one is an object of eight slots that makes
request, session and g when a handler asks for them, and runs teardown functions where there are any. The policy and
its price live here and nowhere else. Like Flask-SocketIO it does not run before_request and after_request functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.ctx import RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import SessionMixin
from flask.signals import appcontext_popped, appcontext_pushed, appcontext_tearing_down, request_tearing_down
from werkzeug.local import LocalProxy

from .socketio.socket import Socket

_set_app, _set_request = _cv_app.set, _cv_request.set
# Who listens to Flask's signals; the mappings are the signals' own and change with them.
_PUSHED, _POPPED = appcontext_pushed.receivers, appcontext_popped.receivers
_REQUEST_TEARDOWN, _APP_TEARDOWN = request_tearing_down.receivers, appcontext_tearing_down.receivers

OnError = Callable[[Exception, str], Any]


class ManagedSession(dict[str, Any], SessionMixin):
    """A client's own copy of the Flask session, made at its first use and kept until it disconnects."""


class HandlerContext:
    """Stands where Flask looks for its application context and its request context during one handler."""

    _g: Any
    _late_functions: list[Any] | None
    _request: Request | None
    _session: SessionMixin | None
    _url_adapter: Any
    flashes: Any

    __slots__ = (
        "_g",
        "_late_functions",
        "_request",
        "_session",
        "_url_adapter",
        "app",
        "args",
        "event",
        "flashes",
        "managed",
        "socket",
    )

    def __init__(self, app: Flask, socket: Socket, event: Any, args: tuple[Any, ...], managed: bool) -> None:
        self.app = app
        self.socket = socket
        self.event = event
        self.args = args
        self.managed = managed
        self._g = self._request = self._session = self._url_adapter = self._late_functions = self.flashes = None

    def replace_args(self, args: tuple[Any, ...]) -> None:
        """The arguments as middleware has changed them."""
        self.args = args
        if self._request is not None:
            self._request.event = {"message": self.event, "args": args}  # type: ignore[attr-defined]

    @property
    def g(self) -> Any:
        """Flask's ``g``, new for every event."""
        if self._g is None:
            self._g = self.app.app_ctx_globals_class()
        return self._g

    @property
    def request(self) -> Request:
        """The handshake's request, with ``sid``, ``namespace`` and ``event``."""
        request = self._request
        if request is None:
            kept = self.socket.client.session.request
            if kept.memo is None:
                kept.memo = self.app.request_class(kept.environ, populate_request=False)
                kept.memo.json_module = self.app.json
            model = kept.memo
            # A copy per event: two handlers of one client may run at once, and each has its own event.
            request = self._request = object.__new__(type(model))
            vars(request).update(vars(model))
            vars(request).update(
                sid=self.socket.id,
                namespace=self.socket.namespace.name,
                event={"message": self.event, "args": self.args},
            )
        return request

    @property
    def session(self) -> SessionMixin:
        """The session: the client's own fork, or Flask's, opened for this event."""
        if self._session is None:
            environ = self.socket.client.session.request.environ
            if self.managed:
                if "saved_session" not in environ:
                    environ["saved_session"] = ManagedSession(self._open_session())
                self._session = environ["saved_session"]
            else:
                self._session = self._open_session()
        return self._session

    @property
    def url_adapter(self) -> Any:
        """What ``url_for`` needs."""
        if self._url_adapter is None:
            self._url_adapter = self.app.create_url_adapter(self.request)
        return self._url_adapter

    def copy(self) -> RequestContext:
        """An ordinary request context with the same request and session, for ``copy_current_request_context``."""
        return RequestContext(self.app, self.request.environ, self.request, self.session)

    def _open_session(self) -> SessionMixin:
        interface = self.app.session_interface
        session = interface.open_session(self.app, self.request)
        return interface.make_null_session(self.app) if session is None else session

    def save_session(self) -> None:
        """Let Flask save a session it manages, if it was changed."""
        if not self.managed and self._session is not None and self._session.modified:
            self.app.session_interface.save_session(self.app, self._session, self.app.response_class())

    @property
    def _after_request_functions(self) -> list[Any]:
        """Where ``after_this_request`` puts functions, which have no response to see."""
        if self._late_functions is None:
            self._late_functions = []
        return self._late_functions

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], on_error: OnError | None = None) -> Any:
        """Call ``function(*args)`` in this context; ``on_error(error, namespace)`` answers for it, or raises again.

        The variables are not set back: every handler runs in a ``contextvars.Context`` of its own, which ends with it.
        """
        _set_app(self)  # type: ignore[arg-type]
        _set_request(self)  # type: ignore[arg-type]
        app = self.app
        if _PUSHED:
            appcontext_pushed.send(app, _async_wrapper=app.ensure_sync)
        raised: BaseException | None = None
        try:
            try:
                result = function(*args)
            except Exception as error:
                if on_error is None:
                    raise
                result = on_error(error, self.socket.namespace.template)
            if self._session is not None:
                self.save_session()
            return result
        except BaseException as error:
            raised = error
            raise
        finally:
            self._tear_down(raised)
            raised = None

    def _tear_down(self, raised: BaseException | None) -> None:
        app = self.app
        try:
            if app.teardown_request_funcs or _REQUEST_TEARDOWN:
                app.do_teardown_request(raised)
        finally:
            if app.teardown_appcontext_funcs or _APP_TEARDOWN:
                app.do_teardown_appcontext(raised)
            if _POPPED:
                appcontext_popped.send(app, _async_wrapper=app.ensure_sync)


def current() -> HandlerContext | None:
    """The context of the handler that runs now, if one does."""
    context: Any = _cv_request.get(None)
    return context if type(context) is HandlerContext else None


def _find_socket() -> Socket:
    context: Any = _cv_request.get(None)
    if type(context) is HandlerContext:
        return context.socket
    sid = current_sid()
    if sid is None:
        raise RuntimeError(_OUTSIDE)
    # In a context made by copy_current_request_context the client may have gone since.
    socketio = context.app.extensions["socketio"]
    found: Socket | None = socketio.server.socket(sid, context.request.namespace)
    if found is None:
        raise RuntimeError("current_socket: the client has disconnected")
    return found


_OUTSIDE = """current_socket is there in handlers of events alone.
Elsewhere name the client: socketio.sockets[sid], or socketio.to(sid)."""
#: The socket whose event is handled, as ``request`` is the request: a proxy.
current_socket: Socket = LocalProxy(_find_socket)  # type: ignore[assignment]


def current_sid() -> str | None:
    """The client whose event is handled here, also in a context made by ``copy_current_request_context``."""
    context: Any = _cv_request.get(None)
    if type(context) is HandlerContext:
        return context.socket.id
    return None if context is None else getattr(context.request, "sid", None)


def bound(callback: Callable[..., Any]) -> Callable[..., Any]:
    """``callback``, to be called later in a context like the one of the event that is handled here, if one is."""
    context: Any = _cv_request.get(None)
    if current_sid() is None:
        return callback

    def run(*args: Any) -> Any:
        if type(context) is HandlerContext:
            again = HandlerContext(context.app, context.socket, context.event, context.args, context.managed)
            return again.run(callback, args)
        with context.copy():
            return callback(*args)

    return run
