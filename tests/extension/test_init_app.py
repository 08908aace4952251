"""Attaching to applications: late, twice, several in one process, handlers before and after."""

import pytest
from flask import Flask, current_app

from flask_socketio_py import Namespace, SocketIO


def ask(app, event="ask", namespace=None):
    client = app.extensions["socketio"].test_client(app, namespace)
    assert client.is_connected(namespace)
    answer = client.emit(event, callback=True, namespace=namespace)
    client.close()
    return answer


def test_constructor_with_the_application(app):
    before = app.wsgi_app
    socketio = SocketIO(app)
    assert app.extensions["socketio"] is socketio
    assert app.wsgi_app is socketio.sockio_mw
    assert socketio.sockio_mw.wsgi_app == before


def test_late_init_app_keeps_the_constructors_options(app):
    socketio = SocketIO(ping_interval=3, cors_allowed_origins="*")
    assert "socketio" not in app.extensions
    socketio.init_app(app, ping_timeout=4)
    options = socketio.engine.options
    assert (options.ping_interval, options.ping_timeout, options.cors_allowed_origins) == (3, 4, "*")
    assert socketio.server_options["ping_interval"] == 3


def test_init_app_wins_over_the_constructor(app):
    socketio = SocketIO(ping_interval=3)
    socketio.init_app(app, ping_interval=5)
    assert socketio.engine.options.ping_interval == 5


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_every_kind_of_handler_registered_before_and_after_init_app(app, late):
    socketio = SocketIO()
    if late:
        socketio.init_app(app)

    class Chat(Namespace):
        def on_ask(self):
            return "class"

    @socketio.on("ask")
    def ask_me():
        return "on"

    @socketio.event
    def named():
        return "event"

    @socketio.on_error_default
    def answer_for(error):
        return str(error)

    @socketio.on("fail")
    def fail():
        raise ValueError("answered")

    socketio.on_event("listed", lambda: "on_event")
    socketio.on_namespace(Chat("/chat"))
    if not late:
        socketio.init_app(app)
    events = ["ask", "named", "listed", "fail"]
    assert [ask(app, event) for event in events] == ["on", "event", "on_event", "answered"]
    assert ask(app, namespace="/chat") == "class"


def test_a_handler_registered_while_a_client_is_connected(socketio, connect):
    client = connect()
    assert client.emit("late", callback=True) is None
    socketio.on("late")(lambda: "here")
    assert client.emit("late", callback=True) == "here"
    socketio.on("late")(lambda: "replaced")
    assert client.emit("late", callback=True) == "replaced"


def test_factory_called_for_every_test_as_applications_do():
    socketio = SocketIO()
    socketio.on("ask")(lambda: current_app.name)

    def create_app(name):
        app = Flask(name)
        socketio.init_app(app)
        return app

    for name in ("first", "second", "third"):
        assert ask(create_app(name)) == name


def test_init_app_twice_with_one_application(app):
    socketio = SocketIO(app, ping_interval=3)
    socketio.on("ask")(lambda: "still")
    socketio.init_app(app, ping_interval=4)
    assert ask(app) == "still"
    opened = app.test_client().get("/socket.io/", query_string="EIO=4&transport=polling")
    assert b'"pingInterval":4000' in opened.data


def test_several_applications_in_one_process_know_nothing_of_each_other():
    apps = [Flask("one"), Flask("two")]
    extensions = [SocketIO(app) for app in apps]
    for number, socketio in enumerate(extensions):
        socketio.on("ask")(lambda number=number: number)
    clients = [socketio.test_client(app) for app, socketio in zip(apps, extensions, strict=True)]
    assert [client.emit("ask", callback=True) for client in clients] == [0, 1]
    extensions[0].emit("news", "first only")
    assert [len(client.get_received()) for client in clients] == [1, 0]
    assert all(len(socketio.server.manager.rooms["/"][None]) == 1 for socketio in extensions)
    for client in clients:
        client.close()


def test_two_extensions_of_one_application_on_two_paths(app):
    main, admin = SocketIO(app), SocketIO(app, path="admin")
    main.on("ask")(lambda: "main")
    admin.on("ask")(lambda: "admin")
    answers = []
    for socketio in (main, admin):
        client = socketio.test_client(app)
        answers.append(client.emit("ask", callback=True))
        client.close()
    assert answers == ["main", "admin"]
    for path in ("/socket.io/", "/admin/"):
        assert app.test_client().get(path, query_string="EIO=4&transport=polling").status_code == 200


def test_a_choice_made_through_the_attribute_survives_init_app(app):
    socketio = SocketIO()
    socketio.manage_session = False
    socketio.init_app(app)
    assert socketio.manage_session is False


def test_what_flask_serves_stays_flasks(app, socketio):
    app.add_url_rule("/", "page", lambda: "page")
    app.add_url_rule("/socket.iox", "other", lambda: "not the endpoint")
    http = app.test_client()
    assert http.get("/").data == b"page"
    assert http.get("/socket.iox").data == b"not the endpoint"
    assert http.get("/nowhere").status_code == 404


def test_middleware_around_and_inside_the_application(app):
    app.add_url_rule("/", "page", lambda: "page")
    inside = app.wsgi_app

    def shout(environ, start_response):
        return [part.upper() for part in inside(environ, start_response)]

    app.wsgi_app = shout
    socketio = SocketIO(app)
    socketio.on("ask")(lambda: "quiet")
    assert app.test_client().get("/").data == b"PAGE"
    assert ask(app) == "quiet"


@pytest.mark.parametrize("use", ["emit", "send", "call", "close_room", "to"])
def test_use_before_init_app_says_what_is_missing(use):
    socketio = SocketIO()
    arguments = {"emit": ("x",), "send": ("x",), "call": ("x",), "close_room": ("x",), "to": ()}[use]
    options = {"to": "sid"} if use == "call" else {}
    with pytest.raises(RuntimeError, match="call init_app\\(app\\) first"):
        getattr(socketio, use)(*arguments, **options)
