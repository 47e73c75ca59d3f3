"""The documentation site as mkdocs.yml builds it: whole, asking nobody for anything, with every flag and name."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import urllib.parse
from functools import cache
from pathlib import Path

import lxml.html
import pytest
from browser import Browser, Page

import arttl
from arttl.cli import COMMANDS, forms_of, run_command

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a broken link, a page outside of the navigation or a warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@cache
def parsed(path: Path) -> lxml.html.HtmlElement:
    return lxml.html.parse(str(path)).getroot()


@cache
def anchors(path: Path) -> frozenset[str]:
    return frozenset(parsed(path).xpath("//@id")) | frozenset(parsed(path).xpath("//a/@name"))


def pages(site: Path) -> list[Path]:
    # The page for a missing address is shown at any of them, and has links from the root.
    return sorted(path for path in site.rglob("*.html") if path.name != "404.html")


def test_every_link_leads_somewhere(site: Path) -> None:
    checked = 0
    for page in pages(site):
        for link in parsed(page).xpath("//@href | //@src"):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else page
            assert target.is_file(), f"{page.relative_to(site)}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert urllib.parse.unquote(parts.fragment) in anchors(target) | {"__tabbed"}, (page, link)
            checked += 1
    assert checked > 1000


def test_nothing_is_taken_from_elsewhere(site: Path) -> None:
    resources = (
        "//script/@src | //link[@rel='stylesheet' or @rel='icon' or @rel='preconnect']/@href | //img/@src"
    )
    for page in pages(site):
        elsewhere = [each for each in parsed(page).xpath(resources) if re.match(r"(https?:)?//", each)]
        assert elsewhere == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), (
            sheet
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_a_command_has_the_flags_of_its_help(site: Path, name: str) -> None:
    cells = parsed(site / "commands" / f"{name}.html").xpath("//td[1]/code/text()")
    shown, helped = {cell for cell in cells if cell.startswith("--")}, set()
    for form in forms_of(name):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            run_command(name, [*form.prog.split()[2:], "--help"])
        # At the beginning of a line, where another flag may follow with the other name of the same setting.
        for line in re.findall(r"^[│| ] (-.*)", out.getvalue(), re.MULTILINE):
            flags = re.match(r"(--[a-z][a-z0-9-]*)(?: [^ ,]+)?(?:, (--[a-z0-9-]+))?", line)
            helped |= {each for each in flags.groups() if each and "--no-" not in each} if flags else set()
        helped -= {"--recipe"} if form.recipe else set()
    assert shown == helped


def test_every_public_name_has_its_reference(site: Path) -> None:
    there = anchors(site / "api.html")
    missing = [name for name in arttl.__all__ if not any(each.endswith(f".{name}") for each in there)]
    assert missing == []


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.page()


@pytest.mark.browser
def test_the_search_works_from_the_disk_and_asks_nobody(site: Path, page: Page) -> None:
    page.goto(site / "index.html")
    page.evaluate("document.querySelector('.md-search__input').focus()")
    page.type("balanced accuracy")
    # Results of the first letters come before those of all.
    for name in ("metrics.html", "glossary.html"):
        page.wait_for(f"!!document.querySelector('.md-search-result__link[href*=\"{name}\"]')")
    assert page.errors == []
    assert [each for each in page.requests if not each.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.browser
def test_the_site_is_light_and_dark(site: Path, page: Page) -> None:
    for dark in (False, True):
        page.emulate(dark=dark)
        page.goto(site / "predict.html")
        scheme = "slate" if dark else "default"
        page.wait_for(f"document.body.dataset.mdColorScheme === '{scheme}'")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour)[:3])) < 150) is dark
