"""Options of the constructor: each name, its default, what it refuses, where else it is set, how a mistake is told."""

import dataclasses
import logging
import re
import warnings

import pytest
from contract.naming import shown
from flask import Flask

from flask_socketio_py import SocketIO
from flask_socketio_py.config import Options, build
from flask_socketio_py.socketio.msgpack_parser import MsgpackParser

DEFAULTS = {
    "channel": None,
    "client_manager": None,
    "max_cluster_message_size": 10_000_000,
    "message_queue": None,
    "requests_timeout": 5.0,
    "add_trailing_slash": True,
    "allow_eio3": False,
    "allow_request": None,
    "allow_upgrades": True,
    "always_connect": False,
    "async_handlers": True,
    "async_mode": None,
    "body_timeout": 30.0,
    "cleanup_empty_child_namespaces": False,
    "client_dir": None,
    "compression_threshold": 1024,
    "connect_timeout": 45.0,
    "connection_state_recovery": None,
    "cookie": None,
    "cors": None,
    "cors_allowed_origins": None,
    "cors_credentials": None,
    "default_ack_timeout": 60.0,
    "engineio_logger": False,
    "generate_id": None,
    "http_compression": True,
    "initial_packet": None,
    "json": None,
    "logger": False,
    "manage_session": True,
    "max_handlers_per_client": 100,
    "max_http_buffer_size": 1_000_000,
    "max_namespaces_per_client": 100,
    "max_outbox_size": 4_000_000,
    "namespaces": ("/",),
    "parser": "default",
    "path": "socket.io",
    "per_message_deflate": False,
    "ping_interval": 25.0,
    "ping_timeout": 20.0,
    "serve_client": True,
    "transports": ("polling", "websocket"),
    "upgrade_timeout": 10.0,
}

# What an application written for Flask-SocketIO may pass, all of it without a warning.
ACCEPTED = [
    {"manage_session": False},
    {"message_queue": None},
    {"channel": "mine"},
    {"client_manager": None},
    {"path": "/live"},
    {"resource": "live"},
    {"logger": True},
    {"logger": logging.getLogger("mine")},
    {"engineio_logger": True},
    {"serializer": "default"},
    {"async_handlers": False},
    {"always_connect": True},
    {"namespaces": ["/", "/chat"]},
    {"namespaces": "*"},
    {"async_mode": None},
    {"async_mode": "gevent"},
    {"async_mode": "gevent_uwsgi"},
    {"async_mode": "threading"},
    {"ping_interval": 0.3},
    {"ping_interval": (10, 5)},
    {"ping_timeout": 5},
    {"max_http_buffer_size": 10**8},
    {"allow_upgrades": False},
    {"http_compression": False},
    {"compression_threshold": 0},
    {"http_compression": {"threshold": 0}},
    {"http_compression": {}},
    {"add_trailing_slash": False},
    {"allow_eio3": True},
    {"cookie": "io"},
    {"cookie": True},
    {"cookie": {"name": "io", "path": "/", "Secure": True, "SameSite": lambda: "None"}},
    {"cors_allowed_origins": "*"},
    {"cors_allowed_origins": ["https://a.example", "https://b.example"]},
    {"cors_allowed_origins": []},
    {"cors_allowed_origins": lambda origin: True},
    {"cors_allowed_origins": re.compile(r"https://.*\.example")},
    {"cors_credentials": False},
    {"cors": {"origin": True, "credentials": True, "max_age": 5}},
    {"initial_packet": "2[]"},
    {"initial_packet": b"x"},
    {"initial_packet": lambda: None},
    {"per_message_deflate": True},
    {"per_message_deflate": {}},
    {"per_message_deflate": {"threshold": 0, "level": 1, "mem_level": 9, "server_max_window_bits": 9}},
    {"monitor_clients": False},
    {"transports": ["websocket"]},
    {"transports": "polling"},
    {"debug": False, "threaded": True},
]


def test_defaults():
    options = Options()
    assert {field.name: getattr(options, field.name) for field in dataclasses.fields(options)} == DEFAULTS


@pytest.mark.parametrize("options", ACCEPTED, ids=shown)
def test_accepted_without_a_warning(app, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SocketIO(app, **options)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ping_interval", [0, -1, "25", True, (10, "5"), float("nan"), float("inf")]),
        ("ping_timeout", [0, None, float("inf")]),
        ("upgrade_timeout", [0, False]),
        ("connect_timeout", [-1]),
        ("body_timeout", ["30"]),
        ("max_http_buffer_size", [0, 1.5, "1000000", True]),
        ("max_outbox_size", [-1]),
        ("max_handlers_per_client", [0]),
        ("max_namespaces_per_client", [0]),
        ("transports", [[], "", ["webtransport"], "websockets"]),
        ("async_mode", ["eventlet", "asgi", ""]),
        ("parser", ["pickle", "cbor", None, 5, object(), MsgpackParser]),
        ("default_ack_timeout", [0, "60"]),
        ("allow_eio3", [1, None, "3"]),
        ("per_message_deflate", [None, 1, "yes", [], {"treshold": 5}, {1: 1}, {"threshold": -1}, {"threshold": True}]),
        ("per_message_deflate: level", [{"level": 10}, {"level": -1}, {"level": "6"}, {"level": 6.0}]),
        ("per_message_deflate: mem_level", [{"mem_level": 0}, {"mem_level": 10}]),
        ("per_message_deflate: server_max", [{"server_max_window_bits": bits} for bits in (8, 16, -15, None)]),
        ("per_message_deflate: client_max", [{"client_max_window_bits": bits} for bits in (8, 16, "15")]),
        ("allow_request", [True]),
        ("generate_id", ["id"]),
        ("initial_packet", [5, ["a"], "a\x1eb"]),
        ("path", ["", "/", 5]),
        ("add_trailing_slash", ["no", 1]),
        ("http_compression", ["gzip", 1, None, {"threshold": -1}, {"threshold": "1"}, {"threshhold": 1}, {"level": 1}]),
        ("compression_threshold", [-1, "1024", True, None]),
        ("cors", [True, "*", [], {"origins": "*"}, {"origin": 5}, {"origin": "*", "credentials": True}]),
        ("cors_allowed_origins", [5, True, [5]]),
        ("cors_credentials", ["yes"]),
        ("cookie", [5, "a b", {"name": "io", "http_only": "no"}, {"name": "io", "nonsense": 1}]),
        ("json", [object(), "orjson"]),
    ],
)
def test_a_value_that_cannot_be_meant_is_an_error_that_names_the_option(name, values):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=name):
            SocketIO(Flask("refused"), **{name.partition(":")[0]: value})


def test_async_mode_is_refused_in_flask_socketios_words():
    with pytest.raises(ValueError, match="Invalid async_mode specified") as refused:
        SocketIO(Flask("refused"), async_mode="eventlet")
    assert "eventlet is not supported" in str(refused.value)


def test_threading_is_accepted_with_a_note_that_gevent_serves(app, caplog):
    with caplog.at_level(logging.INFO, "flask_socketio_py"):
        socketio = SocketIO(app, async_mode="threading")
    assert "gevent serves anyway" in caplog.text
    assert socketio.async_mode == socketio.server.async_mode == socketio.server.eio.async_mode == "gevent"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ping_intervall", "ping_interval"),
        ("cors_alowed_origins", "cors_allowed_origins"),
        ("cors_allow_origins", "cors_allowed_origins"),
        ("max_http_buffersize", "max_http_buffer_size"),
        ("async_handler", "async_handlers"),
    ],
)
def test_an_unknown_option_warns_with_the_nearest_name(app, wrong, right):
    with pytest.warns(UserWarning, match=f"no option '{wrong}': it is ignored. Did you mean '{right}'?"):
        SocketIO(app, **{wrong: 3})


def test_the_warning_points_to_the_line_that_passed_the_option(app):
    with pytest.warns(UserWarning, match="no option 'nonsense'") as caught:
        SocketIO(app, nonsense=1)
    assert caught[0].filename == __file__
    assert "mean" not in str(caught[0].message), "nothing is near"


def test_an_unknown_option_of_init_app_warns_too(app):
    socketio = SocketIO()
    with pytest.warns(UserWarning, match="ping_timeot") as caught:
        socketio.init_app(app, ping_timeot=1)
    assert caught[0].filename == __file__


def test_options_in_the_applications_configuration(app):
    app.config.update(SOCKETIO_PING_INTERVAL=7, SOCKETIO_CORS_ALLOWED_ORIGINS="*", SOCKETIO_PATH="/live")
    options = SocketIO(app).engine.options
    assert (options.ping_interval, options.cors_allowed_origins, options.prefix) == (7, "*", "/live/")


def test_an_argument_wins_over_the_configuration(app):
    app.config.update(SOCKETIO_PING_INTERVAL=7, SOCKETIO_PING_TIMEOUT=8)
    options = SocketIO(app, ping_interval=3).engine.options
    assert (options.ping_interval, options.ping_timeout) == (3, 8)


def test_manage_session_in_the_configuration(app):
    app.config["SOCKETIO_MANAGE_SESSION"] = False
    assert SocketIO(app).manage_session is False


def test_a_bad_value_in_the_configuration_is_an_error(app):
    app.config["SOCKETIO_PING_TIMEOUT"] = "20"
    with pytest.raises(ValueError, match="ping_timeout must be a number of seconds above 0, not '20'"):
        SocketIO(app)


@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        ({}, "/socket.io/"),
        ({"path": "live"}, "/live/"),
        ({"path": "/live"}, "/live/"),
        ({"path": "/a/b/"}, "/a/b/"),
        ({"resource": "/live"}, "/live/"),
        ({"path": "wins", "resource": "loses"}, "/wins/"),
    ],
)
def test_path(app, options, prefix):
    SocketIO(app, **options)
    answer = app.test_client().get(prefix, query_string="EIO=4&transport=polling")
    assert answer.status_code == 200
    assert answer.data.startswith(b'0{"sid":')
    if prefix != "/socket.io/":
        assert app.test_client().get("/socket.io/", query_string="EIO=4&transport=polling").status_code == 404


def test_what_the_client_is_told(app):
    SocketIO(app, ping_interval=(0.3, 0.2), ping_timeout=0.25, max_http_buffer_size=5000, allow_upgrades=False)
    opened = app.test_client().get("/socket.io/", query_string="EIO=4&transport=polling")
    told = app.json.loads(opened.data[1:])
    assert len(told.pop("sid")) >= 20
    assert told == {"pingInterval": 500, "pingTimeout": 250, "maxPayload": 5000, "upgrades": []}


def test_logger_true_asks_for_the_log(app):
    logger = logging.getLogger("flask_socketio_py")
    before = logger.level
    try:
        SocketIO(app, logger=True)
        assert logger.isEnabledFor(logging.INFO)
    finally:
        logger.setLevel(before)


def test_without_logger_nothing_of_logging_is_touched(app):
    names = ["flask_socketio_py", "flask_socketio_py.engineio", None]
    before = [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names]
    SocketIO(app, logger=False, engineio_logger=False)
    assert [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names] == before


def test_a_logger_of_the_application_gets_the_log(app, caplog):
    logger = logging.getLogger("flask_socketio_py")
    parent = logger.parent
    records = []

    class Collect(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    mine = logging.getLogger("extension tests")
    mine.addHandler(Collect())
    try:
        socketio = SocketIO(app, logger=mine)
        socketio.on("fail")(lambda: 1 / 0)
        client = socketio.test_client(app)
        client.emit("fail")
        client.close()
    finally:
        logger.parent = parent
    assert records == ["a handler of the event 'fail' failed"]


@pytest.mark.parametrize(
    ("options", "threshold"),
    [
        ({}, 1024),
        ({"http_compression": False}, None),
        ({"http_compression": False, "compression_threshold": 5}, None),
        ({"compression_threshold": 5}, 5),
        ({"http_compression": {}}, 1024),
        ({"http_compression": {"threshold": 0}, "compression_threshold": 5}, 0),
        ({"http_compression": {}, "compression_threshold": 5}, 5),
    ],
)
def test_from_how_many_bytes_on_answers_are_compressed(options, threshold):
    assert build(options).http_threshold == threshold


@pytest.mark.parametrize(("slash", "prefix"), [(True, "/a/b/"), (False, "/a/b")])
def test_the_slash_at_the_end_of_the_path(slash, prefix):
    assert build({"path": "/a/b/", "add_trailing_slash": slash}).prefix == prefix


def test_build_knows_nothing_of_flask():
    assert build({"ping_interval": (1, 2)}).announced_interval == 3.0
    assert build({"ping_interval": (1, 2)}).interval == 1.0
    assert build({"transports": "websocket"}).offered_transports == ("websocket",)
    assert build({"transports": ["websocket", "polling", "carrier pigeon"]}).offered_transports == (
        "polling",
        "websocket",
    )
