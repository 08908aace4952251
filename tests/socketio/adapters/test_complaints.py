"""Owns that what others do wrong is said, but is no flood."""

import logging

from flask_socketio_py.socketio.adapters import complaints
from flask_socketio_py.socketio.adapters.complaints import MAX_KINDS, Complaints


def said(caplog, count, kinds, log):
    caplog.clear()
    for number in range(count):
        log.warn(f"kind {number % kinds}", "no. %d", number)
    return [record.getMessage() for record in caplog.records]


def test_each_kind_is_said_once_in_a_while(caplog, monkeypatch):
    log = Complaints(logging.getLogger("flask_socketio_py.test"))
    assert said(caplog, 10, 3, log) == ["no. 0", "no. 1", "no. 2"]
    assert said(caplog, 10, 3, log) == []
    monkeypatch.setattr(complaints, "EVERY", 0.0)
    assert len(said(caplog, 10, 3, log)) == 10


def test_what_is_remembered_is_bounded(caplog):
    log = Complaints(logging.getLogger("flask_socketio_py.test"))
    said(caplog, 10 * MAX_KINDS + 5, 10 * MAX_KINDS + 5, log)
    assert len(log._last) <= MAX_KINDS
