"""EngineServer: the WSGI application of the endpoint.

sid -> Session; errors -> one answer; deadlines -> the timekeeper.

Engine.IO protocol 4. The layer above is a ``session.Handler``; must not know Socket.IO or Flask.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable
from typing import Any

from gevent import get_hub

from ..config import Options
from ..errors import EngineIOError, PacketError
from ..websocket import handshake
from ..websocket.connection import Connection
from ..websocket.extensions import Deflate
from ..websocket.takeover import find_socket, take_over
from . import message as messages
from . import packet, payload
from .cors import CorsPolicy
from .heartbeat import Timekeeper
from .http import (
    Headers,
    Response,
    StartResponse,
    cookie_header,
    error_response,
    ok_response,
    payload_response,
    read_body,
)
from .message import PreparedMessage
from .reasons import Reason
from .request import EngineIORequest, check_handshake, check_revision, check_session, parse
from .session import Event, Handler, Session, State, Transport
from .transports.polling import OverlapError, PollingTransport
from .transports.websocket import WebSocketTransport

log = logging.getLogger(__name__)

#: Seconds a polling client has to fetch the close packet.
LINGER = 30.0


class EngineServer:
    """Serves Engine.IO requests; one per application and process."""

    def __init__(self, options: Options, handler: Handler) -> None:
        self.options = options
        self.handler = handler
        self.max_outbox_size = options.max_outbox_size
        #: sid -> open (or lingering) session.
        self.sessions: dict[str, Session] = {}
        self.cors = CorsPolicy(options.cors_allowed_origins, options.cors_credentials)
        self.closing = False
        self._hub: Any = None
        self._transports = options.offered_transports
        self._threshold = options.compression_threshold if options.http_compression else None
        deflate = options.per_message_deflate
        self._deflate = None if deflate is False else Deflate(**({} if deflate is True else deflate))
        self.timekeeper = Timekeeper()
        self._pings = self.timekeeper.queue(options.interval, self._ping)
        self._pongs = self.timekeeper.queue(options.ping_timeout, self._missed)
        self._lingering = self.timekeeper.queue(LINGER, self._give_up)
        self._probes = self.timekeeper.queue(options.upgrade_timeout, self._probe_timed_out)

    # -- WSGI --------------------------------------------------------------------------------------------------------

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request to the endpoint."""
        method = environ["REQUEST_METHOD"]
        upgrade = handshake.is_upgrade(environ)
        headers: Headers = []
        try:
            if not self.cors.allows(environ):
                log.warning(
                    "refused a request from the origin %.200r: see cors_allowed_origins", environ.get("HTTP_ORIGIN")
                )
                raise EngineIOError(4, "foreign origin")
            if method == "OPTIONS":
                preflight = self.cors.preflight(environ)
                if preflight:
                    return Response("204 No Content", preflight, b"").send(start_response, method)
            headers = self.cors.headers(environ)
            request = parse(environ, self._transports)
            if self._hub is None:
                self._hub = get_hub()
            elif get_hub() is not self._hub:
                log.error(
                    "a WSGI server with threads can't carry Socket.IO: serve with gevent (see the deployment guide)"
                )
                raise EngineIOError(3, "served by a thread", status="503 Service Unavailable")
            if not request.sid:
                return self._open(request, start_response, headers)
            return self._continue(request, start_response, headers)
        except EngineIOError as error:
            log.info("refused a request: %s (%s)", error, error.context)
            return error_response(error, headers, upgrade=upgrade).send(start_response, method)
        except handshake.HandshakeError as error:
            refused = [("Content-Type", "text/plain"), ("Connection", "close"), *error.headers]
            return Response(error.status, refused, error.message.encode()).send(start_response, method)

    def _open(self, request: EngineIORequest, start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
        check_handshake(request)
        check_revision(request)
        if self.closing:
            raise EngineIOError(3, "shutting down", status="503 Service Unavailable")
        session = Session(self._new_sid(), self, self.handler, request)
        headers = [*headers, *cookie_header(self.options.cookie, session.sid, request.environ)]
        if request.upgrade:
            return self._open_websocket(session, request, start_response, headers)
        transport = session.transport = PollingTransport(session)
        self._register(session)
        waiting = [message.packets() for message in session.drain()] if session.transport is transport else []
        body = payload.join([self._open_packet(session, upgrades=True), *waiting])
        return payload_response(request.environ, body, headers, self._threshold).send(start_response)

    def _continue(self, request: EngineIORequest, start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
        session = self.sessions.get(request.sid or "")
        check_session(request, None if session is None else session.transport.name)
        if session is None:
            raise AssertionError("an unknown session passed the check")
        if request.upgrade:
            return self._open_websocket(session, request, start_response, headers)
        transport = session.transport
        if not isinstance(transport, PollingTransport):
            raise EngineIOError(3, "transport mismatch")
        try:
            if request.method == "GET":
                body = transport.poll(find_socket(request.environ, start_response))
                return payload_response(request.environ, body, headers, self._threshold).send(start_response)
            if request.method == "POST":
                self._push(session, transport, request)
                return ok_response(request.environ, headers).send(start_response)
        except OverlapError as error:
            session.apply(Event.TRANSPORT_FAILED)
            raise EngineIOError(3, f"overlapping {request.method}") from error
        raise EngineIOError(3, f"method {request.method[:20]!r}")

    def _push(self, session: Session, transport: PollingTransport, request: EngineIORequest) -> None:
        if request.environ.get("CONTENT_TYPE", "").lower().startswith("application/octet-stream"):
            session.apply(Event.TRANSPORT_FAILED)
            raise EngineIOError(3, "a binary body in revision 4")
        transport.begin_push()
        try:
            body = read_body(request.environ, self.options.max_http_buffer_size, self.options.body_timeout)
            transport.push(body)
        except PacketError:
            session.apply(Event.BAD_PACKET)
        finally:
            transport.end_push()

    def _open_websocket(
        self, session: Session, request: EngineIORequest, start_response: StartResponse, headers: Headers
    ) -> Iterable[bytes]:
        new = session.transport is None
        if not new and (
            not self.options.allow_upgrades or session.state is not State.OPEN or session.transport.name == "websocket"
        ):
            raise EngineIOError(3, "this session can't be upgraded")
        switching = handshake.accept(request.environ)
        taken = take_over(request.environ, start_response)
        if taken is None:
            log.error(
                "this WSGI server gives no access to its sockets: serve with socketio.run(), gunicorn -k gevent "
                "or gevent's pywsgi (the Flask development server can't carry WebSockets)"
            )
            raise EngineIOError(3, "no socket to take over")
        transport = WebSocketTransport(session, taken.ended, probing=not new)
        agreed = None
        if self._deflate is not None and not taken.answered:  # else the 101 has gone out without it
            agreed = self._deflate.negotiate(request.environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", ""))
        if agreed is not None:
            switching.append(("Sec-WebSocket-Extensions", agreed.header))
        connection = Connection(
            taken.sock,
            transport,
            max_payload=self.options.max_http_buffer_size,
            window_bits=agreed.window_bits if agreed else 0,
        )
        transport.attach(connection, self._deflate if agreed else None)
        head = b"" if taken.answered else handshake.response_head([*switching, *headers])
        if new:
            session.transport = transport
            opened = PreparedMessage(self._open_packet(session, upgrades=False)).frames()
            connection.send(head + opened)
            self._register(session)
        else:
            self.timekeeper.add(self._probes, (session, transport))
            if head:
                connection.send(head)
        connection.start(taken.leftover)
        return taken.result

    def adopt(self, request: EngineIORequest, transport: Transport) -> Session:
        """Open a session over a transport that needs no handshake (the test client's)."""
        session = Session(self._new_sid(), self, self.handler, request)
        session.transport = transport
        self._register(session)
        return session

    # -- sessions ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close every session and open no more (the handler is told ``server shutting down``)."""
        self.closing = True
        for session in list(self.sessions.values()):
            session.close(Reason.SERVER_SHUTTING_DOWN)

    def abandon(self) -> None:
        """Forget the sessions whose clients have not fetched their close packet."""
        for session in list(self.sessions.values()):
            self._give_up(session)

    def ponged(self, session: Session) -> None:
        self._pongs.discard(session)
        self.timekeeper.add(self._pings, session)

    def extended(self, session: Session) -> None:
        self.timekeeper.add(self._pongs, session)

    def lingering(self, session: Session) -> None:
        self._stop_heartbeat(session)
        self.timekeeper.add(self._lingering, session)

    def forget(self, session: Session) -> None:
        self._stop_heartbeat(session)
        self._lingering.discard(session)
        self.sessions.pop(session.sid, None)

    def _register(self, session: Session) -> None:
        self.sessions[session.sid] = session
        session.request.keep()
        self.timekeeper.add(self._pings, session)
        self.handler.on_open(session)

    def _stop_heartbeat(self, session: Session) -> None:
        self._pings.discard(session)
        self._pongs.discard(session)

    def _new_sid(self) -> str:
        """120 random bits in 20 characters: as long as the reference's, and nobody can guess it."""
        return secrets.token_urlsafe(15)

    def _open_packet(self, session: Session, *, upgrades: bool) -> bytes:
        options = self.options
        can_upgrade = upgrades and options.allow_upgrades and "websocket" in self._transports
        data = {
            "sid": session.sid,
            "upgrades": ["websocket"] if can_upgrade else [],
            "pingInterval": round(options.announced_interval * 1000),
            "pingTimeout": round(options.ping_timeout * 1000),
            "maxPayload": options.max_http_buffer_size,
        }
        return packet.encode(packet.OPEN, json.dumps(data, separators=(",", ":")))

    # -- deadlines ---------------------------------------------------------------------------------------------------

    def _ping(self, session: Session) -> None:
        session.awaiting_pong = True
        session.extended = False
        self.timekeeper.add(self._pongs, session)
        session.send(messages.PING)

    def _missed(self, session: Session) -> None:
        if session.paused:
            self.timekeeper.add(self._pongs, session)  # it is we who don't read
            return
        session.apply(Event.PING_TIMED_OUT)

    def _give_up(self, session: Session) -> None:
        session.transport.discard()
        session.apply(Event.TRANSPORT_CLOSED)

    def _probe_timed_out(self, probe: tuple[Session, WebSocketTransport]) -> None:
        session, transport = probe
        if session.transport is not transport:
            if session.probing is transport:
                session.apply(Event.PROBE_LOST)
            transport.discard()
