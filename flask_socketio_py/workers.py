"""The gunicorn worker: pywsgi with our handler, gunicorn's access log, and a graceful drain.

On SIGTERM and on reload it accepts no more, tells the clients, closes sessions and idle connections, and so does not
sit out gunicorn's graceful timeout: ``gunicorn -k flask_socketio_py.workers.SocketIOWorker module:app``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventPyWSGIWorker, PyWSGIHandler

from . import wsgi_server


class GunicornHandler(wsgi_server.Handler):
    """Our handler with what gunicorn's adds: the access log, ``RAW_URI``, the count for ``--max-requests``."""

    log_request = PyWSGIHandler.log_request

    def get_environ(self) -> dict[str, Any]:
        environ = super().get_environ()
        environ["gunicorn.sock"] = self.socket
        environ["RAW_URI"] = self.path
        return environ


class SocketIOWorker(GeventPyWSGIWorker):  # type: ignore[misc]
    """``gunicorn -k flask_socketio_py.workers.SocketIOWorker``."""

    server_class: Any = wsgi_server.Server
    wsgi_handler = GunicornHandler

    def run(self) -> None:
        """Serve until told to end."""
        self._servers: list[Any] = []
        self.server_class = partial(self._make_server, type(self).server_class)
        super().run()

    def _make_server(self, server_class: Any, *args: Any, **options: Any) -> Any:
        server = server_class(*args, **options)
        self._servers.append(server)
        return server

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: drain at once instead of at the next turn of gunicorn's loop."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._drain)

    def _drain(self) -> None:
        for server in self._servers:
            server.draining = True
            server.stop_accepting()
        for extension in list(wsgi_server.extensions):
            extension.shutdown()
        wsgi_server.close_idle_connections()
