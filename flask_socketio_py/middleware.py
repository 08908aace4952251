"""The WSGI wrapper: requests to the endpoint (and for the client's bundle) are led past Flask. Knows no handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .client_bundle import ClientBundle
from .config import Options
from .socketio.server import Server


class SocketIOMiddleware:
    """Leads requests to the endpoint (and for the client's bundle) past Flask."""

    def __init__(self, server: Server, wsgi_app: Callable[..., Iterable[bytes]], options: Options) -> None:
        self.wsgi_app = wsgi_app
        self._engine = server.engine
        bare = options.prefix.rstrip("/")
        self._prefix = bare + "/"
        #: The path without its slash, where that is ours, too.
        self._bare = None if options.add_trailing_slash else bare
        self._bundle = ClientBundle(options.client_dir) if options.serve_client else None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(self._prefix) and path != self._bare:
            return self.wsgi_app(environ, start_response)
        if (
            self._bundle is not None
            and "." in path[len(self._prefix) :]
            and environ["REQUEST_METHOD"] in ("GET", "HEAD")
        ):
            found = self._bundle.respond(path[len(self._prefix) :], environ)
            if found is not None:
                status, headers, body = found
                start_response(status, [*headers, *self._engine.cors.public_headers(environ)])
                return [body]
        return self._engine(environ, start_response)
