"""Pins the public surface: names, signatures, attributes. A change here is one for every user, never an accident."""

import dataclasses
import importlib
import inspect
import subprocess
import sys

import pytest

import flask_socketio_py
from flask_socketio_py import Namespace, SocketIO, SocketIOTestClient
from flask_socketio_py.bound import BoundNamespace
from flask_socketio_py.cluster_view import ClusterView
from flask_socketio_py.scaffold import Scaffold
from flask_socketio_py.socketio.adapters.cluster_status import ClusterStatus
from flask_socketio_py.socketio.broadcast import Audience
from flask_socketio_py.socketio.socket import Socket

NAMES = [
    "BroadcastTimeoutError",
    "ClusterError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "Emitter",
    "EventRefusedError",
    "Namespace",
    "SocketIO",
    "SocketIOError",
    "SocketIOTestClient",
    "TimeoutError",
    "call",
    "close_room",
    "current_socket",
    "disconnect",
    "emit",
    "join_room",
    "leave_room",
    "rooms",
    "send",
]

SOCKETIO = {
    "__init__": "self, app=None, **options",
    "before_request": "self, function",
    "busy": "self",
    "call": "self, event, *args, namespace='/', to=None, room=None, "
    "timeout='<default_ack_timeout>', ignore_queue=False",
    "close_room": "self, room, namespace=None",
    "emit": "self, event, *args, namespace='/', to=None, room=None, include_self=True, skip_sid=None, callback=None, "
    "broadcast=True, ignore_queue=False, volatile=False",
    "init_app": "self, app, **options",
    "of": "self, namespace",
    "on_cluster_status": "self, function",
    "on_connection_error": "self, function",
    "on_error_default": "self, exception_handler",
    "on_headers": "self, function",
    "on_initial_headers": "self, function",
    "on_namespace": "self, namespace_handler",
    "on_new_namespace": "self, function",
    "run": "self, app, host=None, port=None, **options",
    "send": "self, data, json=False, namespace=None, to=None, callback=None, include_self=True, skip_sid=None, "
    "**options",
    "shutdown": "self",
    "sleep": "self, seconds=0",
    "start_background_task": "self, target, *args, **kwargs",
    "stop": "self",
    "test_client": "self, app, namespace=None, query_string=None, headers=None, auth=None, flask_test_client=None",
}
SCAFFOLD = {
    "after_event": "self, function=None, *, namespace=None",
    "before_event": "self, function=None, *, namespace=None",
    "event": "self, *args, **kwargs",
    "on": "self, message, namespace=None",
    "on_adapter_event": "self, name, namespace=None",
    "on_error": "self, namespace=None",
    "on_event": "self, message, handler, namespace=None",
    "on_server_side_emit": "self, event, namespace=None",
    "room_sizes": "self, local=False",
    "server_side_emit": "self, event, *args",
    "server_side_emit_with_ack": "self, event, *args",
    "use": "self, function=None, *, namespace=None",
}
AUDIENCE = {
    "compress": "self, compress",
    "count": "self",
    "disconnect_sockets": "self, close=False",
    "emit_with_ack": "self, event, *args",
    "except_": "self, *rooms",
    "fetch_sockets": "self",
    "in_": "self, *rooms",
    "sockets_join": "self, *rooms",
    "sockets_leave": "self, *rooms",
    "timeout": "self, seconds",
    "to": "self, *rooms",
}
BOUND = {
    "__init__": "self, socketio, selector",
    "emit": "self, event, *args, callback=None",
    "send": "self, *args",
}
SOCKET = {
    "call": "self, event, *args, timeout='<default_ack_timeout>'",
    "compress": "self, compress",
    "disconnect": "self, *, close=False",
    "emit": "self, event, *args, callback=None, volatile=False",
    "emit_with_ack": "self, event, *args",
    "event_names": "self",
    "except_": "self, *rooms",
    "in_": "self, *rooms",
    "join": "self, *rooms",
    "leave": "self, *rooms",
    "listeners": "self, event",
    "off": "self, event=None, function=None",
    "off_any": "self, function=None",
    "off_any_outgoing": "self, function=None",
    "on": "self, event, function=None",
    "on_any": "self, function, *, prepend=False",
    "on_any_outgoing": "self, function, *, prepend=False",
    "once": "self, event, function=None",
    "send": "self, *args",
    "timeout": "self, seconds",
    "to": "self, *rooms",
    "use": "self, function",
}
NAMESPACE = {
    "__init__": "self, namespace=None",
    "call": "self, event, data=None, to=None, sid=None, namespace=None, "
    "timeout='<default_ack_timeout>', ignore_queue=False",
    "close_room": "self, room, namespace=None",
    "disconnect": "self, sid, namespace=None",
    "emit": "self, event, data=None, room=None, include_self=True, namespace=None, callback=None, "
    "*, to=None, skip_sid=None",
    "enter_room": "self, sid, room, namespace=None",
    "get_session": "self, sid, namespace=None",
    "handles": "self, event",
    "leave_room": "self, sid, room, namespace=None",
    "rooms": "self, sid, namespace=None",
    "save_session": "self, sid, session, namespace=None",
    "send": "self, data, room=None, include_self=True, namespace=None, callback=None",
    "session": "self, sid, namespace=None",
    "trigger_event": "self, event, *args",
}
CLUSTER = {
    "__init__": "self, cluster",
    "servers": "self, namespace='/'",
}
TEST_CLIENT = {
    "__init__": "self, app, socketio, namespace=None, query_string=None, headers=None, auth=None, "
    "flask_test_client=None",
    "answer": "self, event, function",
    "close": "self",
    "connect": "self, namespace=None, query_string=None, headers=None, auth=None",
    "disconnect": "self, namespace=None",
    "emit": "self, event, *args, callback=False, namespace=None",
    "get_received": "self, namespace=None",
    "is_connected": "self, namespace=None",
    "send": "self, data, json=False, callback=False, namespace=None",
}
SHORTCUTS = {
    "call": "event, *args, to=None, room=None, namespace='<that of the event>', "
    "timeout='<default_ack_timeout>', ignore_queue=False",
    "close_room": "room, namespace=None",
    "disconnect": "sid=None, namespace=None, silent=False",
    "join_room": "room, sid=None, namespace=None",
    "leave_room": "room, sid=None, namespace=None",
    "rooms": "sid=None, namespace=None",
}


def signature(function):
    """A signature without its annotations."""
    plain = inspect.signature(function)
    parameters = [each.replace(annotation=inspect.Parameter.empty) for each in plain.parameters.values()]
    return str(plain.replace(parameters=parameters, return_annotation=inspect.Signature.empty))[1:-1]


def methods(cls):
    return {
        name: signature(function)
        for name, function in vars(cls).items()
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_"))
    }


def test_all():
    assert flask_socketio_py.__all__ == NAMES


def test_every_name_is_there():
    for name in NAMES:
        found = getattr(flask_socketio_py, name)
        assert name == "current_socket" or found.__name__ == name
    assert inspect.getdoc(flask_socketio_py)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'flask_socketio_py' has no attribute 'emitt'"):
        _ = flask_socketio_py.emitt


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (SocketIO, SOCKETIO),
        (Scaffold, SCAFFOLD),
        (Audience, AUDIENCE),
        (BoundNamespace, BOUND),
        (Namespace, NAMESPACE),
        (ClusterView, CLUSTER),
        (SocketIOTestClient, TEST_CLIENT),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_methods_of_a_class(cls, expected):
    assert methods(cls) == expected


def test_methods_of_a_socket():
    found = methods(Socket)
    assert {name: found.get(name) for name in SOCKET} == SOCKET


@pytest.mark.parametrize("name", SHORTCUTS)
def test_signature_of_a_shortcut(name):
    assert signature(getattr(flask_socketio_py, name)) == SHORTCUTS[name]


def test_names_that_emit_and_send_take():
    wanted = {"namespace", "to", "room", "broadcast", "include_self", "skip_sid", "callback", "ignore_queue"}
    assert wanted <= set(inspect.signature(flask_socketio_py.emit).parameters)
    assert list(inspect.signature(flask_socketio_py.emit).parameters)[:2] == ["event", "args"]
    assert list(inspect.signature(flask_socketio_py.send).parameters)[:2] == ["message", "json"]


ATTRIBUTES = [
    "async_mode",
    "cluster",
    "default_exception_handler",
    "exception_handlers",
    "handlers",
    "manage_session",
    "namespace_handlers",
    "reason",
    "server",
    "server_options",
    "sockio_mw",
    "wsgi_server",
]


def test_fields_of_a_status():
    fields = ["state", "since", "error", "address", "waiting", "lost", "malformed"]
    assert [field.name for field in dataclasses.fields(ClusterStatus)] == fields


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attribute_that_applications_use(socketio, name):
    assert hasattr(socketio, name)


def test_reasons():
    reasons = {name: getattr(SocketIO.reason, name) for name in dir(SocketIO.reason) if name.isupper()}
    assert (
        reasons.items()
        >= {
            "CLIENT_DISCONNECT": "client disconnect",
            "PING_TIMEOUT": "ping timeout",
            "SERVER_DISCONNECT": "server disconnect",
            "TRANSPORT_CLOSE": "transport close",
            "TRANSPORT_ERROR": "transport error",
        }.items()
    )


@pytest.mark.parametrize(("module", "name"), [("namespace", "Namespace"), ("test_client", "SocketIOTestClient")])
def test_submodule_that_applications_import(module, name):
    found = importlib.import_module(f"flask_socketio_py.{module}")
    assert getattr(found, name) is getattr(flask_socketio_py, name)


def test_importing_the_package_does_not_import_what_must_be_patched_first():
    program = (
        "import sys, flask_socketio_py; "
        "print([name for name in ('flask', 'gevent', 'ssl', 'werkzeug') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
