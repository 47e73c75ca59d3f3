"""HTML pages: everything escaped, nothing fetched, styles for light, dark and print."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from arttl.experiment_report.contents import ClaimText, Contents, RunLine, Wording
from arttl.experiment_report.plots import Curve, Plot
from arttl.experiment_report.tables import FigureText, ReportTable
from arttl.experiment_report.writing import render_report
from arttl.pages import render_page

HOSTILE = "<script>alert('x')</script> \"a\" & b"


class Reader(HTMLParser):
    """The rows of every table as (tag, class, span, text), and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.rows: list[list[tuple[str, str | None, int, str]]] = []
        self.in_cell = False
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            of_cell = dict(attrs)
            self.in_cell = True
            self.rows[-1].append((tag, of_cell.get("class"), int(of_cell.get("colspan", 1)), ""))

    def handle_endtag(self, tag) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data) -> None:
        self.text.append(data)
        if self.in_cell:
            tag, kind, span, text = self.rows[-1][-1]
            self.rows[-1][-1] = (tag, kind, span, text + data)


def experiment(**changes) -> str:
    table = ReportTable(
        "t",
        f"Table {HOSTILE}",
        ("task", "frozen: theirs", "frozen: ours", "frozen: balanced", "tuned: ours", "majority"),
        (
            (HOSTILE, "87.7", FigureText("89.1 (85–92)", HOSTILE), "50.2", "", "35.7"),
            ("type", "", "no weights here", "", "", "35.7"),
        ),
        (HOSTILE,),
    )
    run = RunLine(*[HOSTILE] * 7, "failed", HOSTILE, HOSTILE)
    contents = Contents(
        wording=Wording("title", "claims", "notes"),
        how=[HOSTILE],
        claims=[ClaimText(HOSTILE, "held", HOSTILE)],
        summary=ReportTable("summary", "", ("task",), ()),
        without_figure=[(HOSTILE, 1)],
        tables=[table],
        plots=[Plot(HOSTILE, [Curve(HOSTILE, "joint", HOSTILE, [50.0], HOSTILE)])],
        panels=[(HOSTILE, b"jpeg")],
        runs=[run],
        settings=ReportTable("settings", "common", ("setting", HOSTILE), ((HOSTILE, HOSTILE),)),
        notes=[(HOSTILE, HOSTILE)],
    )
    return render_report(replace(contents, **changes), beside_runs=True)


def test_every_value_is_escaped_and_nothing_is_fetched() -> None:
    page = experiment()
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert page.count("alert(") == page.count("alert(&#39;x&#39;)") == 29
    text = "".join(reader.text)
    assert text.count(HOSTILE) == 25 and "alert" not in text.replace(HOSTILE, "")
    alternatives = [attributes["alt"] for tag, attributes in reader.tags if tag == "img"]
    assert alternatives == [HOSTILE]
    sources = {
        value
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href")
    }
    assert {source for source in sources if source and source[0] != "#"} == {
        "data:image/jpeg;base64,anBlZw=="
    }
    assert "@import" not in page and "url(" not in page
    (policy,) = [attributes["content"] for tag, attributes in reader.tags if "http-equiv" in attributes]
    assert policy and "default-src 'none'; img-src data:; style-src 'sha256-" in policy
    assert "script-src 'sha256-" in policy


def test_headings_stand_over_their_columns_and_words_take_the_empty_cells_of_their_group() -> None:
    above, below, full, empty, *_ = Reader(experiment()).rows
    assert [(kind, span, text) for _, kind, span, text in above] == [
        ("name", 1, "task"), ("group", 3, "frozen"), ("group", 1, "tuned"), (None, 1, "majority"),
    ]  # fmt: skip
    assert [text for *_, text in below] == ["theirs", "ours", "balanced", "ours"]
    assert [text for *_, text in full] == [HOSTILE, "87.7", "89.1(85–92)", "50.2", "", "35.7"]
    assert [(kind, span, text) for _, kind, span, text in empty] == [
        ("name", 1, "type"), (None, 1, ""), ("problem", 2, "no weights here"), (None, 1, ""), (None, 1, "35.7"),
    ]  # fmt: skip


def test_sections_without_content_are_left_out() -> None:
    assert "Runs that failed" in experiment() and "What the networks look at" in experiment()
    without = experiment(runs=[], panels=[])
    assert "Runs that failed" not in without and "What the networks look at" not in without


@pytest.mark.parametrize("medium", ["print", r"\(prefers-color-scheme: dark\)"])
def test_the_styles_of_a_medium_set_every_colour(medium: str) -> None:
    page = experiment()
    names = set(re.findall(r"(--[a-z0-9-]+):", page))
    blocks = re.findall(rf"@media {medium} {{\s*:root {{(.*?)}}", page, re.DOTALL)
    assert len(blocks) == 2  # of every page, and of this kind
    of_medium = {name for block in blocks for name in re.findall(r"(--[a-z0-9-]+):", block)}
    assert of_medium == names == set(re.findall(r"var\((--[a-z0-9-]+)\)", page))


def test_a_value_that_the_template_needs_is_not_left_out_in_silence() -> None:
    with pytest.raises(Exception, match="'contents' is undefined"):
        render_page("experiment.html", run_numbers={}, tables=[])
