"""PreparedMessage: what is sent, encoded at most once per wire form, whoever receives it. Pure.

A text packet and the binary packets that belong to it (a Socket.IO packet and its attachments) are one message, so that
nothing can come between them on any transport.
"""

from __future__ import annotations

from ..websocket.extensions import Deflate
from ..websocket.frames import BINARY, TEXT, encode_frame, frame_head
from . import packet, payload
from .revision3 import Encoder


class PreparedMessage:
    """An Engine.IO text packet (with its type digit, UTF-8) and the binary messages that must follow it directly.

    Without a text (``b""``) it is the binary messages alone.
    """

    __slots__ = ("_body", "_forms", "_frames", "_head", "attachments", "compress")

    def __init__(
        self, text: bytes, attachments: tuple[bytes, ...] = (), body: bytes = b"", compress: bool = True
    ) -> None:
        """``body`` is the rest of the text where it is long: kept apart, it is copied only once, into the frame.

        ``compress`` says whether compressing it is worth while, where the connection can (Node: ``compress(false)``).
        """
        self._head = text
        self._body = body
        self.attachments = attachments
        self.compress = compress
        self._frames: bytes | None = None
        # Wire forms that few messages need, by what makes them; None: the packets of a polling body.
        self._forms: dict[Encoder | Deflate | None, bytes] | None = None

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
        forms = self._kept_forms()
        form = forms.get(deflate)
        if form is None:
            form = forms[deflate] = self._deflate(deflate)
        return form

    def packets(self) -> bytes:
        """The packets of a polling body, joined."""
        if not self.attachments:
            return self.text
        forms = self._kept_forms()
        packets = forms.get(None)
        if packets is None:
            text = [self.text] if self._head else []
            packets = forms[None] = payload.join([*text, *map(payload.encode_binary, self.attachments)])
        return packets

    def form(self, encoder: Encoder) -> bytes:
        """A further wire form: what an encoder of ``revision3`` makes of this message, made once."""
        forms = self._kept_forms()
        form = forms.get(encoder)
        if form is None:
            form = forms[encoder] = encoder(self.text, self.attachments)
        return form

    def _kept_forms(self) -> dict[Encoder | Deflate | None, bytes]:
        if self._forms is None:
            self._forms = {}
        return self._forms

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


# Control packets alone make no body worth compressing.
CLOSE = PreparedMessage(packet.CLOSE_PACKET, compress=False)
PING = PreparedMessage(packet.PING_PACKET, compress=False)
PONG = PreparedMessage(packet.PONG_PACKET, compress=False)
NOOP = PreparedMessage(packet.NOOP_PACKET, compress=False)
PROBE_PONG = PreparedMessage(packet.PROBE_PONG_PACKET, compress=False)


def prepare(data: str | bytes) -> PreparedMessage:
    """One message of Engine.IO: text or binary data.

    Raises:
        TypeError: for other data.
        ValueError: for text with U+001E, which separates packets in a polling payload.
    """
    if isinstance(data, bytes):
        return PreparedMessage(b"", (data,))
    if not isinstance(data, str):
        raise TypeError(f"a message must be str or bytes, not {type(data).__name__}")
    if payload.SEPARATOR in data:
        raise ValueError("a message of text can't hold the character U+001E, which separates packets")
    return PreparedMessage(packet.encode(packet.MESSAGE, data))
