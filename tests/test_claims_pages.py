"""The pages of the paper's claims: their published figures are those of published.yaml, and all claims have a page."""

from __future__ import annotations

import re

from documented import REPOSITORY

from arttl.reproduction.published import published

PAGES = REPOSITORY / "docs" / "claims"


def test_every_published_figure_of_the_pages_is_published() -> None:
    """Figures of the paper have two decimals, and ours one."""
    known = {f"{figure.value:.2f}" for figure in published().find(source="sabatelli2018")}
    shown = 0
    for page in PAGES.glob("*.md"):
        paper = (
            page.read_text(encoding="utf-8").partition("**The paper")[2].partition("**How arttl tests it")[0]
        )
        for figure in re.findall(r"(?<![\d.])\d{1,2}\.\d\d\b", paper):
            assert figure in known, (page.name, figure)
            shown += 1
    assert shown > 60


def test_every_page_says_what_the_paper_says_how_it_is_tested_and_what_came_of_it() -> None:
    pages = sorted(PAGES.glob("*.md"))
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    for page in pages:
        if page.name != "index.md":
            text = page.read_text(encoding="utf-8")
            parts = [
                text.find(f"**{part}") for part in ("The paper", "How arttl tests it", "Here", "Not run")
            ]
            assert -1 not in parts and parts == sorted(parts), page.name
            assert f"]({page.name})" in index
