"""Announcement: the open packet, which tells a client its session id and what the server wants of it. Pure.

Engine.IO protocol 4, "Handshake". All but the id is the same for every session, and so is made once.
"""

from __future__ import annotations

import json

from ..config import Options
from . import packet


class Announcement:
    """What a server with these options announces."""

    def __init__(self, options: Options) -> None:
        self._tails = {upgrades: _tail(options, upgrades) for upgrades in (False, True)}

    def packet(self, sid: str, *, upgrades: bool) -> bytes:
        """The packet of a session; ``upgrades``: it may still go over to a WebSocket."""
        return packet.encode(packet.OPEN, f'{{"sid":{json.dumps(sid)},{self._tails[upgrades]}')


def _tail(options: Options, upgrades: bool) -> str:
    can_upgrade = upgrades and options.allow_upgrades and "websocket" in options.offered_transports
    data = {
        "upgrades": ["websocket"] if can_upgrade else [],
        "pingInterval": round(options.announced_interval * 1000),
        "pingTimeout": round(options.ping_timeout * 1000),
        "maxPayload": options.max_http_buffer_size,
    }
    return json.dumps(data, separators=(",", ":"))[1:]
