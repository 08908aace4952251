"""Owns which words of an error reach people: the fix, in whatever words a version of Redis refuses, and no secret."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    ResponseError,
)

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis.faults import PlaceError, describe, refused, tls_fix
from flask_socketio_py.socketio.adapters.redis.urls import parse

SINGLE, CLUSTER, SENTINEL = map(parse, ("redis://h", "redis+cluster://h", "redis+sentinel://h/main"))


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        # Redis 6, 7, Valkey
        ("this user has no permissions to run the 'xadd' command or its subcommand", "run xadd; .* [+]xadd"),
        ("User few has no permissions to run the 'pubsub|numsub' command", "run pubsub.numsub; .* [+]pubsub"),
        ("this user has no permissions to access one of the channels used as arguments", "channel; .* &CHANNEL"),
        ("No permissions to access a channel", "channel; .* &CHANNEL"),
        ("this user has no permissions to access one of the keys used as arguments", "key; .* ~KEY"),
        ("No permissions to access a key", "key; .* ~KEY"),
    ],
)
def test_a_right_that_is_missing(text, fix):
    error = refused("X", NoPermissionError(text), SINGLE)
    with pytest.raises(ClusterError, match=f"X failed: Redis refused it: the user may not .*{fix}"):
        raise error
    assert "few" not in str(error)


def test_redirections_are_a_mistake_only_where_no_cluster_is_expected():
    for error in (MovedError("1 h:2"), AskError("1 h:2")):
        assert "redis+cluster://" in describe(error, SINGLE)
        assert "redis+cluster://" in str(refused("GET", error, SENTINEL))
        assert "redis+cluster://" not in describe(error, CLUSTER)
    assert "on its way" in describe(AskError("1 h:2"), CLUSTER)


def test_what_is_ours_is_told_as_it_is():
    assert describe(PlaceError("write this"), SINGLE) == "write this"
    assert describe(ClusterError("X failed"), SINGLE) == "X failed"
    assert str(refused("X", PlaceError("write this"), SINGLE)) == "X failed: write this"


def test_whose_password_it_may_be():
    assert describe(AuthenticationError("x"), SINGLE).endswith("(wrong or missing user name or password)")
    assert describe(AuthenticationError("x"), SENTINEL).endswith("password of Redis or of the sentinels)")


def test_tls_without_a_known_fix():
    assert tls_fix(ssl.SSLError(1, "no idea")) == ""
    error = ConnectionError()
    error.__context__ = ssl.SSLError(1, "no idea")
    assert describe(error, SINGLE) == "ConnectionError (no idea)"


@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=8))
def test_no_answer_shows_what_was_sent(secret):
    answers = [
        AuthenticationError(secret),
        ConnectionError(secret),
        ResponseError(f"unknown command 'AUTH', with args beginning with: '{secret}'"),
        ResponseError(f"'{secret}' is wrong"),
        MovedError("1 h:2"),
        NoPermissionError(f"User {secret} has no permissions to run the 'get' command"),
        NoPermissionError(f"User {secret} has no permissions"),
    ]
    for url in (SINGLE, CLUSTER, SENTINEL):
        for answer in answers:
            assert secret not in describe(answer, url) + str(refused("X", answer, url))
