"""Owns the session's cookie: Node's nine cases, Flask-SocketIO's meaning of a mapping, and what is refused."""

from datetime import datetime, timedelta, timezone

import pytest

from flask_socketio_py.engineio.cookie import SessionCookie

from .environs import environ


def header(option):
    """The header for the id SID, or None where there is no cookie."""
    headers = SessionCookie(option).headers("SID", environ())
    assert headers == [("Set-Cookie", value) for _, value in headers]
    return headers[0][1] if headers else None


#: Node's tests, by name. Where ours differs: a mapping holds exactly what is sent, as in Flask-SocketIO.
NODE = {
    "should send the io cookie": (True, "io=SID; Path=/; HttpOnly; SameSite=Lax"),
    "should send the io cookie custom name": ({"name": "woot"}, "woot=SID"),
    "should send the cookie with custom path": ({"path": "/custom"}, "io=SID; Path=/custom"),
    "should send the cookie with path=false": ({"path": False, "same_site": "lax"}, "io=SID; SameSite=Lax"),
    "should send the io cookie with httpOnly=true": ({"path": "/", "httpOnly": True}, "io=SID; Path=/; HttpOnly"),
    "should send the io cookie with sameSite=strict": ({"sameSite": "strict"}, "io=SID; SameSite=Strict"),
    "should send the io cookie with httpOnly=false": ({"path": "/", "httpOnly": False}, "io=SID; Path=/"),
    "should not send the io cookie": (False, None),
}


@pytest.mark.parametrize(("option", "expected"), NODE.values(), ids=NODE)
def test_as_in_node(option, expected):
    assert header(option) == expected


@pytest.mark.parametrize("spelling", ["httpOnly", "HttpOnly", "http_only", "httponly", "HTTP-Only"])
def test_should_send_the_io_cookie_with_http_only_not_boolean(spelling):
    # Node takes "no" for a yes; here it is the mistake that it is.
    with pytest.raises(TypeError, match="HttpOnly must be True or False, not 'no'"):
        SessionCookie({"name": "io", spelling: "no"})
    assert header({spelling: True}) == "io=SID; HttpOnly"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (None, None),
        ("", None),
        ("sticky", "sticky=SID; path=/; SameSite=Lax"),
        ({"name": "a"}, "a=SID"),
        ({"Secure": False, "Domain": None}, "io=SID"),
        (
            {
                "path": "/",
                "domain": "example.org",
                "max_age": 60,
                "secure": True,
                "partitioned": True,
                "priority": "high",
            },
            "io=SID; Path=/; Domain=example.org; Max-Age=60; Secure; Partitioned; Priority=High",
        ),
        ({"Max-Age": "3600"}, "io=SID; Max-Age=3600"),
        ({"maxAge": 0}, "io=SID; Max-Age=0"),
        ({"max-age": timedelta(minutes=1)}, "io=SID; Max-Age=60"),
        ({"expires": "Wed, 21 Oct 2015 07:28:00 GMT"}, "io=SID; Expires=Wed, 21 Oct 2015 07:28:00 GMT"),
        ({"Expires": datetime(2015, 10, 21, 7, 28)}, "io=SID; Expires=Wed, 21 Oct 2015 07:28:00 GMT"),
        (
            {"expires": datetime(2015, 10, 21, 9, 28, tzinfo=timezone(timedelta(hours=2)))},
            "io=SID; Expires=Wed, 21 Oct 2015 07:28:00 GMT",
        ),
        ({"samesite": True}, "io=SID; SameSite=Strict"),
        ({"SameSite": "NONE"}, "io=SID; SameSite=None"),
        ({"same_site": False}, "io=SID"),
    ],
    ids=str,
)
def test_attributes(option, expected):
    assert header(option) == expected


def test_a_function_is_asked_for_each_session():
    option = {
        "Secure": lambda environ: environ["wsgi.url_scheme"] == "https",
        "Domain": lambda environ: environ["HTTP_HOST"],
        "SameSite": lambda: "None",
    }
    cookie = SessionCookie(option)
    assert cookie.headers("A", environ()) == [("Set-Cookie", "A".join(["io=", "; Domain=example.org; SameSite=None"]))]
    [(_, value)] = cookie.headers("B", environ(HTTP_HOST="b.example", **{"wsgi.url_scheme": "https"}))
    assert value == "io=B; Secure; Domain=b.example; SameSite=None"
    assert list(option) == ["Secure", "Domain", "SameSite"], "the option is left as it was"


@pytest.mark.parametrize("answer", ["a\r\nX: y", "a; Secure", 5, b"a", True])
def test_a_function_that_answers_what_cannot_be_sent_is_logged_and_sets_no_cookie(answer, caplog):
    assert header({"Domain": lambda: answer}) is None
    assert "the cookie is not set" in caplog.text


def test_a_function_that_fails_is_logged_and_sets_no_cookie(caplog):
    assert header({"Secure": lambda environ: 1 / 0}) is None
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "option",
    [
        5,
        ["io"],
        b"io",
        "a b",
        "a=b",
        "a;b",
        "a\r\nX: y",
        "\u00e4",
        {"name": ""},
        {"name": None},
        {"name": True},
        {"name": "a,b"},
        {"nmae": "io"},
        {"comment": "x"},
        {5: "x"},
        {"path": "/;Secure"},
        {"path": "/\r\nX: y"},
        {"path": "/\x00"},
        {"path": True},
        {"path": ""},
        {"path": "/", "Path": "/a"},
        {"domain": "\u00e4.example"},
        {"domain": 5},
        {"max_age": "soon"},
        {"max_age": 1.5},
        {"max_age": True},
        {"max_age": "\u0661"},
        {"expires": 5},
        {"expires": "x\ny"},
        {"secure": 1},
        {"secure": "true"},
        {"partitioned": "yes"},
        {"same_site": "sloppy"},
        {"same_site": 1},
        {"priority": "urgent"},
        {"priority": True},
    ],
    ids=repr,
)
def test_what_cannot_be_sent_is_an_error_that_names_the_option(option):
    with pytest.raises((TypeError, ValueError), match="cookie"):
        SessionCookie(option)
