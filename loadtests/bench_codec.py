"""What encoding and decoding costs: packets of Socket.IO in JSON and MessagePack, bodies of long-polling.

python loadtests/bench_codec.py [pyperf's options]
"""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from flask_socketio_py.engineio import payload
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.socketio.json_codec import JsonCodec
from flask_socketio_py.socketio.msgpack_parser import MsgpackParser
from flask_socketio_py.socketio.parser import DefaultParser
from loadtests.measure import Bench, of_call, run_as_script

json = DefaultParser(JsonCodec())
msgpack = MsgpackParser()
RECORD = {"id": 17, "name": "somebody", "text": "x" * 20, "on": True, "tags": ["a", "b"], "at": 1.5}
LARGE = ["chat", [RECORD] * 160]
PREFIX, MSGPACK_PREFIX = json.prefix("/"), msgpack.prefix("/")


def text_of(message: PreparedMessage) -> str:
    return message.text.decode()[1:]


def frames(parser: DefaultParser | MsgpackParser, prefix: bytes, args: list[object]) -> bytes:
    return parser.encode_event(prefix, args, None).frames()


def read(body: bytes) -> None:
    deque(payload.decode(body), 0)


BODY = payload.join([text_of(json.encode_event(PREFIX, ["chat", RECORD], None)).encode()] * 20)
BENCHES: list[Bench] = [
    of_call("decode event, 32 B", json.decode, '2["chat","xxxxxxxxxxxxxxxxxxxxxx"]'),
    of_call("decode event with ack id, 1 kB", json.decode, '217["chat","' + "x" * 1000 + '"]'),
    of_call("decode event, object of 20 kB", json.decode, text_of(json.encode_event(PREFIX, LARGE, None))),
    of_call("decode event of a namespace", json.decode, '2/chat,17["chat",{"text":"x"}]'),
    of_call("decode ack", json.decode, '317["done"]'),
    of_call("decode binary event's head", json.decode, '51-["chat",{"_placeholder":true,"num":0}]'),
    of_call("encode event, 32 B, to frames", frames, json, PREFIX, ["chat", "x" * 22]),
    of_call("encode event, object, to frames", frames, json, PREFIX, ["chat", RECORD]),
    of_call("encode event, object of 20 kB, to frames", frames, json, PREFIX, LARGE),
    of_call("encode event, binary of 1 kB, to frames", frames, json, PREFIX, ["chat", b"x" * 1000]),
    of_call("encode ack", partial(json.encode_ack, PREFIX), ["done"], 17),
    of_call(
        "msgpack: decode event, object",
        msgpack.decode,
        b"".join(msgpack.encode_event(MSGPACK_PREFIX, ["chat", RECORD], 1).attachments),
    ),
    of_call("msgpack: encode event, object, to frames", frames, msgpack, MSGPACK_PREFIX, ["chat", RECORD]),
    of_call(
        "long-polling: read a body of 20 packets", read, b"\x1e".join([b"4" + part for part in BODY.split(b"\x1e")])
    ),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
