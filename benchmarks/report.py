"""How large a report of many pictures is, how long it takes to make, to open and to filter.

    python benchmarks/report.py --predictions suggestions.jsonl --images photos --model runs/mine --precision 0.9

The rows of the suggestions are repeated, under other object numbers, until there are `--pictures`. Processor time is
that of all threads of `arttl report`. In Chromium (tests/browser.py) a new tab opens the file from the disk: "first
screen" is its first contentful paint, "filters" the end of its script; then each field of the filters is changed and
changed back, and the time is that from the event to the end of the next frame, when the change is on the screen.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import Browser, chromium

_CHANGE = """(async (id, value) => {
  const field = document.getElementById(id), start = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
})"""
_OPENED = """[performance.getEntriesByName("first-contentful-paint")[0].startTime,
  performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd]"""


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--predictions", type=Path, required=True)
    options.add_argument("--images", type=Path)
    options.add_argument("--model", type=Path)
    options.add_argument("--precision", default="0.9")
    options.add_argument("--pictures", type=int, default=3000)
    options.add_argument("--repeats", type=int, default=5)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repeated, page = Path(folder) / "repeated.jsonl", Path(folder) / "report.html"
        lines = given.predictions.read_text(encoding="utf-8").splitlines()
        records = [json.loads(lines[number % len(lines)]) for number in range(given.pictures)]
        for number, record in enumerate(records):
            record["object_number"] = f"R.{number:05}"
        repeated.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
        command = [
            "report",
            "--predictions",
            str(repeated),
            "--out",
            str(page),
            "--precision",
            given.precision,
        ]
        for flag in ("images", "model"):
            if value := getattr(given, flag):
                command += [f"--{flag}", str(value)]
        subprocess.run([Path(sys.executable).parent / "arttl", *command], check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"load on the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        print("| what | median | most |\n|---|---|---|")
        print(f"| size, MB | {page.stat().st_size / 1e6:.1f} | |")
        print(f"| processor time to make, s | {used.ru_utime + used.ru_stime:.0f} | |")
        with chromium() as browser:
            for name, times in _in_browser(browser, page, records, given.repeats).items():
                print(f"| {name}, ms | {median(times):.0f} | {max(times):.0f} |")


def _in_browser(
    browser: Browser, path: Path, records: list[dict[str, Any]], repeats: int
) -> dict[str, list[float]]:
    task = next(name for name, value in records[0].items() if isinstance(value, dict) and "labels" in value)
    changes = {
        "search": ("search", "R.0001", ""),
        "filter by status": ("status", records[0][task]["status"], ""),
        "filter by label": ("label", records[0][task]["labels"][0], ""),
        "filter by confidence": ("least", "90", "0"),
        "other order": ("order", "doubt", "file"),
    }
    times: dict[str, list[float]] = {name: [] for name in ("first screen", "filters", *changes)}
    for _ in range(repeats):
        page = browser.page()
        page.goto(path)
        screen, filters = page.evaluate(_OPENED)
        times["first screen"].append(screen)
        times["filters"].append(filters)
        for name, (field, *values) in changes.items():
            times[name] += [page.evaluate(f"{_CHANGE}({field!r}, {json.dumps(value)})") for value in values]
    return times


if __name__ == "__main__":
    main()
