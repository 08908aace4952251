"""PreparedMessage: what is sent, encoded at most once per wire form, whoever receives it. Pure.

A text packet and the binary packets that belong to it (a Socket.IO packet and its attachments) are one message, so that
nothing can come between them on any transport.
"""

from __future__ import annotations

from ..websocket.extensions import Deflate
from ..websocket.frames import BINARY, TEXT, encode_frame, frame_head
from . import packet, payload


class PreparedMessage:
    """An Engine.IO text packet (with its type digit, UTF-8) and the binary messages that must follow it directly.

    Without a text (``b""``) it is the binary messages alone.
    """

    __slots__ = ("_body", "_deflated", "_frames", "_head", "_packets", "attachments", "compress")

    def __init__(
        self, text: bytes, attachments: tuple[bytes, ...] = (), body: bytes = b"", compress: bool = True
    ) -> None:
        """``body`` is the rest of the text where it is long: kept apart, it is copied only once, into the frame.

        ``compress``: whether it may be compressed on its way, where the client can.
        """
        self._head = text
        self._body = body
        self.attachments = attachments
        self.compress = compress
        self._frames: bytes | None = None
        self._packets: bytes | None = None
        self._deflated: tuple[Deflate, bytes] | None = None

    @property
    def text(self) -> bytes:
        """The text packet."""
        return self._head + self._body

    @property
    def size(self) -> int:
        """Bytes that count against an outbox."""
        return len(self._head) + len(self._body) + sum(map(len, self.attachments))

    def frames(self) -> bytes:
        """The WebSocket frames, all in one piece of bytes."""
        frames = self._frames
        if frames is None:
            head, body = self._head, self._body
            frames = b"".join((frame_head(len(head) + len(body)), head, body)) if head else b""
            if self.attachments:
                frames += b"".join([encode_frame(attachment, BINARY) for attachment in self.attachments])
            self._frames = frames
        return frames

    def deflated_frames(self, deflate: Deflate) -> bytes:
        """The same frames with the text, and each attachment, compressed where that makes it smaller (RFC 7692).

        Compressed once for all connections of the server with these settings, and by nobody while it may not be.
        """
        deflated = self._deflated
        if deflated is None or deflated[0] is not deflate:
            deflated = self._deflated = (deflate, self._deflate(deflate))
        return deflated[1]

    def packets(self) -> bytes:
        """The packets of a polling body, joined."""
        if not self.attachments:
            return self.text
        packets = self._packets
        if packets is None:
            text = [self.text] if self._head else []
            packets = payload.join([*text, *map(payload.encode_binary, self.attachments)])
            self._packets = packets
        return packets

    def _deflate(self, deflate: Deflate) -> bytes:
        if not self.compress or self.size < deflate.threshold:
            return self.frames()
        pieces = [(TEXT, self.text)] if self._head else []
        pieces += [(BINARY, attachment) for attachment in self.attachments]
        compressed = [deflate.compress(piece) for _, piece in pieces]
        if not any(compressed):
            return self.frames()
        return b"".join(
            [
                encode_frame(piece, opcode) if smaller is None else encode_frame(smaller, opcode, rsv1=True)
                for (opcode, piece), smaller in zip(pieces, compressed, strict=True)
            ]
        )


PING = PreparedMessage(packet.PING_PACKET)
PROBE_PONG = PreparedMessage(packet.PROBE_PONG_PACKET)
