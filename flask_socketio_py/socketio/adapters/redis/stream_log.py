"""The entries of the streams adapter's log: what one says, which one is a repetition, how ids are compared. Pure.

Format: ``@socket.io/redis-streams-adapter`` 0.3 (facts: ``wire`` 2.6). Ours have two fields more, which Node overlooks:
``seq`` numbers the entries of one server, because an XADD whose answer got lost is sent again and may be in the stream
twice; ``recovered`` says that a client is on another server now.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from typing import NamedTuple

from ....errors import PacketError
from .. import shapes
from ..cluster_codec import ClusterCodec, MessageType, message_of, operation_of
from ..operations import Operation, Request

#: An id of an entry, to be compared.
Number = tuple[int, int]
_OFFSET = re.compile(r"([0-9]{1,20})-([0-9]{1,20})", re.ASCII)
#: Before everything.
START = "0-0"

_KIND = re.compile(rb"[0-9]{1,3}")
_SEQUENCE = re.compile(rb"[0-9]{1,18}")
#: Servers whose numbers are remembered, and how far back a number may still be missing.
MAX_SERVERS = 1000
MAX_MISSING = 1000


def number(identifier: str) -> Number:
    """The id of an entry, to be compared."""
    milliseconds, _, sequence = identifier.partition("-")
    return int(milliseconds), int(sequence)


def following(identifier: str) -> str:
    """The smallest id after this one. (Exclusive ranges are younger than some servers.)"""
    milliseconds, sequence = number(identifier)
    return f"{milliseconds}-{sequence + 1}" if sequence < 2**64 - 1 else f"{milliseconds + 1}-0"


def is_offset(text: str) -> bool:
    """Whether this may be the id of an entry. (Clients send it back as offset, or what they like.)"""
    match = _OFFSET.fullmatch(text)
    return match is not None and all(int(part) < 2**64 for part in match.groups())


class Entry(NamedTuple):
    """One entry, looked at; what it says is still encoded."""

    uid: str
    namespace: str
    kind: int
    data: bytes
    #: ``None`` for those of other software.
    sequence: int | None
    #: A client has come back on another server.
    recovered: bool

    @property
    def is_broadcast(self) -> bool:
        return self.kind == MessageType.BROADCAST


def entry_of(fields: dict[bytes, bytes]) -> Entry:
    """An entry's fields, looked at.

    Raises:
        PacketError: these are no entry's.
    """
    try:
        uid, namespace = fields[b"uid"].decode(), fields[b"nsp"].decode()
        kind, data, sequence = fields[b"type"], fields.get(b"data", b""), fields.get(b"seq")
    except (KeyError, UnicodeDecodeError) as error:
        raise PacketError("an entry of the log lacks something") from error
    if not _KIND.fullmatch(kind):
        raise PacketError("an entry of the log has no type")
    known = sequence is not None and _SEQUENCE.fullmatch(sequence)
    return Entry(
        shapes.heard_id(uid), namespace, int(kind), data, int(sequence) if known and sequence else None,
        b"recovered" in fields,
    )  # fmt: skip


class LogCodec:
    """What entries say. The codec gives JSON and MessagePack."""

    def __init__(self, codec: ClusterCodec) -> None:
        self._codec = codec

    def encode(self, operation: Request) -> tuple[int, bytes]:
        """The type and the data of an operation's entry.

        Raises:
            TypeError, ValueError: for what has no form on the wire.
        """
        kind, data = message_of(operation, self._codec.json)
        text, attachments = self._codec.json.encode(data)
        return kind, base64.b64encode(self._codec.msgpack.encode(data)) if attachments else text

    def decode(self, kind: int, data: bytes) -> Operation:
        """The operation.

        Raises:
            PacketError: for anything else.
        """
        if data[:1] != b"{":
            try:
                data = base64.b64decode(data, validate=True)
            except binascii.Error as error:
                raise PacketError("neither JSON nor base64") from error
            return operation_of(kind, self._codec.msgpack.decode(data))
        try:
            return operation_of(kind, self._codec.json.decode(data.decode()))
        except UnicodeDecodeError as error:
            raise PacketError("not UTF-8") from error


class Seen:
    """Which entries of which server have been read. Their numbers grow, but some may be late, or never come."""

    def __init__(self) -> None:
        # uid -> the highest number, and those below that are still missing.
        self._servers: OrderedDict[str, tuple[int, set[int]]] = OrderedDict()

    def has(self, entry: Entry) -> bool:
        """Whether it is a repetition."""
        top, missing = self._servers.get(entry.uid, (-1, ()))
        return entry.sequence is not None and entry.sequence <= top and entry.sequence not in missing

    def add(self, entry: Entry) -> bool:
        """Note an entry; whether it is new."""
        sequence = entry.sequence
        if sequence is None:
            return True
        if self.has(entry):
            return False
        known = self._servers.get(entry.uid)
        top, missing = known if known is not None else (sequence - 1, set())
        if sequence < top:
            missing.discard(sequence)
        else:
            if sequence > top + 1:
                missing.update(range(max(top + 1, sequence - MAX_MISSING), sequence))
            top = sequence
            if len(missing) > MAX_MISSING:
                missing = {one for one in missing if one >= top - MAX_MISSING}
        self._servers[entry.uid] = top, missing
        self._servers.move_to_end(entry.uid)
        while len(self._servers) > MAX_SERVERS:
            self._servers.popitem(last=False)
        return True
