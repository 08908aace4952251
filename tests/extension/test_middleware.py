"""``use``: who is asked in which order, every form of a refusal, and that nothing else than a yes lets a client in."""

import builtins
from http import HTTPStatus

import gevent
import pytest
from flask import Response, abort, g, redirect, request, session
from werkzeug.exceptions import HTTPException, Unauthorized

from extension.wire import Wire, wait_for
from flask_socketio_py import ConnectionRefusedError, SocketIO, current_socket, emit, join_room

REJECTED = {"message": "Connection rejected by server"}
BROKEN = {"message": "Internal server error"}


def unauthorized(status=401):
    return {"message": HTTPStatus(status).phrase, "data": {"status": status}}


class Teapot(HTTPException):
    code = 418
    name = "Teapot"


def raiser(error):
    def raise_it(socket):
        raise error

    return raise_it


REFUSALS = {
    "ours": (raiser(ConnectionRefusedError()), REJECTED),
    "ours with a message": (raiser(ConnectionRefusedError("no")), {"message": "no"}),
    "ours with data": (raiser(ConnectionRefusedError("no", {"a": [1]})), {"message": "no", "data": {"a": [1]}}),
    "ours with more": (raiser(ConnectionRefusedError("no", 1, 2)), {"message": "no", "data": [1, 2]}),
    "the builtin": (raiser(builtins.ConnectionRefusedError("secret")), {"message": "Connection refused by server"}),
    "False": (lambda socket: False, REJECTED),
    "a tuple": (lambda socket: ("no", 401), unauthorized()),
    "a tuple with headers": (lambda socket: ("no", 401, {"a": "b"}), unauthorized()),
    "a tuple with a text": (lambda socket: ("no", "401 UNAUTHORIZED"), unauthorized()),
    "a tuple with an enumeration": (lambda socket: ("no", HTTPStatus.FORBIDDEN), unauthorized(403)),
    "a response": (lambda socket: Response("no", 401), unauthorized()),
    "a response in a tuple": (lambda socket: (Response("no", 403),), unauthorized(403)),
    "a redirection": (lambda socket: redirect("/login"), unauthorized(302)),
    "abort": (lambda socket: abort(401), unauthorized()),
    "abort with a response": (lambda socket: abort(Response("no", 403)), unauthorized(403)),
    "abort with a redirection": (lambda socket: abort(redirect("/login")), unauthorized(302)),
    "an HTTP exception": (raiser(Unauthorized("secret")), unauthorized()),
    "an HTTP exception of one's own": (raiser(Teapot()), {"message": "Teapot", "data": {"status": 418}}),
    "an exception": (raiser(ValueError("secret")), BROKEN),
    "an assertion": (raiser(AssertionError()), BROKEN),
    "a timeout": (raiser(gevent.Timeout(1)), BROKEN),
    "a kill": (raiser(gevent.GreenletExit()), BROKEN),
    "data that can't be sent": (raiser(ConnectionRefusedError("no", object())), {"message": "no"}),
}


@pytest.mark.parametrize("swallow", [False, True])
@pytest.mark.parametrize("form", REFUSALS)
def test_forms_of_a_refusal(socketio, connect, form, swallow, caplog):
    middleware, error = REFUSALS[form]
    reached = []
    socketio.use(lambda socket: join_room("room"))
    socketio.use(middleware)
    socketio.use(lambda socket: reached.append("the next one"))
    socketio.on("connect")(lambda: reached.append("connect"))
    socketio.on("disconnect")(lambda: reached.append("disconnect"))
    if swallow:
        socketio.on_error()(lambda error: None)
        socketio.on_error_default(lambda error: True)
    client = connect()
    assert client.connect_error == error
    assert not client.is_connected()
    assert reached == []
    assert socketio._serving().of("/").sockets == {}


@pytest.mark.parametrize("answer", [None, True, 0, "", "False", 200, ("fine", 200), Response("fine", 204), []])
def test_what_lets_in(socketio, connect, answer):
    socketio.use(lambda socket: answer)
    assert connect().is_connected()


def test_the_order(socketio, connect):
    order = []
    chat = socketio.of("/chat")
    chat.use(lambda socket: order.append("chat 1"))
    socketio.use(lambda socket: order.append("any 1"), namespace="*")
    socketio.use(lambda socket: order.append("main"))
    socketio.use(namespace="chat")(lambda socket: order.append("chat 2"))
    socketio.use(namespace="*")(lambda socket: order.append("any 2"))
    chat.on("connect")(lambda: order.append("connect"))
    client = connect("/chat")
    assert order == ["any 1", "any 2", "chat 1", "chat 2", "connect"]
    order.clear()
    client.connect()
    assert order == ["any 1", "any 2", "main"]


def test_what_is_returned_is_the_function(socketio):
    def middleware(socket):
        """It stays what it is."""

    assert socketio.use(middleware) is middleware
    assert socketio.use(namespace="/x")(middleware) is middleware
    assert socketio.of("/x").use(middleware) is middleware
    for wrong in (1, "use", [middleware]):
        with pytest.raises(TypeError, match="use must be given a function"):
            socketio.use(wrong)


def test_it_has_the_context_of_the_connection(app, socketio, connect):
    seen = []
    flask_client = app.test_client()
    with flask_client.session_transaction() as saved:
        saved["user"] = "Ada"

    @socketio.use
    def middleware(socket):
        g.user = session["user"]
        socket.data["user"] = g.user
        seen.append((request.sid == socket.id, current_socket == socket, socket.connected, request.event["message"]))

    socketio.on("who")(lambda: (current_socket.data["user"], hasattr(g, "user")))
    client = connect(flask_test_client=flask_client, auth={"a": 1})
    assert seen == [(True, True, False, "connect")]
    assert client.emit("who", callback=True) == ["Ada", False]


def test_emits_of_a_middleware_arrive_after_connect(app, socketio):
    @socketio.use
    def middleware(socket):
        socket.emit("one")
        emit("two")
        gevent.sleep(0)
        socketio.emit("three", to=socket.id)

    wire = Wire(app)
    wire.join()
    assert wire.received[0].startswith('0{"sid"')
    assert wire.received[1:] == ['2["one"]', '2["two"]', '2["three"]']
    wire.vanish()


@pytest.mark.parametrize("always_connect", [False, True])
def test_a_client_that_leaves_while_a_middleware_waits_leaves_nothing(app, always_connect):
    socketio = SocketIO(app, always_connect=always_connect)
    gate, reached = gevent.event.Event(), []
    socketio.use(lambda socket: gate.wait() and None)
    socketio.use(lambda socket: reached.append("the next one"))
    socketio.on("connect")(lambda: reached.append("connect"))
    socketio.on("disconnect")(lambda: reached.append("disconnect"))
    leaving, staying = Wire(app), Wire(app)
    leaving.push("0")
    staying.push("0")
    gevent.sleep(0)
    assert socketio._serving().dispatcher.running == 2
    leaving.vanish()
    assert not staying.received
    gate.set()
    for wire in (leaving, staying):
        wait_for(lambda wire=wire: not wire.session.handler.in_flight, "all has ended")
    assert len(staying.received) == 1
    assert reached == ["the next one", "connect"]
    assert socketio.count() == len(socketio._serving().of("/").sockets) == 1
    staying.vanish()
    wait_for(lambda: socketio._serving().of("/").sockets == {}, "nothing is left")
    assert reached == ["the next one", "connect", "disconnect"]


def test_always_connect_comes_after_the_middleware_and_before_the_handler(app):
    socketio = SocketIO(app, always_connect=True)
    seen = []
    socketio.use(lambda socket: seen.append(socket.connected))
    socketio.on("connect")(lambda: seen.append(current_socket.connected) or emit("from the handler"))
    wire = Wire(app)
    wire.join()
    wire.wait('2["from the handler"]')
    assert seen == [False, True]
    wire.vanish()


def test_a_middleware_may_register_functions_of_the_socket(socketio, connect):
    @socketio.use
    def middleware(socket):
        socket.on("whoami", lambda: socket.id)
        socket.join("members")

    client = connect()
    [socket] = socketio.to("members").fetch_sockets()
    assert client.emit("whoami", callback=True) == socket.id


def test_functions_registered_later_count(socketio, connect):
    assert connect().is_connected()
    socketio.use(lambda socket: False)
    assert connect().connect_error == REJECTED
