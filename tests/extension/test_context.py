"""Flask inside a handler: request, g, current_app, URLs, templates, flashes, blueprints, signals, teardown."""

import flask
import pytest
from flask import Blueprint, current_app, g, get_flashed_messages, render_template_string, request, url_for
from werkzeug.local import LocalProxy

from flask_socketio_py import SocketIO, join_room


def test_request_has_sid_namespace_and_event(socketio, connect):
    seen = []

    def look(*args):
        seen.append((request.sid, request.namespace, request.event))

    for event in ("connect", "ask", "disconnect"):
        socketio.on(event, namespace="/n")(look)
    client = connect("/n", auth={"a": 1})
    client.emit("ask", 1, [2], namespace="/n")
    client.disconnect("/n")
    sids = {sid for sid, _, _ in seen}
    assert len(sids) == 1
    assert sids.pop() != client.eio_sid, "the id of the connection is private"
    assert [namespace for _, namespace, _ in seen] == ["/n"] * 3
    assert [event for _, _, event in seen][1] == {"message": "ask", "args": (1, [2])}
    assert [event["message"] for _, _, event in seen] == ["connect", "ask", "disconnect"]


def test_request_is_the_real_request_of_the_handshake(app, socketio, connect):
    class MyRequest(flask.Request):
        @property
        def greeting(self):
            return "hello " + self.args["name"]

    app.request_class = MyRequest
    seen = {}

    @socketio.on("connect")
    def look():
        real = request._get_current_object() if isinstance(request, LocalProxy) else request
        seen.update(
            type=type(real),
            greeting=request.greeting,
            args=request.args.to_dict(),
            header=request.headers["X-Mine"],
            cookie=request.cookies.get("c"),
            remote_addr=request.remote_addr,
            agent=request.user_agent.string,
            method=request.method,
            path=request.path,
            host=request.host,
            secure=request.is_secure,
            environ=request.environ["PATH_INFO"],
            json=request.get_json(silent=True),
            data=request.data,
        )

    http = app.test_client()
    http.set_cookie("c", "1")
    connect(query_string="?name=ann&b=2", headers={"X-Mine": "yes", "User-Agent": "tests"}, flask_test_client=http)
    assert seen == {
        "type": MyRequest,
        "greeting": "hello ann",
        "args": {"name": "ann", "b": "2"},
        "header": "yes",
        "cookie": "1",
        "remote_addr": "127.0.0.1",
        "agent": "tests",
        "method": "GET",
        "path": "/socket.io/",
        "host": "localhost",
        "secure": False,
        "environ": "/socket.io/",
        "json": None,
        "data": b"",
    }


def test_what_a_handler_hangs_on_request_and_g_is_gone_with_the_next_event(socketio, connect):
    @socketio.on("set")
    def set_both():
        g.value = request.value = 1
        return g.value + request.value

    socketio.on("get")(lambda: [hasattr(g, "value"), hasattr(request, "value"), "value" in g, g.get("value", "none")])
    client = connect()
    assert client.emit("set", callback=True) == 2
    assert client.emit("get", callback=True) == [False, False, False, "none"]


def test_two_handlers_of_one_client_at_once_have_their_own(socketio, connect):
    seen = []

    @socketio.on("slow")
    def slow(number):
        g.number = number
        socketio.sleep(0.01 * (3 - number))
        seen.append((number, g.number, request.event["args"]))

    @socketio.on("start")
    def start():
        return [request.sid]

    client = connect()
    session = client._session
    for number in range(3):
        session.receive(f'42["slow",{number}]')
    client.emit("start")
    assert sorted(seen) == [(number, number, (number,)) for number in range(3)]
    assert seen != sorted(seen), "they did overlap"


def test_current_app_is_the_application_itself(app, socketio, connect):
    app.config["COLOUR"] = "blue"
    socketio.on("ask")(lambda: [current_app.config["COLOUR"], current_app._get_current_object() is app])
    assert connect().emit("ask", callback=True) == ["blue", True]


def test_url_for(app, socketio, connect):
    app.add_url_rule("/item/<int:number>", "item", lambda number: "")
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.add_url_rule("/", "index", lambda: "")
    app.register_blueprint(blueprint)
    socketio.on("ask")(
        lambda: [
            url_for("item", number=3, q="x"),
            url_for("shop.index"),
            url_for("item", number=3, _external=True),
            url_for("static", filename="a.js"),
        ]
    )
    assert connect().emit("ask", callback=True) == [
        "/item/3?q=x",
        "/shop/",
        "http://localhost/item/3",
        "/static/a.js",
    ]


def test_templates_see_request_session_g_and_context_processors(app, socketio, connect):
    app.context_processor(lambda: {"extra": "processed"})

    @socketio.on("render")
    def render():
        g.name = "<g>"
        flask.session["name"] = "session"
        return render_template_string(
            "{{ g.name }} {{ session.name }} {{ request.namespace }} {{ extra }} {{ config.SECRET_KEY|length }}"
        )

    assert connect().emit("render", callback=True) == "&lt;g&gt; session / processed 14"


def test_flash(socketio, connect):
    socketio.on("flash")(lambda text: flask.flash(text, "news"))
    socketio.on("read")(lambda: get_flashed_messages(with_categories=True) + get_flashed_messages())
    client = connect()
    client.emit("flash", "one")
    client.emit("flash", "two")
    assert client.emit("read", callback=True) == [["news", "one"], ["news", "two"], "one", "two"]
    assert client.emit("read", callback=True) == []


def test_after_this_request_does_not_fail(socketio, connect):
    @socketio.on("ask")
    def ask():
        flask.after_this_request(lambda response: response)
        return "fine"

    assert connect().emit("ask", callback=True) == "fine"


def test_before_and_after_request_do_not_run(app, socketio, connect):
    ran = []
    app.before_request(lambda: ran.append("before"))
    app.after_request(lambda response: ran.append("after") or response)
    socketio.on("ask")(lambda: 1)
    assert connect().emit("ask", callback=True) == 1
    assert ran == []


def test_has_context_in_a_handler_and_not_after(socketio, connect):
    socketio.on("ask")(lambda: [flask.has_request_context(), flask.has_app_context()])
    assert connect().emit("ask", callback=True) == [True, True]
    assert (flask.has_request_context(), flask.has_app_context()) == (False, False)


def test_contexts_pushed_inside_a_handler(app, socketio, connect):
    @socketio.on("ask")
    def ask():
        g.value = "mine"
        seen = []
        with app.app_context():
            seen.append(g.get("value"))
        with app.test_request_context("/other?a=1"):
            seen.append([request.path, request.args["a"], hasattr(request, "sid")])
        seen.append(app.test_client().get("/page").text)
        return [*seen, g.value, request.path, request.sid == flask.request.sid]

    app.add_url_rule("/page", "page", lambda: f"page {request.path}")
    assert connect().emit("ask", callback=True) == [
        None,
        ["/other", "1", False],
        "page /page",
        "mine",
        "/socket.io/",
        True,
    ]


def test_a_test_client_inside_a_callers_context_leaves_it_alone(app, socketio, connect):
    socketio.on("ask")(lambda: [request.path, g.get("value")])
    with app.test_request_context("/outside"):
        g.value = "outside"
        assert connect().emit("ask", callback=True) == ["/socket.io/", None]
        assert (request.path, g.value) == ("/outside", "outside")


def test_handlers_in_a_module_with_a_blueprint(app):
    socketio = SocketIO()
    blueprint = Blueprint("chat", __name__)

    @blueprint.route("/members/<room>")
    def members(room):
        return str(len(socketio.server.manager.rooms["/"].get(room, {})))

    @socketio.on("join")
    def join(room):
        join_room(room)
        return url_for("chat.members", room=room)

    app.register_blueprint(blueprint)
    socketio.init_app(app)
    client = socketio.test_client(app)
    assert client.emit("join", "r", callback=True) == "/members/r"
    assert app.test_client().get("/members/r").data == b"1"
    client.close()


@pytest.mark.parametrize("name", ["sid", "namespace", "event"])
def test_an_http_request_has_none_of_it(app, socketio, name):
    app.add_url_rule("/", "page", lambda: str(hasattr(request, name)))
    assert app.test_client().get("/").data == b"False"


def test_the_logger_writes_where_the_server_logs(app, socketio, connect, capfd):
    """With no other handler Flask's logger writes to what the WSGI server gave the request."""

    @socketio.on("ask")
    def look():
        app.logger.addHandler(flask.logging.default_handler)  # what it does itself unless pytest listens
        try:
            app.logger.warning("from a handler")
        finally:
            app.logger.removeHandler(flask.logging.default_handler)

    connect("/").emit("ask")
    written = capfd.readouterr().err
    assert "from a handler" in written
    assert "Logging error" not in written
