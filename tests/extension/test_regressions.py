"""Defects of Flask-SocketIO 5.7 that concern one process, by their number in our research: each stays away.

A8 and A9 (several workers, gevent-websocket's own worker) and A11 (the official protocol suites) belong to the live and
the conformance tests.
"""

import base64
import json

import gevent
import gevent.event
import pytest
from flask import request

from extension.net import Polling, WebSocket, running
from extension.net import request as http
from extension.wire import Wire, wait_for
from flask_socketio_py import SocketIO, emit

ENDPOINT = "/socket.io/?EIO=4&transport="


def nothing_is_left(socketio):
    server = socketio.server
    wait_for(lambda: not server.eio.sockets and not socketio.busy(), "all sessions end")
    assert server.manager.rooms == {}
    assert server.environ == {}


def test_a1_an_exception_in_a_connect_handler_is_answered_and_leaks_nothing(app, socketio, caplog):
    ended = []
    socketio.on("connect")(lambda: 1 / 0)
    socketio.on("disconnect")(lambda reason: ended.append(reason))
    for _ in range(3):
        wire = Wire(app)
        wire.push("0")
        wire.wait('4{"message":"Internal server error"}')
        assert socketio.server.manager.rooms == {}
        wire.vanish()
    assert caplog.text.count("ZeroDivisionError: division by zero") == 3
    assert ended == []
    nothing_is_left(socketio)


@pytest.mark.parametrize("how", ["closes", "vanishes", "leaves the namespace"])
def test_a2_a_client_that_goes_while_its_connect_handler_runs_leaks_nothing(app, socketio, how):
    journal = []
    release = gevent.event.Event()

    @socketio.on("connect")
    def slow():
        journal.append("connect")
        release.wait()

    socketio.on("disconnect")(lambda reason: journal.append("disconnect"))
    wire = Wire(app)
    wire.push("0")
    wait_for(lambda: journal, "the handler runs")
    if how == "vanishes":
        wire.vanish()
    else:
        wire.session.receive("1" if how == "closes" else "41")
    release.set()
    wait_for(lambda: not socketio.busy() or wire.is_open, "the handler ended")
    wire.vanish()
    nothing_is_left(socketio)
    assert journal in (["connect", "disconnect"], ["connect"])
    assert not [item for item in wire.received if str(item).startswith("0")], "it was never told that it is connected"


def test_a2_over_polling(app, socketio):
    release = gevent.event.Event()
    socketio.on("connect")(lambda auth: release.wait())
    with running(app) as port:
        polling = Polling(port, join=False)
        polling.post("40")
        polling.post("1")
        release.set()
        nothing_is_left(socketio)
        socketio.emit("into the void")


@pytest.mark.parametrize("order", [["websocket", "polling"], ["polling", "websocket"]], ids=" then ".join)
def test_a3_a_binary_broadcast_to_both_transports(app, socketio, order):
    with running(app) as port:
        clients = {name: {"websocket": WebSocket, "polling": Polling}[name](port) for name in order}
        socketio.emit("data", {"a": b"\x00\x01\x02"})
        header = '451-["data",{"a":{"_placeholder":true,"num":0}}]'
        assert [clients["websocket"].receive() for _ in range(2)] == [header, b"\x00\x01\x02"]
        assert clients["polling"].receive(2) == [header, "b" + base64.b64encode(b"\x00\x01\x02").decode()]
        for client in clients.values():
            client.close()


def test_a4_a_type_error_in_a_connect_handler_does_not_run_it_again(app, socketio, connect):
    calls = []

    @socketio.on("connect")
    def fail(auth=None):
        calls.append(auth)
        raise TypeError("on purpose")

    @socketio.on("event")
    def fail_too(*args):
        calls.append(args)
        raise TypeError("on purpose")

    assert not connect(auth={"t": 1}).is_connected()
    assert calls == [{"t": 1}]
    socketio.on("connect")(lambda: None)
    connect().emit("event", 1)
    assert calls == [{"t": 1}, (1,)]


@pytest.mark.parametrize("count", [17, 20, 500])
def test_a5_all_packets_of_one_post_are_handled(app, socketio, count):
    seen = []
    socketio.on("n")(lambda number: seen.append(number))
    with running(app) as port:
        polling = Polling(port)
        answer = polling.post(*(f'42["n",{number}]' for number in range(count)))
        assert (answer.status, answer.body) == (200, b"ok")
        wait_for(lambda: len(seen) == count, "all are handled")
        assert seen == list(range(count))
        polling.close()


def test_a6_an_oversize_post_is_answered_and_holds_nothing(app):
    socketio = SocketIO(app, max_http_buffer_size=1000)
    with running(app) as port:
        for _ in range(5):
            polling = Polling(port)
            answer = polling.post('42["n","' + "x" * 2000 + '"]')
            assert answer.status in (400, 413)
            polling.post("1")
        nothing_is_left(socketio)


@pytest.mark.parametrize("async_handlers", [True, False])
def test_a7_handlers_of_one_client_start_in_order(app, async_handlers):
    socketio = SocketIO(app, async_handlers=async_handlers)
    started, ended = [], []

    @socketio.on("n")
    def handle(number):
        started.append(number)
        socketio.sleep(0.01 if number % 2 == 0 else 0)
        ended.append(number)

    wire = Wire(app)
    wire.join()
    wire.push(*(f'2["n",{number}]' for number in range(10)))
    wait_for(lambda: len(ended) == 10, "all ended")
    assert started == list(range(10))
    assert async_handlers or ended == list(range(10))
    wire.vanish()


@pytest.mark.parametrize("ack_id", ["0", "7", "999999999999"])
def test_a10_an_acknowledgement_nobody_asked_for_does_no_harm(app, socketio, ack_id):
    answers = []
    wire = Wire(app)
    sid = wire.join()
    wire.push(f"3{ack_id}[]")
    for number in range(3):
        socketio.emit("q", to=sid, callback=answers.append)
        text = str(wire.received[-1])
        wire.push(f"3{text[1 : text.index('[')]}[{number}]")
    wait_for(lambda: len(answers) == 3, "all answers come")
    assert answers == [0, 1, 2]
    wire.vanish()


def test_a12_what_cannot_be_encoded_is_an_error_for_the_caller(socketio, connect):
    client = connect()
    for use in (socketio.emit, socketio.server.emit, lambda *args: socketio.emit(*args, callback=print)):
        with pytest.raises(TypeError):
            use("x", object())
    socketio.emit("fine")
    assert [item["name"] for item in client.get_received()] == ["fine"]


def test_a13_a_request_on_a_session_that_just_closed_is_a_400(app, socketio):
    with running(app) as port:
        polling = Polling(port)
        polling.post("1")
        for answer in (polling.post('42["n"]'), polling.get()):
            assert answer.status == 400
            assert json.loads(answer.body) == {"code": 1, "message": "Session ID unknown"}


def test_a14_a_client_that_never_joins_is_closed(app):
    socketio = SocketIO(app, connect_timeout=0.2, ping_interval=0.05)
    with running(app) as port:
        idle, joined = WebSocket(port, join=False), WebSocket(port)
        listening = gevent.spawn(joined.receive)  # answers pings
        with pytest.raises((AssertionError, OSError)):
            idle.receive()
        assert list(socketio.server.manager.rooms["/"][None]) == [joined.sid]
        socketio.emit("still here")
        assert listening.get(timeout=20) == '42["still here"]'
        idle.close()
        joined.close()


def test_a14_not_while_its_connect_handler_thinks(app):
    socketio = SocketIO(app, connect_timeout=0.05)
    socketio.on("connect")(lambda: socketio.sleep(0.2))
    wire = Wire(app)
    wire.join()
    wire.vanish()


def test_a15_a_client_that_does_not_read_is_cut_off_and_told_why(app):
    socketio = SocketIO(app, max_outbox_size=200_000)
    reasons = []
    socketio.on("disconnect")(lambda reason: reasons.append((request.sid, reason)))
    with running(app) as port:
        deaf, other = WebSocket(port), WebSocket(port)
        for _ in range(2000):
            socketio.emit("big", "x" * 50_000, to=deaf.sid)
            if reasons:
                break
            gevent.sleep(0)
        wait_for(lambda: reasons, "it is disconnected")
        assert reasons == [(deaf.sid, SocketIO.reason.OUTBOX_FULL)]
        socketio.emit("fine")
        assert other.receive() == '42["fine"]'
        deaf.close()
        other.close()


def test_b25_connect_comes_before_any_event_emitted_in_the_connect_handler(app, socketio):
    @socketio.on("connect")
    def greet():
        emit("first")
        socketio.emit("second", {"data": b"\x01"})
        socketio.server.emit("third", to=request.sid)

    wire = Wire(app)
    sid = wire.join()
    assert wire.received == [
        f'0{{"sid":"{sid}"}}',
        '2["first"]',
        '51-["second",{"data":{"_placeholder":true,"num":0}}]',
        b"\x01",
        '2["third"]',
    ]
    wire.vanish()


def test_b25_what_a_refused_client_was_sent_never_arrives(app, socketio):
    @socketio.on("connect")
    def refuse():
        emit("secret")
        return False

    wire = Wire(app)
    wire.push("0")
    wire.wait('4{"message":"Connection rejected by server"}')
    assert len(wire.received) == 1
    wire.vanish()


def test_b22_flasks_session_can_be_set_and_the_request_replaced_by_a_subclass(app, socketio, connect):
    """Flask 3.1.3 made the request context's session read-only: every connection to Flask-SocketIO 5.6.0 failed."""
    from flask import session

    socketio.on("connect")(lambda auth: session.update(a=1))
    socketio.on("ask")(lambda: session["a"])
    assert connect().emit("ask", callback=True) == 1


def test_sub_second_intervals_are_announced_as_they_are(app):
    SocketIO(app, ping_interval=0.3, ping_timeout=0.2)
    opened = json.loads(app.test_client().get(ENDPOINT + "polling").data[1:])
    assert (opened["pingInterval"], opened["pingTimeout"]) == (300, 200)


@pytest.mark.parametrize("path", ["/socket.io/", "/socket.io/?EIO=4", "/socket.io/?EIO=3&transport=polling"])
def test_a11_bad_requests_are_400(app, socketio, path):
    with running(app) as port:
        assert http(port, "GET", path).status == 400
        assert http(port, "PUT", ENDPOINT + "polling").status == 400
