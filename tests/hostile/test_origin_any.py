"""Any origin allowed, and nothing configured: what each must not give away."""

from __future__ import annotations

import json

from conformance.raw import Response

from .conftest import Victim

OPTIONS = {"cors_allowed_origins": "*"}


def remember(victim: Victim, response: Response) -> None:
    """A session opened by hand, to be said goodbye for."""
    if response.body.startswith(b'0{"sid"'):
        victim.sids.append(json.loads(response.text[1:])["sid"])


def test_any_origin_is_never_reflected_together_with_credentials(victim: Victim) -> None:
    origin = "https://anybody.example"
    preflight = [("Origin", origin), ("Access-Control-Request-Method", "POST")]
    answers = [
        victim.request("GET", victim.url(), [("Origin", origin)]),
        victim.request("OPTIONS", victim.url(), preflight),
        victim.request("GET", victim.url(sid="nobody"), [("Origin", origin)]),
    ]
    for response in answers:
        remember(victim, response)
        assert response.header("access-control-allow-credentials") is None
        assert response.header("access-control-allow-origin") in {"*", origin, None}


def test_answers_may_not_be_sniffed_into_something_else(victim: Victim) -> None:
    with victim.open_polling() as session:
        assert (session.opening.header("content-type") or "").startswith("text/plain")


def test_jsonp_is_not_served(victim: Victim) -> None:
    response = victim.request("GET", victim.url() + "&j=0")
    remember(victim, response)
    assert not response.body.startswith(b"___eio")
    assert "javascript" not in (response.header("content-type") or "")
