"""Sessions of other processes on the same port: how a session id names its process, and which request is for another.

The server knows no more of its siblings than this seam. Pure.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Container, Iterable
from typing import Any, Protocol
from urllib.parse import parse_qsl

log = logging.getLogger(__name__)

StartResponse = Callable[..., Any]

#: Characters of a session id that name its process; they are base64url's.
TOKEN_LENGTH = 6
#: The rest, 84 random bits: nobody can guess an id, though every client knows the token of its own.
SECRET_LENGTH = 14


class Siblings(Protocol):
    """The processes that serve the same port."""

    #: What the ids of this process's sessions begin with.
    token: str

    def hand_over(self, sid: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes] | None:
        """Give a request, its connection included, to the process that ``sid`` names.

        Returns what the WSGI application has to return so that this process's part ends, or ``None``: no such process
        takes it, and nothing has happened.
        """


class Routing:
    """Leads requests to the process that has their session. Alone (without :attr:`find`) it does nothing."""

    def __init__(self) -> None:
        #: Finds the siblings, by a request's environment and ``start_response``. Asked by requests of a server with
        #: several processes, so after the fork, until it has found them.
        self.find: Callable[[dict[str, Any], StartResponse], Siblings | None] | None = None
        self._siblings: Siblings | None = None
        self._warned = False

    def route(
        self, environ: dict[str, Any], start_response: StartResponse, here: Container[str]
    ) -> Iterable[bytes] | None:
        """What ends this process's part of a request for a sibling's session; ``None`` if it is to be answered here.

        To be asked before any hook: the sibling asks its own.
        """
        if self._siblings is None:
            if self.find is None:
                return None
            self._siblings = self.find(environ, start_response)
            if self._siblings is None:
                return None
        sid = foreign_sid(environ.get("QUERY_STRING", ""), self._siblings.token)
        if sid is None or sid in here:
            return None
        return self._siblings.hand_over(sid, environ, start_response)

    def new_sid(self) -> str:
        """A session id nobody can guess: 120 random bits in 20 characters, as long as the reference's.

        With siblings the first 36 of them name this process instead.
        """
        if self._siblings is None:
            return secrets.token_urlsafe(15)
        return self._siblings.token + secrets.token_urlsafe(SECRET_LENGTH)[:SECRET_LENGTH]

    def made_elsewhere(self) -> None:
        """An application makes the ids itself: say, once, what becomes of them with siblings."""
        if self._siblings is not None and not self._warned:
            self._warned = True
            log.warning(
                "generate_id makes session ids that don't name their worker: with several workers, long polling then "
                "needs a load balancer with sticky sessions"
            )


def foreign_sid(query: str, token: str) -> str | None:
    """The session id of a query string, unless it is one of the process that has this token."""
    start = query.find("sid=") + 4
    if start == 3 or query[start : start + TOKEN_LENGTH] == token:
        return None  # no id, or (nearly always) one of ours: nothing else is looked at
    try:
        values = [value for name, value in parse_qsl(query, max_num_fields=100) if name == "sid"]
    except ValueError:
        return None
    return values[0] if len(values) == 1 and not values[0].startswith(token) else None
