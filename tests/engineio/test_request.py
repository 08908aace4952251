"""Owns the reading of a request: its query string, the protocol's error codes and the order in which they are found."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio.request import (
    EngineIORequest,
    check_handshake,
    check_revision,
    check_session,
    parse,
    same_origin,
)
from flask_socketio_py.errors import EngineIOError

from .environs import UPGRADE, environ

BOTH = ("polling", "websocket")
#: (query, transport, sid, protocol)
CASES = [
    ("EIO=4&transport=polling", "polling", None, "4"),
    ("transport=websocket&EIO=4&sid=abc", "websocket", "abc", "4"),
    ("EIO=4&transport=polling&sid=", "polling", "", "4"),
    ("EIO=4&transport=polling&sid=a%2Fb%20c+d", "polling", "a/b c d", "4"),
    ("transport=polling", "polling", None, ""),
    ("EIO=3&transport=polling&t=xyz&t=abc", "polling", None, "3"),
    ("EIO=4&transport=polling&sid=a&sid=b", "polling", "?", "4"),
    ("EIO=4&EIO=4&transport=polling", "polling", None, "?"),
]


@pytest.mark.parametrize(("query", "transport", "sid", "protocol"), CASES)
def test_the_query_is_read(query, transport, sid, protocol):
    request = parse(environ(query), BOTH)
    assert (request.transport, request.sid, request.protocol, request.upgrade) == (transport, sid, protocol, False)


@pytest.mark.parametrize(
    "query",
    ["", "EIO=4", "EIO=4&transport=", "EIO=4&transport=webtransport", "EIO=4&transport=POLLING",
     "EIO=4&transport=__proto__", "EIO=4&transport=polling&transport=polling",
     "EIO=4&transport=polling&transport=websocket",
     "EIO=4;transport=polling", "EIO=4&transport=polling%00"],
)  # fmt: skip
def test_an_unknown_transport_has_code_0(query):
    with pytest.raises(EngineIOError) as error:
        parse(environ(query), BOTH)
    assert (error.value.code, str(error.value), error.value.status) == (0, "Transport unknown", "400 Bad Request")


@pytest.mark.parametrize("offered", BOTH)
def test_a_transport_that_is_switched_off_is_unknown(offered):
    for name in BOTH:
        if name == offered:
            assert parse(environ(f"EIO=4&transport={name}"), (offered,)).transport == name
        else:
            with pytest.raises(EngineIOError) as error:
                parse(environ(f"EIO=4&transport={name}"), (offered,))
            assert error.value.code == 0


@pytest.mark.parametrize("origin", ["http://a\nb", "http://\x7f", "http://\u0100", "\0"])
def test_an_origin_no_browser_sends_has_code_3_but_after_the_transport(origin):
    for query, code in (("EIO=4&transport=polling", 3), ("EIO=4&transport=nothing", 0)):
        with pytest.raises(EngineIOError) as error:
            parse(environ(query, HTTP_ORIGIN=origin), BOTH)
        assert error.value.code == code


def test_a_query_of_very_many_fields_is_refused():
    with pytest.raises(EngineIOError) as error:
        parse(environ("EIO=4&transport=polling&" + "&".join(["a=1"] * 200)), BOTH)
    assert error.value.code == 3


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="EIO=4&transport=pollingsid%+;", max_size=100))
def test_any_query_is_read_or_refused(query):
    try:
        request = parse(environ(query), BOTH)
    except EngineIOError as error:
        code = error.code
    else:
        assert request.transport in BOTH
        return
    assert code in (0, 3)


#: (query, transport of the session or None for no session, upgrade, code or None); the sessions are of revision 4
SESSIONS = [
    ("EIO=4&transport=polling&sid=x", "polling", False, None),
    ("EIO=4&transport=polling&sid=x", None, False, 1),
    ("EIO=3&transport=websocket&sid=x", None, False, 1),
    ("EIO=4&transport=websocket&sid=x", "polling", False, 3),
    ("EIO=4&transport=polling&sid=x", "websocket", False, 3),
    ("EIO=3&transport=polling&sid=x", "polling", False, 3),
    ("transport=polling&sid=x", "polling", False, 3),
    ("EIO=4&transport=websocket&sid=x", "polling", True, None),
    ("EIO=4&transport=websocket&sid=x", "websocket", True, None),
    ("EIO=3&transport=websocket&sid=x", "polling", True, 3),
    ("EIO=4&transport=polling&sid=x", "polling", True, 3),
]


@pytest.mark.parametrize(("query", "transport", "upgrade", "code"), SESSIONS)
def test_a_request_for_a_session(query, transport, upgrade, code):
    request = parse(environ(query, **UPGRADE if upgrade else {}), BOTH)
    assert request.upgrade is upgrade
    if code is None:
        check_session(request, transport)
    else:
        with pytest.raises(EngineIOError) as error:
            check_session(request, transport)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("query", "method", "upgrade", "code"),
    [
        ("transport=polling", "GET", False, None),
        ("transport=websocket", "GET", True, None),
        ("transport=polling", "POST", False, 2),
        ("transport=websocket", "PUT", False, 2),
        ("transport=websocket", "GET", False, 3),
        ("transport=polling", "GET", True, 3),
    ],
)
def test_a_request_that_would_open_a_session(query, method, upgrade, code):
    request = parse(environ(query, method, **UPGRADE if upgrade else {}), BOTH)
    if code is None:
        check_handshake(request)
    else:
        with pytest.raises(EngineIOError) as error:
            check_handshake(request)
        assert error.value.code == code


@pytest.mark.parametrize("upgrade", [True, False])
@pytest.mark.parametrize("theirs", ["EIO=4&", "", "EIO=5&", "EIO=3&EIO=3&"])
def test_a_request_for_a_session_of_revision_3_must_be_of_it_too(theirs, upgrade):
    more = UPGRADE if upgrade else {}
    rest = f"transport={'websocket' if upgrade else 'polling'}&sid=x"
    check_session(parse(environ("EIO=3&" + rest, **more), BOTH), "polling", "3")
    with pytest.raises(EngineIOError) as error:
        check_session(parse(environ(theirs + rest, **more), BOTH), "polling", "3")
    assert error.value.code == 3


@pytest.mark.parametrize("revision", ["", "3", "5", "04", "4.0", "٤", " 4", "?"])
def test_another_revision_has_code_5(revision):
    request = EngineIORequest(environ(), "polling", None, revision, False)
    with pytest.raises(EngineIOError) as error:
        check_revision(request)
    assert (error.value.code, str(error.value)) == (5, "Unsupported protocol version")
    check_revision(EngineIORequest(environ(), "polling", None, "4", False))


@pytest.mark.parametrize("revision", ["", "2", "03", "3.0", "5", "33", "?"])
def test_where_revision_3_is_allowed_a_client_has_to_say_that_it_speaks_it(revision):
    for allowed in ("3", "4"):
        check_revision(EngineIORequest(environ(), "polling", None, allowed, False), allow_eio3=True)
    with pytest.raises(EngineIOError) as error:
        check_revision(EngineIORequest(environ(), "polling", None, revision, False), allow_eio3=True)
    assert error.value.code == 5


@pytest.mark.parametrize(
    ("query", "text_only"),
    [("EIO=3&b64=1", True), ("b64=true&EIO=3", True), ("EIO=3", False), ("EIO=3&b64=", False), ("EIO=4&b64=1", False)],
)
def test_a_client_of_revision_3_may_take_text_only(query, text_only):
    assert parse(environ(query + "&transport=polling"), BOTH).text_only is text_only


def test_what_is_kept_holds_no_socket_and_no_buffer():
    body, errors = io.BytesIO(b"x" * 1000), io.StringIO()
    found = {"wsgi.errors": errors, "wsgi.input": body, "gunicorn.socket": body, "werkzeug.socket": body}
    request = parse(environ(**found), BOTH)
    request.keep()
    assert request.environ["wsgi.errors"] is errors
    assert not any(value is body for value in request.environ.values())
    assert request.environ["HTTP_HOST"] == "example.org"
    assert request.environ["wsgi.url_scheme"] == "http"
    assert request.environ["wsgi.input"].read() == b""
    assert request.method == "GET"


#: (Origin, further environment, same)
ORIGINS = [
    ("http://example.org", {}, True),
    ("HTTP://EXAMPLE.ORG", {}, True),
    ("https://example.org", {}, False),
    ("http://example.org:8000", {}, False),
    ("http://example.org.evil.example", {}, False),
    ("http://evil.example", {}, False),
    ("null", {}, False),
    ("", {}, False),
    ("https://example.org", {"wsgi.url_scheme": "https"}, True),
    ("https://example.org", {"HTTP_X_FORWARDED_PROTO": "https"}, True),
    (
        "https://shop.example",
        {"HTTP_X_FORWARDED_PROTO": "https, http", "HTTP_X_FORWARDED_HOST": "shop.example, b"},
        True,
    ),
    ("http://shop.example", {"HTTP_X_FORWARDED_HOST": "shop.example"}, True),
    ("http://example.org", {"HTTP_X_FORWARDED_HOST": "shop.example"}, True),
    ("http://other.example", {"HTTP_X_FORWARDED_HOST": "shop.example"}, False),
    ("http://127.0.0.1:8000", {"HTTP_HOST": ""}, True),
    ("http://127.0.0.1", {"HTTP_HOST": "", "SERVER_PORT": "80"}, True),
    ("https://127.0.0.1", {"HTTP_HOST": "", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}, True),
    ("http://127.0.0.1", {"HTTP_HOST": ""}, False),
]


@pytest.mark.parametrize(("origin", "more", "same"), ORIGINS)
def test_the_same_origin(origin, more, same):
    assert same_origin(environ(**more), origin) is same
