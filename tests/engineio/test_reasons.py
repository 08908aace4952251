"""Owns the strings that disconnect handlers are told: applications compare them."""

from flask_socketio_py.engineio.reasons import Reason

#: The first nine are the official server's.
STRINGS = {
    "transport close",
    "transport error",
    "ping timeout",
    "parse error",
    "forced close",
    "forced server close",
    "server shutting down",
    "client namespace disconnect",
    "server namespace disconnect",
    "outbox full",
    "connect timeout",
}


def test_the_strings():
    assert {str(reason) for reason in Reason} == STRINGS


def test_a_reason_is_its_string():
    for reason in Reason:
        assert reason == str(reason)
        assert f"{reason}" == reason.value
        assert reason in STRINGS
