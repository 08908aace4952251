"""Owns the proof that `examples/chat` works for people: two browsers, each with a profile of its own, talk through it.

With UPDATE_SCREENSHOTS=1 the picture in the documentation is made anew.
"""

import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.browser import Browser, Page
from tests.live.servers import ROOT, Server, wait_for

CHAT = ROOT / "examples" / "chat"
PICTURE = ROOT / "docs" / "images" / "chat.png"
TRANSPORTS = ("websocket", "polling")
TEXTS = "[...document.querySelectorAll('#messages .text')].map((e) => e.textContent)"
STATES = "[...document.querySelectorAll('#messages .mine')].map((e) => e.dataset.state)"


class Example(Server):
    """The example as its reader starts it."""

    def command(self) -> list[str]:
        return [sys.executable, str(CHAT / "app.py"), "--port", str(self.port)]


def require_client(server: Server) -> None:
    """The page's script is served: skipped on a laptop where the client is not installed, failed in CI."""
    if server.get("/socket.io/socket.io.min.js").status == 200:
        return
    message = "the JavaScript client is missing: python -m flask_socketio_py install-client"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browsers() -> Iterator[tuple[Browser, Browser]]:
    with Browser() as one, Browser() as other:
        yield one, other


@pytest.fixture(scope="module")
def chat(browsers: tuple[Browser, Browser]) -> Iterator[Server]:
    with Example() as server:
        require_client(server)
        yield server


@pytest.fixture
def enter(browsers: tuple[Browser, Browser]) -> Iterator[Callable[..., Page]]:
    """``enter(server, name, room, transport)`` is the page of somebody who joined, the browsers taking turns."""
    pages: list[Page] = []

    def entered(server: Server, name: str, room: str, transport: str = "websocket", token: str = "") -> Page:
        query = "?transport=polling" if transport == "polling" else ""
        page = browsers[len(pages) % 2].open(f"{server.url}/{query}#{room}")
        pages.append(page)
        if token:
            page.evaluate(f"sessionStorage.setItem('token', '{token}'); location.reload()")
            page.wait_for(f"window.socket && sessionStorage.getItem('token') === '{token}'")
        page.type("#name", name)
        page.press_enter()
        page.wait_for_text("#people .tag", "you")
        page.wait_for(f"socket.io.engine.transport.name === '{transport}'")
        return page

    yield entered
    for page in pages:
        page.close()


def say(page: Page, text: str) -> None:
    page.type("#text", text)
    page.press_enter()


def see(page: Page, *texts: str) -> None:
    """The conversation is these messages and no others, each once."""
    wait_for(lambda: page.evaluate(TEXTS) == list(texts), f"{texts}, but there is {page.evaluate(TEXTS)}")


def delivered(page: Page) -> None:
    page.wait_for(f"{STATES}.length > 0 && {STATES}.every((state) => state === 'delivered')")


def beside_the_network(page: Page) -> list[str]:
    """The console's errors without the requests that failed because there was no server, or no session any more."""
    network = ("ERR_", "WebSocket connection to", "Failed to load resource")
    return [error for error in page.console_errors() if not any(part in error for part in network)]


def scanlines(png: bytes) -> tuple[int, int, int]:
    """Width, height, and how many different lines of pixels a PNG has: a blank one has next to none."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    raw = zlib.decompress(data)
    size = len(raw) // height
    return width, height, len({raw[start : start + size] for start in range(0, len(raw), size)})


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_two_people_chat(chat: Server, enter: Callable[..., Page], transport: str) -> None:
    room = f"two-{transport}"
    alice, bob = enter(chat, "Alice", room, transport), enter(chat, "Bob", room, transport)
    assert [page.evaluate("socket.io.engine.transport.name") for page in (alice, bob)] == [transport, transport]
    alice.wait_for_text("#people", "Bob")
    alice.wait_for_text("#count", "2 people")
    assert alice.evaluate("document.querySelector('#empty').checkVisibility()")

    bob.type("#text", "Hello A")
    alice.wait_for_text("#typing", "Bob is typing")
    bob.command("Input.insertText", text="lice")
    bob.press_enter()
    see(alice, "Hello Alice")
    alice.wait_for_text("#typing", "typing", gone=True)
    delivered(bob)
    assert bob.evaluate("document.querySelector('.mine .tick').getAttribute('aria-label')") == "Delivered"
    say(alice, "Hello Bob \N{WAVING HAND SIGN}")
    see(bob, "Hello Alice", "Hello Bob \N{WAVING HAND SIGN}")

    alice.type("#text", "Never sent")
    bob.wait_for_text("#typing", "Alice is typing")
    bob.wait_for_text("#typing", "typing", gone=True)

    bob.click("#leave")
    alice.wait_for_text("#people", "Bob", gone=True)
    assert alice.console_errors() == bob.console_errors() == []


def test_who_closes_the_tab_is_gone(chat: Server, enter: Callable[..., Page], browsers: tuple[Browser, ...]) -> None:
    alice = enter(chat, "Alice", "closing")
    with Browser() as other:
        page = other.open(f"{chat.url}/#closing")
        page.type("#name", "Bob")
        page.press_enter()
        alice.wait_for_text("#people", "Bob")
    alice.wait_for_text("#people", "Bob", gone=True)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_latecomer_reads_the_last_hundred_messages(chat: Server, enter: Callable[..., Page], transport: str) -> None:
    room = f"late-{transport}"
    alice = enter(chat, "Alice", room, transport)
    send = "socket.emitWithAck('message', {key: `k${n}`, text: `message ${n}`})"
    alice.evaluate(f"(async () => {{ for (let n = 1; n <= 103; n++) await {send}; }})()")
    bob = enter(chat, "Bob", room, transport)
    see(bob, *(f"message {number}" for number in range(4, 104)))
    alice.command("Page.reload")
    see(alice, *(f"message {number}" for number in range(4, 104)))
    assert alice.evaluate(f"{STATES}.length") == 100, "after a reload one's own messages are still one's own"


def test_switching_rooms(chat: Server, enter: Callable[..., Page]) -> None:
    alice, bob = enter(chat, "Alice", "here"), enter(chat, "Bob", "here")
    alice.wait_for_text("#people", "Bob")
    say(alice, "in the first room")
    see(bob, "in the first room")

    bob.type("#new-room", "over  there")
    bob.press_enter()
    bob.wait_for_text("#room-title", "over there")
    alice.wait_for_text("#people", "Bob", gone=True)
    say(bob, "in the second room")
    delivered(bob)
    see(alice, "in the first room")

    alice.click("[data-room='over there']")
    alice.wait_for_text("#people", "Bob")
    see(alice, "in the second room")
    alice.evaluate("history.back()")
    alice.wait_for_text("#room-title", "here")
    see(alice, "in the first room")
    assert alice.console_errors() == bob.console_errors() == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_comes_back_gets_what_was_missed(chat: Server, enter: Callable[..., Page], transport: str) -> None:
    room = f"missed-{transport}"
    alice, bob = enter(chat, "Alice", room, transport), enter(chat, "Bob", room, transport)
    say(alice, "one")
    see(bob, "one")
    delivered(alice)
    alice.evaluate("socket.io.reconnection(false); socket.io.engine.close(); 0")
    alice.wait_for_text("#banner", "Reconnecting")
    say(alice, "said while away")
    say(bob, "two")
    say(bob, "three")
    delivered(bob)
    assert alice.evaluate(STATES) == ["delivered", "pending"]
    alice.evaluate("socket.connect(); 0")
    see(alice, "one", "two", "three", "said while away")
    see(bob, "one", "two", "three", "said while away")
    delivered(alice)
    # A poll that sets out while the close packet is on its way finds the session gone: that is the network's business.
    assert beside_the_network(alice) == bob.console_errors() == []


def test_a_message_whose_ack_was_lost_is_said_once(chat: Server, enter: Callable[..., Page]) -> None:
    alice, bob = enter(chat, "Alice", "lost ack"), enter(chat, "Bob", "lost ack")
    alice.type("#text", "said once")
    alice.evaluate(
        "socket.io.reconnection(false); document.querySelector('#compose').requestSubmit(); socket.io.engine.close(); 0"
    )
    see(bob, "said once")
    assert alice.evaluate(STATES) == ["pending"]
    alice.evaluate("socket.connect(); 0")
    delivered(alice)
    say(bob, "then this")
    see(alice, "said once", "then this")
    see(bob, "said once", "then this")


def test_a_message_sent_again_is_said_once(chat: Server, enter: Callable[..., Page]) -> None:
    alice, bob = enter(chat, "Alice", "once"), enter(chat, "Bob", "once")
    send = "socket.emitWithAck('message', {key: 'the same', text: 'once'})"
    first, second = alice.evaluate(f"(async () => [await {send}, await {send}])()")
    assert first == second
    say(alice, "then this")
    see(bob, "once", "then this")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_chat_survives_a_restart_of_the_server(enter: Callable[..., Page], transport: str) -> None:
    with Example() as server:
        require_client(server)
        alice, bob = enter(server, "Alice", "general", transport), enter(server, "Bob", "general", transport)
        say(alice, "before")
        see(bob, "before")
        delivered(alice)
        server.kill()
        for page in (alice, bob):
            page.wait_for_text("#banner", "Reconnecting")
        say(alice, "meanwhile")
        assert alice.evaluate(STATES) == ["delivered", "pending"]
        server.start()
        delivered(alice)
        see(bob, "before", "meanwhile")
        for page in (alice, bob):
            page.wait_for_text("#banner", "Reconnecting", gone=True)
            page.wait_for_text("#count", "2 people")
            page.wait_for(f"socket.io.engine.transport.name === '{transport}'")
        say(bob, "after")
        see(alice, "before", "meanwhile", "after")
        assert beside_the_network(alice) == beside_the_network(bob) == []


def test_what_is_typed_is_text_and_bounded(chat: Server, enter: Callable[..., Page]) -> None:
    alice, bob = enter(chat, "<b>Alice</b>", "hostile"), enter(chat, "Bob", "hostile")
    markup = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    say(alice, markup)
    see(bob, markup)
    bob.wait_for_text("#people", "<b>Alice</b>")
    assert bob.evaluate("document.querySelectorAll('#messages img, #messages script, #people b').length") == 0
    assert "owned" not in bob.evaluate("document.title")

    alice.evaluate("document.querySelector('#text').removeAttribute('maxlength')")
    say(alice, "x" * 2001)
    alice.wait_for_text("#messages .reason", "at most 2000 characters")
    answers = alice.evaluate(
        "Promise.all([[], {key: 'k'}, {key: 'k', text: 7}, {key: 'k', text: ' \\n '}, 'text', null]"
        ".map((hostile) => socket.emitWithAck('message', hostile)))"
    )
    assert len([answer for answer in answers if answer["error"]]) == 6
    see(bob, markup)
    assert alice.console_errors() == bob.console_errors() == []


def test_a_bad_name_is_refused_with_the_reason(chat: Server, browsers: tuple[Browser, Browser]) -> None:
    page = browsers[0].open(chat.url)
    page.evaluate("document.querySelector('#name').removeAttribute('maxlength')")
    page.type("#name", "x" * 25)
    page.press_enter()
    page.wait_for_text("#name-error", "at most 24 characters")
    assert not page.evaluate("document.querySelector('#chat').checkVisibility()")
    page.close()


def test_without_the_client_the_page_says_what_to_do(chat: Server, browsers: tuple[Browser, Browser]) -> None:
    page = browsers[0].open(chat.url, blocked=("*/socket.io.min.js*",))
    page.wait_for_text("#broken", "python -m flask_socketio_py install-client")
    page.close()


def test_under_gunicorn(enter: Callable[..., Page]) -> None:
    with Server("app:app", "gevent", args=("--chdir", str(CHAT))) as server:
        require_client(server)
        alice, bob = enter(server, "Alice", "general"), enter(server, "Bob", "general")
        say(alice, "from a worker")
        see(bob, "from a worker")
        delivered(alice)


def test_the_page_can_be_looked_at(enter: Callable[..., Page], tmp_path: Path) -> None:
    with Example() as server:
        require_client(server)
        alice = enter(server, "Alice", "general", token="picture-alice")
        bob = enter(server, "Bob", "general", token="picture-bob")
        talk = [
            (bob, "Morning! Did the move to the new package go well?"),
            (alice, "It did. I changed one import, and everything still works."),
            (alice, "Handlers, rooms, acks: all the same."),
            (bob, "One import?"),
            (bob, "Then I can look at that old proxy this afternoon, the one that never let a WebSocket through."),
            (alice, "It falls back to long-polling by itself, and comes back after a restart."),
        ]
        for number, (page, text) in enumerate(talk, start=1):
            say(page, text)
            for reader in (alice, bob):
                see(reader, *(said for _, said in talk[:number]))
            delivered(page)
        alice.type("#text", "Shall I show you?")
        wide = PICTURE if os.environ.get("UPDATE_SCREENSHOTS") == "1" else tmp_path / PICTURE.name
        for path, width, height, scheme in (
            (wide, 1200, 750, "light"),
            (tmp_path / "dark.png", 1200, 750, "dark"),
            (tmp_path / "phone.png", 390, 780, "light"),
        ):
            alice.resize(width, height)
            alice.prefer(scheme)
            bob.type("#text", "x")
            alice.wait_for_text("#typing", "Bob is typing")
            png = alice.screenshot(path)
            assert path.stat().st_size == len(png)
            found_width, found_height, lines = scanlines(png)
            assert (found_width, found_height) == (width, height)
            assert lines > height // 4, "the page is blank"
            assert alice.evaluate("document.documentElement.scrollWidth") <= width
