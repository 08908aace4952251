"""Takes a connection away from the WSGI server that accepted it.

The only file that knows how each server holds its sockets.

Hosts: gevent's pywsgi (bare, with our handler, or with gevent-websocket's, whose 101 is already written when the
application runs) and gunicorn's gevent worker. A plain socket is detached, never duplicated: a closed original would
stay registered in the loop's epoll set. A TLS socket can't be moved: the request's greenlet stays parked until the
connection ends.
"""

from __future__ import annotations

import _socket
import functools
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from gevent import get_hub, monkey
from gevent.event import Event
from gevent.ssl import SSLSocket

StartResponse = Callable[..., Any]


class Takeover(NamedTuple):
    """A socket that is ours now."""

    #: Connected and non-blocking.
    sock: Any
    #: What the WSGI server had read past the request's head.
    leftover: bytes
    #: Whether the 101 answer has already been written (gevent-websocket's own handler does that).
    answered: bool
    #: Set by the owner when a TLS connection has ended; ``None`` where no greenlet waits.
    ended: Event | None
    #: What the WSGI application must return.
    result: Iterable[bytes]


def already_answered(environ: dict[str, Any]) -> bool:
    """Whether gevent-websocket's own handler has written the 101 before the application was asked."""
    return environ.get("wsgi.websocket") is not None


def find_socket(environ: dict[str, Any], start_response: StartResponse) -> Any:
    """The request's socket as the WSGI server holds it, or ``None`` under a server we don't know."""
    sock = environ.get("gunicorn.socket")
    if sock is None:
        handler = _pywsgi_handler(environ, start_response)
        sock = getattr(handler, "socket", None)
    return sock


def take_over(environ: dict[str, Any], start_response: StartResponse) -> Takeover | None:
    """Take the connection of this request; ``None`` under a WSGI server whose socket can't be had."""
    sock = find_socket(environ, start_response)
    if sock is None:
        return None
    tls = isinstance(sock, SSLSocket)
    ended = Event() if tls else None
    answered = already_answered(environ)
    if environ.get("gunicorn.socket") is not None:
        leftover = buffered(environ, start_response) if _unreader(environ) is not None else b""
        result: Iterable[bytes] = _GunicornEnd(start_response, ended)
    else:
        handler = _pywsgi_handler(environ, start_response)
        leftover = _pywsgi_leftover(handler, sock)
        handler.close_connection = True
        if answered:
            environ["wsgi.websocket"].stream = None  # so that gevent-websocket's close() does nothing
        else:  # for access logs; nothing is to be written
            handler.status, handler.response_headers, handler.headers_sent = "101 Switching Protocols", [], True
        result = _ParkedEnd(ended) if ended is not None else ()
    sock.settimeout(0.0)
    if tls:
        return Takeover(sock, leftover, answered, ended, result)
    # The standard library's own socket over the same descriptor: its calls never switch greenlets.
    ours = _socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    ours.setblocking(False)
    if ours.family in (socket.AF_INET, socket.AF_INET6):
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Takeover(ours, leftover, answered, None, result)


def buffered(environ: dict[str, Any], start_response: StartResponse) -> bytes:
    """What the WSGI server has read past the request's head and nobody has asked for; it stays where it is.

    Raises:
        ValueError: the server doesn't say.
    """
    sock = find_socket(environ, start_response)
    if environ.get("gunicorn.socket") is not None:
        unreader = _unreader(environ)
        if unreader is None:
            raise ValueError("no way to what gunicorn has read")
        read: bytes = unreader.buf.getvalue()
        return read + getattr(sock, "unreceived", b"")
    timeout = sock.gettimeout()
    try:
        return _pywsgi_leftover(_pywsgi_handler(environ, start_response), sock)
    finally:
        sock.settimeout(timeout)


def let_go(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Forget the connection of this request: another process has it, and answers (and logs) the request.

    A TLS socket is left to the server, which closes it. Returns what the WSGI application must return.
    """
    sock = find_socket(environ, start_response)
    if not isinstance(sock, SSLSocket):
        _drop(sock)
    if environ.get("gunicorn.socket") is not None:
        return _GunicornSilence()
    handler = _pywsgi_handler(environ, start_response)
    handler.close_connection = True
    handler.log_request = lambda: None
    return ()


def _drop(sock: Any) -> None:
    descriptor = sock.detach()
    unwatch(descriptor)
    _socket.close(descriptor)  # at once: os.close, as gevent has it, waits for the loop's next turn


def unwatch(descriptor: int) -> None:
    """Before a descriptor is closed whose open file lives on in another process.

    epoll would go on reporting on the file, under a number that is ours no more; libev then builds its whole set anew.
    """
    loop = get_hub().loop
    if loop.backend == "epoll":
        try:
            _epoll_of(loop.fileno()).unregister(descriptor)
        except OSError:  # it was not watched
            return


@functools.cache
def _epoll_of(descriptor: int) -> Any:
    """The loop's epoll set. Kept for ever: an object that goes would close it."""
    return monkey.get_original("select", "epoll").fromfd(descriptor)


def _pywsgi_handler(environ: dict[str, Any], start_response: StartResponse) -> Any:
    handler = environ.get("flask_socketio_py.handler")
    if handler is None and environ.get("wsgi.websocket") is not None:
        handler = environ["wsgi.websocket"].handler
    if handler is None:
        handler = getattr(start_response, "__self__", None)
    return handler if hasattr(handler, "close_connection") and hasattr(handler, "rfile") else None


def _pywsgi_leftover(handler: Any, sock: Any) -> bytes:
    sock.settimeout(0.0)
    try:
        leftover: bytes = handler.rfile.peek()
    except OSError:  # would block, or reset: the reader finds out
        leftover = b""
    return leftover + getattr(sock, "unreceived", b"")


def _unreader(environ: dict[str, Any]) -> Any:
    reader = getattr(environ.get("wsgi.input"), "reader", None)
    return getattr(reader, "unreader", None) or getattr(getattr(reader, "req", None), "unreader", None)


class _ParkedEnd:
    """An empty body that keeps the request's greenlet until the connection has ended."""

    def __init__(self, ended: Event) -> None:
        self._ended = ended

    def __iter__(self) -> Iterator[bytes]:
        self._ended.wait()
        return iter(())


class _GunicornEnd:
    """Ends gunicorn's keep-alive loop as it ends it itself, by StopIteration: the socket is not there any more."""

    def __init__(self, start_response: StartResponse, ended: Event | None) -> None:
        start_response("101 Switching Protocols", [])  # for the access log; gunicorn writes nothing before a body
        self._ended = ended

    def __iter__(self) -> Iterator[bytes]:
        if self._ended is not None:
            self._ended.wait()
        raise StopIteration


class _GunicornSilence:
    """Ends gunicorn's keep-alive loop like :class:`_GunicornEnd`, and writes nothing into the access log.

    gunicorn asks first whether the request has been handled, which is where it expects a StopIteration. In a wrapper of
    some middleware the body does it.
    """

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise StopIteration

    def __iter__(self) -> Iterator[bytes]:
        raise StopIteration
