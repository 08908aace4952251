"""Emits from background greenlets and from real threads of the operating system, to clients of a real server."""

import itertools
import json
import sys
import threading

import gevent
import pytest
from flask import request

from extension.net import Polling, WebSocket, running
from extension.wire import wait_for
from flask_socketio_py import join_room, rooms

FROM_THREADPOOL = "gevent's thread pool"
FROM_NATIVE = "a native thread"
FROM_GREENLET = "a greenlet"
SOURCES = [FROM_GREENLET, FROM_THREADPOOL, FROM_NATIVE]


def run_from(source, function, *args):
    """Runs a function there, and waits for its end while this thread's greenlets run on."""
    if source == FROM_GREENLET:
        return gevent.spawn(function, *args).get(timeout=20)
    if source == FROM_THREADPOOL:
        return gevent.get_hub().threadpool.apply(function, args)
    failed = []

    def guarded():
        try:
            function(*args)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    wait_for(lambda: not thread.is_alive(), "the thread ended")
    if failed:
        raise failed[0]
    return None


@pytest.fixture
def served(app, socketio):
    socketio.on("join")(lambda room: join_room(room))
    socketio.on("rooms")(lambda: rooms())
    with running(app) as port:
        yield port


@pytest.mark.parametrize("source", SOURCES)
def test_emits_reach_clients_of_both_transports_in_order(socketio, served, source):
    websocket, polling = WebSocket(served), Polling(served)

    def emit_numbers():
        for number in range(100):
            socketio.emit("n", number)
        socketio.emit("end", {"data": b"\x07"})

    polled = gevent.spawn(polling.receive, 102)
    run_from(source, emit_numbers)
    expected = [f'42["n",{number}]' for number in range(100)] + ['451-["end",{"data":{"_placeholder":true,"num":0}}]']
    assert [websocket.receive() for _ in range(102)] == [*expected, b"\x07"]
    assert polled.get(timeout=20) == [*expected, "bBw=="]
    polling.close()
    websocket.close()


@pytest.mark.parametrize("source", SOURCES)
def test_an_emit_wakes_a_server_in_which_nothing_happens(socketio, served, source):
    """The next heartbeat is 25 seconds away; until the emit comes, the loop sleeps."""
    websocket = WebSocket(served)
    received = gevent.spawn(websocket.receive)
    gevent.sleep(0.05)
    if source == FROM_NATIVE:
        thread = threading.Thread(target=socketio.emit, args=("wake",))
        thread.start()
        assert received.get(timeout=15) == '42["wake"]'
        thread.join()
    else:
        run_from(source, socketio.emit, "wake")
        assert received.get(timeout=15) == '42["wake"]'
    websocket.close()


@pytest.mark.parametrize("source", SOURCES)
def test_rooms_targets_and_callbacks(socketio, served, source):
    first, second = WebSocket(served), WebSocket(served)
    answers = []

    def act():
        socketio.server.enter_room(first.sid, "r")
        socketio.emit("room", to="r")
        socketio.emit("others", skip_sid=first.sid)
        socketio.emit("question", to=first.sid, callback=lambda *args: answers.append(args))

    run_from(source, act)
    assert first.receive() == '42["room"]'
    question = first.receive()
    assert question.endswith('["question"]')
    assert second.receive() == '42["others"]'
    first.send(f'43{question[2 : question.index("[")]}["answer",1]')
    wait_for(lambda: answers, "the callback ran")
    assert answers == [("answer", 1)]
    first.send('427["rooms"]')
    assert json.loads(first.receive()[3:]) == [[first.sid, "r"]]
    first.close()
    second.close()


@pytest.mark.parametrize("source", SOURCES)
def test_disconnecting_from_there(socketio, served, source):
    ended = []
    socketio.on("disconnect")(lambda reason: ended.append((request.sid, reason)))
    websocket = WebSocket(served)
    run_from(source, socketio.server.disconnect, websocket.sid)
    assert websocket.receive() == "41"
    wait_for(lambda: ended, "the handler ran")
    assert ended == [(websocket.sid, "server disconnect")]
    websocket.close()


@pytest.mark.parametrize("source", SOURCES)
def test_what_cannot_be_sent_is_an_error_there(socketio, served, source):
    websocket = WebSocket(served)
    with pytest.raises(TypeError):
        run_from(source, socketio.emit, "x", object())
    with pytest.raises(ValueError, match="reserved"):
        run_from(source, socketio.emit, "connect")
    socketio.emit("fine")
    assert websocket.receive() == '42["fine"]'
    websocket.close()


USES = {
    "emit": lambda socketio, number: socketio.emit("n", number),
    "emit to rooms": lambda socketio, number: socketio.emit("n", number, to=["r", "s"]),
    "emit to a room but for some": lambda socketio, number: socketio.emit(
        "n", number, to="r", skip_sid=["nobody", "x"]
    ),
    "emit to all but for some": lambda socketio, number: socketio.emit("n", number, skip_sid="nobody"),
    "look at the rooms": lambda socketio, number: len(socketio.server.manager.rooms),
    "look at the participants": lambda socketio, number: list(socketio.server.manager.get_participants("/", "r")),
    "look at the connections": lambda socketio, number: len(socketio.server.environ) + len(socketio.server.eio.sockets),
}


@pytest.mark.parametrize("use", USES)
def test_threads_at_work_while_clients_come_and_go(app, socketio, use):
    """With a tiny switch interval, so that the threads take turns in the middle of everything."""
    socketio.on("join")(lambda room: join_room(room))
    failed, stop, turns = [], threading.Event(), []

    def work():
        try:
            for number in itertools.count():
                if stop.is_set():
                    return
                USES[use](socketio, number)
                turns.append(number)
                stop.wait(0.001)
        except BaseException as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    threads = [threading.Thread(target=work) for _ in range(2)]
    staying = socketio.test_client(app)
    staying.emit("join", "r")
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        clients = []
        for _ in range(80):
            clients.append(socketio.test_client(app))
            clients[-1].emit("join", "r")
            if len(clients) > 20:
                clients.pop(0).close()
        for client in clients:
            client.close()
    finally:
        stop.set()
        wait_for(lambda: not any(thread.is_alive() for thread in threads), "the threads ended")
        sys.setswitchinterval(interval)
    assert failed == []
    assert turns
    socketio.emit("end")
    gevent.sleep(0.01)
    names = [item["name"] for item in staying.get_received()]
    assert "end" in names
    assert "n" in names or not use.startswith("emit")
    staying.close()


def test_background_task_has_join_and_get(socketio):
    results = []
    task = socketio.start_background_task(lambda *args, **kwargs: results.append((args, kwargs)), 1, a=2)
    task.join()
    assert results == [((1,), {"a": 2})]


def test_sleep_lets_others_run(socketio):
    order = []
    tasks = [
        socketio.start_background_task(lambda n=n: (order.append(n), socketio.sleep(), order.append(n))) for n in (1, 2)
    ]
    gevent.joinall(tasks, timeout=20)
    assert order == [1, 2, 1, 2]


def test_a_background_loop_that_sleeps_and_emits(socketio, connect):
    client = connect()

    def loop():
        for number in range(3):
            socketio.sleep(0.001)
            socketio.emit("tick", number)

    socketio.start_background_task(loop).join()
    assert [item["args"] for item in client.get_received()] == [[0], [1], [2]]
