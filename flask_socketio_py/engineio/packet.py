"""One Engine.IO packet on the wire.

Pure: text and bytes in and out, no objects. Engine.IO protocol 4, "Packet encoding".

A packet is one ASCII digit and text; binary data is always a message and has no digit.
"""

from __future__ import annotations

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0", "1", "2", "3", "4", "5", "6"
TYPES = frozenset((OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP))

#: The packets without data that a server sends.
CLOSE_PACKET, PING_PACKET, PONG_PACKET, NOOP_PACKET, PROBE_PONG_PACKET = b"1", b"2", b"3", b"6", b"3probe"
#: What a client asks on a WebSocket before it upgrades to it.
PROBE = "2probe"


def encode(packet_type: str, data: str = "") -> bytes:
    """A text packet as it is sent; a lone surrogate becomes U+FFFD, as in a browser."""
    return (packet_type + data).encode("utf-8", "replace")
