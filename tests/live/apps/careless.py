"""The application of the endurance runs with faults, which a run must find."""

import gevent

from loadtests.endurance_app import app, socketio

__all__ = ["app"]


@socketio.on("number")
def number(value, data):
    if value == 0:
        gevent.sleep(0.5)  # the next one overtakes it
    if value == 2:
        gevent.sleep(1000)  # it is never answered
    return value, data
