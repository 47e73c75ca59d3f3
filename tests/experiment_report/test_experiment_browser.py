"""The report of an experiment driven in Chromium: folding, sorting, keyboard, print, a narrow screen, and axe-core."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser, Page, need_axe
from experiment_cases import made_up

from arttl.experiment_report.tables import ReportTable
from arttl.experiment_report.writing import render_report

pytestmark = pytest.mark.browser
FIGURES = {  # a text of each kind, in the order that is right
    "-3.0 (-4.0 to -1.0)": -3.0,
    "−1.5": -1.5,
    "+0.8 (-2.5 to +4.2)": 0.8,
    "9.9 (8.0–12.0)": 9.9,
    "12%": 12,
    "98.3 (95.8–100.0) [94.0–99.0]": 98.3,
    "1,280": 1280,
    "112,012 / 1,054": 112012,
}
MISSING = ("no weights here", "", "×")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report, with a first table of all kinds of figures in an order that is not theirs."""
    figures = [*MISSING[:2], *reversed(FIGURES), MISSING[2]]
    figures = [*figures[::2], *figures[1::2]]
    rows = [(f"row {index}", f"n{index}", text, "", "5") for index, text in enumerate(figures, start=1)]
    table = ReportTable(
        "figures", "Figures", ("name", "network", "a: figure", "a: other", "same"), rows, names=2
    )
    contents = made_up()
    path = tmp_path_factory.mktemp("experiment") / "report.html"
    path.write_text(render_report(replace(contents, tables=[table, *contents.tables]), beside_runs=False))
    return path


@pytest.fixture
def page(browser: Browser, report: Path) -> Page:
    page = browser.page()
    page.goto(report)
    return page


def column(page: Page, index: int) -> list[str]:
    """The texts of a column of the first table; words in the columns before stand in one of them."""
    script = (
        "[...document.querySelectorAll('#figures tbody tr')].map(row => row.cells[%d].textContent.trim())"
    )
    return page.evaluate(script % index)


def heading(number: int) -> str:
    return f"#figures th[data-column='{number}'] button"


def sort_state(page: Page) -> list[str | None]:
    return page.evaluate(
        "[0, 1, 2, 3, 4].map(n => document.querySelector(`#figures th[data-column='${n}']`).ariaSort)"
    )


def focus(page: Page, selector: str) -> None:
    page.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")


def test_it_opens_from_the_disk_and_asks_for_nothing(page: Page, report: Path) -> None:
    assert page.requests == [report.resolve().as_uri()] and page.errors == []


def test_numbers_and_intervals_sort_by_value_and_what_is_missing_is_last(page: Page) -> None:
    def shown(text: str) -> str:
        return text.replace(" (", "(", 1)  # a line break stands there

    before = column(page, 2)
    ordered = [shown(text) for text in FIGURES]
    missing = [text for text in before if text in MISSING]
    assert len(missing) == 3 and before not in (ordered + missing, ordered[::-1] + missing)
    page.click(heading(2))
    assert column(page, 2) == ordered + missing
    assert sort_state(page) == [None, None, "ascending", None, None]
    page.click(heading(2))
    assert column(page, 2) == ordered[::-1] + missing
    assert sort_state(page) == [None, None, "descending", None, None]
    page.click(heading(2))
    assert column(page, 2) == before and sort_state(page) == [None] * 5


def test_names_sort_as_people_count_and_equal_rows_keep_their_order(page: Page) -> None:
    names = column(page, 0)
    page.click(heading(1))
    assert column(page, 0) == names and names[-1] == "row 11"  # n2 before n10
    page.click(heading(1))
    assert column(page, 0) == names[::-1]
    page.click(heading(4))
    assert column(page, 0) == names and sort_state(page) == [None, None, None, None, "ascending"]


def test_sorting_by_keyboard_alone(page: Page) -> None:
    focus(page, heading(0))
    for _ in range(3):  # past those that span both rows of headings
        page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "figure"
    page.press("Enter")
    page.press(" ")
    assert sort_state(page) == [None, None, "descending", None, None]
    assert page.evaluate("document.activeElement.textContent") == "figure"


def test_sections_fold_by_keyboard_and_without_a_script(browser: Browser, report: Path) -> None:
    page = browser.page()
    page.emulate(javascript=False)
    page.goto(report)
    page.emulate(javascript=True)  # for the test; the page's script has had its moment
    assert page.evaluate("document.querySelectorAll('th button').length") == 0
    visible = "document.querySelector('#figures table').checkVisibility()"
    assert page.evaluate(visible)
    focus(page, "details:has(#figures) > summary")
    page.press("Enter")
    assert page.evaluate("document.querySelector('details:has(#figures)').open") is False
    assert not page.evaluate(visible)
    page.press("Enter")
    assert page.evaluate(visible)


def test_a_figure_leads_to_its_run_in_a_section_that_is_folded(page: Page) -> None:
    assert page.evaluate("document.querySelector('details:has(#runs)').open") is False
    page.click("#table-one td a")
    target = page.evaluate("location.hash")
    assert re.fullmatch(r"#run-\d+", target)
    page.wait_for("document.querySelector('details:has(#runs)').open")
    top, bottom = page.evaluate(
        f"(r => [r.top, r.bottom])(document.querySelector('{target}').getBoundingClientRect())"
    )
    assert 0 <= top < bottom <= 900


def test_the_contents_list_leads_everywhere_and_stays(page: Page) -> None:
    links = page.evaluate("[...document.querySelectorAll('.contents a')].map(each => each.hash)")
    assert links[0] == "#summary" and len(links) == 9 and links[-1] == "#notes"
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
    for link in links[1:]:
        page.evaluate(f"document.querySelector(\".contents a[href='{link}']\").click()")
        page.wait_for(f"document.querySelector('details:has({link})').open")
        assert page.evaluate("document.querySelector('.contents').getBoundingClientRect().top") >= 0


@pytest.mark.parametrize("width", [1440, 1000, 360])
def test_headings_of_tables_and_the_contents_list_stay_in_sight(
    browser: Browser, report: Path, width: int
) -> None:
    page = browser.page(width=width, height=400)
    page.goto(report)
    page.evaluate("document.querySelector('#figures .scroll').scrollIntoView()")
    page.evaluate("document.querySelector('#figures .scroll').scrollTop = 150")
    rows, head, box = page.evaluate(
        "['tbody tr', 'thead', ''].map(each =>"
        " document.querySelector(`#figures .scroll ${each}`.trim()).getBoundingClientRect().top)"
    )
    assert rows < box - 30 and abs(head - box) < 2
    contents = page.evaluate(
        "(r => [r.top, r.bottom])(document.querySelector('.contents').getBoundingClientRect())"
    )
    assert 0 <= contents[0] < contents[1] <= 400


def test_the_summary_is_one_screen(page: Page) -> None:
    assert page.evaluate("document.querySelector('#summary').getBoundingClientRect().bottom") <= 900


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_screen(browser: Browser, report: Path, width: int) -> None:
    page = browser.page(width=width)
    page.goto(report)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_opens_all_and_cuts_nothing(page: Page, tmp_path: Path) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
    visible = "[...document.querySelectorAll('.content')].map(each => each.checkVisibility())"
    assert page.evaluate(visible) == [False] * 8
    page.emulate(printing=True)
    assert page.evaluate(visible) == [True] * 8
    cut = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollHeight > e.clientHeight + 1).length"
    assert page.evaluate(cut) == 0
    assert page.evaluate("getComputedStyle(document.querySelector('.contents')).display") == "none"
    page.pdf(tmp_path / "report.pdf")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes())) < 20


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 360])
def test_nothing_serious_by_axe(browser: Browser, report: Path, dark: bool, width: int) -> None:
    page = browser.page(width=width)
    page.emulate(dark=dark)
    page.goto(report)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.serious_faults(need_axe()) == []


def test_the_policy_stops_what_would_get_in(page: Page) -> None:
    page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.attacked = 1';"
        " document.body.append(s); const i = document.createElement('img'); i.src = 'https://example.org/x.png';"
        " document.body.append(i); })()"
    )
    assert page.evaluate("window.attacked") is None
    assert len([error for error in page.errors if "Content Security Policy" in error]) >= 2


@pytest.mark.slow
def test_several_hundred_runs_open_and_sort_at_once(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(made_up(networks=8, tasks=3, seeds=5, epochs=60), beside_runs=False))
    page = browser.page()
    started = time.perf_counter()
    page.goto(path)
    page.evaluate("document.querySelector('details:has(#runs)').open = true")
    page.click("#runs th[data-column='3'] button")
    assert page.evaluate("document.querySelector('#runs tbody').rows.length") == 960
    assert page.evaluate("document.querySelector('#runs tbody tr').cells[3].textContent") == "network_0"
    assert time.perf_counter() - started < 10  # about one second on an idle machine
