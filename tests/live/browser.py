"""Drives headless Chromium by the DevTools protocol: what the tests of the examples need, and nothing else.

Knows nothing of Socket.IO. One `Browser` is one process with a profile of its own, so two of them are two people.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
    "--lang=en-US",
    "--remote-debugging-port=0",
)


def find_chromium() -> str:
    """The browser's path. Without one the test is skipped on a laptop and fails in CI."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    message = f"no Chromium in PATH (looked for {', '.join(NAMES)})"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


class PageError(AssertionError):
    """JavaScript threw, or what was waited for did not come."""


class Browser:
    """A running Chromium; a context manager that leaves no process and no file behind."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._last_id = 0
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def __enter__(self) -> Browser:
        executable = find_chromium()
        with contextlib.ExitStack() as stack:
            profile = Path(tempfile.mkdtemp(prefix="chromium-"))
            stack.callback(shutil.rmtree, profile, ignore_errors=True)
            log = stack.enter_context((profile / "stderr.txt").open("wb"))
            # A group of its own: the program in PATH may be a script, and Chromium has many children.
            process = subprocess.Popen(
                [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "TMPDIR": str(profile)},  # what it leaves behind when killed goes with the profile
                start_new_session=True,
            )
            stack.callback(self._end, process)
            address = self._address(process, profile)
            self._connection = stack.enter_context(connect(address, max_size=None, close_timeout=1, proxy=None))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @staticmethod
    def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
        announced = profile / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            lines = announced.read_text().split() if announced.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.05)
        raise PageError(f"Chromium did not start: {(profile / 'stderr.txt').read_text()[-2000:]}")

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)

    def command(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Sends one command; the events that come before its answer are kept by session."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(PATIENCE))
            if answer.get("id") != self._last_id:
                self.events[answer.get("sessionId", "")].append(answer)
            elif "error" in answer:
                raise PageError(f"{method}: {answer['error']['message']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str, width: int = 1200, height: int = 750, blocked: tuple[str, ...] = ()) -> Page:
        """A new tab with the page loaded; requests to an address that matches `blocked` fail."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.command(f"{domain}.enable")
        if blocked:
            page.command("Network.setBlockedURLs", urls=list(blocked))
        page.command("Emulation.setFocusEmulationEnabled", enabled=True)
        page.resize(width, height)
        page.prefer("light")
        page.go(url)
        return page


class Page:
    """One tab."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.command(method, self._session, **params)

    def close(self) -> None:
        self._browser.command("Target.closeTarget", targetId=self._target)
        self._browser.events.pop(self._session, None)

    def go(self, url: str) -> None:
        failed = self.command("Page.navigate", url=url).get("errorText")
        if failed:
            raise PageError(f"{url}: {failed}")
        self.wait_for(f"location.href !== 'about:blank' && document.readyState === 'complete' /* {url} */")

    def evaluate(self, script: str) -> Any:
        """The value of an expression, as JSON; a promise is awaited."""
        answer = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait_for(self, condition: str, timeout: float = PATIENCE) -> Any:
        """The first true value of the expression."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.evaluate(condition)
            if value:
                return value
            if time.monotonic() > deadline:
                raise PageError(f"not within {timeout} s: {condition}\nconsole: {self.console_errors()}")
            time.sleep(0.05)

    def text(self, selector: str) -> str:
        """What a person sees of the element."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def wait_for_text(self, selector: str, text: str, *, gone: bool = False, timeout: float = PATIENCE) -> None:
        """Until the element shows the text, or with `gone` shows it no more."""
        chosen, wanted = json.dumps(selector), json.dumps(text)
        found = f"document.querySelector({chosen})?.innerText.includes({wanted})"
        self.wait_for(f"{found} === {'false' if gone else 'true'}", timeout)

    def click(self, selector: str) -> None:
        """A real click on the element's middle, so that what covers it would get it."""
        chosen = json.dumps(selector)
        self.wait_for(f"document.querySelector({chosen})?.checkVisibility()")
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({chosen}); e.scrollIntoView({{block: 'nearest'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        self.click(selector)
        self.command("Input.insertText", text=text)

    def press_enter(self) -> None:
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self.command("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        self.command("Input.dispatchKeyEvent", type="keyUp", **key)

    def resize(self, width: int, height: int) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, colour_scheme: str) -> None:
        """'light' or 'dark', as the person's system would ask for. Nothing moves, for stable screenshots."""
        wanted = {"prefers-color-scheme": colour_scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.command("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> bytes:
        """A PNG of what is visible, written to `path` too."""
        png = base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        return png

    def console_errors(self) -> list[str]:
        """Uncaught exceptions, console.error, failed requests and refused content, since the page was opened."""
        self.command("Runtime.evaluate", expression="0")  # gathers the events that are still on their way
        errors = []
        for event in self._browser.events[self._session]:
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                errors.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
                errors.append(" ".join(str(each.get("value", each.get("description"))) for each in params["args"]))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
                errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        return errors

    def forget_console_errors(self) -> None:
        self.console_errors()
        self._browser.events[self._session].clear()
