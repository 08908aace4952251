"""Owns who may talk to us across origins, and what the answers tell a browser: ``cors_allowed_origins``."""

import re

import pytest

from flask_socketio_py.engineio.cors import CorsPolicy

from .environs import environ

OURS, SHOP, EVIL = "http://example.org", "https://shop.example", "https://evil.example"


def allows(allowed, origin, **more):
    headers = {} if origin is None else {"HTTP_ORIGIN": origin}
    return CorsPolicy(allowed, None).allows(environ(**headers, **more))


#: (cors_allowed_origins, Origin, allowed)
CASES = [
    (None, OURS, True),
    (None, SHOP, False),
    (None, "null", False),
    (SHOP, SHOP, True),
    (SHOP, SHOP.upper(), True),
    (SHOP, OURS, False),
    (SHOP, SHOP + ".evil.example", False),
    (SHOP, "", False),
    ([SHOP, OURS], OURS, True),
    ([SHOP.upper()], SHOP, True),
    ([SHOP, OURS], EVIL, False),
    ((SHOP,), SHOP, True),
    ("*", EVIL, True),
    (["*"], EVIL, True),
    ("*", "null", True),
    ([], EVIL, True),
]


@pytest.mark.parametrize(("allowed", "origin", "expected"), CASES)
def test_an_origin(allowed, origin, expected):
    assert allows(allowed, origin) is expected


@pytest.mark.parametrize("allowed", [None, SHOP, [SHOP], "*", [], lambda origin, environ: False])
def test_a_request_without_an_origin_comes_from_no_page(allowed):
    assert allows(allowed, None)


@pytest.mark.parametrize(("allowed", "expected"), [(None, False), (SHOP, False), ("*", True), ([], True)])
def test_a_request_that_a_browser_marks_as_another_sites_needs_an_origin(allowed, expected):
    assert allows(allowed, None, HTTP_SEC_FETCH_SITE="cross-site") is expected
    assert allows(allowed, None, HTTP_SEC_FETCH_SITE="same-origin")


def test_a_function_decides():
    asked = []

    def decide(origin, environ):
        asked.append((origin, environ["HTTP_HOST"]))
        return origin == SHOP

    assert allows(decide, SHOP)
    assert not allows(decide, EVIL)
    assert asked == [(SHOP, "example.org"), (EVIL, "example.org")]


#: (cors_allowed_origins, cors_credentials, headers of an answer to SHOP)
ECHO = [("Access-Control-Allow-Origin", SHOP), ("Vary", "Origin")]
CREDENTIALS = [("Access-Control-Allow-Credentials", "true")]
ANSWERS = [
    (SHOP, None, ECHO + CREDENTIALS),
    (SHOP, False, ECHO),
    ("*", None, [("Access-Control-Allow-Origin", "*")]),
    ("*", False, [("Access-Control-Allow-Origin", "*")]),
    ("*", True, ECHO + CREDENTIALS),
    ([], None, []),
]


@pytest.mark.parametrize(("allowed", "credentials", "headers"), ANSWERS)
def test_the_headers_of_an_answer(allowed, credentials, headers):
    policy = CorsPolicy(allowed, credentials)
    assert policy.headers(environ(HTTP_ORIGIN=SHOP)) == headers


@pytest.mark.parametrize(("allowed", "credentials", "headers"), ANSWERS)
def test_caches_learn_what_an_answer_to_nobody_depends_on(allowed, credentials, headers):
    policy = CorsPolicy(allowed, credentials)
    depends = ("Vary", "Origin") in headers
    assert policy.headers(environ()) == ([("Vary", "Origin")] if depends else headers)


@pytest.mark.parametrize(("allowed", "credentials", "headers"), ANSWERS)
def test_a_preflight_says_which_methods_and_headers(allowed, credentials, headers):
    policy = CorsPolicy(allowed, credentials)
    methods = [("Access-Control-Allow-Methods", "OPTIONS, GET, POST")] if headers else []
    assert policy.preflight(environ(HTTP_ORIGIN=SHOP)) == headers + methods
    wanted = environ(HTTP_ORIGIN=SHOP, HTTP_ACCESS_CONTROL_REQUEST_HEADERS="X-Token")
    more = [("Access-Control-Allow-Headers", "X-Token"), ("Vary", "Access-Control-Request-Headers")] if headers else []
    assert policy.preflight(wanted) == headers + methods + more
    assert policy.preflight(environ()) == []


def test_credentials_never_go_to_a_star():
    for credentials in (None, True, False):
        headers = CorsPolicy("*", credentials).headers(environ(HTTP_ORIGIN=EVIL))
        assert not (("Access-Control-Allow-Origin", "*") in headers and CREDENTIALS[0] in headers)


@pytest.mark.parametrize("origin", ["http://a\x01b", "http://a\x7fb", "http://a\r\nSet-Cookie: a=b", "http://\u2028"])
@pytest.mark.parametrize("policy", [CorsPolicy("*", True), CorsPolicy(lambda origin: True, None)])
def test_what_no_browser_sends_is_never_reflected(policy, origin):
    assert policy.headers(environ(HTTP_ORIGIN=origin)) == [("Vary", "Origin")]


# --- patterns --------------------------------------------------------------------------------------------------------

PATTERN = re.compile(r"https://[a-z]+\.example")


@pytest.mark.parametrize("allowed", [PATTERN, [PATTERN], (OURS, PATTERN), {PATTERN}])
def test_a_pattern_must_match_the_whole_origin(allowed):
    assert allows(allowed, SHOP)
    for origin in (SHOP + ".evil.example", "x" + SHOP, SHOP + ":444", SHOP + "\n", "https://.example", "null", ""):
        assert not allows(allowed, origin)


def test_a_pattern_reads_no_endless_origin():
    assert not allows(re.compile(".*"), "https://" + "a" * 2000)


# --- functions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda origin: origin == SHOP, lambda origin, environ: origin == SHOP])
@pytest.mark.parametrize("option", ["cors_allowed_origins", "cors"])
def test_a_function_of_the_origin_or_of_the_environment_too(function, option):
    policy = CorsPolicy(function, None) if option != "cors" else CorsPolicy(None, None, {"origin": function})
    assert policy.allows(environ(HTTP_ORIGIN=SHOP))
    assert not policy.allows(environ(HTTP_ORIGIN=EVIL))


def test_a_function_that_fails_refuses_and_is_logged(caplog):
    assert not allows(lambda origin: 1 / 0, SHOP)
    assert "ZeroDivisionError" in caplog.text


# --- what can't be meant ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "allowed", [5, True, False, {SHOP: True}, [SHOP, 5], b"*", [re.compile(b"x")], re.compile(b"")]
)
def test_origins_that_are_none(allowed):
    with pytest.raises(TypeError, match="cors_allowed_origins"):
        CorsPolicy(allowed, None)


@pytest.mark.parametrize("credentials", [1, "yes", 0])
def test_credentials_are_yes_or_no(credentials):
    with pytest.raises(TypeError, match="cors_credentials"):
        CorsPolicy(SHOP, credentials)
