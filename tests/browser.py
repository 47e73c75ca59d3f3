"""Chromium for tests of pages, by the DevTools protocol over a pipe: no driver, and no port that others could use."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_TIMEOUT = 60.0  # seconds; CI shares its cores

# Key name to Windows' virtual key code, of keys that type no text.
_KEYS = {
    "Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Delete": 46,
}  # fmt: skip
_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
# What Chromium says of an expression whose page goes to another address before it is evaluated.
_MOVED = (
    "navigated or closed",
    "context was destroyed",
    "Cannot find context",
    "Cannot find default execution",
)


def need_chromium() -> str:
    """Chromium's path; without one the test is skipped, or fails where $ARTTL_BROWSER is `required`."""
    return CHROMIUM or _missing("no Chromium: apt-get install chromium")


def need_axe() -> str:
    """The script of axe-core, which finds what a screen reader or a keyboard cannot use.

    It is that of $ARTTL_AXE, such as a newer one of the registry of npm, or of the package axe-core-python.
    """
    spec = importlib.util.find_spec("axe_core_python")
    if path := os.environ.get("ARTTL_AXE"):
        return Path(path).read_text(encoding="utf-8")
    if spec is None or spec.origin is None:
        return _missing("no axe-core: pip install axe-core-python")
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def _missing(sentence: str) -> NoReturn:
    if os.environ.get("ARTTL_BROWSER") == "required":
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser with a profile of its own, which is ended with all its processes."""
    program = need_chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        to_browser, commands = os.pipe()
        answers, from_browser = os.pipe()
        arguments = [
            *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--mute-audio"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *(
                "--disable-dev-shm-usage",
                "--disable-extensions",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ),
            f"--user-data-dir={profile}",
            "about:blank",
        ]

        def set_pipes() -> None:  # Chromium reads 3 and writes 4
            reader, writer = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reader, 3)
            os.dup2(writer, 4)

        process = subprocess.Popen(
            [program, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=set_pipes,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Browser(commands, answers)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(commands)
            os.close(answers)


class Browser:
    """A running browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._last, self._received = 0, b""
        self._pages: dict[str, Page] = {}

    def page(self, *, width: int = 1280, height: int = 900) -> Page:
        """A new tab with no cookies or storage of others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.emulate(width=width, height=height)
        return page

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """What a command returns; events that come before it reach their pages."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        deadline = time.monotonic() + _TIMEOUT
        while True:
            answer = self.receive(deadline, method)
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    def receive(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        """The next message; an event is given to its page too."""
        while b"\0" not in self._received:
            if not select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"Chromium has not answered: {waiting_for}")
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise RuntimeError("Chromium has ended")
            self._received += data
        line, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message and message.get("sessionId") in self._pages:
            self._pages[message["sessionId"]].event(message["method"], message["params"])
        return message


class Page:
    """A tab.

    Attributes:
        requests: the addresses that it has asked for.
        errors: exceptions, and what the console got as an error or warning, such as what a policy has refused.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What a command of the protocol returns for this page."""
        return self._browser.call(method, self._session, **parameters)

    def event(self, method: str, parameters: dict[str, Any]) -> None:
        """Note an event."""
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.errors.append(" ".join(str(each.get("value", "")) for each in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])

    def goto(self, address: str | Path) -> None:
        """Open an address, or a file, and wait until it is loaded."""
        if isinstance(address, Path):
            address = address.resolve().as_uri()
        self._loaded = False
        result = self.call("Page.navigate", url=address)
        if result.get("errorText"):
            raise RuntimeError(f"{address}: {result['errorText']}")
        deadline = time.monotonic() + _TIMEOUT
        while not self._loaded:
            self._browser.receive(deadline, address)

    def back(self) -> None:
        """Begin to go back by one address. An expression that does so may end before it has a value."""
        history = self.call("Page.getNavigationHistory")
        before = history["entries"][history["currentIndex"] - 1]
        self.call("Page.navigateToHistoryEntry", entryId=before["id"])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, awaited where it is a promise."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 20.0) -> Any:
        """The value of an expression once it is true; the page may move to another address meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if value := self.evaluate(expression):
                    return value
            except RuntimeError as error:
                if not any(words in str(error) for words in _MOVED):
                    raise
            if time.monotonic() > deadline:
                raise TimeoutError(f"it did not become true: {expression}; errors: {self.errors}")
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key, such as `a`, `ArrowRight`, `Control+a` or `Shift+Tab`."""
        *modifiers, name = key.split("+") if len(key) > 1 else [key]
        bits = sum(_MODIFIERS[each] for each in modifiers)
        event: dict[str, Any] = {"key": name, "modifiers": bits}
        if name in _KEYS:
            event |= {"windowsVirtualKeyCode": _KEYS[name], "code": name}
            text = "\r" if name == "Enter" else ""
        else:
            event["windowsVirtualKeyCode"] = ord(name.upper()) if name.isalnum() or name == " " else 0
            text = "" if bits & ~_MODIFIERS["Shift"] else name
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Type a text, key by key."""
        for character in text:
            self.press(character)

    def serious_faults(self, axe: str) -> list[str]:
        """What axe-core finds serious or critical in the page as it is, each as its rule and first element.

        Args:
            axe: of `need_axe`.
        """
        self.evaluate(axe + "; true")
        found = self.evaluate("axe.run().then(result => result.violations)")
        return [
            f"{fault['id']}: {fault['nodes'][0]['html'][:200]} {fault['nodes'][0]['failureSummary']}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]

    def click(self, selector: str) -> None:
        """Click the middle of the first element that a CSS selector names."""
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of the first element that a CSS selector names."""
        x, y = self._middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _middle(self, selector: str) -> tuple[float, float]:
        box = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
            " e.scrollIntoView({block: 'nearest'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        if box is None:
            raise RuntimeError(f"no element {selector}")
        return box[0], box[1]

    def emulate(
        self,
        *,
        width: int | None = None,
        height: int = 900,
        dark: bool | None = None,
        printing: bool | None = None,
        javascript: bool | None = None,
        offline: bool | None = None,
    ) -> None:
        """Change the window's size, the colours that the reader prefers, the medium, or what works."""
        if width is not None:
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            self.call("Emulation.setDeviceMetricsOverride", **metrics)
        if dark is not None or printing is not None:
            features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
            self.call("Emulation.setEmulatedMedia", media="print" if printing else "", features=features)
        if javascript is not None:
            self.call("Emulation.setScriptExecutionDisabled", value=not javascript)
        if offline is not None:
            rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
            self.call("Network.emulateNetworkConditions", offline=offline, **rates)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf(self, path: Path) -> None:
        """The page as it is printed, on A4."""
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        data = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True, **size)["data"]
        path.write_bytes(base64.b64decode(data))
