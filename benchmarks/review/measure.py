"""Times of the review app in Chromium: first screen, type-ahead, filter, save, next, Home, End, go to N; its memory.

Chromium is driven by `tests/browser.py`. Each time runs from the key, or from opening the address, to what a person
waits for on the screen: the object's panel, and the texts of the cells in sight; on the first screen pictures too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from browser import Page, chromium
from without_pandas import WITHOUT_PANDAS

READY = """document.documentElement.dataset.ready && document.querySelector('#object h2')
 && [...document.querySelectorAll('.cell:not([hidden])')].every(
   c => c.querySelector('.number').textContent !== '…' && c.querySelector('img').complete)"""
# Runs in the page: times until a condition holds, looked at in every frame.
TIMER = """window.timed = async (act, until) => {
  const start = performance.now();
  act();
  while (!until()) {
    if (performance.now() - start > 20000) throw new Error('it took more than 20 s');
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - start;
};
window.press = (key, more = {}) => document.activeElement.dispatchEvent(
  new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true, ...more}));
window.filled = () => [...document.querySelectorAll('.cell:not([hidden])')].every(
  c => c.querySelector('.number').textContent !== '…');
window.shown = () => document.querySelector('#object h2')?.textContent;
window.current = () => document.querySelector('.cell.current .number')?.textContent;
window.position = () => document.getElementById('position').textContent;
window.together = () => filled() && shown() && shown() === current();
true"""


def _median(page: Page, script: str, repeats: int = 7) -> float:
    times = []
    for _ in range(repeats):
        times.append(page.evaluate(script))
        time.sleep(0.15)
    return statistics.median(times)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The review app with a collection of `collection.py`: its address, and the process."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            *(sys.executable, "-c", WITHOUT_PANDAS, "review"),
            "--predictions",
            str(folder / "suggestions.parquet"),
            "--images",
            str(folder / "photos"),
        ]
        (folder / "photos").mkdir(exist_ok=True)
        server = subprocess.Popen(
            [*command, "--decisions", f"{scratch}/d.sqlite", "--no-browser"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ARTTL_CACHE": scratch, "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert server.stdout is not None
            text = ""
            while "stop " not in text:
                text += server.stdout.readline()
            address = re.search(r"http\S+", text)
            assert address is not None
            yield address[0], psutil.Process(server.pid)
        finally:
            server.kill()
            server.wait()


def measure(folder: Path) -> dict[str, float]:
    """All times in milliseconds, start-up in seconds, memory in MB."""
    results: dict[str, float] = {}
    begun = time.perf_counter()
    with serving(folder) as (address, process):
        results["start, s"] = time.perf_counter() - begun
        results["memory after the start, MB"] = process.memory_info().rss / 1e6
        with chromium() as browser:
            page = browser.page(width=1280, height=900)
            begun = time.perf_counter()
            page.goto(address)
            page.wait_for(READY)
            results["first screen, with pictures"] = 1000 * (time.perf_counter() - begun)
            page.evaluate(TIMER)
            results |= times_of(page)
            results["memory at the end, MB"] = process.memory_info().rss / 1e6
            wrong = [error for error in page.errors if "404" not in error]  # where there are no pictures
            assert wrong == [], wrong
    return results


def times_of(page: Page) -> dict[str, float]:
    """What a person waits for, in milliseconds."""
    results = {}
    results["save and next object"] = _median(
        page,
        "(() => {const at = shown(); return timed(() => press('a'), () => shown() !== at && together())})()",
    )
    results["save (until shown as saved)"] = _median(
        page,
        "(() => {document.getElementById('saved').textContent = ''; return timed(() => press('s'),"
        " () => document.getElementById('saved').textContent === 'Saved: skipped')})()",
    )
    page.wait_for("together()")
    results["next object"] = _median(
        page,
        "(() => {const at = shown(); return timed(() => press('ArrowRight'), () => shown() !== at && together())})()",
    )
    page.press("/")
    page.wait_for("document.querySelectorAll('#finder-list li').length > 10")
    results["type-ahead, per letter"] = _median(
        page,
        "(() => {const i = document.getElementById('finder-text'), n = document.getElementById('finder-note');"
        " window.typed = (window.typed ?? '') + 'banderjan'[(window.typed ?? '').length % 9];"
        " n.textContent = ''; return timed(() => {i.value = typed; i.dispatchEvent(new Event('input'))},"
        " () => n.textContent)})()",
        5,
    )
    page.press("Escape")
    page.wait_for("!document.getElementById('finder').open")

    def choose(name: str, value: str) -> str:
        code = f"const s = document.getElementById('{name}'); s.value = {json.dumps(value)};"
        code += " s.dispatchEvent(new Event('change'))"
        return (
            "(() => {document.getElementById('position').textContent = ''; const t = document.getElementById('track');"
            f" return timed(() => {{{code}}}, () => position() && together())}})()"
        )

    values = ["unsure", "all", "empty", "all", "differs", "all", "all"]
    results["filter by queue"] = statistics.median(page.evaluate(choose("queue", value)) for value in values)
    tasks = ["material", "type", "artist"] * 2
    results["another task"] = statistics.median(page.evaluate(choose("task", value)) for value in tasks)
    times = []
    for number in range(7):
        page.evaluate("document.getElementById('of').value = 'artist'; true")
        page.press("l")
        page.wait_for("document.querySelectorAll('#finder-list li').length > 10")
        letter = "bdghjkl"[number]
        page.type(letter)
        times.append(
            page.evaluate(
                "(() => {document.getElementById('position').textContent = '';"
                " return timed(() => document.getElementById('finder-text').dispatchEvent(new KeyboardEvent('keydown',"
                " {key: 'Enter', bubbles: true})), () => position() && (position() === '0 of 0' || together()))})()"
            )
        )
    results["filter by one of 3,000 artists"] = statistics.median(times)
    page.press("l")
    page.wait_for("document.querySelectorAll('#finder-list li').length > 10")
    page.press("Enter")
    page.wait_for("together()")
    times = []
    for text in ("0012", "0451", "bader", "inv.00", ""):
        times.append(
            page.evaluate(
                "(() => {document.getElementById('position').textContent = '';"
                " const s = document.getElementById('search');"
                f" return timed(() => {{s.value = '{text}'; s.dispatchEvent(new Event('input'))}},"
                " () => position() && together())})()"
            )
        )
    results["search (with the 120 ms that it waits for another letter)"] = statistics.median(times)
    for key in ("End", "Home"):
        times = []
        for _ in range(5):
            page.evaluate(f"press({'End' if key == 'Home' else 'Home'!r}); true")
            page.wait_for("together()")
            time.sleep(0.2)
            times.append(
                page.evaluate(
                    "(() => {const at = shown();"
                    f" return timed(() => press('{key}'), () => shown() !== at && together())}})()"
                )
            )
        results[key] = statistics.median(times)
    count = int(page.evaluate("position()").split(" of ")[1].replace(",", ""))
    times = []
    for number in [round(count * share) for share in (0.31, 0.77, 0.5, 0.9, 0.13)]:
        page.press("g")
        page.evaluate(f"document.getElementById('asker-number').value = {number}; true")
        times.append(
            page.evaluate(
                "(() => {const at = shown(); return timed(() => document.getElementById('asker-yes').click(),"
                " () => shown() !== at && together())})()"
            )
        )
    results["go to N"] = statistics.median(times)
    return results


def main() -> None:
    """Measure a collection of `collection.py`, and print a row per time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    for name, value in measure(arguments.folder).items():
        print(f"| {name} | {value:,.{2 if value < 10 else 0}f} |", flush=True)


if __name__ == "__main__":
    main()
