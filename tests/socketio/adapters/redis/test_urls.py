"""Owns the URLs of a message queue: what they mean, what is refused, and that no password is ever shown."""

from itertools import permutations
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_socketio_py.socketio.adapters.redis.urls import Address, RedisURL, TLSOptions, parse

LOCAL = (Address("localhost", 6379),)
ADDRESS = (Address("h", 6379),)


@pytest.mark.parametrize(
    ("url", "meaning"),
    [
        ("redis://", RedisURL("single", LOCAL)),
        ("redis://localhost", RedisURL("single", LOCAL)),
        ("redis://localhost:6379/0", RedisURL("single", LOCAL)),
        ("redis://:7000", RedisURL("single", (Address("localhost", 7000),))),
        ("REDIS://h/", RedisURL("single", ADDRESS)),
        ("valkey://h/3", RedisURL("single", ADDRESS, database=3)),
        ("redis://h?db=3", RedisURL("single", ADDRESS, database=3)),
        ("redis://u:p@h", RedisURL("single", ADDRESS, username="u", password="p")),
        ("redis://:p%40%2F%3A@h", RedisURL("single", ADDRESS, password="p@/:")),
        ("redis://u%3A:a:b@h", RedisURL("single", ADDRESS, username="u:", password="a:b")),
        ("redis://[::1]:7000", RedisURL("single", (Address("::1", 7000),))),
        ("rediss://h", RedisURL("single", ADDRESS, tls=TLSOptions())),
        ("valkeys://h", RedisURL("single", ADDRESS, tls=TLSOptions())),
        (
            "rediss://h?ssl_cert_reqs=none&ssl_ca_certs=/a%20b/ca.pem&ssl_certfile=c.pem&ssl_keyfile=k.pem",
            RedisURL("single", ADDRESS, tls=TLSOptions("none", False, "/a b/ca.pem", "c.pem", "k.pem")),
        ),
        (
            "rediss://h?ssl_cert_reqs=CERT_OPTIONAL&ssl_check_hostname=False",
            RedisURL("single", ADDRESS, tls=TLSOptions("optional", False)),
        ),
        ("unix:///run/redis.sock", RedisURL("single", (Address("/run/redis.sock", 0),))),
        ("unix://:p@/a%20b?db=2", RedisURL("single", (Address("/a b", 0),), database=2, password="p")),
        ("redis+streams://h", RedisURL("single", ADDRESS, "streams")),
        ("unix+queue:///s", RedisURL("single", (Address("/s", 0),), "queue")),
        ("redis+cluster://a,b:7000", RedisURL("cluster", (Address("a", 6379), Address("b", 7000)))),
        ("valkey+cluster+sharded://h/0", RedisURL("cluster", ADDRESS, "sharded")),
        (
            "redis+sentinel://u:p@a,[::2]:1/main/4?sentinel_username=su&sentinel_password=sp",
            RedisURL(
                "sentinel",
                (Address("a", 26379), Address("::2", 1)),
                database=4,
                service="main",
                username="u",
                password="p",
                sentinel_username="su",
                sentinel_password="sp",
            ),
        ),
        (
            "rediss+sentinel+streams://h/m",
            RedisURL("sentinel", (Address("h", 26379),), "streams", 0, TLSOptions(), "m"),
        ),
    ],
)
def test_what_a_url_means(url, meaning):
    assert parse(url) == meaning


@pytest.mark.parametrize("parts", list(permutations(("rediss", "cluster", "sharded"))))
def test_the_parts_of_a_scheme_have_no_order(parts):
    assert parse("+".join(parts) + "://h") == RedisURL("cluster", ADDRESS, "sharded", 0, TLSOptions())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("localhost:6379", "expected redis://"),
        ("", "expected redis://"),
        ("http://h", "expected one of redis, valkey, rediss, valkeys, unix"),
        ("streams://h", "expected one of redis"),
        ("redis+rediss://h", "expected one of redis"),
        ("redis+cluster+sentinel://h/m", "at most one of cluster, sentinel"),
        ("redis+streams+queue://h", "at most one of streams, sharded, queue"),
        ("redis+stream://h", "'stream' is unknown; the parts before '://' are"),
        ("redis+://h", "the parts before '://' are"),
        ("redis://a,b", "several hosts are for"),
        ("redis://h:0", "the port from 1 to 65535"),
        ("redis://h:65536", "the port from 1 to 65535"),
        ("redis://h:x", "expected host:port"),
        ("redis://::1", "an IPv6 address in [brackets]"),
        ("redis+cluster://a b", "expected host:port"),
        ("redis://h/x", "expected the number of a database"),
        ("redis://h/-1", "expected the number of a database"),
        ("redis://h/1/2", "expected the number of a database"),
        ("redis://h/\N{SUPERSCRIPT TWO}", "expected the number of a database"),
        ("redis://h/1?db=1", "the database is there twice"),
        ("redis+cluster://h/1", "a cluster has no other database than 0"),
        ("redis+sentinel://h", "expected the name of the master"),
        ("redis+sentinel://h//0", "expected the name of the master"),
        ("unix://relative", "expected the absolute path"),
        ("unix://", "expected the absolute path"),
        ("unix+cluster:///s", "exclude each other"),
        ("redis://h?x=1", "'x' is not known here; the options after '?' are db"),
        ("redis://h?db", "each as name=value"),
        ("redis://h?db=1&db=1", "db is there twice"),
        ("redis://h?ssl_ca_certs=x", "for TLS write rediss://"),
        ("rediss://h?ssl_cert_reqs=maybe", "ssl_cert_reqs must be required, optional or none"),
        ("rediss://h?ssl_check_hostname=1", "ssl_check_hostname must be true or false"),
        ("rediss://h?ssl_keyfile=k", "ssl_keyfile needs ssl_certfile"),
        ("redis://:a#b@h", "'#' has no meaning"),
        ("redis://:a/b@h", "'/' is written %2F"),
        ("redis://:a?b@h", "'?' %3F"),
        ("redis://:%ff@h", "must be UTF-8"),
        ("redis://:%00@h", "null character"),
    ],
)
def test_what_is_refused_says_what_was_expected(url, expected):
    with pytest.raises(ValueError, match="the URL of the message queue: ") as refused:
        parse(url)
    assert expected in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("url", [None, b"redis://h", 6379])
def test_something_else_than_a_string_is_a_type_error(url):
    with pytest.raises(TypeError, match="must be a str like redis://"):
        parse(url)


@given(
    st.text(min_size=1).filter(lambda text: "\0" not in text), st.text(min_size=1).filter(lambda text: "\0" not in text)
)
def test_credentials_come_back_whatever_they_are(user, password):
    try:
        url = f"redis+streams://{quote(user, safe='')}:{quote(password, safe='')}@h:1/2"
    except UnicodeEncodeError:  # a lone surrogate is in no URL
        return
    assert parse(url) == RedisURL("single", (Address("h", 1),), "streams", 2, username=user, password=password)


NEVER_SHOWN = st.text(st.characters(exclude_characters="\0"), max_size=8).map(lambda text: f"{text}S3CRET{text}")


@given(NEVER_SHOWN, st.sampled_from(["redis://u:%s@h/0", "rediss+x://:%s@h", "redis://%s@h:x", "unix://:%s@/s?db=%%"]))
@example("a?S3CRET=1&", "redis://:%s@h")
@example("a/b?S3CRET=1", "redis://:%s@h")
@example("S3CRET:1,S3CRET", "redis://:%s@h,")
def test_no_message_and_no_repr_shows_what_was_meant_as_a_password(password, form):
    shown = ""
    try:
        meaning = parse(form % password)
    except ValueError as error:
        shown = str(error)
    else:
        if "S3CRET" not in "".join(address.host for address in meaning.nodes):
            shown = repr(meaning) + str(meaning)
    assert "S3CRET" not in shown


@given(st.text(max_size=60) | st.from_regex(r"(redis|unix)(\+[a-z]*)*://[^ ]*", fullmatch=True))
def test_any_text_is_understood_or_refused(text):
    refused = None
    try:
        assert parse(text).nodes
    except ValueError as error:
        refused = str(error)
    assert refused is None or refused.startswith("the URL of the message queue: ")
