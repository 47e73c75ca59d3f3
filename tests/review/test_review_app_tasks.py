"""Chromium drives the review app from one task to another: what is shown of an object is as fresh as its version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import Browser, Page
from review_cases import LABELS, Server, arguments, serving

from arttl.decisions.file import DecisionFile

pytestmark = [pytest.mark.slow, pytest.mark.browser]

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def choose(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.evaluate(
            f"{{const s = document.getElementById({name!r}); s.value = {value!r};"
            " s.dispatchEvent(new Event('change'))}"
        )


def opened(browser: Browser, server: Server) -> Page:
    """The page at the first row of the file, whatever its state."""
    page = browser.page()
    page.goto(server.address)
    page.wait_for("document.documentElement.dataset.ready && document.querySelector('#object h2') && true")
    choose(page, queue="all", order="file", show="all")
    page.wait_for("document.querySelector('#object h2')?.textContent === 'A.0'")
    return page


def test_a_decision_of_another_window_is_seen_after_a_change_of_task(
    browser: Browser, given: Path, tmp_path: Path
) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        first, second = opened(browser, server), opened(browser, server)
        choose(second, task="technique")
        names = "[...document.querySelectorAll('.ranks .name')].map(each => each.textContent)"
        second.wait_for(f"{json.dumps(LABELS['technique'])}.includes({names}[0])")
        second.press("x")
        second.wait_for("document.getElementById('saved').textContent === 'Saved: rejected'")
        # The first window has read the object before, with what was known of all its tasks then.
        choose(first, task="technique")
        first.wait_for("document.querySelector('.cell.current .mark.rejected') && true")
        first.wait_for("document.querySelector('.side.refused')?.textContent.includes('rejected by')")
    with DecisionFile(tmp_path / "d.sqlite", is_read_only=True) as file:
        assert [row.decision.verdict for _, rows in file.histories() for row in rows] == ["rejected"]


def test_a_key_pressed_while_another_task_is_on_its_way_is_about_the_task_that_is_shown(
    browser: Browser, given: Path, tmp_path: Path
) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        page = opened(browser, server)
        page.evaluate(
            """{
              const ask = window.fetch;
              window.answer = new Promise((resolve) => { window.letThrough = resolve; });
              window.fetch = async (address, ...more) => {
                if (`${address}`.startsWith("api/queue")) await window.answer;
                return ask(address, ...more);
              };
            }"""
        )
        choose(page, task="technique")
        page.press("x")
        page.wait_for("document.getElementById('saved').textContent === 'Saved: rejected'")
        page.evaluate("window.letThrough()")
        page.wait_for("document.querySelector('.cell.current .mark')?.hidden && true")
    with DecisionFile(tmp_path / "d.sqlite", is_read_only=True) as file:
        assert [subject.task for subject, _ in file.histories()] == ["material"]
