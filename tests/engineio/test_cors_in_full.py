"""Owns the option ``cors``: the keys of npm's module and what its defaults mean, plus the guard that Node lacks."""

import re

import pytest
from contract.naming import shown

from flask_socketio_py.engineio.cors import CorsPolicy

from .environs import environ

OURS, SHOP, EVIL = "http://example.org", "https://shop.example", "https://evil.example"
METHODS = ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
BY_NAME = [("Access-Control-Allow-Origin", SHOP), ("Vary", "Origin")]
STAR = [("Access-Control-Allow-Origin", "*")]


def cors(**keys):
    return CorsPolicy(None, None, keys)


#: (origin, who is served, who is not)
ORIGINS = [
    (SHOP, [SHOP, SHOP.upper(), OURS], [EVIL, "null", SHOP + ".evil.example"]),
    ([SHOP, "https://b.example"], [SHOP, "https://b.example", OURS], [EVIL]),
    ((SHOP,), [SHOP, OURS], [EVIL]),
    (re.compile(r"https://\w+\.example"), [SHOP, EVIL, OURS], [SHOP + ":1", "null"]),
    ([re.compile(r"https://s.*"), "https://b.example"], [SHOP, "https://b.example", OURS], [EVIL]),
    ("*", [SHOP, EVIL, "null", OURS], []),
    (True, [SHOP, EVIL, "null", OURS], []),
    (False, [OURS], [SHOP, EVIL, "null"]),
    ([], [OURS], [SHOP, EVIL, "null"]),
    (lambda origin: origin == SHOP, [SHOP, OURS], [EVIL]),
]


@pytest.mark.parametrize(("origin", "served", "refused"), ORIGINS, ids=lambda value: str(value)[:20])
def test_who_is_served_over_polling_and_websocket(origin, served, refused):
    policy = cors(origin=origin)
    for other in served:
        assert policy.allows(environ(HTTP_ORIGIN=other)), other
    for other in refused:
        assert not policy.allows(environ(HTTP_ORIGIN=other)), other
    assert policy.allows(environ())


#: (cors, headers of an answer to SHOP, headers of an answer to a request without an Origin)
ANSWERS = [
    ({}, STAR, STAR),
    ({"origin": "*"}, STAR, STAR),
    ({"origin": ["*"]}, STAR, STAR),
    ({"origin": SHOP}, BY_NAME, [("Vary", "Origin")]),
    ({"origin": [SHOP]}, BY_NAME, [("Vary", "Origin")]),
    ({"origin": re.compile(".*")}, BY_NAME, [("Vary", "Origin")]),
    ({"origin": lambda origin: True}, BY_NAME, [("Vary", "Origin")]),
    ({"origin": True}, BY_NAME, [("Vary", "Origin")]),
    ({"origin": False}, [], []),
    ({"origin": SHOP, "credentials": False}, BY_NAME, [("Vary", "Origin")]),
    (
        {"origin": SHOP, "credentials": True},
        [*BY_NAME, ("Access-Control-Allow-Credentials", "true")],
        [("Vary", "Origin")],
    ),
    (
        {"origin": True, "credentials": True},
        [*BY_NAME, ("Access-Control-Allow-Credentials", "true")],
        [("Vary", "Origin")],
    ),
    (
        {"exposed_headers": ["X-A", "X-B"]},
        [*STAR, ("Access-Control-Expose-Headers", "X-A,X-B")],
        [*STAR, ("Access-Control-Expose-Headers", "X-A,X-B")],
    ),
    (
        {"origin": SHOP, "exposed_headers": "X-A"},
        [*BY_NAME, ("Access-Control-Expose-Headers", "X-A")],
        [("Vary", "Origin")],
    ),
    ({"methods": "GET", "allowed_headers": ["X"], "max_age": 5, "options_success_status": 200}, STAR, STAR),
]


@pytest.mark.parametrize(("keys", "to_shop", "to_nobody"), ANSWERS, ids=lambda value: shown(value, 40))
def test_the_headers_of_an_answer(keys, to_shop, to_nobody):
    assert cors(**keys).headers(environ(HTTP_ORIGIN=SHOP)) == to_shop
    assert cors(**keys).headers(environ()) == to_nobody


#: (cors, further headers of the answer to a preflight that asks for the header X-Token, its status)
REFLECTED = [("Access-Control-Allow-Headers", "X-Token"), ("Vary", "Access-Control-Request-Headers")]
PREFLIGHTS = [
    ({}, [METHODS, *REFLECTED], "204 No Content"),
    ({"methods": ["GET", "POST"]}, [("Access-Control-Allow-Methods", "GET,POST"), *REFLECTED], "204 No Content"),
    ({"methods": "GET, POST"}, [("Access-Control-Allow-Methods", "GET,POST"), *REFLECTED], "204 No Content"),
    ({"allowed_headers": ["X-A", "X-B"]}, [METHODS, ("Access-Control-Allow-Headers", "X-A,X-B")], "204 No Content"),
    ({"allowed_headers": []}, [METHODS], "204 No Content"),
    ({"max_age": 600}, [METHODS, ("Access-Control-Max-Age", "600"), *REFLECTED], "204 No Content"),
    ({"options_success_status": 200}, [METHODS, *REFLECTED], "200 OK"),
]


@pytest.mark.parametrize(("keys", "headers", "status"), PREFLIGHTS, ids=lambda value: str(value)[:40])
def test_the_answer_to_a_preflight(keys, headers, status):
    policy = cors(origin=SHOP, **keys)
    asked = environ(method="OPTIONS", HTTP_ORIGIN=SHOP, HTTP_ACCESS_CONTROL_REQUEST_HEADERS="X-Token")
    assert policy.preflight(asked) == BY_NAME + headers
    assert policy.preflight_status == status
    assert policy.preflight(environ(method="OPTIONS")) == [], "an OPTIONS request without an Origin is no preflight"


def test_requested_headers_are_reflected_only_if_they_are_text():
    asked = environ(HTTP_ORIGIN=SHOP, HTTP_ACCESS_CONTROL_REQUEST_HEADERS="X\r\nSet-Cookie: a=b")
    assert cors().preflight(asked) == [*STAR, METHODS]


def test_what_anybody_may_have_can_be_read_by_those_who_are_allowed():
    policy = cors(origin=SHOP, credentials=True)
    assert policy.public_headers(environ(HTTP_ORIGIN=SHOP)) == policy.headers(environ(HTTP_ORIGIN=SHOP))
    assert policy.public_headers(environ(HTTP_ORIGIN=EVIL)) == [("Vary", "Origin")]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"origins": SHOP}, "did you mean 'origin'"),
        ({"allowedHeaders": []}, "did you mean 'allowed_headers'"),
        ({"optionsSuccessStatus": 200}, "did you mean 'options_success_status'"),
        ({"preflight_continue": True}, "no key 'preflight_continue'"),
        ({"credentials": True}, "to allow any"),
        ({"origin": "*", "credentials": True}, "to allow any"),
        ({"origin": ["*", SHOP], "credentials": True}, "to allow any"),
        ({"origin": None}, "origin"),
        ({"origin": 5}, "origin"),
        ({"origin": [5]}, "origin"),
        ({"origin": re.compile(b".")}, "origin"),
        ({"credentials": "yes"}, "credentials"),
        ({"credentials": 1}, "credentials"),
        ({"methods": 5}, "methods"),
        ({"methods": ["GET\r\nX: y"]}, "methods"),
        ({"methods": "GET;POST"}, "methods"),
        ({"allowed_headers": [5]}, "allowed_headers"),
        ({"allowed_headers": "X Y"}, "allowed_headers"),
        ({"exposed_headers": "a\nb"}, "exposed_headers"),
        ({"exposed_headers": {"X": 1}}, "exposed_headers"),
        ({"max_age": -1}, "max_age"),
        ({"max_age": "600"}, "max_age"),
        ({"max_age": True}, "max_age"),
        ({"options_success_status": 404}, "options_success_status"),
        ({"options_success_status": 299}, "options_success_status"),
        ({"options_success_status": "204"}, "options_success_status"),
        ({"options_success_status": 204.0}, "options_success_status"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(keys, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cors(**keys)
