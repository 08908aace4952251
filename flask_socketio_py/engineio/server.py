"""EngineServer: the WSGI application of the endpoint.

sid -> Session; errors -> one answer; deadlines -> the timekeeper.

Engine.IO protocol 4, and 3 where ``allow_eio3`` lets it in. The layer above is a ``session.Handler``; must not know
Socket.IO or Flask.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

from gevent import get_hub, sleep

from ..config import Options
from ..errors import EngineIOError, PacketError
from ..websocket import handshake
from ..websocket.connection import Connection
from ..websocket.extensions import Deflate
from ..websocket.takeover import find_socket, take_over
from . import message as messages
from .announcement import Announcement
from .cookie import SessionCookie
from .cors import CorsPolicy
from .heartbeat import Timekeeper
from .hooks import Hooks, answer_with
from .http import (
    Headers,
    Response,
    StartResponse,
    error_response,
    ok_response,
    payload_response,
    read_body,
)
from .message import PreparedMessage
from .reasons import Reason
from .request import EngineIORequest, check_handshake, check_revision, check_session, parse
from .session import Event, Handler, Session, State, Transport
from .siblings import Routing
from .transports.polling import OverlapError, PollingTransport
from .transports.websocket import WebSocketTransport

log = logging.getLogger(__name__)

#: Seconds a polling client has to fetch the close packet.
LINGER = 30.0


class EngineServer:
    """Serves Engine.IO requests; one per application and process."""

    def __init__(self, options: Options, handler: Handler, hooks: Hooks | None = None) -> None:
        self.options = options
        self.handler = handler
        #: What the application has a say in; ``None`` costs nothing.
        self.hooks = hooks
        self.max_outbox_size = options.max_outbox_size
        #: sid -> open (or lingering) session.
        self.sessions: dict[str, Session] = {}
        #: Ids of sessions that are about to be opened: a hook may block in between.
        self._reserved: set[str] = set()
        self.cors = CorsPolicy(options.cors_allowed_origins, options.cors_credentials, options.cors)
        self._cookie = SessionCookie(options.cookie)
        initial = options.initial_packet
        self._initial: PreparedMessage | None = None
        if initial and not callable(initial):
            try:
                self._initial = messages.prepare(initial)
            except ValueError as error:
                raise ValueError(f"initial_packet: {error}") from None
        self.routing = Routing()
        self.closing = False
        self._hub: Any = None
        self._transports = options.offered_transports
        self._threshold = options.http_threshold
        self._announcement = Announcement(options)
        deflate = options.per_message_deflate
        self._deflate = None if deflate is False else Deflate(**({} if deflate is True else deflate))
        self.timekeeper = Timekeeper()
        self._pings = self.timekeeper.queue(options.interval, self._ping)
        self._pongs = self.timekeeper.queue(options.ping_timeout, self._missed)
        #: Clients of revision 3, which ping by themselves.
        self._silences = self.timekeeper.queue(options.announced_interval + options.ping_timeout, self._missed)
        self._lingering = self.timekeeper.queue(LINGER, self._give_up)
        self._probes = self.timekeeper.queue(options.upgrade_timeout, self._probe_timed_out)

    # -- WSGI --------------------------------------------------------------------------------------------------------

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request to the endpoint."""
        if environ.get("wsgi.multiprocess"):
            ended = self.routing.route(
                environ, start_response, self.sessions
            )  # before any hook: the sibling has its own
            if ended is not None:
                return ended
        method = environ["REQUEST_METHOD"]
        upgrade = handshake.is_upgrade(environ)
        headers = self.cors.vary
        try:
            if not self.cors.allows(environ):
                log.warning(
                    "refused a request from the origin %.200r: see cors_allowed_origins", environ.get("HTTP_ORIGIN")
                )
                origin = {"origin": environ.get("HTTP_ORIGIN")}
                raise EngineIOError(4, "foreign origin", name="FOREIGN_ORIGIN", details=origin)
            if method == "OPTIONS":
                preflight = self.cors.preflight(environ)
                if preflight:
                    return Response(self.cors.preflight_status, preflight, b"").send(start_response, method)
            headers = self.cors.headers(environ)
            if self.hooks is not None:
                app = self.hooks.intercept(environ)
                if app is not None:
                    return answer_with(app, environ, start_response, upgrade=upgrade)
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
            self._report(error, environ)
            return error_response(error, headers, upgrade=upgrade).send(start_response, method)
        except handshake.HandshakeError as error:
            self._report(_no_handshake(error.message, message=error.message), environ)
            refused = [("Content-Type", "text/plain"), ("Connection", "close"), *error.headers]
            return Response(error.status, refused, error.message.encode()).send(start_response, method)

    def _report(self, error: EngineIOError, environ: dict[str, Any]) -> None:
        if self.hooks is not None:
            self.hooks.report(error, environ)

    def _open(self, request: EngineIORequest, start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
        check_handshake(request)
        self._check_serving()
        environ = request.environ
        if self.hooks is not None:
            self.hooks.admit(environ)
        check_revision(request, allow_eio3=self.options.allow_eio3)
        sid = self._new_sid(environ)
        try:
            session = Session(sid, self, self.handler, request)
            headers = [*headers, *self._cookie.headers(sid, environ)]
            initial = self._initial_packet()
            if request.upgrade:
                return self._open_websocket(session, request, start_response, headers, initial)
            self._check_serving()
            transport = session.transport = PollingTransport(session)
            self._register(session)
        finally:
            self._reserved.discard(sid)
        if session.protocol == 3:
            sleep(0)  # it joins the main namespace by opening: the answer of a quick connect handler travels along
        waiting = session.drain() if session.transport is transport else []
        opened = PreparedMessage(self._announcement.packet(session.sid, upgrades=True))
        body = transport.encode([opened, *initial, *waiting])
        return self._answer(environ, payload_response(environ, body, headers, self._threshold), start_response, True)

    def _answer(
        self, environ: dict[str, Any], response: Response, start_response: StartResponse, first: bool = False
    ) -> Iterable[bytes]:
        if self.hooks is not None:
            response = response._replace(headers=self.hooks.shape(response.headers, environ, first=first))
        return response.send(start_response)

    def _continue(self, request: EngineIORequest, start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
        session = self.sessions.get(request.sid or "")
        if session is None:
            check_session(request, None)
            raise AssertionError("an unknown session passed the check")
        check_session(request, session.transport.name, session.request.protocol)
        if request.upgrade:
            return self._open_websocket(session, request, start_response, headers)
        transport = session.transport
        if not isinstance(transport, PollingTransport):
            names = {"transport": request.transport, "previous_transport": transport.name}
            raise EngineIOError(3, "transport mismatch", name="TRANSPORT_MISMATCH", details=names)
        environ = request.environ
        try:
            if request.method == "GET":
                body = transport.poll(find_socket(environ, start_response))
                threshold = self._threshold if transport.compress else None
                return self._answer(environ, payload_response(environ, body, headers, threshold), start_response)
            if request.method == "POST":
                self._push(session, transport, request)
                return self._answer(environ, ok_response(environ, headers), start_response)
        except OverlapError as error:
            session.apply(Event.TRANSPORT_FAILED)
            raise EngineIOError(3, f"overlapping {request.method}") from error
        raise EngineIOError(3, f"method {request.method[:20]!r}")

    def _push(self, session: Session, transport: PollingTransport, request: EngineIORequest) -> None:
        binary = request.environ.get("CONTENT_TYPE", "").lower().startswith("application/octet-stream")
        if binary and session.protocol == 4:
            session.apply(Event.TRANSPORT_FAILED)
            raise EngineIOError(3, "a binary body in revision 4")
        transport.begin_push()
        try:
            body = read_body(request.environ, self.options.max_http_buffer_size, self.options.body_timeout)
            transport.push(body, binary=binary)
        except PacketError:
            session.apply(Event.BAD_PACKET)
        finally:
            transport.end_push()

    def _open_websocket(
        self,
        session: Session,
        request: EngineIORequest,
        start_response: StartResponse,
        headers: Headers,
        initial: Sequence[PreparedMessage] = (),
    ) -> Iterable[bytes]:
        new = session.transport is None
        if not new:
            self._check_upgradable(session)
        switching = handshake.accept(request.environ)
        if self.hooks is not None:
            headers = self.hooks.shape(headers, request.environ, first=new)
        # A hook may have blocked: nothing from here on does.
        if new:
            self._check_serving()
        else:
            self._check_upgradable(session)
        taken = take_over(request.environ, start_response)
        if taken is None:
            log.error(
                "this WSGI server gives no access to its sockets: serve with socketio.run(), gunicorn -k gevent "
                "or gevent's pywsgi (the Flask development server can't carry WebSockets)"
            )
            raise _no_handshake("no socket to take over", transport=request.transport)
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
        connection.start(taken.leftover)  # nothing is read before the hub's next turn; what opens it may pause it
        head = b"" if taken.answered else handshake.response_head([*switching, *headers])
        if new:
            session.transport = transport
            opened = PreparedMessage(self._announcement.packet(session.sid, upgrades=False)).frames()
            connection.send(head + opened)
            for message in initial:
                transport.write(message)
            self._register(session)
        else:
            self.timekeeper.add(self._probes, (session, transport))
            if head:
                connection.send(head)
        return taken.result

    def adopt(self, request: EngineIORequest, transport: Transport) -> Session:
        """Open a session over a transport that needs no handshake (the test client's)."""
        sid = self._new_sid(request.environ)
        try:
            session = Session(sid, self, self.handler, request)
            session.transport = transport
            self._register(session)
        finally:
            self._reserved.discard(sid)
        return session

    # -- sessions ----------------------------------------------------------------------------------------------------

    @property
    def clients_count(self) -> int:
        """How many sessions there are; one carries any number of namespaces."""
        return len(self.sessions)

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
        if session.protocol == 4:
            self._pongs.discard(session)
            self.timekeeper.add(self._pings, session)
        else:
            self.timekeeper.add(self._silences, session)

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
        session.request.issued = time.time()
        session.request.keep()
        self.ponged(session)
        self.handler.on_open(session)

    def _stop_heartbeat(self, session: Session) -> None:
        self._pings.discard(session)
        self._pongs.discard(session)
        self._silences.discard(session)

    def _new_sid(self, environ: dict[str, Any]) -> str:
        """Random, or the hook's."""
        if self.hooks is None or self.hooks.generate_id is None:
            return self.routing.new_sid()
        self.routing.made_elsewhere()
        sid = self.hooks.make_id(environ, lambda sid: sid in self.sessions or sid in self._reserved)
        self._reserved.add(sid)
        return sid

    def _initial_packet(self) -> list[PreparedMessage]:
        make = self.options.initial_packet
        if not callable(make):
            return [self._initial] if self._initial is not None else []
        try:
            data = make()
            return [messages.prepare(data)] if data is not None else []
        except Exception:
            log.exception("initial_packet failed: the session is opened without it")
            return []

    def _check_serving(self) -> None:
        if self.closing:
            raise EngineIOError(3, "shutting down", status="503 Service Unavailable")

    def _check_upgradable(self, session: Session) -> None:
        name = session.transport.name
        if not self.options.allow_upgrades or session.state is not State.OPEN or name == "websocket":
            raise _no_handshake("this session can't be upgraded", transport="websocket")

    # -- deadlines ---------------------------------------------------------------------------------------------------

    def _ping(self, session: Session) -> None:
        session.awaiting_pong = True
        session.extended = False
        self.timekeeper.add(self._pongs, session)
        session.send(messages.PING)

    def _missed(self, session: Session) -> None:
        if session.paused:
            # It is we who don't read.
            self.timekeeper.add(self._pongs if session.protocol == 4 else self._silences, session)
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


def _no_handshake(context: str, **details: str) -> EngineIOError:
    return EngineIOError(3, context, name="TRANSPORT_HANDSHAKE_ERROR", details=details)
