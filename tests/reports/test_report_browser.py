"""Reports driven in Chromium: from the disk, by keyboard, without a network, and with nothing that attacks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import Browser, Page, need_axe

pytestmark = pytest.mark.browser
SHOWN = "[...document.querySelectorAll('#cards > .card')].map(card => card.dataset.number)"


@pytest.fixture
def page(browser: Browser, report: Path) -> Page:
    page = browser.page()
    page.goto(report)
    return page


def put(page: Page, field: str, value: str) -> None:
    """Change a field as a person does."""
    script = (
        f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('input', {{bubbles: true}})) }})"
    )
    page.evaluate(f"{script}(document.getElementById({field!r}))")


def count(page: Page) -> int:
    return int(page.evaluate("document.getElementById('count').textContent").split()[0].replace(",", ""))


def numbers(page: Page) -> list[str]:
    """All cards that were found."""
    page.evaluate("document.getElementById('all').click()")
    return page.evaluate(SHOWN)


def test_it_opens_from_the_disk_and_asks_for_nothing(page: Page, report: Path, records) -> None:
    assert [each for each in page.requests if not each.startswith("data:image/webp")] == [
        report.resolve().as_uri()
    ]
    assert page.errors == []
    assert count(page) == len(records) and len(page.evaluate(SHOWN)) == 60
    assert numbers(page) == [record["object_number"] for record in records]


@pytest.mark.parametrize("status", ["suggested", "unsure", "outside"])
def test_status_and_task(page: Page, records, status: str) -> None:
    for task in ("", "material", "type"):
        put(page, "task", task)
        put(page, "status", status)
        tasks = [task] if task else ["type", "material"]
        expected = [
            record["object_number"]
            for record in records
            if any(record[name]["status"] == status for name in tasks)
        ]
        assert count(page) == len(expected) and numbers(page) == expected


def test_label_confidence_and_catalogue(page: Page, records) -> None:
    put(page, "task", "type")
    label = records[0]["type"]["labels"][0]
    put(page, "label", label)
    expected = [record for record in records if record["type"]["labels"] == [label]]
    option = page.evaluate("document.getElementById('label').selectedOptions[0].textContent")
    assert option == f"{label} ({len(expected)})"
    assert numbers(page) == [record["object_number"] for record in expected]
    put(page, "agreement", "differs")
    expected = [
        each for each in expected if each["type"]["catalogued"] and label not in each["type"]["catalogued"]
    ]
    assert numbers(page) == [record["object_number"] for record in expected]
    page.click("button[type=reset]")
    page.wait_for(f"document.getElementById('count').textContent.startsWith('{len(records)} ')")
    put(page, "task", "type")
    chances = sorted(record["type"]["ranked"][0]["probability"] for record in records)
    middle = round(100 * chances[len(chances) // 2], 1)
    put(page, "least", str(middle))
    expected = [record for record in records if record["type"]["ranked"][0]["probability"] >= middle / 100]
    assert 0 < len(expected) < len(records) and count(page) == len(expected)


def test_search_by_keyboard_alone(page: Page, records) -> None:
    page.press("/")
    number = records[7]["object_number"]
    page.type(number.lower())
    assert numbers(page) == [number]
    page.press("Control+a")
    page.press("Backspace")
    assert count(page) == len(records)
    page.type("no such thing")
    assert count(page) == 0 and page.errors == []


def test_the_arrow_keys_lead_through_the_cards(page: Page, records) -> None:
    focused = "document.activeElement.dataset.number"
    page.evaluate("document.getElementById('search').focus()")
    for _ in range(20):  # past the filters
        page.press("Tab")
        if page.evaluate(focused):
            break
    all_numbers = [record["object_number"] for record in records]
    assert page.evaluate(focused) == all_numbers[0]
    assert page.evaluate("getComputedStyle(document.activeElement.querySelector('.map')).opacity") == "1"
    assert page.evaluate("getComputedStyle(document.querySelectorAll('.map')[1]).opacity") == "0"
    page.press("ArrowRight")
    assert page.evaluate(focused) == all_numbers[1]
    page.press("ArrowDown")
    below = all_numbers.index(page.evaluate(focused))
    assert below > 2
    lefts = page.evaluate(
        f"[1, {below}].map(n => document.querySelectorAll('#cards > .card')[n].getBoundingClientRect().left)"
    )
    assert lefts[0] == lefts[1]
    page.press("ArrowUp")
    assert page.evaluate(focused) == all_numbers[1]
    page.press("End")
    assert page.evaluate(focused) == all_numbers[-1]
    page.press("ArrowRight")
    assert page.evaluate(focused) == all_numbers[-1]
    page.press("Home")
    assert page.evaluate(focused) == all_numbers[0]


def test_the_map_of_the_picture_below_the_mouse(page: Page) -> None:
    opacity = "getComputedStyle(document.querySelectorAll('.map')[2]).opacity"
    assert page.evaluate(opacity) == "0"
    page.hover("#cards > .card:nth-child(3) .pic")
    page.wait_for(f"{opacity} === '1'")
    page.click("#maps")
    assert page.evaluate("getComputedStyle(document.querySelectorAll('.map')[5]).opacity") == "1"


def test_order_by_doubt(page: Page, records) -> None:
    def chance(record) -> float:
        return min(
            each["probability"]
            for task in ("type", "material")
            for each in record[task]["ranked"]
            if each["label"] in record[task]["labels"]
        )

    put(page, "order", "doubt")
    expected = sorted(records, key=lambda record: round(chance(record), 6))
    assert numbers(page) == [record["object_number"] for record in expected]
    put(page, "order", "number")
    assert numbers(page) == sorted(record["object_number"] for record in records)
    # The claims that are looked for decide, not the others of the same object.
    put(page, "order", "sure")
    put(page, "task", "material")
    put(page, "agreement", "differs")
    differing = [
        record
        for record in records
        if record["material"]["catalogued"]
        and not set(record["material"]["labels"]) & set(record["material"]["catalogued"])
    ]
    chances = {
        record["object_number"]: record["material"]["ranked"][0]["probability"] for record in differing
    }
    shown = [chances[number] for number in numbers(page)]
    assert len(shown) == len(differing) > 10
    assert [round(each, 6) for each in shown] == sorted((round(each, 6) for each in shown), reverse=True)


def test_more_cards_on_demand(page: Page, records) -> None:
    page.click("#more")
    assert len(page.evaluate(SHOWN)) == 120
    assert page.evaluate("document.activeElement.dataset.number") == records[60]["object_number"]
    page.click("#all")
    assert len(page.evaluate(SHOWN)) == len(records)
    assert page.evaluate("document.getElementById('more').hidden && document.getElementById('all').hidden")


def test_without_javascript_it_is_a_plain_gallery(browser: Browser, report: Path, records) -> None:
    page = browser.page()
    page.emulate(javascript=False)
    page.goto(report)
    page.emulate(javascript=True)  # for the test; the page's script has had its moment
    assert page.evaluate(SHOWN) == [record["object_number"] for record in records]
    assert page.evaluate("getComputedStyle(document.getElementById('filters')).display") == "none"
    assert page.evaluate("document.querySelector('.pic img').naturalWidth") > 0


def test_print_has_every_card_and_no_controls(page: Page, records, tmp_path: Path) -> None:
    page.emulate(printing=True)
    assert page.evaluate("getComputedStyle(document.getElementById('filters')).display") == "none"
    page.pdf(tmp_path / "report.pdf")
    assert len(page.evaluate(SHOWN)) == len(records)
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes())
    assert 5 < len(pages) < 60


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["report", "hostile"])
def test_nothing_serious_by_axe(
    browser: Browser, request: pytest.FixtureRequest, name: str, dark: bool
) -> None:
    page = browser.page()
    page.emulate(dark=dark)
    page.goto(request.getfixturevalue(name))
    assert page.serious_faults(need_axe()) == []


def test_axe_finds_what_is_serious(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!doctype html><title>x</title><img src=data:,><button></button>")
    page = browser.page()
    page.goto(tmp_path / "bad.html")
    faults = page.serious_faults(need_axe())
    assert {"image-alt", "button-name", "html-has-lang"} <= {fault.partition(":")[0] for fault in faults}


def test_nothing_that_attacks_runs(browser: Browser, hostile: Path) -> None:
    page = browser.page()
    page.goto(hostile)
    page.hover(".card .pic")
    for index in range(len(page.evaluate("[...document.getElementById('label').options].map(o => o.value)"))):
        page.evaluate(f"document.getElementById('label').selectedIndex = {index}")
        page.evaluate("document.getElementById('label').dispatchEvent(new Event('input', {bubbles: true}))")
    assert page.evaluate("window.attacked") is None
    assert [each for each in page.requests if not each.startswith("data:image/webp")] == [
        hostile.resolve().as_uri()
    ]
    assert page.errors == []


def test_the_policy_stops_what_would_get_in(browser: Browser, report: Path) -> None:
    page = browser.page()
    page.goto(report)
    page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.attacked = 1';"
        " document.body.append(s); const i = document.createElement('img'); i.src = 'https://example.org/x.png';"
        " document.body.append(i); document.body.setAttribute('onclick', 'window.attacked = 2');"
        " document.body.click(); })()"
    )
    assert page.evaluate("window.attacked") is None
    assert len([error for error in page.errors if "Content Security Policy" in error]) >= 2
