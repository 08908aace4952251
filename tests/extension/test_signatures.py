"""Old and new signatures of connect and disconnect handlers: told apart by inspection, never by call and catch."""

import functools
import inspect

import pytest

from flask_socketio_py import Namespace
from flask_socketio_py.signatures import accepts


class Recorder:
    """Handlers as methods, static methods and an object that can be called."""

    def __init__(self):
        self.seen = []

    def with_argument(self, value):
        self.seen.append(value)

    def without(self):
        self.seen.append("none")

    def optional(self, value="default"):
        self.seen.append(value)

    def rest(self, *args):
        self.seen.append(list(args))

    def only_keywords(self, *, value="keyword"):
        self.seen.append(value)

    __call__ = with_argument


class Silent(Recorder):
    def __call__(self):
        self.seen.append("none")


def through_wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def partial_of_two(recorder):
    return functools.partial(lambda seen, value: seen.append(value), recorder.seen)


def partial_of_one(recorder):
    return functools.partial(lambda seen: seen.append("none"), recorder.seen)


GIVEN = object()
FORMS = [
    ("bound method with an argument", lambda r: r.with_argument, GIVEN),
    ("bound method without", lambda r: r.without, "none"),
    ("optional argument", lambda r: r.optional, GIVEN),
    ("*args", lambda r: r.rest, [GIVEN]),
    ("keyword only", lambda r: r.only_keywords, "keyword"),
    ("lambda with an argument", lambda r: lambda value: r.seen.append(value), GIVEN),
    ("lambda without", lambda r: lambda: r.seen.append("none"), "none"),
    ("partial that leaves one", partial_of_two, GIVEN),
    ("partial that leaves none", partial_of_one, "none"),
    ("functools.wraps around one argument", lambda r: through_wraps(r.with_argument), GIVEN),
    ("functools.wraps around none", lambda r: through_wraps(r.without), "none"),
    ("functools.wraps twice", lambda r: through_wraps(through_wraps(r.without)), "none"),
    ("object that can be called", lambda r: r, GIVEN),
    ("builtin method", lambda r: r.seen.append, GIVEN),
]
each_form = pytest.mark.parametrize(("make", "expected"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])


def filled(expected, value):
    return [value] if expected == [GIVEN] else value if expected is GIVEN else expected


@each_form
@pytest.mark.parametrize("auth", [{"token": "t"}, None])
def test_connect(socketio, connect, make, expected, auth):
    recorder = Recorder()
    socketio.on("connect")(make(recorder))
    assert connect(auth=auth).is_connected()
    assert recorder.seen == [filled(expected, auth)]


@each_form
def test_disconnect(socketio, connect, make, expected):
    recorder = Recorder()
    socketio.on("disconnect")(make(recorder))
    connect().disconnect()
    assert recorder.seen == [filled(expected, "client disconnect")]


def test_an_object_that_is_called_without_arguments(socketio, connect):
    silent = Silent()
    socketio.on("connect")(silent)
    socketio.on("disconnect")(silent)
    connect().disconnect()
    assert silent.seen == ["none", "none"]


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_methods_of_a_class_namespace(socketio, connect, old):
    seen = []

    class New(Namespace):
        def on_connect(self, auth):
            seen.append(auth)

        def on_disconnect(self, reason):
            seen.append(reason)

    class Old(Namespace):
        def on_connect(self):
            seen.append("connect")

        def on_disconnect(self):
            seen.append("disconnect")

    socketio.on_namespace((Old if old else New)("/n"))
    connect("/n", auth={"t": 1}).disconnect("/n")
    assert seen == (["connect", "disconnect"] if old else [{"t": 1}, "client disconnect"])


@pytest.mark.parametrize("event", ["connect", "disconnect"])
def test_a_type_error_inside_is_no_signature(socketio, connect, event, caplog):
    calls = []

    def handler(value=None):
        calls.append(value)
        raise TypeError("on purpose")

    socketio.on(event)(handler)
    client = connect(auth={"t": 1})
    if event == "disconnect":
        client.disconnect()
    assert calls == [{"t": 1} if event == "connect" else "client disconnect"]
    assert "on purpose" in caplog.text


def test_an_event_called_with_too_many_arguments_is_not_tried_again(socketio, connect, caplog):
    calls = []
    socketio.on("one")(lambda value: calls.append(value))
    connect().emit("one", 1, 2)
    assert calls == []
    assert "takes 1 positional argument but 2 were given" in caplog.text


def test_the_signature_is_looked_at_once_when_the_handler_is_registered(socketio, connect, monkeypatch):
    looked_at = []

    def look(function, **options):
        looked_at.append(function)
        return signature(function, **options)

    signature = inspect.signature
    handler = Recorder().with_argument
    monkeypatch.setattr(inspect, "signature", look)
    socketio.on("connect")(handler)
    assert looked_at == [handler]
    connect()
    connect()
    assert looked_at == [handler]


def test_a_builtin_without_a_signature_gets_the_argument():
    assert accepts(dict.fromkeys, None)
    assert accepts(print, None)
    assert not accepts(lambda: None, None)
    assert not accepts(lambda a, b: None, None)
