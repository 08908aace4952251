"""The gunicorn worker: pywsgi with our handler, gunicorn's access log, and a graceful drain.

On SIGTERM and on reload it accepts no more, tells the clients, closes sessions and idle connections, and so does not
sit out gunicorn's graceful timeout: ``gunicorn -k flask_socketio_py.workers.SocketIOWorker module:app``. Nor does one
that is told to end while it starts.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventPyWSGIWorker, PyWSGIHandler

from . import relay, wsgi_server

#: Seconds that clients of the endpoint may still take for what is under way when a worker drains, and with them the TLS
#: connections that other workers serve.
CLIENT_GRACE = 1.0


class _Birth:
    """Keeps what a master tells a new worker that has no handlers of its own yet, for about a tenth of a second.

    In the child the copies of the master's handlers would queue it for nobody: told to end, the worker would serve on
    until it is killed at the end of the graceful timeout.
    """

    signals = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1)

    def __init__(self) -> None:
        #: Whether the next fork makes a worker.
        self.expected = False
        self.came: list[int] = []
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._note)

    def _block(self) -> None:
        if self.expected:
            signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)

    def _unblock(self) -> None:
        if self.expected:
            self.expected = False
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.signals)

    def _note(self) -> None:
        if self.expected:
            for number in self.signals:
                signal.signal(number, lambda number, frame: self.came.append(number))
            self._unblock()


_birth = _Birth()


class GunicornHandler(wsgi_server.Handler):
    """Our handler with what gunicorn's has: the access log, ``RAW_URI``; and the count for ``--max-requests``."""

    log_request = PyWSGIHandler.log_request

    def run_application(self) -> None:
        try:
            super().run_application()
        finally:
            worker = getattr(self.server, "worker", None)  # gevent-websocket's own worker has no count to keep
            if worker is not None:
                worker.count_request()

    def get_environ(self) -> dict[str, Any]:
        environ = super().get_environ()
        environ["gunicorn.sock"] = self.socket
        environ["RAW_URI"] = self.path
        return environ


class SocketIOWorker(GeventPyWSGIWorker):  # type: ignore[misc]
    """``gunicorn -k flask_socketio_py.workers.SocketIOWorker``."""

    alive: Any
    server_class: Any = wsgi_server.Server
    wsgi_handler = GunicornHandler

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        #: One for each address; before :meth:`run` there is none to drain.
        self.servers: list[Any] = []
        _birth.expected = True

    def init_signals(self) -> None:
        """Handle signals as a worker does, those included that came since the fork."""
        super().init_signals()
        for number in _birth.came:
            os.kill(os.getpid(), number)
        _birth.came.clear()

    def run(self) -> None:
        """Serve until told to end."""
        self.server_class = partial(self._make_server, type(self).server_class)
        super().run()

    def _make_server(self, server_class: Any, *args: Any, **options: Any) -> Any:
        server = server_class(*args, **options)
        server.worker = self
        self.servers.append(server)
        return server

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: drain at once instead of at the next turn of gunicorn's loop."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._drain)

    def count_request(self) -> None:
        """Count a request (a WebSocket is one); after ``--max-requests`` of them drain, and let gunicorn replace us."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            gevent.spawn(self._drain)

    def _drain(self) -> None:
        for server in self.servers:
            server.draining = True
            server.stop_accepting()
        for extension in list(wsgi_server.extensions):
            extension.shutdown()
        wsgi_server.close_connections("idle")
        gevent.sleep(CLIENT_GRACE)
        # What the application has under way may take gunicorn's graceful timeout. A client that has not sent the rest
        # of its request, or read our answer, may not; its session has ended anyway.
        for server in self.servers:
            server.end_handshakes()
        wsgi_server.close_connections("idle", "head", "endpoint")
        relay.end_all()
