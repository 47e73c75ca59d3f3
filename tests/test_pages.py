"""HTML pages: everything escaped, nothing fetched, styles for light, dark and print."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from arttl.experiment_report.contents import ClaimText, Wording
from arttl.experiment_report.tables import ReportTable
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
            (HOSTILE, "87.7", "89.1 (85–92)", "50.2", "", "35.7"),
            ("type", "", "no weights here", "", "", "35.7"),
        ),
        (HOSTILE,),
    )
    values = {
        "how": [HOSTILE], "tables": [table], "claims": [ClaimText(HOSTILE, "held", HOSTILE)],
        "curves": [(HOSTILE, b"png")], "panels": [(HOSTILE, b"jpeg")], "failures": [(HOSTILE, HOSTILE)],
        "notes": [(HOSTILE, HOSTILE)], "wording": Wording("title", "claims", "notes"), "stars": True,
    }  # fmt: skip
    return render_page("experiment.html", **{**values, **changes})


def test_every_value_is_escaped_and_nothing_is_fetched() -> None:
    page = experiment()
    reader = Reader(page)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert "".join(reader.text).count(HOSTILE) == 11
    alternatives = [attributes["alt"] for tag, attributes in reader.tags if tag == "img"]
    assert alternatives == [HOSTILE, HOSTILE]
    sources = [
        value
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    assert sources == ["data:image/png;base64,cG5n", "data:image/jpeg;base64,anBlZw=="]
    assert "@import" not in page and "url(" not in page
    (policy,) = [attributes["content"] for tag, attributes in reader.tags if "http-equiv" in attributes]
    assert policy and "default-src 'none'; img-src data:; style-src 'sha256-" in policy
    assert "script-src 'none'" in policy


def test_headings_stand_over_their_columns_and_words_take_the_empty_cells_of_their_group() -> None:
    above, below, full, empty = Reader(experiment()).rows
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
    without = experiment(failures=[], panels=[])
    assert "Runs that failed" not in without and "What the networks look at" not in without


@pytest.mark.parametrize("medium", ["print", r"\(prefers-color-scheme: dark\)"])
def test_the_styles_of_a_medium_set_every_colour(medium: str) -> None:
    page = experiment()
    names = set(re.findall(r"(--[a-z]+):", page))
    (block,) = re.findall(rf"@media {medium} {{\s*:root {{(.*?)}}", page, re.DOTALL)
    assert set(re.findall(r"(--[a-z]+):", block)) == names == set(re.findall(r"var\((--[a-z]+)\)", page))


def test_a_value_that_the_template_needs_is_not_left_out_in_silence() -> None:
    with pytest.raises(Exception, match="'wording' is undefined"):
        render_page("experiment.html")
