"""The page of an experiment's report, read by a parser: links, counts, and what is said of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lxml.html
import pytest
from experiment_cases import made_up

from arttl.experiment_report.contents import ClaimText, Contents
from arttl.experiment_report.heat_maps import heat_maps
from arttl.experiment_report.tables import FigureText, ReportTable
from arttl.experiment_report.writing import count_verdicts, render_report, write_report


def parsed(contents: Contents, *, beside_runs: bool = True) -> lxml.html.HtmlElement:
    return lxml.html.fromstring(render_report(contents, beside_runs=beside_runs))


def test_every_link_leads_to_a_place_in_the_page_or_to_a_config() -> None:
    contents = made_up()
    page = parsed(contents)
    addresses = page.xpath("//@href")
    within = {each[1:] for each in addresses if each.startswith("#")}
    assert within <= set(page.xpath("//@id")) and len(page.xpath("//@id")) == len(set(page.xpath("//@id")))
    done = [run for run in contents.runs if run.state == "done"]
    assert [each for each in addresses if not each.startswith("#")] == [
        f"{run.folder}/config.yaml" for run in done
    ]
    # Away from the experiment's folder nothing names a file that is not there.
    assert all(each.startswith("#") for each in parsed(contents, beside_runs=False).xpath("//@href"))


def test_a_figure_leads_to_its_run_and_the_run_to_that_of_its_weights() -> None:
    contents = made_up()
    page = parsed(contents)
    names = {f"run-{number}": run.name for number, run in enumerate(contents.runs, start=1)}
    for table in contents.tables[:2]:
        rows = page.xpath(f"//div[@id='{table.name}']//tbody/tr")
        assert len(rows) == len(table.rows)
        for row, cells in zip(rows, table.rows, strict=True):
            expected = [(text.partition(" ")[0], text.run) for text in cells if isinstance(text, FigureText)]
            linked = [(each.text, names[each.get("href")[1:]]) for each in row.xpath(".//a")]
            assert linked == expected and expected
    for number, run in enumerate(contents.runs, start=1):
        (row,) = page.xpath(f"//tr[@id='run-{number}']")
        donors = [names[each[1:]] for each in row.xpath("./td[5]//@href")]
        assert donors == ([] if run.weights == "imagenet" else [run.weights])
        assert row.xpath("./td[4]//@href") == ["#settings"]


def test_figures_of_runs_that_are_not_listed_have_no_link() -> None:
    page = parsed(replace(made_up(), runs=[]))
    assert page.xpath("//td/a") == [] and page.xpath("//div[@id='runs']") == []


def test_names_that_an_address_cannot_hold(tmp_path: Path) -> None:
    contents = made_up(failed=0)
    odd = replace(contents.runs[0], folder="runs/a b#c?d%20/é")
    page = parsed(replace(contents, runs=[odd]))
    address = f"{odd.folder}/config.yaml"
    folder = tmp_path / odd.folder
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    (link,) = [each for each in page.xpath("//@href") if not each.startswith("#")]
    assert link == "runs/a%20b%23c%3Fd%2520/%C3%A9/config.yaml"
    assert (tmp_path / address).read_text() == "seed: 0\n"


def test_what_failed_is_said_first_and_whole() -> None:
    page = parsed(made_up(failed=2))
    (summary,) = page.xpath("//section[@id='summary']")
    assert "2 failed" in summary.text_content()
    (failures,) = page.xpath("//div[@id='failures']")
    assert [each.text_content() for each in failures.xpath(".//dd")] == [
        "the disk is full, 1",
        "the disk is full, 0",
    ]
    none = parsed(made_up(failed=0))
    assert "failed" not in none.xpath("//section[@id='summary']")[0].text_content()
    assert none.xpath("//div[@id='failures']") == []


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ([], ""),
        (["held"], "Of 1 claim 1 holds here."),
        (["not tested"], "Of 1 claim none holds here, 1 is not tested."),
        (
            ["held", "did not hold", "not decided", "held", "not decided", "did not hold"],
            "Of 6 claims 2 hold here, 2 do not hold here, 2 are not decided.",
        ),
    ],
)
def test_how_many_claims_hold(verdicts, sentence: str) -> None:
    assert count_verdicts([ClaimText("c", verdict, "") for verdict in verdicts]) == sentence


def test_heat_maps_have_the_figures_of_their_table() -> None:
    rows = [
        ("a", "s1", "10.0", "1"),
        ("a", "s2", "55.0", "2"),
        ("b", "t1", "100.0", "3"),
        ("b", "t2", "19.9", "4"),
    ]
    table = ReportTable(
        "t", "T", ("network", "stage", "x: probe", "x: share"), rows, names=2, heat=("x: probe",)
    )
    (heat,) = heat_maps(table)
    assert (heat.title, heat.low, heat.high, heat.columns) == ("x", "10.0", "100.0", 2)
    # A ninth of the range from 10 to 100 is ten points.
    steps = {name: [(cell.name, cell.text, cell.step) for cell in cells] for name, cells in heat.rows.items()}
    assert steps == {
        "a": [("s1", "10.0", 0), ("s2", "55.0", 4)],
        "b": [("t1", "100.0", 8), ("t2", "19.9", 0)],
    }
    equal = replace(table, rows=[("a", "s1", "7.0", "1"), ("a", "s2", "7.0", "1")])
    assert [cell.step for cell in next(heat_maps(equal)).rows["a"]] == [0, 0]


def test_all_three_forms_have_the_same_tables(tmp_path: Path) -> None:
    contents = made_up()
    page = write_report(contents, tmp_path)
    assert page == tmp_path / "report.html" and page.read_text() == render_report(contents, beside_runs=True)
    markdown = (tmp_path / "report.md").read_text()
    tables = [contents.summary, *contents.tables, contents.settings]
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == {table.name for table in tables}
    assert all(f"### {table.title}\n" in markdown for table in tables)
    assert "Of 4 claims 1 holds here" in markdown and "the disk is full, 0" in markdown


def test_the_page_of_several_hundred_runs_is_small() -> None:
    contents = made_up(networks=8, tasks=3, seeds=5, epochs=60)
    assert len(contents.runs) == 960
    assert len(render_report(contents, beside_runs=True).encode()) < 2e6


def test_claims_have_the_numbers_that_the_table_of_their_pairs_names_them_by(tmp_path: Path) -> None:
    contents = made_up()
    (claims,) = parsed(contents).xpath("//*[@class='claims']")
    assert claims.tag == "ol" and claims.get("start") is None and len(claims) == len(contents.claims)
    write_report(contents, tmp_path)
    numbered = [
        f"{number}. **{claim.verdict}**: {claim.text}"
        for number, claim in enumerate(contents.claims, start=1)
    ]
    markdown = (tmp_path / "report.md").read_text()
    assert [markdown.count(line) for line in numbered] == [1] * len(numbered)
