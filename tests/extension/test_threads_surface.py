"""What the Node surface does when another thread of the operating system asks: acknowledgements, rooms, recovery.

The hub that serves the clients does the work; the thread sees errors at the call, and one order.
"""

import json
import threading

import gevent
import pytest
from flask import Flask

from extension.test_threads import FROM_NATIVE, FROM_THREADPOOL, run_from
from extension.wire import Wire, wait_for
from flask_socketio_py import BroadcastTimeoutError, DisconnectedError, SocketIO, TimeoutError

THREADS = [FROM_NATIVE, FROM_THREADPOOL]


@pytest.fixture
def client(socketio, connect):
    client = connect()
    client.answer("ask", lambda *args: ["answer", *args])
    return client


def socket_of(socketio):
    [socket] = socketio.sockets.values()
    return socket


def from_thread(source, function, *args):
    """What a function returns or raises in another thread."""
    results = []

    def run():
        try:
            results.append((function(*args), None))
        except Exception as error:
            results.append((None, error))

    run_from(source, run)
    value, error = results[0]
    if error is not None:
        raise error
    return value


@pytest.mark.parametrize("source", THREADS)
def test_acknowledgements_are_awaited_there(socketio, client, source):
    socket = socket_of(socketio)
    assert from_thread(source, socket.emit_with_ack, "ask", 1) == ["answer", 1]
    assert from_thread(source, socketio.emit_with_ack, "ask", 2) == [["answer", 2]]
    assert from_thread(source, socket.timeout(5).emit_with_ack, "ask", b"\1") == ["answer", b"\1"]
    assert socket.client._calls == 0


@pytest.mark.parametrize("source", THREADS)
def test_what_is_not_answered_times_out_there(socketio, client, source):
    socket = socket_of(socketio)
    with pytest.raises(TimeoutError):
        from_thread(source, socket.timeout(0.01).emit_with_ack, "silence")
    with pytest.raises(BroadcastTimeoutError) as error:
        from_thread(source, socketio.timeout(0.01).emit_with_ack, "silence")
    assert error.value.missing == [socket.id]
    wait_for(lambda: socket.client._calls == 0, "nobody waits any more")
    assert not socket._acks
    client.close()
    with pytest.raises(DisconnectedError):
        from_thread(source, socket.emit_with_ack, "ask")


@pytest.mark.parametrize("source", THREADS)
def test_callbacks_with_a_timeout_run_in_the_hubs_thread(socketio, client, source):
    answers = []

    def remember(*args):
        answers.append((threading.get_ident(), args))

    socket = socket_of(socketio)
    from_thread(source, lambda: socket.timeout(5).emit("ask", 1, callback=remember))
    from_thread(source, lambda: socketio.timeout(5).emit("ask", 2, callback=remember))
    from_thread(source, lambda: socket.timeout(0.01).emit("silence", callback=remember))
    wait_for(lambda: len(answers) == 3, "all have run")
    assert {thread for thread, _ in answers} == {threading.get_ident()}
    [first, second, third] = [args for _, args in answers]
    assert first == (None, ["answer", 1])
    assert second == (None, [["answer", 2]])
    assert isinstance(third[0], TimeoutError)


@pytest.mark.parametrize("source", THREADS)
@pytest.mark.parametrize("recovery", [False, True])
def test_the_callers_mistakes_are_errors_there_and_reach_nobody(source, recovery):
    app = Flask(__name__)
    socketio = SocketIO(app, connection_state_recovery=recovery)
    client = socketio.test_client(app)
    socket = socket_of(socketio)
    other = socketio.test_client(app)
    everybody = list(socketio.sockets)
    socketio.to(socket.id).sockets_join("a")
    for ask in (
        socketio.emit,
        socketio.emit_with_ack,
        socketio.timeout(1).emit_with_ack,
        lambda *args: socketio.timeout(1).emit(*args, callback=print),
        socket.emit_with_ack,
        lambda *args: socket.timeout(1).emit(*args, callback=print),
    ):
        with pytest.raises(TypeError):
            from_thread(source, ask, "x", object())
        with pytest.raises(ValueError, match="reserved"):
            from_thread(source, ask, "connect")
    for call in (
        lambda: socketio.to(["a", ["b"]]),
        lambda: socketio.emit("x", to=["a", ["b"]]),
        lambda: socketio.emit("x", skip_sid=[["b"]]),
        lambda: socketio.sockets_join({}),
        lambda: socketio.to("a").sockets_join([["b"]]),
    ):
        with pytest.raises(TypeError):
            from_thread(source, call)
    with pytest.raises(ValueError, match="sid room"):
        from_thread(source, socketio.to("a").sockets_join, everybody[1])
    gevent.sleep(0.01)
    assert client.get_received() == []
    assert socket.rooms == [socket.id, "a"]
    client.close()
    other.close()


@pytest.mark.parametrize("source", THREADS)
def test_rooms_and_disconnecting(socketio, connect, source):
    clients = [connect() for _ in range(3)]
    first, second, third = socketio.sockets.values()
    from_thread(source, socketio.to(first.id, second.id).sockets_join, "a", ["b"])
    wait_for(lambda: second.rooms[1:] == ["a", "b"] or set(second.rooms[1:]) == {"a", "b"}, "they joined")
    from_thread(source, socketio.to("a").except_(first.id).sockets_leave, "a")
    wait_for(lambda: "a" not in second.rooms, "it left")
    assert ("a" in first.rooms, third.rooms) == (True, [third.id])
    assert from_thread(source, socketio.to("b").count) == 2
    assert {socket.id for socket in from_thread(source, socketio.to("b").fetch_sockets)} == {first.id, second.id}
    from_thread(source, socketio.to("b").disconnect_sockets)
    wait_for(lambda: [client.is_connected() for client in clients] == [False, False, True], "two have gone")
    from_thread(source, third.disconnect)
    wait_for(lambda: socketio.count() == 0, "the third has gone")


@pytest.mark.parametrize("source", THREADS)
@pytest.mark.parametrize("recovery", [False, True])
def test_data_changed_after_the_call_is_sent_as_it_was(source, recovery):
    app = Flask(__name__)
    socketio = SocketIO(app, connection_state_recovery=recovery)
    client = socketio.test_client(app)
    client.answer("ask", lambda value: value)
    answers = []

    def emit():
        data = {}
        for number in range(20):
            data["n"] = number
            socketio.emit("n", data)
        for number in range(3):
            data["n"] = number
            socketio.timeout(5).emit("ask", data, callback=lambda error, got: answers.append(got[0]["n"]))
            socketio.to("nobody").emit("n", data)
        data["n"] = "too late"

    from_thread(source, emit)
    wait_for(lambda: len(answers) == 3, "the callbacks ran")
    received = [item["args"][0]["n"] for item in client.get_received() if item["name"] == "n"]
    assert received == list(range(20))
    assert sorted(answers) == [0, 1, 2]
    client.close()


def test_the_log_of_a_recovery_has_the_order_in_which_clients_receive():
    app = Flask(__name__)
    socketio = SocketIO(app, connection_state_recovery=True)
    wire = Wire(app)
    wire.join()

    def emit(name):
        for number in range(50):
            socketio.emit("n", name, number)

    threads = [threading.Thread(target=emit, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for number in range(50):
        socketio.emit("n", "greenlet", number)
        gevent.sleep(0)
    wait_for(lambda: len(wire.received) == 201, "all of them arrive")
    events = [json.loads(packet[1:]) for packet in wire.received[1:]]
    offsets = [int(event[-1].split("-")[1], 16) for event in events]
    assert offsets == list(range(200))
    for name in ("a", "b", "c", "greenlet"):
        assert [event[2] for event in events if event[1] == name] == list(range(50))
    log = socketio._serving().of("/").adapter.recovery._log
    assert [json.loads(entry.message.text[2:]) for entry in log] == events
    wire.vanish()


@pytest.mark.parametrize("recovery", [None, {"max_disconnection_duration": 0.2}])
def test_a_thread_that_comes_before_the_first_client_takes_nothing_over(recovery):
    """Nobody knows yet which thread will serve: it isn't this one."""
    app = Flask(__name__)
    socketio = SocketIO(app, connection_state_recovery=recovery, ping_interval=0.4, ping_timeout=5)
    announced, answers = [], []
    socketio.on_new_namespace(lambda namespace: announced.append(namespace.name))
    socketio.on("e", namespace="/chat")(lambda: "handled")

    def early():
        socketio.emit("x", 1)
        socketio.of("/chat").emit("x", 1)
        socketio.timeout(5).emit("x", callback=lambda *args: answers.append(args))
        assert socketio.emit_with_ack("x") == []
        gevent.sleep(0.01)

    from_thread(FROM_NATIVE, early)
    assert (announced, answers) == (["/chat"], [(None, [])])
    client = socketio.test_client(app, "/chat")
    assert client.emit("e", namespace="/chat", callback=True) == "handled"
    assert client.get_received("/chat") == []
    # The process's one timer still works, for pings too.
    session = socketio._serving().engine.sessions[client.eio_sid]
    wait_for(lambda: session.awaiting_pong, "a ping is sent")
    client.close()
