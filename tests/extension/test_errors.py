"""The exception tree: whose fault an error is, what code written for Flask-SocketIO catches, how a refusal reads."""

import builtins

import pytest

from flask_socketio_py import ConnectionRefusedError, DisconnectedError, SocketIOError, TimeoutError
from flask_socketio_py.errors import ENGINE_ERRORS, EngineIOError, PacketError, PeerError


def test_tree():
    assert [base.__name__ for base in DisconnectedError.__mro__ if base.__module__ == "flask_socketio_py.errors"] == [
        "DisconnectedError",
        "TimeoutError",
        "SocketIOError",
    ]
    assert issubclass(TimeoutError, builtins.TimeoutError)
    assert ConnectionRefusedError.__mro__[1] is SocketIOError
    assert not issubclass(ConnectionRefusedError, builtins.ConnectionRefusedError)
    assert all(issubclass(error, PeerError) for error in (PacketError, EngineIOError))
    assert issubclass(PeerError, SocketIOError)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((), {"message": "Connection rejected by server"}),
        (("no",), {"message": "no"}),
        ((7,), {"message": "7"}),
        (("no", None), {"message": "no", "data": None}),
        (("no", [1]), {"message": "no", "data": [1]}),
        (("no", 1, 2), {"message": "no", "data": [1, 2]}),
    ],
    ids=repr,
)
def test_error_args(args, error):
    assert ConnectionRefusedError(*args).error_args == error
    assert ConnectionRefusedError(*args).args == args


@pytest.mark.parametrize("code", ENGINE_ERRORS)
def test_engine_errors(code):
    error = EngineIOError(code, "context")
    assert (error.code, str(error), error.context) == (code, ENGINE_ERRORS[code], "context")
    assert error.status == ("403 Forbidden" if code == 4 else "400 Bad Request")
    assert EngineIOError(code, status="413 Content Too Large").status == "413 Content Too Large"


def test_an_engine_error_tells_programs_what_happened():
    names = [EngineIOError(code).name for code in ENGINE_ERRORS]
    assert names == [
        "UNKNOWN_TRANSPORT",
        "UNKNOWN_SID",
        "BAD_HANDSHAKE_METHOD",
        "BAD_REQUEST",
        "FORBIDDEN",
        "UNSUPPORTED_PROTOCOL_VERSION",
    ]
    error = EngineIOError(3, name="INVALID_ORIGIN", details={"origin": "x" * 1000, "number": 5})
    assert (error.name, error.details) == ("INVALID_ORIGIN", {"origin": "x" * 200, "number": 5})
    assert EngineIOError(3).details == {}
    assert str(EngineIOError(4, message="Thou shall not pass")) == "Thou shall not pass"
