"""The review app of a collection in Chromium: opened, read and used as a person does."""

from __future__ import annotations

from pathlib import Path

from browser import Browser, Page
from review_cases import Server, made_records

from arttl.decisions.file import DecisionFile

RECORDS = made_records(400, seed=2)
_READY = "document.documentElement.dataset.ready && document.querySelector('#object h2') && true"


def opened(browser: Browser, server: Server, **size: int) -> Page:
    """A tab with the app, once it shows an object."""
    page = browser.page(**size)
    page.goto(server.address)
    page.wait_for(_READY)
    return page


def text(page: Page, name: str) -> str:
    """The text of the element with this id."""
    return str(page.evaluate(f"document.getElementById({name!r}).textContent"))


def shown(page: Page) -> str:
    """The object of the panel."""
    return str(page.evaluate("document.querySelector('#object h2')?.textContent ?? ''"))


def choose(page: Page, name: str, value: str) -> None:
    """Choose from a list, as a person does."""
    code = f"{{const s = document.getElementById({name!r}); s.value = {value!r}; s.dispatchEvent(new Event('change'))}}"
    page.evaluate(code)
    page.wait_for(f"document.getElementById({name!r}).value === {value!r}")


def total(page: Page) -> int:
    """How many objects the queue has."""
    return int(text(page, "position").split(" of ")[1].replace(",", ""))


def saved(path: Path) -> dict[str, str]:
    """Object number, or picture, and task to the verdict and labels in force, by the file itself."""
    with DecisionFile(path, is_read_only=True) as file:
        return {
            f"{subject.object_number or subject.picture} {subject.task}": " ".join(
                [row.decision.verdict, "; ".join(row.decision.labels)]
            ).strip()
            for subject, state in file.states()
            if (row := state.row)
        }


def name_of(row: int) -> str:
    """What the panel calls the object of a row."""
    return str(RECORDS[row]["object_number"] or RECORDS[row]["picture"])
