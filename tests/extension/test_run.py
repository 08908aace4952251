"""``run`` and ``stop``: where it listens, what it refuses with words that help, what ends with it."""

import logging
import threading

import gevent
import pytest
from flask import Flask

from extension.net import Polling, WebSocket, request, running
from extension.wire import wait_for
from flask_socketio_py import SocketIO


def test_it_serves_the_application_and_the_endpoint(app, socketio):
    app.add_url_rule("/", "page", lambda: "page")
    socketio.on("echo")(lambda value: value)
    with running(app) as port:
        assert request(port, "GET", "/").body == b"page"
        assert request(port, "GET", "/nowhere").status == 404
        websocket = WebSocket(port)
        websocket.send('421["echo",[1]]')
        assert websocket.receive() == "431[[1]]"
        polling = Polling(port)
        polling.post('422["echo",2]')
        assert polling.poll() == ["432[2]"]
        polling.close()
        websocket.close()
    assert socketio.wsgi_server is None


def test_where_it_listens_by_default(app, socketio, monkeypatch):
    addresses = []

    class Listening(Exception):
        """Instead of serving."""

    def look(server, *args, **options):
        addresses.append(server.address)
        raise Listening

    from gevent.pywsgi import WSGIServer

    monkeypatch.setattr(WSGIServer, "serve_forever", look)
    for name, options in [
        (None, {}),
        ("chat.example:8080", {}),
        ("chat.example", {}),
        ("chat.example:8080", {"port": 81, "host": "0.0.0.0"}),
        (None, {"host": "::1", "port": 9}),
    ]:
        app.config["SERVER_NAME"] = name
        with pytest.raises(Listening):
            socketio.run(app, **options)
    assert addresses == [
        ("127.0.0.1", 5000),
        ("127.0.0.1", 8080),
        ("127.0.0.1", 5000),
        ("0.0.0.0", 81),
        ("::1", 9),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "manage_session",
        "cors_allowed_origins",
        "ping_interval",
        "async_mode",
        "message_queue",
        "client_manager",
        "channel",
    ],
)
def test_an_option_of_the_constructor_is_a_type_error_that_says_so(app, socketio, name):
    with pytest.raises(TypeError, match=rf"{name} is an option of SocketIO\(app, {name}=...\), not of run\(\)"):
        socketio.run(app, port=0, **{name: None})


@pytest.mark.parametrize("name", ["nonsense", "reload", "key_file", "prot"])
def test_an_unknown_option_is_a_type_error_that_names_it(app, socketio, name):
    with pytest.raises(TypeError, match=name), running(app, **{name: 1}):
        pass


@pytest.mark.parametrize(
    "options", [{"allow_unsafe_werkzeug": True}, {"use_reloader": False}, {"log_output": False}], ids=str
)
def test_flask_socketios_options_are_accepted(app, socketio, options):
    with running(app, **options) as port:
        assert request(port, "GET", "/").status == 404


def test_options_of_gevents_server_reach_it(app, socketio):
    with running(app, backlog=7, spawn=50) as port:
        assert socketio.wsgi_server.backlog == 7
        assert request(port, "GET", "/").status == 404


def test_debug(app, socketio):
    with running(app, debug=True, use_reloader=False, log_output=False):
        assert app.debug
    with running(app, use_reloader=False, log_output=False):
        assert app.debug, "by default it stays as the application has it"
    with running(app, debug=False):
        assert not app.debug


def test_log_output(app, socketio, capsys):
    with running(app, log_output=True) as port:
        request(port, "GET", "/logged")
    with running(app) as port:
        request(port, "GET", "/silent")
    captured = "".join(capsys.readouterr())
    assert '"GET /logged HTTP/1.1" 404' in captured
    assert "/silent" not in captured


def test_an_unpatched_process_is_told_what_to_do(app, socketio, caplog):
    with caplog.at_level(logging.WARNING, "flask_socketio_py"), running(app):
        pass
    assert "monkey.patch_all()" in caplog.text
    assert "python -m flask_socketio_py run module:app" in caplog.text


def test_stop_without_a_server(socketio):
    with pytest.raises(RuntimeError, match="none runs"):
        socketio.stop()


def test_stop_closes_sessions_and_lets_disconnect_handlers_end(app, socketio):
    ended = []

    @socketio.on("disconnect")
    def note(reason):
        socketio.sleep(0.05)
        ended.append(reason)

    with running(app) as port:
        clients = [WebSocket(port), Polling(port)]
        assert len(socketio.server.eio.sockets) == 2
    assert ended == ["server shutting down"] * 2
    assert socketio.server.eio.sockets == {}
    clients[0].close()


def test_stop_from_a_handler_and_from_a_request(app, socketio):
    socketio.on("stop")(lambda: socketio.stop())
    app.add_url_rule("/stop", "stop", lambda: socketio.stop() or "stopped")
    for use in ("event", "request"):
        extension = SocketIO(app) if use == "request" else socketio
        app.extensions["socketio"] = socketio = extension
        server = gevent.spawn(socketio.run, app, port=0)
        wait_for(
            lambda socketio=socketio: socketio.wsgi_server is not None and socketio.wsgi_server.started, "it serves"
        )
        port = socketio.wsgi_server.server_port
        if use == "event":
            websocket = WebSocket(port)
            websocket.send('42["stop"]')
            server.get(timeout=20)
            websocket.close()
        else:
            request(port, "GET", "/stop")
            server.get(timeout=20)
        with pytest.raises(ConnectionRefusedError):
            request(port, "GET", "/")


def test_run_again_after_stop(app, socketio):
    """Flask-SocketIO's servers can be run, stopped and run again, as test suites of applications do."""
    socketio.on("echo")(lambda value: value)
    for number in range(2):
        with running(app) as port:
            websocket = WebSocket(port)
            websocket.send(f'421["echo",{number}]')
            assert websocket.receive() == f"431[{number}]"
            websocket.close()


def test_run_in_a_thread_and_stop_from_another(app, socketio):
    socketio.on("echo")(lambda value: value)
    thread = threading.Thread(target=socketio.run, args=(app,), kwargs={"port": 0})
    thread.start()
    try:
        wait_for(lambda: socketio.wsgi_server is not None and socketio.wsgi_server.started, "it serves")
        websocket = WebSocket(socketio.wsgi_server.server_port)
        websocket.send('421["echo",1]')
        assert websocket.receive() == "431[1]"
        socketio.emit("from the main thread")
        assert websocket.receive() == '42["from the main thread"]'
        websocket.close()
    finally:
        socketio.stop()
        wait_for(lambda: not thread.is_alive(), "the server's thread ended")


def test_two_servers_of_two_applications_at_once():
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        SocketIO(app).on("who")(lambda name=app.name: name)
    with running(apps[0]) as first, running(apps[1]) as second:
        answers = []
        for port in (first, second):
            websocket = WebSocket(port)
            websocket.send('421["who"]')
            answers.append(websocket.receive())
            websocket.close()
    assert answers == ['431["one"]', '431["two"]']
