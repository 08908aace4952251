"""Owns that what the documentation says of Redis is so: URLs mean what their row says, servers know the settings, and
what the log is said to say is what the code writes.
"""

import re

import pytest
from redis_places import TLSServer, authority
from redis_server import RedisServer

from flask_socketio_py.socketio.adapters.redis.urls import Address, TLSOptions, parse
from tests.docs.pages import ROOT, page, rows

PAGE = page("docs/deploy/redis.md")
SOURCES = ROOT / "flask_socketio_py" / "socketio" / "adapters" / "redis"


def urls():
    """The table of URLs: what Redis it is -> the URLs, understood."""
    text = page("docs/topics/scaling.md").text.split("## Where Redis is\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| ([^|]+) \| (`.+`[^|]*) \|$", text, re.MULTILINE)
    return {what: [parse(url) for url in re.findall(r"`([^`]+)`", cell)] for what, cell in found if "://" in cell}


def test_each_url_means_what_its_row_says():
    found = urls()
    [[host], [password], [user], [tls], [mutual], [unchecked], [unix], [sentinels], [cluster], valkeys] = found.values()
    assert host.nodes == (Address("redis.example.org", 6379),)
    assert (password.username, password.password) == (None, "secret")
    assert (user.username, user.password) == ("chat", "secret")
    assert tls.tls == TLSOptions(ca_certs="/etc/chat/ca.pem")
    assert mutual.tls == TLSOptions(
        ca_certs="/etc/chat/ca.pem", certfile="/etc/chat/client.pem", keyfile="/etc/chat/client.key"
    )
    assert unchecked.tls == TLSOptions(cert_reqs="none", check_hostname=False)
    assert unix.nodes == (Address("/run/redis/redis.sock", 0),)
    assert (sentinels.mode, sentinels.service) == ("sentinel", "mymaster")
    assert sentinels.nodes == (Address("sentinel-1", 26379), Address("sentinel-2", 26379))
    assert (sentinels.username, sentinels.sentinel_password) == ("chat", "other")
    assert (cluster.mode, len(cluster.nodes)) == ("cluster", 2)
    assert [valkey.tls is not None for valkey in valkeys] == [False, True]


def test_the_url_of_the_deployment_page():
    [block] = [block for block in PAGE.blocks if block.language == "text"]
    assert parse(block.text.strip()).tls.keyfile == "/etc/chat/client.key"


def settings():
    blocks = [block.text for block in PAGE.blocks if block.language == "ini"]
    return [dict(re.findall(r"^([a-z][\w-]+) (.+)$", block, re.MULTILINE)) for block in blocks]


def test_a_server_starts_with_the_settings():
    plain, _ = settings()
    with RedisServer(**plain) as server:
        shown = {name: server.ask("CONFIG", "GET", name)[1].decode() for name in plain}
    assert f"pubsub {32 << 20} {8 << 20} 60" in shown.pop("client-output-buffer-limit")
    del plain["client-output-buffer-limit"]
    assert shown == plain


def test_a_server_starts_with_the_settings_for_tls():
    _, encrypted = settings()
    assert set(encrypted) <= set(TLSServer().settings)
    names = {name: authority().path(value.rpartition("/")[2]) for name, value in encrypted.items() if "/" in value}
    assert set(names.values()) == {authority().path(name) for name in ("server.pem", "server.key", "ca.pem")}


@pytest.mark.parametrize("phrase", [cell for cell, _ in rows(PAGE, 2) if cell.startswith("`") and "://" not in cell])
def test_what_the_log_is_said_to_say_is_what_it_says(phrase):
    text = "".join(path.read_text("utf-8") for path in SOURCES.glob("*.py"))
    for part in re.findall(r"`([^`]+)`", phrase):
        if part == "certificate verify failed":
            continue  # OpenSSL's words
        fixed = re.sub(r"run xadd|\+xadd|\(no answer\)", "%", part)
        for piece in fixed.split("%"):
            assert piece.strip(" +") in text, piece
