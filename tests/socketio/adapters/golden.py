"""What official servers and emitters were seen to say (socket.io 4.8.4, redis-adapter 8.3.0, redis-emitter 5.1.0), and
what it means. Captured from Redis; the handshakes are shortened.
"""

from datetime import datetime, timezone

from flask_socketio_py.socketio.adapters.operations import (
    Ack,
    AckCount,
    Broadcast,
    Disconnect,
    Fetch,
    Fetched,
    Join,
    Leave,
    ServerAnswer,
    ServerEvent,
)

_HEAD = b"\x93\xa6QkKoLm\x83\xa4type\x02\xa4data"
_TO_ALL = b"\xa3nsp\xa1/\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80"
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=timezone.utc)

#: The classic adapter's broadcasts, by the server QkKoLm in the namespace /.
BROADCASTS = [
    (
        _HEAD + b"\x94\xa5hello\x01\xa12\x81\xa1a\x93\xc3\xc0\xcb?\xf8\0\0\0\0\0\0" + _TO_ALL,
        Broadcast(["hello", 1, "2", {"a": [True, None, 1.5]}]),
    ),
    (
        _HEAD + b"\x91\xa5hello\xa3nsp\xa1/\x83\xa5rooms\x91\xa5room1\xa6except\x90\xa5flags\x80",
        Broadcast(["hello"], ("room1",)),
    ),
    (
        _HEAD + b"\x91\xa5hello\xa3nsp\xa1/\x83\xa5rooms\x92\xa5room1\xa5room2\xa6except\x91\xa5room3\xa5flags\x80",
        Broadcast(["hello"], ("room1", "room2"), ("room3",)),
    ),
    (
        _HEAD + b"\x91\xa5hello" + _TO_ALL[:-1] + b"\x82\xa8volatile\xc3\xa8compress\xc2",
        Broadcast(["hello"], volatile=True, compress=False),
    ),
    (_HEAD + b"\x92\xa3bin\xc4\x04\x01\x02\x03\x04" + _TO_ALL, Broadcast(["bin", b"\x01\x02\x03\x04"])),
    (
        _HEAD + b"\x93\xa1u\xa3\xe2\x82\xac\xd7\xff\x1dSS\x00eS\xf1\x00" + _TO_ALL,
        Broadcast(["u", "€", MOMENT]),
    ),
]

#: The same of the emitter, whose order of keys is another: message, namespace, broadcast.
EMITTED = [
    (
        b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x92\xa5hello\x01\xa3nsp\xa1/\x83\xa5rooms\x90\xa5flags\x80\xa6except\x90",
        "/",
        Broadcast(["hello", 1]),
    ),
    (
        b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x91\xa5hello\xa3nsp\xa1/\x83\xa5rooms\x91\xa5room1\xa5flags"
        b"\x81\xa8volatile\xc3\xa6except\x90",
        "/",
        Broadcast(["hello"], ("room1",), volatile=True),
    ),
    (
        b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x91\xa5hello\xa3nsp\xa7/custom\x83\xa5rooms\x90\xa5flags\x80"
        b"\xa6except\x90",
        "/custom",
        Broadcast(["hello"]),
    ),
]

#: The classic adapter's requests of the server QkKoLm.
REQUESTS = [
    (
        b"\x85\xa3uid\xa6QkKoLm\xa9requestId\xa6gw11G4\xa4type\x07\xa6packet\x83\xa4type\x02\xa4data\x91\xa5ackme\xa3nsp"
        b"\xa1/\xa4opts\x83\xa5rooms\x90\xa6except\x90\xa5flags\x81\xa7timeout\xcd\x01,",
        Broadcast(["ackme"], request_id="gw11G4", timeout=0.3),
    ),
    (
        b'{"uid":"QkKoLm","requestId":"fwx4v-","type":5,"opts":{"rooms":[],"except":[]}}',
        Fetch("fwx4v-", (), ()),
    ),
    (
        b'{"uid":"QkKoLm","requestId":"LUgi0G","type":5,"opts":{"rooms":["room1"],"except":[]}}',
        Fetch("LUgi0G", ("room1",), ()),
    ),
    (
        b'{"uid":"QkKoLm","type":2,"opts":{"rooms":["room1"],"except":[]},"rooms":["r2","r3"]}',
        Join(("room1",), (), ("r2", "r3")),
    ),
    (
        b'{"uid":"QkKoLm","type":3,"opts":{"rooms":["room1"],"except":[]},"rooms":["r2"]}',
        Leave(("room1",), (), ("r2",)),
    ),
    (b'{"uid":"QkKoLm","type":6,"data":["sse","x",1]}', ServerEvent(["sse", "x", 1])),
    (b'{"uid":"QkKoLm","requestId":"kNQP8I","type":6,"data":["sse"]}', ServerEvent(["sse"], "kNQP8I")),
    (
        b'{"uid":"QkKoLm","type":4,"opts":{"rooms":["room1"],"except":[]},"close":true}',
        Disconnect(("room1",), (), True),
    ),
]

#: The emitter's requests, and old forms: message, who says it, form of the answer, operations.
FURTHER_REQUESTS = [
    (b'{"uid":"QkKoLm","requestId":"veOQPr","type":1}', "QkKoLm", "rooms", (Fetch("veOQPr", (), ()),)),
    (b'{"uid":"u","requestId":"veOQPr","type":0,"rooms":["a"]}', "u", "ids", (Fetch("veOQPr", ("a",), ()),)),
    (
        b'{"type":2,"opts":{"rooms":["room1"],"except":[]},"rooms":["zz"]}',
        None,
        "here",
        (Join(("room1",), (), ("zz",)),),
    ),
    (b'{"type":4,"opts":{"rooms":[],"except":[]},"close":true}', None, "here", (Disconnect((), (), True),)),
    (b'{"uid":"emitter","type":6,"data":["sse","x"]}', "emitter", "sockets", (ServerEvent(["sse", "x"]),)),
    (
        b'{"type":2,"requestId":"r","sid":"s","room":"a"}',
        None,
        "here",
        (Fetch("r", ("s",), ()), Join(("s",), (), ("a",))),
    ),
    (
        b'{"type":3,"requestId":"r","sid":"s","room":"a"}',
        None,
        "here",
        (Fetch("r", ("s",), ()), Leave(("s",), (), ("a",))),
    ),
    (
        b'{"type":4,"requestId":"r","sid":"s","close":true}',
        None,
        "here",
        (Fetch("r", ("s",), ()), Disconnect(("s",), (), True)),
    ),
]

BOB = {
    "id": "g6RLIX8GaxBHBH2zAAAB",
    "handshake": {"headers": {"connection": "Upgrade"}, "issued": 1795454664318, "query": {"EIO": "4"}, "auth": {}},
    "rooms": ["g6RLIX8GaxBHBH2zAAAB", "room1"],
    "data": {"name": "bob"},
}
_BOB = (
    b'{"id":"g6RLIX8GaxBHBH2zAAAB","handshake":{"headers":{"connection":"Upgrade"},"issued":1795454664318,'
    b'"query":{"EIO":"4"},"auth":{}},"rooms":["g6RLIX8GaxBHBH2zAAAB","room1"],"data":{"name":"bob"}}'
)

#: The classic adapter's responses. Ours find out by the id what was asked, so its first letter is ours.
RESPONSES = [
    (b'{"type":8,"requestId":"bw11G4","clientCount":1}', AckCount("w11G4", 1)),
    (b"\x83\xa4type\t\xa9requestId\xa6bw11G4\xa6packet\xa1B", Ack("w11G4", "B")),
    (b"\x83\xa4type\t\xa9requestId\xa6bfco-S\xa6packet\xc4\x03\x01\x02\x03", Ack("fco-S", b"\1\2\3")),
    (b'{"requestId":"fwx4v-","sockets":[' + _BOB + b"]}", Fetched("wx4v-", [BOB])),
    (b'{"type":6,"requestId":"eNQP8I","data":"pong-B"}', ServerAnswer("NQP8I", "pong-B")),
]

_BY = b',"uid":"c847e86ecab2f8fc","nsp":"/"}'
_NO_FLAGS = b'"opts":{"rooms":[],"except":[],"flags":{}}'
_ROOM1 = b'"opts":{"rooms":["room1"],"except":[],"flags":{}}'

#: The sharded adapter's messages, by the server c847e86ecab2f8fc in the namespace /.
SHARDED = [
    (
        b'{"type":3,"data":{"packet":{"type":2,"data":["hello",1,"2",{"a":[true,null,1.5]}]},' + _NO_FLAGS + b"}" + _BY,
        Broadcast(["hello", 1, "2", {"a": [True, None, 1.5]}]),
    ),
    (
        b'{"type":3,"data":{"packet":{"type":2,"data":["hello"]},"opts":{"rooms":["room1","room2"],"except":["room3"],'
        b'"flags":{}}}' + _BY,
        Broadcast(["hello"], ("room1", "room2"), ("room3",)),
    ),
    (
        b'{"type":3,"data":{"packet":{"type":2,"data":["hello"]},"opts":{"rooms":[],"except":[],"flags":'
        b'{"volatile":true,"compress":false}}}' + _BY,
        Broadcast(["hello"], volatile=True, compress=False),
    ),
    (
        b"\x84\xa4type\x03\xa4data\x82\xa6packet\x82\xa4type\x02\xa4data\x92\xa3bin\xc4\x04\x01\x02\x03\x04\xa4opts"
        b"\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80\xa3uid\xb0c847e86ecab2f8fc\xa3nsp\xa1/",
        Broadcast(["bin", b"\x01\x02\x03\x04"]),
    ),
    (
        b'{"type":3,"data":{"packet":{"type":2,"data":["ackme"]},"requestId":"e9dc8d2581478fe8","opts":{"rooms":[],'
        b'"except":[],"flags":{"timeout":300}}}' + _BY,
        Broadcast(["ackme"], request_id="e9dc8d2581478fe8", timeout=0.3),
    ),
    (
        b'{"type":11,"data":{"requestId":"e9dc8d2581478fe8","clientCount":1}' + _BY,
        AckCount("e9dc8d2581478fe8", 1),
    ),
    (b'{"type":12,"data":{"requestId":"e9dc8d2581478fe8","packet":"B"}' + _BY, Ack("e9dc8d2581478fe8", "B")),
    (
        b"\x84\xa4type\x0c\xa4data\x82\xa9requestId\xb0a140aac11a3fa285\xa6packet\xc4\x03\x01\x02\x03\xa3uid"
        b"\xb0c847e86ecab2f8fc\xa3nsp\xa1/",
        Ack("a140aac11a3fa285", b"\1\2\3"),
    ),
    (
        b'{"type":7,"data":{' + _NO_FLAGS + b',"requestId":"70350ae0a1be5366"}' + _BY,
        Fetch("70350ae0a1be5366", (), ()),
    ),
    (
        b'{"type":8,"data":{"requestId":"70350ae0a1be5366","sockets":[' + _BOB + b"]}" + _BY,
        Fetched("70350ae0a1be5366", [BOB]),
    ),
    (b'{"type":4,"data":{' + _ROOM1 + b',"rooms":["r2","r3"]}' + _BY, Join(("room1",), (), ("r2", "r3"))),
    (b'{"type":5,"data":{' + _ROOM1 + b',"rooms":["r2"]}' + _BY, Leave(("room1",), (), ("r2",))),
    (b'{"type":9,"data":{"packet":["sse","x",1]}' + _BY, ServerEvent(["sse", "x", 1])),
    (
        b'{"type":9,"data":{"requestId":"6818583667c73009","packet":["sse"]}' + _BY,
        ServerEvent(["sse"], "6818583667c73009"),
    ),
    (
        b'{"type":10,"data":{"requestId":"6818583667c73009","packet":"pong-B"}' + _BY,
        ServerAnswer("6818583667c73009", "pong-B"),
    ),
    (b'{"type":6,"data":{' + _ROOM1 + b',"close":true}' + _BY, Disconnect(("room1",), (), True)),
]
