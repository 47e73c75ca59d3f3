"""Make the pictures of pages that show suggestions: of README.md and docs/report.md, with Chromium.

    .venv/bin/python scripts/page_pictures.py --collection ../shared/data/paintings

Packs a collection of paintings (`objects.csv`, `images/` and `synonyms.csv`, see recipes/README.md), fine-tunes a
network by the recipe paintings-fine-tune, suggests labels for the test split, and takes pictures of the page that
`arttl report` makes of them. Only objects of the Metropolitan Museum (CC0) are in the pictures, and nobody chooses
them: they are the first of the page in an order that it offers; in README.md two whose artist agrees with the
catalogue's, and two where it differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image

from arttl.cli import run_command

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # for its Chromium

from browser import Page, chromium  # noqa: E402

IMAGES = ROOT / "docs" / "images"


def make_report(collection: Path, folder: Path) -> Path:
    """Pack, train and suggest, each as its command does, and write the page."""
    tasks, shards, run = ("--tasks", "artist", "material"), str(folder / "shards"), str(folder / "run")
    suggestions, page = str(folder / "suggestions.parquet"), folder / "report.html"
    for command, *words in (
        ("shards", "--metadata", f"{collection}/objects.csv", "--images", f"{collection}/images", *tasks,
         "--mapping", f"artist={collection}/synonyms.csv", "--split", "stratified", "--val-share", "0.3",
         "--near-duplicates", "together", "--out", shards),
        ("train", "--recipe", "paintings-fine-tune", "--shards", shards, "--maps", "0", "--out", run),
        ("predict", "--model", run, "--shards", shards, "--split", "test", "--precision", "0.7", "--out", suggestions),
        ("report", "--model", run, "--predictions", suggestions, "--shards", shards, "--precision", "0.7",
         "--out", str(page)),
    ):  # fmt: skip
        if status := run_command(command, words):
            sys.exit(f"error: arttl {command} ended with status {status}")
    return page


def show(page: Page, report: Path, *, maps: bool, **filters: str) -> None:
    """Open a report at its gallery, with the objects of the Metropolitan Museum alone, and values of its filters."""
    page.goto(report)
    page.evaluate(
        f"""
        for (const [name, value] of Object.entries({json.dumps({"search": "MET.", **filters})}))
          document.getElementById(name).value = value;
        document.getElementById("maps").checked = {json.dumps(maps)};
        for (const name of ["search", "maps"])
          for (const event of ["input", "change"])
            document.getElementById(name).dispatchEvent(new Event(event, {{bubbles: true}}));
        document.getElementById("gallery").scrollIntoView();
        """
    )
    page.wait_for("[...document.querySelectorAll('.card')].some(card => card.offsetParent)")
    page.wait_for("[...document.images].every(image => image.complete || !image.offsetParent)")


def save(page: Page, name: str, box: tuple[int, int, int, int] | None = None) -> None:
    """Save what the window shows, or a part of it (left, top, right, bottom), as a JPEG in docs/images."""
    with tempfile.TemporaryDirectory() as folder:
        page.screenshot(path := Path(folder) / "screen.png")
        Image.open(path).convert("RGB").crop(box).save(
            IMAGES / name, quality=88, optimize=True, progressive=True
        )


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--collection", type=Path, required=True, help="the folder of paintings")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        report = make_report(parser.parse_args().collection.resolve(), Path(folder))
        page = browser.page(width=1200, height=860)
        page.emulate(dark=False)
        show(page, report, order="sure", maps=False)
        page.hover(".card:nth-of-type(2) .pic")
        save(page, "report-light.jpg")
        page.emulate(dark=True)
        show(page, report, order="doubt", maps=True)
        save(page, "report-dark.jpg")
        page.emulate(width=980, height=1200, dark=False)
        show(page, report, order="sure", task="artist", maps=True)
        left, top, right, bottom = page.evaluate(
            """(() => {
              const list = document.getElementById("cards");
              const first = agreement => [...list.children]
                .filter(card => card.querySelector(`[data-task=artist][data-agreement=${agreement}]`)).slice(0, 2);
              list.replaceChildren(...first("agrees"), ...first("differs"));
              const boxes = [...list.children].map(card => card.getBoundingClientRect());
              return [Math.min(...boxes.map(box => box.left)) - 8, Math.min(...boxes.map(box => box.top)) - 8,
                      Math.max(...boxes.map(box => box.right)) + 8, Math.max(...boxes.map(box => box.bottom)) + 8];
            })()"""
        )
        page.wait_for("[...document.images].every(image => image.complete)")
        save(page, "suggestions.jpg", (round(left), round(top), round(right), round(bottom)))


if __name__ == "__main__":
    main()
