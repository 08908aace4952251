"""Owns that the tables of "Coming from Node" are true: what an emit reaches, the reasons, the options' defaults."""

import re

import pytest
from flask import Flask, request

from flask_socketio_py import SocketIO, emit, join_room, send
from flask_socketio_py.config import Options
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.handlers import LEGACY_REASONS
from tests.docs.pages import page, rows

PAGE = page("docs/intro/from-node.md")
#: Who receives: the client that the event is of (it is in the rooms a and b), one in the room a, one in no room, and
#: one in the namespace /y.
RECEIVERS = {
    "socket.emit": "1000",
    "socket.send": "1000",
    "socket.broadcast.emit": "0110",
    "io.emit": "1110",
    "io.volatile.emit": "1110",
    'io.to("a").emit': "1100",
    'socket.to("a").emit': "0100",
    'io.to("a").to("b").emit': "1100",
    'io.to("a").except("b").emit': "0100",
    'io.of("/y").emit': "0001",
}
EMITS = [
    pytest.param(node.strip("`").rpartition("(")[0], code.strip("`"), in_handler, id=f"{code.strip('`')}")
    for node, *ours in rows(PAGE, 3)[1:]
    for code, in_handler in zip(ours, (True, False), strict=True)
    if code
]
REASONS = {cells[0]: cells[1] for cells in rows(PAGE, 2) if any(f"`{reason}`" in cells[0] for reason in Reason)}
OPTIONS = [cells for cells in rows(PAGE, 2) if re.match(r"`\w+: ", cells[0])]


def test_there_are_tables():
    assert {case.values[0] for case in EMITS} == set(RECEIVERS)
    assert len(OPTIONS) > 15
    assert len(REASONS) == 3


@pytest.mark.parametrize(("node", "code", "in_handler"), EMITS)
def test_an_emit_reaches_whom_it_reaches_in_node(node, code, in_handler):
    app = Flask("app")
    socketio = SocketIO(app, namespaces=["/", "/y"])

    @socketio.on("join")
    def join(*rooms):
        for room in rooms:
            join_room(room)
        return request.sid

    @socketio.on("run")
    def run():
        eval(code, {"emit": emit, "send": send})

    one, two, three = (socketio.test_client(app) for _ in range(3))
    three.connect("/y")
    sid = one.emit("join", "a", "b", callback=True)
    two.emit("join", "a", callback=True)
    if in_handler:
        one.emit("run")
    else:
        eval(code, {"socketio": socketio, "sid": sid})
    places = [(one, "/"), (two, "/"), (three, "/"), (three, "/y")]
    received = [client.get_received(namespace) for client, namespace in places]
    assert "".join(str(len(events)) for events in received) == RECEIVERS[node]
    payloads = [event["args"] for events in received for event in events]
    assert payloads
    assert all(payload in ([1], "text") for payload in payloads)


def test_the_reasons():
    named = set()
    for node, here in REASONS.items():
        for name in re.findall(r"`([a-z ]+)`", node):
            assert here in ("the same", f"`{LEGACY_REASONS.get(Reason(name))}`")
            assert (here == "the same") == (Reason(name) not in LEGACY_REASONS)
            named.add(name)
    assert {reason.value for reason in Reason} - named == {Reason.OUTBOX_FULL, Reason.CONNECT_TIMEOUT}


@pytest.mark.parametrize("cells", OPTIONS, ids=lambda cells: cells[0].strip("`").partition(":")[0])
def test_an_option_has_its_name_and_its_default(cells):
    node, here = cells
    name, default = re.match(r"`(\w+)=(.+?)`", here).groups()
    assert eval(default) == getattr(Options, name)
    in_node, node_default = node.strip("`").split(": ", 1)
    assert re.sub("[A-Z]+", lambda capitals: f"_{capitals[0].lower()}", in_node) == name
    if re.fullmatch("[0-9e]+", node_default):
        divisor = 1 if "Size" in in_node else 1000
        assert float(node_default) / divisor == getattr(Options, name)
