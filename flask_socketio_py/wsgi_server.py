"""socketio.run(): gevent's pywsgi with a handler built on gevent-websocket's, its faults repaired.

Also stop and reload.

Repaired here: TCP_NODELAY, head and body in one segment, bounded heads with a deadline (slowloris), bodies nobody read,
conflicting lengths, TLS handshakes that never come. WebSockets of other endpoints stay gevent-websocket's affair.
"""

from __future__ import annotations

import difflib
import errno
import logging
import signal
import ssl
import sys
import weakref
from typing import TYPE_CHECKING, Any

import gevent
from gevent import Timeout, monkey, pywsgi, socket
from gevent.ssl import SSLContext
from geventwebsocket.handler import WebSocketHandler

from . import config, handover
from .headers import Headers, HeadTooLargeError
from .websocket import handshake

if TYPE_CHECKING:
    from flask import Flask

    from .extension import SocketIO

log = logging.getLogger(__name__)

#: Paths our extension answers itself, WebSockets included.
_endpoints: set[str] = set()
#: Every SocketIO of this process, for workers that drain.
extensions: weakref.WeakSet[SocketIO] = weakref.WeakSet()
#: Of connections that the server still holds: each puts itself in, and takes itself out.
_handlers: set[Handler] = set()

#: Bytes of an unread body that are skipped to keep a connection alive.
MAX_SKIPPED = 65536
#: Seconds a stopping server gives handlers and answers under way.
GRACE = 0.7


#: What gevent's WSGIServer takes, and (with TLS) an SSL context's wrap_socket.
_SERVER_OPTIONS = (
    *("backlog", "spawn", "log", "error_log", "handler_class", "environ"),
    *("certfile", "keyfile", "ssl_context", "do_handshake_on_connect", "suppress_ragged_eofs"),
)
_RUN_OPTIONS = ("debug", "use_reloader", "reloader_options", "log_output", "header_timeout", "idle_timeout")


class HeadTimeoutError(Timeout):
    """The head of a request did not arrive in time."""


class Handler(WebSocketHandler):  # type: ignore[misc]
    """One HTTP connection."""

    wsgi_input: Any
    close_connection: Any
    MessageClass = Headers
    header_timeout = 10.0
    idle_timeout = 75.0
    #: What the connection is about: nothing, the head of a request, a request to our endpoint, or to the application.
    phase = "idle"

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        super().__init__(sock, address, server, rfile)
        self._head_timer: Timeout | None = None
        self._served = False
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self) -> None:
        _handlers.add(self)
        try:
            super().handle()
        finally:
            _handlers.discard(self)

    def handle_one_request(self) -> Any:
        # One deadline for the first request and its head; a connection that is kept may be silent for longer.
        patience = self.idle_timeout if self._served else self.header_timeout
        if getattr(self.server, "draining", False):  # accepted just before, so nobody has closed it yet
            patience = min(patience, GRACE)
        self._head_timer = timer = HeadTimeoutError.start_new(patience)
        try:
            try:
                if not self._wait_for_request():
                    return None
                if self._served:
                    timer.close()
                    self._head_timer = timer = HeadTimeoutError.start_new(self.header_timeout)
                result = super().handle_one_request()
            finally:
                timer.close()
            self._served = True
            return None if getattr(self.server, "draining", False) else result
        except HeadTimeoutError:
            return ("408", b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-length: 0\r\n\r\n")

    def _wait_for_request(self) -> bool:
        if self.rfile.closed:
            return False
        self.phase = "idle"
        try:
            return bool(self.rfile.peek(1))
        except (HeadTimeoutError, OSError, ValueError):
            return False
        finally:
            self.phase = "head"

    def _headers(self) -> list[tuple[str, str]]:
        return self.headers.variables if isinstance(self.headers, Headers) else list(super()._headers())

    def get_environ(self) -> dict[str, Any]:
        if self._head_timer is not None:
            self._head_timer.close()  # the head has been read
        environ: dict[str, Any] = super().get_environ()
        environ["flask_socketio_py.handler"] = self
        return environ

    def run_application(self) -> None:
        if any(self.environ["PATH_INFO"].startswith(prefix) for prefix in _endpoints):
            self.phase = "endpoint"
            pywsgi.WSGIHandler.run_application(self)  # our engine checks, then answers 101 itself
        else:
            self.phase = "application"
            super().run_application()
        unread = (self.content_length or 0) - self.wsgi_input.position
        if (
            self.close_connection
            or unread > MAX_SKIPPED
            or (self.wsgi_input.chunked_input and self.wsgi_input.position == 0)
        ):
            self.close_connection = True
            self.wsgi_input = pywsgi.Input(self.rfile, 0)

    def upgrade_websocket(self) -> Any:
        """gevent-websocket's upgrade for endpoints that are not ours; what it would choke on is refused before."""
        if handshake.is_upgrade(self.environ):
            try:
                handshake.accept(self.environ)
            except handshake.HandshakeError as error:
                self.start_response(
                    error.status, [*error.headers, ("Content-Type", "text/plain"), ("Connection", "close")]
                )
                return [error.message.encode()]
        return super().upgrade_websocket()

    def _write_with_headers(self, data: bytes) -> None:
        data = data or b""  # gevent-websocket writes ""
        self.headers_sent = True
        self.finalize_headers()
        lines = [b"HTTP/1.1 " + self.status]
        lines.extend(name + b": " + value for name, value in self.response_headers)
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        if data and self.response_use_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._sendall(head + data)

    def _sendall(self, data: bytes) -> None:
        try:
            super()._sendall(data)
        except OSError as error:  # also TLS's own: pywsgi takes only this one for a client that has gone
            raise BrokenPipeError(errno.EPIPE, str(error)) from error

    def _handle_client_error(self, ex: Exception) -> Any:
        log.info("refused a request from %s: %s", self.client_address, ex)
        if isinstance(ex, HeadTooLargeError):
            status = b"431 Request Header Fields Too Large"
            return ("431", b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-length: 0\r\n\r\n")
        return ("400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-length: 0\r\n\r\n")

    def log_request(self) -> None:
        if getattr(self.server, "logs_requests", True):
            pywsgi.WSGIHandler.log_request(self)


class Server(pywsgi.WSGIServer):
    """pywsgi's server, whose TLS handshakes must come in time."""

    handler_class = Handler
    handshake_timeout = 10.0
    wrap_socket: Any
    ssl_args: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.draining = False
        #: Without a log there is no need to format its lines.
        self.logs_requests = options.get("log", "default") is not None
        #: Greenlets that wait for a TLS handshake.
        self._shaking: set[Any] = set()

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """Serve a connection with TLS; one whose handshake fails, or does not come in time, just ends."""
        greenlet = gevent.getcurrent()
        self._shaking.add(greenlet)
        try:
            with Timeout(GRACE if self.draining else self.handshake_timeout, TimeoutError("it did not come in time")):
                secure = self.wrap_socket(client_socket, **self.ssl_args)
        except OSError as error:
            log.info("no TLS handshake with %s: %s", address, error)
            return
        finally:
            self._shaking.discard(greenlet)
        with secure:
            self.handle(secure, address)

    def end_handshakes(self) -> None:
        """End the connections of which the TLS handshake has not come yet."""
        for greenlet in list(self._shaking):
            gevent.kill(greenlet, TimeoutError("the server stops"))


def adopt_gevent_websocket() -> None:
    """Let gunicorn's GeventWebSocketWorker use our handler: its own answers 101 before the application is asked."""
    module = sys.modules.get("geventwebsocket.gunicorn.workers")
    if module is not None:
        from .workers import GunicornHandler

        module.GeventWebSocketWorker.wsgi_handler = GunicornHandler


def register(extension: SocketIO, prefix: str) -> None:
    """Remember an endpoint: its path, and its extension for workers that drain. Its requests may go to siblings."""
    extension.engine.routing.find = handover.find
    _endpoints.add(prefix)
    extensions.add(extension)


def close_connections(*phases: str) -> None:
    """End the connections that are about this (see :attr:`Handler.phase`)."""
    for handler in list(_handlers):
        sock = getattr(handler, "socket", None)
        if sock is not None and handler.phase in phases:
            _cut(sock)


def _cut(sock: Any) -> None:
    try:
        # Not SSLSocket's: it pulls the TLS from under who is reading or writing.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        log.debug("a connection had already ended")


def warn_unpatched() -> None:
    """Say what to do where the standard library blocks instead of switching greenlets."""
    missing = [name for name in ("socket", "threading", "time") if not monkey.is_module_patched(name)]
    if missing:
        log.warning(
            "gevent has not patched %s of the standard library: a handler that waits there stops every client. "
            "Put 'from gevent import monkey; monkey.patch_all()' before all other imports, "
            "or serve with 'python -m flask_socketio_py run module:app'",
            ", ".join(missing),
        )


def run(extension: SocketIO, app: Flask, host: str | None, port: int | None, options: dict[str, Any]) -> None:
    """Serve until stopped; see :meth:`SocketIO.run`."""
    host = host or "127.0.0.1"
    if port is None:
        name = app.config["SERVER_NAME"]
        port = int(name.rsplit(":", 1)[1]) if name and ":" in name else 5000
    for name in options:
        if name in config.OPTION_NAMES or name in ("message_queue", "client_manager", "channel"):
            raise TypeError(f"{name} is an option of SocketIO(app, {name}=...), not of run()")
    debug = options.pop("debug", app.debug)
    use_reloader = options.pop("use_reloader", debug)
    reloader_options = dict(options.pop("reloader_options", {}))
    extra_files = options.pop("extra_files", None)
    if extra_files:
        reloader_options["extra_files"] = extra_files
    log_output = options.pop("log_output", debug)
    options.pop("allow_unsafe_werkzeug", None)
    app.debug = bool(debug)
    warn_unpatched()

    def serve() -> None:
        _serve(extension, app, host, port, log_output, options)

    if use_reloader:
        from werkzeug._reloader import run_with_reloader

        run_with_reloader(serve, **reloader_options)
    else:
        serve()


def _serve(extension: SocketIO, app: Flask, host: str, port: int, log_output: bool, options: dict[str, Any]) -> None:
    timeouts: dict[str, Any] = {
        name: options.pop(name) for name in ("header_timeout", "idle_timeout") if name in options
    }
    handler = type("ConfiguredHandler", (Handler,), timeouts) if timeouts else Handler
    options.setdefault("handler_class", handler)
    options.setdefault("log", "default" if log_output else None)
    options.setdefault("backlog", 1024)
    for name in options:
        if name not in _SERVER_OPTIONS:
            near = difflib.get_close_matches(name, [*_SERVER_OPTIONS, *_RUN_OPTIONS], 1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"run() has no option {name!r}{hint}")
    if "certfile" in options:
        options["ssl_context"] = _ssl_context(options.pop("certfile"), options.pop("keyfile", None))
    server = Server((host, port), app, **options)
    extension.wsgi_server = server
    extension.engine.closing = False  # it may have been stopped before
    watchers = []
    if gevent.get_hub().main_hub:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                watchers.append(gevent.signal_handler(number, stop, extension))
            except ValueError:  # not the main thread: whoever runs us there ends us with stop()
                break
    try:
        server.serve_forever()
    finally:
        for watcher in watchers:
            watcher.cancel()
        extension.wsgi_server = None


def _ssl_context(certfile: str, keyfile: str | None) -> SSLContext:
    """One context for all connections, TLS 1.2 and newer: left to itself gevent makes a deprecated one for each."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile, keyfile)
    return context


def stop(extension: SocketIO) -> None:
    """Accept no more, close every session, give handlers a moment, end."""
    server = extension.wsgi_server
    if server is None or server.draining:
        return
    server.draining = True
    extension.shutdown()
    # Still accepting, though no new sessions: a polling client between two requests comes back for its close packet.
    with Timeout(GRACE, False):  # type: ignore[arg-type]  # False: end quietly, as gevent documents
        while extension.busy():
            gevent.sleep(0.01)
    server.stop_accepting()
    extension.engine.abandon()
    close_connections("idle")
    server.stop(timeout=0.1)
