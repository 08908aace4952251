"""What may be said of an error: to people, in a log or a message. Owns the fix for what a wrong configuration shows as.

What a server writes may quote what it was sent, so only known words of it are passed on; no credentials, ever. Does no
I/O.
"""

from __future__ import annotations

import re
import ssl

from redis.exceptions import (
    AskError,
    AuthenticationError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    ResponseError,
)

from ....errors import ClusterError
from .urls import RedisURL

_WORDS = re.compile(r"[\w ().-]{0,100}", re.ASCII)
_COMMAND = re.compile(r"'([a-z|]{1,40})'", re.ASCII)
#: OpenSSL's numbers for a certificate of another host or IP address.
_OTHER_HOST = (62, 64)


class PlaceError(ConnectionError):
    """What answers there is not what the URL says. The message is ours, and says what to write instead."""


class RefusedError(ClusterError):
    """Redis has answered, and says no: the same question gets the same answer."""


def describe(error: BaseException, url: RedisURL) -> str:
    """An error that ended a connection: its class, what the system says, and the fix, as far as it can be told."""
    if isinstance(error, (ClusterError, PlaceError)):
        return str(error)
    name = type(error).__name__
    if isinstance(error, AuthenticationError):
        whose = " of Redis or of the sentinels" if url.mode == "sentinel" else ""
        return f"{name} (wrong or missing user name or password{whose})"
    if isinstance(error, ResponseError):
        return f"{name} ({_answer(error, url)})"
    cause = error if isinstance(error, OSError) else error.__context__
    reason = getattr(cause, "strerror", None)
    fix = tls_fix(cause) if isinstance(cause, ssl.SSLError) else ""
    return f"{name} ({reason})" + (f": {fix}" if fix else "") if reason else name


def refused(name: str, error: BaseException, url: RedisURL) -> ClusterError:
    """The error for the user, from the answer to the command ``name``."""
    if isinstance(error, ResponseError) and not isinstance(error, AuthenticationError):
        return RefusedError(f"{name} failed: Redis refused it: {_answer(error, url)}")
    return ClusterError(f"{name} failed: {describe(error, url)}")


def tls_fix(error: ssl.SSLError) -> str:
    """What to change, so that the TLS handshake succeeds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OTHER_HOST:
            return "write a host that the server's certificate names, or ssl_check_hostname=false"
        return "ssl_ca_certs must name the file with the CA that signed the server's certificate"
    if "ALERT" in (getattr(error, "reason", None) or "") or isinstance(error, ssl.SSLEOFError):
        return "the server may want a certificate that it trusts: ssl_certfile and ssl_keyfile"
    return ""


def _answer(error: ResponseError, url: RedisURL) -> str:
    """What Redis answered, in words that are no secret, and the fix."""
    text = str(error)
    if isinstance(error, NoPermissionError):
        return _permission(text)
    if isinstance(error, AskError):
        # Nothing in it is a word.
        where = "the slot is another server's" if isinstance(error, MovedError) else "the slot is on its way elsewhere"
        return where if url.mode == "cluster" else f"{where}; this is one of a Redis Cluster, so write redis+cluster://"
    words = _WORDS.match(text)
    said = words[0].strip() if words else ""
    if "by Sentinel" in text:
        return f"{said}; this is a sentinel, so write redis+sentinel://HOST:PORT/NAME-OF-THE-MASTER"
    if said == "unknown command":
        return f"{said}; it may be older than needed, or a sentinel (redis+sentinel://)"
    return said


def _permission(text: str) -> str:
    # Redis names the user here.
    command = _COMMAND.search(text)
    if command:
        what, rule = f"run {command[1]}", f"+{command[1]}"
    elif "channel" in text:
        what, rule = "use this channel", "&CHANNEL"
    else:
        what, rule = "use this key", "~KEY"
    return f"the user may not {what}; allow it: ACL SETUSER USER {rule}"
