"""SocketIO: the Flask extension. Decorators register handlers, ``emit`` reaches clients, ``run`` serves.

The endpoint is served below Flask's routing, as a wrapper of ``app.wsgi_app``; everything else is Flask's. Names,
options and meanings are Flask-SocketIO 5's; docs/reference lists the intended differences.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from flask import Flask

from . import config, configured, context, handlers, registry, testing, wsgi_server
from .bound import BoundNamespace
from .cluster_view import KIND, ClusterView, StatusHook
from .engineio.server import EngineServer
from .middleware import SocketIOMiddleware
from .namespace import Namespace
from .registry import Selector
from .request_hooks import RequestHooks
from .scaffold import Scaffold
from .socketio.acks import DEFAULT
from .socketio.broadcast import BroadcastOperator, Flags, chosen
from .socketio.namespace import Namespace as CoreNamespace
from .socketio.parser import Parser
from .socketio.server import Server
from .views import ServerView

log = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])


class SocketIO(Scaffold):
    """Socket.IO for a Flask application.

    Args:
        app: the application; without it call :meth:`init_app` later. With the URL of a ``message_queue`` and without
            an application it only emits: to the clients of the servers that have the same one.
        options: see :class:`~flask_socketio_py.config.Options`; unknown names warn.

    Raises:
        TypeError, ValueError: for an option that can't be meant.
    """

    reason = handlers.DisconnectReason

    def __init__(self, app: Flask | None = None, **options: Any) -> None:
        self.server_options: dict[str, Any] = {}
        self.sockio_mw: SocketIOMiddleware | None = None
        self.wsgi_server: Any = None
        self.async_mode = "gevent"
        self._handlers = handlers.Handlers()
        self._request_hooks = RequestHooks()
        self._server: Server | None = None
        self._view: ServerView | None = None
        self._cluster: ClusterView | None = None
        queue = options.get("message_queue")
        if app is not None or (queue and isinstance(queue, str)):
            self.init_app(app, **options)
        else:
            self.server_options.update(options)

    def init_app(self, app: Flask | None, **options: Any) -> None:
        """Attach to an application; options add to those of the constructor, and ``SOCKETIO_<NAME>`` in
        ``app.config`` to both. With ``None`` and the URL of a ``message_queue`` it only emits.

        Raises:
            TypeError, ValueError: for an option that can't be meant.
        """
        self.server_options.update(options)
        if app is None:
            outside: Any = configured.outside(config.build(config.gather({}, self.server_options)))
            self._server, self._view = outside, ServerView(self, outside)
            return
        values = config.gather(app.config, self.server_options)
        settings = config.build(values)
        if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
            log.warning(
                "the server of 'flask run' can't carry Socket.IO: "
                "serve with 'python -m flask_socketio_py run module:app', socketio.run(app) or gunicorn"
            )
        if settings.async_mode == "threading":
            log.info("async_mode='threading' was asked for: gevent serves anyway")
        configured.set_level("flask_socketio_py", settings.logger)
        configured.set_level("flask_socketio_py.engineio", settings.engineio_logger)
        names = settings.namespaces
        self._handlers.app = app
        if "manage_session" in values:  # else the attribute, which may have been set before
            self._handlers.manage_session = settings.manage_session
        self._handlers.accepted = frozenset([names] if isinstance(names, str) else names)
        parser, dialect = configured.parser(app, settings), configured.dialect(app, settings)
        self._server = Server(settings, self._handlers, parser, dialect)
        if self._server.cluster is not None:
            self._server.cluster.outside = configured.tell(settings, configured.default(app, settings))
            self._server.cluster.watch.on_change = StatusHook(app, self._handlers.registry).tell
            self._cluster = ClusterView(self._server.cluster)
        self._request_hooks.serve(app, self._server.engine)
        self._handlers.server = self._server
        self._view = ServerView(self, self._server)
        self.sockio_mw = SocketIOMiddleware(self._server, app.wsgi_app, settings)
        app.wsgi_app = self.sockio_mw  # type: ignore[method-assign]
        app.extensions["socketio"] = self
        wsgi_server.register(self, settings.prefix)
        wsgi_server.adopt_gevent_websocket()

    # -- attributes --------------------------------------------------------------------------------------------------

    @property
    def server(self) -> ServerView:
        """The server under python-socketio's names (:class:`~flask_socketio_py.views.ServerView`).

        ``None`` before :meth:`init_app`, which the type leaves out: hardly anybody asks that early.
        """
        return self._view  # type: ignore[return-value]

    @property
    def engine(self) -> EngineServer:
        """The Engine.IO server: its sessions, options and limits."""
        return self._serving().engine

    @property
    def parser(self) -> Parser:
        """What encodes and decodes packets."""
        return self._serving().parser

    @property
    def cluster(self) -> ClusterView | None:
        """The cluster that this server belongs to, to be looked at. ``None`` without one, and where a ``SocketIO`` only
        emits: it is no server, and what can't be told raises at the emit.
        """
        self._serving()
        return self._cluster

    @property
    def manage_session(self) -> bool:
        """Whether each client has a fork of the Flask session of its own; may be changed at any time."""
        return self._handlers.manage_session

    @manage_session.setter
    def manage_session(self, value: bool) -> None:
        self._handlers.manage_session = value

    @property
    def handlers(self) -> list[tuple[str, Callable[..., Any], str]]:
        """(event, handler, namespace) of every registered function."""
        return self._handlers.registered

    @property
    def namespace_handlers(self) -> list[Namespace]:
        """The class-based namespaces."""
        return list(self._handlers.namespaces.values())

    @property
    def exception_handlers(self) -> dict[str, Callable[..., Any]]:
        """The error handlers by namespace."""
        return self._handlers.exception_handlers

    @property
    def default_exception_handler(self) -> Callable[..., Any] | None:
        """The error handler of namespaces without one of their own."""
        return self._handlers.default_exception_handler

    # -- registration ------------------------------------------------------------------------------------------------

    def on_namespace(self, namespace_handler: Namespace) -> None:
        """Register a class-based namespace.

        Raises:
            ValueError: for anything but an instance of :class:`Namespace`.
        """
        if not isinstance(namespace_handler, Namespace):
            raise ValueError("Not a namespace instance.")
        namespace_handler.socketio = self
        self._handlers.add_namespace(namespace_handler)

    def on_error_default(self, exception_handler: Function) -> Function:
        """Decorator: handle the exceptions of namespaces without an error handler of their own."""
        if not callable(exception_handler):
            raise ValueError("exception_handler must be callable")
        self._handlers.default_exception_handler = exception_handler
        return exception_handler

    def of(self, namespace: Selector) -> BoundNamespace:
        """A namespace, to register handlers for it and to emit to it.

        Args:
            namespace: its name; or what lets namespaces come into being when clients ask for them: a compiled pattern
                that the whole name must match, or a function ``(name, auth)`` that says yes or no, and may block.

        Raises:
            TypeError: for anything else.
        """
        return BoundNamespace(self, namespace)

    def on_new_namespace(self, function: Function) -> Function:
        """Decorator: be told of each namespace that comes into being, but the main one: ``(namespace)``, as
        :meth:`of` has it. It runs in a greenlet of its own and an application context.
        """
        self._handlers.registry.add("on_new_namespace", registry.ANY, function)
        return function

    def on_cluster_status(self, function: Function) -> Function:
        """Decorator: be told of each change of the cluster's state, in order: ``(status)``, as :attr:`cluster` has it.
        It runs in a greenlet of its own and an application context.
        """
        self._handlers.registry.add(KIND, registry.ANY, function)
        return function

    def before_request(self, function: Function) -> Function:
        """Decorator: runs before every HTTP request to the endpoint, like a Flask ``before_request`` function and in a
        request context: what it returns, unless ``None``, or an ``abort()``, is the answer.
        """
        self._request_hooks.add("before_request", function)
        return function

    def on_initial_headers(self, function: Function) -> Function:
        """Decorator: a function ``(headers, request)`` that may change the headers of the first answer of each
        connection.
        """
        self._request_hooks.add("initial_headers", function)
        return function

    def on_headers(self, function: Function) -> Function:
        """Decorator: a function ``(headers, request)`` that may change the headers of every polling answer, and those
        that open a WebSocket.
        """
        self._request_hooks.add("headers", function)
        return function

    def on_connection_error(self, function: Function) -> Function:
        """Decorator: be told of refused requests: ``(error, request)`` with an
        :class:`~flask_socketio_py.errors.EngineIOError`.
        """
        self._request_hooks.add("connection_error", function)
        return function

    # -- emitting ----------------------------------------------------------------------------------------------------

    def emit(
        self,
        event: str,
        *args: Any,
        namespace: str | None = "/",
        to: Any = None,
        room: Any = None,
        include_self: bool = True,
        skip_sid: Any = None,
        callback: Callable[..., Any] | None = None,
        broadcast: bool = True,
        ignore_queue: bool = False,
        volatile: bool = False,
    ) -> None:
        """Emit an event to everybody in a namespace, or to ``to``: a room, a client's sid, or a list of them.

        Works in handlers, requests, background tasks and other threads. Several arguments, or a tuple, arrive as
        several arguments. ``skip_sid`` leaves clients out, ``callback`` is called with a client's acknowledgement,
        ``ignore_queue`` reaches clients of this server only.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        if not include_self and skip_sid is None:
            skip_sid = context.current_sid()
        core = self._serving().of(namespace or "/")
        rooms, excepted = chosen(to if to is not None else room), chosen(skip_sid)
        flags = Flags(volatile, local=ignore_queue)
        if callback is None:
            core.emit(event, _arguments(args), rooms, excepted, flags)
        else:
            operator = BroadcastOperator(core, rooms, excepted, flags)
            operator.emit(event, *_arguments(args), callback=callback)

    def send(
        self,
        data: Any,
        json: bool = False,
        namespace: str | None = None,
        to: Any = None,
        callback: Callable[..., Any] | None = None,
        include_self: bool = True,
        skip_sid: Any = None,
        **options: Any,
    ) -> None:
        """Emit a ``message`` event (``json``: a ``json`` event); see :meth:`emit`."""
        options.update(namespace=namespace, callback=callback, include_self=include_self, skip_sid=skip_sid)
        self.emit("json" if json else "message", data, to=to, **options)

    def call(
        self,
        event: str,
        *args: Any,
        namespace: str | None = "/",
        to: Any = None,
        room: Any = None,
        timeout: float | None = DEFAULT,
        ignore_queue: bool = False,
    ) -> Any:
        """Emit an event to one client (``to``: its sid) and wait for its acknowledgement.

        Returns ``None``, the value, or a tuple of several. ``timeout`` is in seconds, by default the option
        ``default_ack_timeout``; ``ignore_queue`` asks a client of this server only.

        Raises:
            TimeoutError: none came in time, or (``DisconnectedError``) the client has gone.
            ValueError: no client is named.
        """
        sid = to if to is not None else room
        if sid is None:
            raise ValueError("call() needs to=<sid>: it asks exactly one client")
        self._serving()
        socket = self.server.socket(sid, namespace)
        if socket is not None:
            return socket.call(event, *_arguments(args), timeout=timeout)
        core = self._serving().of(namespace or "/")
        answers = []
        if core.shared is not None and not ignore_queue:  # perhaps another server has it
            operator = BroadcastOperator(core, (sid,)).timeout(timeout)
            answers = operator.emit_with_ack(event, *_arguments(args))
        if not answers:
            raise handlers.unknown_client(sid)
        return answers[0]

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Make everybody leave a room."""
        self._serving()
        self.server.close_room(room, namespace)

    def _core(self) -> CoreNamespace:
        return self._serving().of("/")

    def _serving(self) -> Server:
        if self._server is None:
            raise RuntimeError("SocketIO is not attached to an application yet: call init_app(app) first")
        return self._server

    # -- serving -----------------------------------------------------------------------------------------------------

    def run(self, app: Flask, host: str | None = None, port: int | None = None, **options: Any) -> None:
        """Serve the application with gevent until :meth:`stop`, SIGINT or SIGTERM.

        Args:
            host: address to listen on, by default ``127.0.0.1``.
            port: by default that of ``SERVER_NAME``, or 5000.
            options: ``debug``, ``use_reloader``, ``reloader_options``, ``log_output``, ``certfile``, ``keyfile``,
                ``ssl_context``, ``header_timeout`` (seconds), and what gevent's ``WSGIServer`` takes.

        Raises:
            TypeError: for an option nobody knows.
        """
        wsgi_server.run(self, app, host, port, options)

    def stop(self) -> None:
        """Stop the server started by :meth:`run`, closing every session."""
        if self.wsgi_server is None:
            raise RuntimeError("stop() ends a server started by run(), and none runs")
        wsgi_server.stop(self)

    def shutdown(self) -> None:
        """Close every session with the reason ``server shutting down`` and accept no more."""
        self._serving().close()

    def busy(self) -> bool:
        """Whether sessions are open or handlers run."""
        return bool(self._serving().engine.sessions or self._serving().dispatcher.running)

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> gevent.Greenlet[..., Any]:
        """Run a function in a greenlet; the result has ``join()``."""
        return gevent.spawn(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Let others run for this many seconds."""
        gevent.sleep(seconds)

    def test_client(
        self,
        app: Flask,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
        flask_test_client: Any = None,
    ) -> testing.SocketIOTestClient:
        """A client inside the process for tests; see :class:`~flask_socketio_py.testing.SocketIOTestClient`."""
        return testing.SocketIOTestClient(app, self, namespace, query_string, headers, auth, flask_test_client)


def _arguments(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """One tuple expands, one ``None`` is no argument: python-socketio's convention."""
    if len(args) == 1:
        if type(args[0]) is tuple:
            return args[0]
        if args[0] is None:
            return ()
    return args
