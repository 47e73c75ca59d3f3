"""A search over all pages of a report, from the disk, in Chromium; and what it leads to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, Page, need_axe
from report_cases import HOSTILE

from arttl.cli import run_command

pytestmark = pytest.mark.browser
RESULTS = "[...document.querySelectorAll('#results a')].map(link => link.textContent)"
PER_PAGE = 70


def paged(folder: Path, name: str, predictions: Path, *more: str) -> Path:
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("arttl.reports.command._PER_PAGE", PER_PAGE)
        argv = ["--predictions", str(predictions), "--paged", "--out", str(folder / name), *more]
        assert run_command("report", argv) == 0
    return folder / name


@pytest.fixture(scope="module")
def pages(trained: Path, small_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paged")
    return paged(folder, "pages", trained / "suggestions.jsonl", "--shards", str(small_shards))


@pytest.fixture
def page(browser: Browser, pages: Path) -> Page:
    page = browser.page()
    page.goto(pages / "index.html")
    page.click("nav a[href='search.html']")
    page.wait_for("location.pathname.endsWith('search.html') && document.readyState === 'complete'")
    return page


def count(page: Page) -> str:
    return page.evaluate("document.getElementById('count').textContent")


def every_result(page: Page) -> list[str]:
    while not page.evaluate("document.getElementById('more').hidden"):
        page.evaluate("document.getElementById('more').click()")
    return page.evaluate(RESULTS)


def test_it_finds_on_all_pages_what_the_records_say(page: Page, records: list[dict[str, Any]]) -> None:
    assert count(page) == f"{len(records)} pictures" and page.evaluate(RESULTS) == []
    label = records[-1]["type"]["labels"][0]
    assert page.evaluate("document.activeElement.id") == "search"
    page.type(f"{label.upper()} unsure")

    def says(record: dict[str, Any], word: str) -> bool:
        texts = [record["object_number"], record["key"], *("type", "material")]
        for task in ("type", "material"):
            texts += [
                *record[task]["labels"],
                *(record[task]["catalogued"] or ()),
                record[task]["status"],
                "catalogue",
            ]
        return any(word in text.lower() for text in texts)

    expected = [
        each["object_number"] for each in records if says(each, label.lower()) and says(each, "unsure")
    ]
    assert count(page) == f"{len(expected)} of {len(records)} pictures"
    assert every_result(page) == expected and 0 < len(expected) < len(records)
    page.press("Control+a")
    page.type("no such thing")
    assert count(page).startswith("0 of ") and page.errors == []


def test_a_result_leads_to_its_card(page: Page, records: list[dict[str, Any]], pages: Path) -> None:
    number = records[PER_PAGE + 65]["object_number"]  # beyond the 60 cards that a page shows at first
    page.type(number)
    page.wait_for(f"document.querySelector('#results a')?.textContent === {json.dumps(number)}")
    page.click("#results a")
    page.wait_for(f"document.activeElement?.dataset.number === {json.dumps(number)}")
    assert page.evaluate("location.pathname").endswith("/page-0002.html")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top < innerHeight")
    page.back()
    page.wait_for("!!document.querySelector('#results a')")
    assert page.evaluate("document.getElementById('search').value") == number
    own = {(pages / name).resolve().as_uri() for name in ("index.html", "search.html", "page-0002.html")}
    assert {each.partition("#")[0] for each in page.requests if not each.startswith("data:image")} == own
    assert page.errors == []


def test_more_results_on_demand(page: Page, records: list[dict[str, Any]]) -> None:
    page.type("type")
    assert len(page.evaluate(RESULTS)) == 100
    page.click("#more")
    assert page.evaluate(RESULTS) == [record["object_number"] for record in records]
    assert page.evaluate("document.activeElement.textContent") == records[100]["object_number"]


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_by_axe(browser: Browser, pages: Path, dark: bool) -> None:
    page = browser.page()
    page.emulate(dark=dark)
    page.goto(pages / "search.html")
    page.type("type")
    assert len(page.evaluate(RESULTS)) == 100
    assert page.serious_faults(need_axe()) == []


def test_nothing_that_attacks_runs(browser: Browser, tmp_path: Path) -> None:
    lines = []
    for text in HOSTILE:
        task = {"labels": [text], "status": "suggested", "ranked": [], "catalogued": [text]}
        lines.append(json.dumps({"object_number": text, "picture": text, "institution": text, text: task}))
    lines.append(
        json.dumps({"object_number": "</ScRiPt><script>window.attacked = 1</script>", "problem": HOSTILE[0]})
    )
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    page = browser.page()
    page.goto(paged(tmp_path, "pages", tmp_path / "s.jsonl") / "search.html")
    page.type("window")
    assert page.evaluate(RESULTS) == [
        *(text for text in HOSTILE if "window" in text),
        json.loads(lines[-1])["object_number"],
    ]
    page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.attacked = 1';"
        " document.body.append(s); })()"
    )
    assert page.evaluate("window.attacked") is None
    assert [error for error in page.errors if "Content Security Policy" not in error] == []
    page = browser.page()
    page.goto((tmp_path / "pages" / "search.html").as_uri() + "#%E0%A4%A")
    assert count(page) == f"{len(lines)} pictures"
