"""The page of the review app in Chromium: what it lists and finds, for whom it is, and that no text is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from app_cases import choose, name_of, opened, text, total
from browser import Browser, need_axe
from review_cases import LABELS, arguments, draw_photographs, made_records, serving, write_records

pytestmark = [pytest.mark.slow, pytest.mark.browser]

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def test_search_and_filters(browser: Browser, collection: Path, tmp_path: Path) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        choose(page, "queue", "all")
        everything = len(server.queue(task="material", queue="all"))
        page.wait_for(f"document.getElementById('position').textContent === '1 of {everything}'")
        page.press("f")
        page.type("a.11")
        found = len(server.queue(task="material", queue="all", search="a.11"))
        page.wait_for(f"document.getElementById('position').textContent === '1 of {found}'")
        page.press("Escape")  # empties the search, and shows everything again
        page.wait_for(f"document.getElementById('position').textContent === '1 of {everything}'")
        assert page.evaluate("document.getElementById('search').value") == ""
        page.press("f")
        page.type("nothing is called so")
        page.wait_for("document.getElementById('nothing').textContent.includes('empty the search (f)')")
        page.press("Escape")
        page.evaluate("document.getElementById('of').value = 'technique'")
        page.press("l")
        page.type("gilded")
        page.press("Enter")
        found = len(server.queue(task="material", queue="all", label="gilded", of="technique"))
        page.wait_for(f"document.getElementById('position').textContent === '1 of {found}'")
        assert 0 < found < everything and text(page, "label") == "gilded"


def test_the_list_is_known_whole(browser: Browser, collection: Path, tmp_path: Path) -> None:
    """Home, End, go to N and the scroll bar reach every object at once, while few elements exist."""
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="all")
        page = opened(browser, server)
        choose(page, "queue", "all")
        page.wait_for(f"document.getElementById('position').textContent === '1 of {len(rows)}'")
        for key, index in (("End", len(rows) - 1), ("Home", 0), ("ArrowRight", 1), ("ArrowLeft", 0)):
            page.press(key)
            page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[index])!r}")
        page.press("g")
        page.type("200")
        page.press("Enter")
        page.wait_for(f"document.querySelector('#object h2')?.textContent === {name_of(rows[199])!r}")
        current = "document.querySelector('.cell.current')"
        assert page.evaluate(f"{current}.getAttribute('aria-posinset')") == "200"
        assert page.evaluate(f"{current}.getAttribute('aria-setsize')") == str(len(rows))
        page.wait_for(f"{current}.querySelector('.number').textContent === {name_of(rows[199])!r}")
        inside = (
            f"(() => {{ const a = {current}.getBoundingClientRect();"
            " const b = document.getElementById('grid').getBoundingClientRect();"
            " return a.top >= b.top - 1 && a.bottom <= b.bottom + 1; })()"
        )
        assert page.evaluate(inside)
        page.evaluate("{const g = document.getElementById('grid'); g.scrollTop = g.scrollHeight}")
        numbers = "[...document.querySelectorAll('.cell .number')].map(each => each.textContent)"
        page.wait_for(f"{numbers}.includes({name_of(rows[-1])!r})")
        assert page.evaluate("document.querySelectorAll('.cell').length") < 80


def test_it_opens_where_there_is_something_to_decide(browser: Browser, tmp_path: Path) -> None:
    records = made_records(20, seed=3)
    for record in records:
        for task in LABELS:
            if record[task]:
                record[task] |= {"status": "unsure", "ranked": [{"label": "1800", "probability": None}]}
                record[task] |= {"labels": ["1800"], "set": None, "interval": [1526.8788702221618, 2079.73]}
    write_records(tmp_path / "suggestions.parquet", records)
    draw_photographs(tmp_path / "photos", records)
    (tmp_path / "photos" / records[0]["picture"]).write_bytes(b"<html>")
    with serving(*arguments(tmp_path, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        assert page.evaluate("document.getElementById('queue').value") == "unsure" and total(page) > 0
        note = "[...document.querySelectorAll('#object .note')].map(each => each.textContent)"
        assert "interval: 1527 to 2080" in page.evaluate(note)
        assert page.evaluate("document.querySelectorAll('#object meter').length") == 0
        page.wait_for("document.querySelector('.photo').dataset.reason?.startsWith('no picture: ')")


def test_texts_of_strangers_are_texts(browser: Browser, collection: Path, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    assert hostile in LABELS["material"]
    records: list[dict[str, Any]] = made_records(12, seed=4)
    for record in records:
        for column in ("object_number", "institution"):
            record[column] = (
                f"</script><script>document.title='{column}'</script>" + record[column] + record["picture"]
            )
        if record["material"]:
            record["material"] |= {"labels": [hostile], "catalogued": ["<b>bold</b>"], "status": "suggested"}
    write_records(tmp_path / "s.parquet", records)
    words = [
        "--predictions",
        tmp_path / "s.parquet",
        "--images",
        collection / "photos",
        "--decisions",
        tmp_path / "d.sqlite",
    ]
    with serving(*words, "--reviewer", "<i>R</i>") as server:
        page = opened(browser, server)
        page.wait_for("document.querySelectorAll('.cell .now').length > 2")
        assert page.evaluate("document.title") == "Review"
        assert page.evaluate(
            "document.querySelectorAll('main img').length === document.querySelectorAll('.frame img').length"
        )
        assert page.evaluate("document.querySelectorAll('main b, main script, footer i').length") == 0
        assert hostile in page.evaluate("document.querySelector('.side:nth-child(2) .value').textContent")
        page.press("/")
        page.type("onerror")
        assert page.evaluate("document.querySelectorAll('#finder-list img').length") == 0
        page.press("Enter")
        page.wait_for("document.getElementById('saved').textContent.startsWith('Saved')")
        assert page.errors == []
        origin = server.address.removesuffix(server.path)
        assert page.requests and all(address.startswith(origin) for address in page.requests)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (420, False)])
def test_a_screen_reader_can_use_it(
    browser: Browser, collection: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    axe = need_axe()
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server, width=width)
        page.emulate(dark=dark)
        page.press("a")
        page.press("x")
        page.wait_for("document.querySelectorAll('.mark:not([hidden])').length === 2")
        assert page.serious_faults(axe) == []
        page.press("Enter")
        assert page.serious_faults(axe) == []
        page.press("/")
        page.type("i")
        assert page.serious_faults(axe) == []


def test_a_narrow_screen_shows_one_thing_at_a_time(
    browser: Browser, collection: Path, tmp_path: Path
) -> None:
    with serving(*arguments(collection, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server, width=420)
        visible = "getComputedStyle(document.querySelector({})).display !== 'none'"
        for key, is_list in (("ArrowRight", True), ("Enter", False), ("Escape", True)):
            page.press(key)
            assert page.evaluate(visible.format(json.dumps(".list"))) is is_list
            assert page.evaluate(visible.format(json.dumps("#object"))) is not is_list
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
