"""Links of pages as a forge follows them: the files exist, and so do the headings that anchors name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from documented import PAGES, REPOSITORY

_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Of a page's headings, as forges make them: in lower case, without punctuation, and repeats numbered."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\]\([^)]*\)", "", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return frozenset(found) | {
        f"{slug}-{number}" for slug, last in found.items() for number in range(1, last + 1)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if re.match(r"\w+:", link):  # another site, which tests do not ask
            continue
        path, _, anchor = link.partition("#")
        assert not path.startswith("/"), link
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(REPOSITORY), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_the_files_that_are_named_in_code_exist(page: Path) -> None:
    for name in re.findall(
        r"`((?:docs|recipes|benchmarks|scripts|tests)/[\w/.-]+|arttl/[\w/.-]+\.\w+)`", prose(page)
    ):
        assert (REPOSITORY / name).exists(), name


def test_links_were_found() -> None:
    found = [link for page in PAGES for link in _LINK.findall(prose(page))]
    assert len(found) > 60 and sum("#" in link for link in found) > 10
