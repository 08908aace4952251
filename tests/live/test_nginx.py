"""Owns the promise that the configuration in the documentation works: a real nginx with TLS in front of one host.

The one for several hosts is that of an example, and `test_scaling_example.py` runs it.
"""

from collections.abc import Iterator

import pytest

from tests.docs.pages import page
from tests.live.jsclient import Client, Driver
from tests.live.nginx import Nginx, changed
from tests.live.servers import OURS, PACKAGE, ROOT, Answer, Server, certificate

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own documentation")
OPENING = "/socket.io/?EIO=4&transport=polling"


def configuration(number: int) -> str:
    """One block of the page, which belongs into the http block of a complete configuration."""
    blocks = [block for block in page("docs/deploy/nginx.md").blocks if block.language == "nginx"]
    folders = "".join(f"{name}_temp_path {name};\n" for name in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
    around = f"daemon off;\npid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}"
    return f"{around}{blocks[number].text}}}\n"


@pytest.fixture(scope="module")
def nginx() -> Iterator[Nginx]:
    with Server("tests.live.apps.lifecycle:app", "worker", args=("-w", "2")) as server:
        certfile, keyfile = certificate()
        text = changed(configuration(0), {"/etc/ssl/chat.pem": certfile, "/etc/ssl/chat.key": keyfile})
        assert text.count("http://127.0.0.1:8000;") == 2
        with Nginx(text.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"), "443", tls=True) as found:
            yield found


def test_official_clients_poll_and_upgrade(nginx: Nginx, js: Driver) -> None:
    for transports in (["polling"], ["polling", "websocket"], ["websocket"]):
        client: Client = js.open(nginx.url, transports=transports, query={"key": "nginx"})
        client.sid()
        if len(transports) == 2:
            client.wait("upgrade", transport="websocket")
        for number in range(10):
            assert client.call("echo", number) == number
        assert client.state()["transport"] == transports[-1]
        assert client.found("disconnect") == []


def test_the_origin_is_the_one_that_the_browser_sees(nginx: Nginx) -> None:
    def ask(origin: str) -> Answer:
        return nginx.get(OPENING, headers={"Origin": origin})

    assert ask(nginx.url).status == 200
    for other in ("https://127.0.0.1", f"https://localhost:{nginx.port}", "https://chat.example.org"):
        assert ask(other).status == 403


def test_a_message_may_be_as_large_as_the_server_allows(nginx: Nginx, js: Driver) -> None:
    for transport in ("polling", "websocket"):
        client = js.open(nginx.url, transports=[transport], query={"key": "nginx"})
        client.sid()
        assert client.call("echo", "x" * 990_000) == "x" * 990_000


def test_every_configuration_of_the_page_is_run() -> None:
    blocks = [block for block in page("docs/deploy/nginx.md").blocks if block.language == "nginx"]
    example = (ROOT / "examples" / "scaling" / "nginx.conf").read_text("utf-8")
    for block in blocks[1:]:
        assert all(line.strip() in example for line in block.text.splitlines())
    assert len(blocks) == 2
