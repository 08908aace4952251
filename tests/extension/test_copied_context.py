"""Contexts that outlive their event: ``copy_current_request_context`` and the callbacks of emits."""

from flask import copy_current_request_context, current_app, g, request, session, url_for

from extension.wire import Wire, wait_for
from flask_socketio_py import call, emit, join_room, rooms


def test_copied_context_keeps_sid_namespace_and_event_in_another_greenlet(app, socketio, connect):
    app.add_url_rule("/", "page", lambda: "")
    seen = []

    @socketio.on("start", namespace="/n")
    def start(value):
        session["colour"] = "blue"

        @copy_current_request_context
        def task():
            socketio.sleep(0.01)
            seen.append([request.sid, request.namespace, request.event, session["colour"], url_for("page")])

        socketio.start_background_task(task)
        return request.sid

    client = connect("/n")
    sid = client.emit("start", 7, callback=True, namespace="/n")
    wait_for(lambda: seen, "the task ran")
    assert seen == [[sid, "/n", {"message": "start", "args": (7,)}, "blue", "/"]]


def test_a_later_event_does_not_change_the_copied_context(socketio, connect):
    seen = []

    @socketio.on("start")
    def start(number):
        @copy_current_request_context
        def task():
            socketio.sleep(0.02)
            seen.append((number, request.event["args"], g.get("number")))

        g.number = number
        socketio.start_background_task(task)

    client = connect()
    for number in range(3):
        client.emit("start", number)
    wait_for(lambda: len(seen) == 3, "all tasks ran")
    assert seen == [(number, (number,), None) for number in range(3)]


def test_context_functions_work_in_a_copied_context(socketio, connect):
    done = []

    @socketio.on("start")
    def start():
        @copy_current_request_context
        def task():
            socketio.sleep(0)
            emit("to me", 1)
            join_room("r")
            done.append(sorted(rooms()) == sorted([request.sid, "r"]))

        socketio.start_background_task(task)

    client, other = connect(), connect()
    client.emit("start")
    wait_for(lambda: done, "the task ran")
    assert done == [True]
    assert client.get_received() == [{"name": "to me", "args": [1], "namespace": "/"}]
    assert other.get_received() == []


def test_include_self_false_leaves_the_copied_client_out(socketio, connect):
    done = []

    @socketio.on("start")
    def start():
        @copy_current_request_context
        def task():
            emit("news", "shortcut", broadcast=True, include_self=False)
            socketio.emit("news", "method", include_self=False)
            socketio.send("news", include_self=False)
            done.append(True)

        socketio.start_background_task(task)

    client, other = connect(), connect()
    client.emit("start")
    wait_for(lambda: done, "the task ran")
    assert [item["args"] for item in other.get_received()] == [["shortcut"], ["method"], "news"]
    assert client.get_received() == []


def answer(wire, packet, ack):
    wait_for(lambda: any(str(item).startswith(packet) for item in wire.received), f"{packet} arrives")
    text = next(str(item) for item in wire.received if str(item).startswith(packet))
    ack_id = text[len(packet) : text.index("[")]
    wire.push(f"3{packet[1:]}{ack_id}{ack}")


def test_a_callback_runs_in_a_request_context_of_the_emitting_client(app, socketio):
    seen = []

    @socketio.on("start", namespace="/n")
    def start():
        g.value = "of the event"
        session["colour"] = "blue"

        def callback(*args):
            seen.append([request.sid, request.namespace, current_app.name, session["colour"], g.get("value"), args])

        emit("question", callback=callback)

    wire = Wire(app)
    sid = wire.join("/n")
    wire.push('2/n,["start"]')
    answer(wire, "2/n,", '[1,"two"]')
    wait_for(lambda: seen, "the callback ran")
    assert seen == [[sid, "/n", app.name, "blue", None, (1, "two")]]
    wire.vanish()


def test_a_callback_of_an_emit_to_another_client_runs_for_the_emitting_one(app, socketio):
    seen = []

    @socketio.on("ask")
    def ask(sid):
        emit("question", to=sid, callback=lambda *args: seen.append((request.sid, args)))

    asking, asked = Wire(app), Wire(app)
    asking_sid, asked_sid = asking.join(), asked.join()
    asking.push(f'2["ask","{asked_sid}"]')
    answer(asked, "2", "[]")
    wait_for(lambda: seen, "the callback ran")
    assert seen == [(asking_sid, ())]
    asking.vanish()
    asked.vanish()


def test_a_callback_emitted_from_a_copied_context_has_the_context_too(app, socketio):
    seen = []

    @socketio.on("start")
    def start():
        @copy_current_request_context
        def task():
            socketio.emit("question", to=request.sid, callback=lambda *args: seen.append((request.sid, args)))

        socketio.start_background_task(task)

    wire = Wire(app)
    sid = wire.join()
    wire.push('2["start"]')
    answer(wire, "2", "[5]")
    wait_for(lambda: seen, "the callback ran")
    assert seen == [(sid, (5,))]
    wire.vanish()


def test_a_callback_from_outside_has_no_context_and_may_emit_and_call(app, socketio):
    seen = []

    def callback(*args):
        socketio.emit("thanks", list(args))
        seen.append(args)

    wire = Wire(app)
    sid = wire.join()
    socketio.emit("question", to=sid, callback=callback)
    answer(wire, "2", '["x"]')
    wire.wait('2["thanks",["x"]]')
    assert seen == [("x",)]
    wire.vanish()


def test_a_callback_may_block_and_use_context_functions(app, socketio):
    seen = []

    @socketio.on("start")
    def start():
        def callback(value):
            seen.append((value, call("again", timeout=20)))

        emit("question", callback=callback)

    wire = Wire(app)
    wire.join()
    wire.push('2["start"]')
    answer(wire, "2", '["first"]')
    wire.received.clear()
    answer(wire, "2", '["second"]')
    wait_for(lambda: seen, "the callback ran")
    assert seen == [("first", "second")]
    wire.vanish()


def test_a_callback_that_fails_is_logged_and_harms_nobody(app, socketio, caplog):
    socketio.on("ask")(lambda: "fine")
    wire = Wire(app)
    sid = wire.join()
    socketio.emit("question", to=sid, callback=lambda: 1 / 0)
    answer(wire, "2", "[]")
    wait_for(lambda: "ZeroDivisionError" in caplog.text, "it is logged")
    wire.push('21["ask"]')
    wire.wait('31["fine"]')
    wire.vanish()
