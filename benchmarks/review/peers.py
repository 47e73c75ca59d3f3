"""FiftyOne and LightlyStudio beside the review app, on one collection, in Chromium: one command for all figures.

    python benchmarks/review/collection.py /tmp/c --objects 20000
    python3 -m venv /tmp/fiftyone && /tmp/fiftyone/bin/pip install fiftyone
    python3 -m venv /tmp/lightly && /tmp/lightly/bin/pip install lightly-studio
    python benchmarks/review/peers.py /tmp/c --fiftyone /tmp/fiftyone --lightly /tmp/lightly

Where FiftyOne brings no MongoDB for the machine, an older one with the libraries that it needs will do:
`pip install --no-deps fiftyone-db==0.4.5`, and --libraries with the folder of libssl.so.1.1 and libcrypto.so.1.1.

Each program gets 20,000 pictures with one of 3,000 artists and is driven as a person would: opened, filtered by an
artist, one label saved, the list scrolled by wheel for a minute. What fails is printed in place of its time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
from measure import READY, TIMER, serving, times_of

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from browser import Browser, Page, chromium

_HERE = Path(__file__).parent
_SECONDS = 900.0  # for an import
_SCROLLED = 60.0
_MEASURES = (
    "import, s",
    "first screen, s",
    "filter by one of the artists, s",
    "save a label, s",
    "pictures reached by scrolling for a minute",
    "installed, MB",
    "hosts contacted",
)
# Components listen to more than clicks.
_CLICK = """window.clickOn = (element) => { for (const kind of ['pointerdown', 'mousedown', 'pointerup', 'mouseup',
 'click']) element.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true})); return true; };
window.byText = (selector, text) => [...document.querySelectorAll(selector)].filter(
 (each) => each.textContent.trim() === text).pop();
true"""

Results = dict[str, str]


def write_rows(folder: Path) -> None:
    """The suggestions as a list that needs no pyarrow to read."""
    columns = ["object_number", "picture", "artist"]
    rows = [
        {
            "object_number": row["object_number"],
            "picture": row["picture"],
            "artist": row["artist"]["labels"][0],
            "probability": row["artist"]["ranked"][0]["probability"],
        }
        for row in pq.read_table(folder / "suggestions.parquet", columns=columns).to_pylist()
    ]
    (folder / "rows.json").write_text(json.dumps(rows))


@contextlib.contextmanager
def peer_serving(
    script: str, python: Path, folder: Path, libraries: Path | None
) -> Iterator[tuple[str, Callable[[], str]]]:
    """A peer's server, with a home of its own: its address, and a function that gives what it has printed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environment = {**os.environ, "HOME": home, "PYTHONUNBUFFERED": "1"}
        if libraries is not None:
            environment["LD_LIBRARY_PATH"] = str(libraries)
        printed = Path(home, "printed.txt")
        with printed.open("wb") as file:
            process = subprocess.Popen(
                [python, _HERE / script, folder, str(port)],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

        def text() -> str:
            return printed.read_text(errors="replace")

        try:
            deadline = time.monotonic() + _SECONDS
            while "\nready" not in text() or not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"it has not started: {text().strip().splitlines()[-1][:300]}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/", text
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def tried(work: Callable[[], object]) -> str:
    """What a step gives, or what is wrong."""
    try:
        value = work()
    except Exception as error:
        traceback.print_exc()
        return f"failed: {str(error).splitlines()[0][:120]}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def seconds_until(page: Page, act: str, condition: str, most: float = 120.0) -> float:
    """Seconds from an action, an expression of JavaScript, until a condition is true."""
    begun = time.perf_counter()
    page.evaluate(act)
    page.wait_for(f"!!({condition})", most)
    return time.perf_counter() - begun


def opened(browser: Browser, address: str, ready: str) -> tuple[Page, float]:
    """The page, and the seconds until it is ready."""
    page = browser.page(width=1280, height=900)
    begun = time.perf_counter()
    page.goto(address)
    page.wait_for(f"!!({ready})", 120)
    seconds = time.perf_counter() - begun
    page.evaluate(_CLICK)
    return page, seconds


def reached(page: Page) -> int:
    """How many different pictures a minute of scrolling by the wheel has shown."""
    page.evaluate("window.seen = new Set(); true")
    until, count = time.monotonic() + _SCROLLED, 0
    while time.monotonic() < until:
        page.call("Input.dispatchMouseEvent", type="mouseWheel", x=700, y=600, deltaX=0, deltaY=700)
        time.sleep(0.05)
        count = page.evaluate(
            "(() => { for (const each of document.images) if (each.complete && each.naturalWidth && each.offsetParent)"
            " seen.add(each.src); return seen.size; })()"
        )
    return count


def hosts(page: Page, printed: str) -> str:
    """Names of hosts that the page and the server asked for, this machine's left out."""
    names = {urlsplit(each).hostname for each in page.requests} | {
        *re.findall(r"^host (\S+)$", printed, re.M)
    }
    return (
        ", ".join(sorted(name for name in names if name and name not in ("127.0.0.1", "localhost", "None")))
        or "none"
    )


def size_of(environment: Path) -> str:
    """Megabytes of the packages of an environment."""
    files = (path for path in environment.glob("lib/python*/site-packages/**/*") if path.is_file())
    return f"{sum(path.stat().st_size for path in files) / 1e6:,.0f}"


def size_of_extra(package: str = "arttl", extra: str = "review") -> str:
    """Megabytes on the disk of what an extra needs, what other parts of arttl need too included."""
    waiting = [
        requirement
        for requirement in distribution(package).requires or ()
        if f"extra == '{extra}'" in requirement.replace('"', "'")
    ]
    found: dict[str, int] = {}
    while waiting:
        name = re.split(r"[^A-Za-z0-9._-]", waiting.pop(), maxsplit=1)[0]
        if name in found:
            continue
        try:
            own = distribution(name)
        except PackageNotFoundError:  # for another system
            continue
        paths = {Path(str(own.locate_file(file))) for file in own.files or ()}
        found[name] = sum(path.stat().st_size for path in paths if path.is_file())
        waiting += [each for each in own.requires or () if "extra ==" not in each]
    return f"{sum(found.values()) / 1e6:.1f} for the extra"


def of_arttl(browser: Browser, folder: Path) -> Results:
    """The review app."""
    with serving(folder) as (address, _):
        page, first = opened(browser, address, READY)
        page.evaluate(TIMER)
        times = times_of(page)
        page.evaluate("document.querySelector('.cell:not([hidden])').focus(); true")
        count = tried(lambda: reached(page))
        return {
            "import, s": "none",
            "first screen, s": f"{first:.2f}",
            "filter by one of the artists, s": f"{times['filter by one of 3,000 artists'] / 1000:.2f}",
            "save a label, s": f"{times['save (until shown as saved)'] / 1000:.2f}",
            "pictures reached by scrolling for a minute": f"{count}; all by End, at once",
            "installed, MB": size_of_extra(),
            "hosts contacted": hosts(page, ""),
        }


def of_fiftyone(browser: Browser, folder: Path, environment: Path, libraries: Path | None) -> Results:
    """FiftyOne; its tag of a sample is the label that is saved, timed until the box closes."""
    artist = json.loads((folder / "rows.json").read_text())[100]["artist"]
    with peer_serving("serve_fiftyone.py", environment / "bin/python", folder, libraries) as (
        address,
        printed,
    ):
        shown = "document.querySelectorAll('[data-cy=looker] canvas, canvas').length > 12"
        page, first = opened(browser, address, shown)
        time.sleep(3)
        counts = "document.querySelector('[data-cy=entry-counts]').textContent"

        def filtered() -> float:
            page.evaluate("clickOn(document.querySelector('[data-cy=sidebar-field-arrow-enabled-artist]'))")
            field = '[data-cy="selector-sidebar-search-artist.label"]'
            page.wait_for(f"!!document.querySelector('{field}')")
            everything = page.evaluate(counts)
            page.evaluate(f"document.querySelector('{field}').focus(); true")
            page.type(artist)
            result = f"byText('[data-cy^=selector-result-]', {json.dumps(artist)})"
            page.wait_for(f"!!{result}")
            return seconds_until(page, f"clickOn({result})", f"{counts} !== {json.dumps(everything)}")

        def saved() -> float:
            time.sleep(2)
            page.hover("[data-cy=looker]")
            page.click("[data-cy='looker-checkbox-']")  # else the field of the filter holds the focus
            time.sleep(1)
            opener = "document.querySelector('[data-cy=action-tag-sample-labels]')"
            page.evaluate(f"{opener}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
            page.wait_for(
                "document.querySelector('[data-cy=sample-tag-input]')?.placeholder.includes('+ tag ')"
            )
            time.sleep(2)
            page.evaluate("document.querySelector('[data-cy=sample-tag-input]').focus(); true")
            page.type("right")
            page.press("Enter")
            page.wait_for("!!byText('*', 'Apply')")
            return seconds_until(page, "clickOn(byText('*', 'Apply'))", "!byText('*', 'Apply')")

        # It draws its pictures on canvases.
        results = {"first screen, s": f"{first:.2f}", _MEASURES[4]: "not counted"}
        results["filter by one of the artists, s"] = tried(filtered)
        results["save a label, s"] = tried(saved)
        return results | _common(page, printed(), environment)


def of_lightly(browser: Browser, folder: Path, environment: Path, libraries: Path | None) -> Results:
    """LightlyStudio; an artist is the class of an annotation of the whole picture, a tag the label that is saved."""
    artist = json.loads((folder / "rows.json").read_text())[100]["artist"]
    with peer_serving("serve_lightly.py", environment / "bin/python", folder, libraries) as (
        address,
        printed,
    ):
        shown = "[...document.images].filter((each) => each.complete && each.naturalWidth).length > 8"
        page, first = opened(browser, address, shown)
        time.sleep(3)
        results = {"first screen, s": f"{first:.2f}"}

        def filtered() -> float:
            box = f"byText('label, [role=checkbox], button, li, span, p, div', {json.dumps(artist)})"
            page.wait_for(f"!!{box}", 60)
            before = page.evaluate("[...document.images].map((each) => each.src).join()")
            return seconds_until(
                page,
                f"clickOn({box})",
                "[...document.images].length && [...document.images].every((each) => each.complete)"
                f" && [...document.images].map((each) => each.src).join() !== {json.dumps(before)}",
            )

        results["filter by one of the artists, s"] = tried(filtered)
        results["save a label, s"] = "not driven"
        page, _ = opened(browser, address, shown)
        time.sleep(3)
        results[_MEASURES[4]] = tried(lambda: reached(page))
        return results | _common(page, printed(), environment)


def _common(page: Page, printed: str, environment: Path) -> Results:
    imported = re.search(r"^imported (\S+)", printed, re.MULTILINE)
    return {
        "import, s": imported[1] if imported else "?",
        "installed, MB": size_of(environment),
        "hosts contacted": hosts(page, printed),
    }


def main() -> None:
    """Measure all programs that are given, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fiftyone", type=Path, help="its environment")
    parser.add_argument("--lightly", type=Path, help="its environment")
    parser.add_argument("--libraries", type=Path, help="folder of libssl.so.1.1 and libcrypto.so.1.1")
    given = parser.parse_args()
    write_rows(given.folder)
    results: dict[str, Results] = {}
    programs = {
        "arttl review": lambda browser: of_arttl(browser, given.folder),
        "FiftyOne": given.fiftyone
        and (lambda browser: of_fiftyone(browser, given.folder, given.fiftyone.absolute(), given.libraries)),
        "LightlyStudio": given.lightly
        and (lambda browser: of_lightly(browser, given.folder, given.lightly.absolute(), None)),
    }
    for name, work in programs.items():
        if not work:
            continue
        with chromium() as browser:
            try:
                results[name] = work(browser)
            except Exception as error:
                traceback.print_exc()
                results[name] = {_MEASURES[0]: f"failed: {str(error)[:200]}"}
        print(name, results[name], flush=True)
    print("| | " + " | ".join(results) + " |")
    print("|---" * (len(results) + 1) + "|")
    for measure in _MEASURES:
        print(f"| {measure} | " + " | ".join(each.get(measure, "") for each in results.values()) + " |")


if __name__ == "__main__":
    main()
