"""Which request is for a sibling, what its ids look like, and that being alone costs and does nothing."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.engineio.siblings import Routing, foreign_sid


class Neighbours:
    """Siblings that note what is handed over to them."""

    token = "aaaaaa"

    def __init__(self, answer=()):
        self.answer = answer
        self.handed = []

    def hand_over(self, sid, environ, start_response):
        self.handed.append(sid)
        return self.answer


def routing(siblings):
    made = Routing()
    made.find = lambda environ, start_response: siblings
    made.route({}, None, ())
    return made


FOREIGN = "bbbbbb" + "x" * 14
OURS = "aaaaaa" + "x" * 14


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"EIO=4&transport=polling&sid={FOREIGN}", FOREIGN),
        (f"sid={FOREIGN}&EIO=4", FOREIGN),
        (f"usersid=1&sid={FOREIGN}", FOREIGN),
        (f"EIO=4&sid={OURS}", None),
        (f"usersid=1&sid={OURS}", None),
        ("EIO=4&sid=%61aaaaa" + "x" * 14, None),
        ("EIO=4&sid=%62bbbbb" + "x" * 14, FOREIGN),
        ("EIO=4&transport=polling", None),
        ("", None),
        ("sid=", None),
        (f"sid={FOREIGN}&sid={FOREIGN}", None),
        (f"xsid=1&{'a=1&' * 200}sid={FOREIGN}", None),
        ("sid", None),
        ("mysid=abc", None),
    ],
)
def test_whose_session(query, expected):
    assert foreign_sid(query, "aaaaaa") == expected


@given(st.text())
def test_any_query(query):
    sid = foreign_sid(query, "aaaaaa")
    assert sid is None or not sid.startswith("aaaaaa")


def test_ids():
    ids = {routing(Neighbours()).new_sid() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(sid) == 20 and sid.startswith("aaaaaa") for sid in ids)
    assert len({sid[6:9] for sid in ids}) > 400
    alone = {Routing().new_sid() for _ in range(100)}
    assert {len(sid) for sid in alone} == {20}
    assert len({sid[:6] for sid in alone}) > 90


def test_a_request_is_handed_over_or_answered_here():
    siblings = Neighbours()
    led = routing(siblings)
    assert led.route({"QUERY_STRING": f"sid={FOREIGN}"}, None, ()) == ()
    assert led.route({"QUERY_STRING": f"sid={OURS}"}, None, ()) is None
    assert led.route({}, None, ()) is None
    assert led.route({"QUERY_STRING": "sid=mine"}, None, {"mine"}) is None, "an id that the application made"
    assert siblings.handed == [FOREIGN]
    siblings.answer = None
    assert led.route({"QUERY_STRING": f"sid={FOREIGN}"}, None, ()) is None


def test_alone_nobody_is_asked_twice_for_nothing():
    assert Routing().route({"QUERY_STRING": f"sid={FOREIGN}"}, None, ()) is None
    asked = []
    led = Routing()
    led.find = lambda environ, start_response: asked.append(environ)
    for _ in range(2):
        assert led.route({"QUERY_STRING": f"sid={FOREIGN}"}, None, ()) is None
    assert len(asked) == 2, "until they are found"


def test_ids_made_elsewhere_are_told_of_once(caplog):
    Routing().made_elsewhere()
    assert caplog.records == []
    led = routing(Neighbours())
    for _ in range(3):
        led.made_elsewhere()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "sticky" in caplog.text
