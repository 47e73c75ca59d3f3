from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peak_memory import peak_memory

from arttl.dublin_core.oai import RECORD, Harvest, identifier_of, payload
from arttl.records.xml_records import words

_HEAD = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'


def _record(
    identifier: str, date: str = "", text: str = "", *, deleted: bool = False, kind: str = "x"
) -> str:
    status = ' status="deleted"' if deleted else ""
    header = f"<header{status}><identifier>{identifier}</identifier><datestamp>{date}</datestamp></header>"
    metadata = "" if deleted else f"<metadata><{kind} xmlns='http://m.example'>{text}</{kind}></metadata>"
    return f"<record>{header}{metadata}</record>"


def _page(*records: str, date: str = "") -> str:
    response_date = f"<responseDate>{date}</responseDate>" if date else ""
    return f"{_HEAD}{response_date}<ListRecords>{''.join(records)}</ListRecords></OAI-PMH>"


def _harvest(tmp_path: Path, *pages: str) -> list[tuple[str, str, str]]:
    """File, identifier or text, and state of every record."""
    files = []
    for index, page in enumerate(pages):
        files.append(tmp_path / f"{index}.xml")
        files[-1].write_text(page, encoding="utf-8")
    harvest = Harvest(files, lambda record: (inner := payload(record)) is None or inner.tag.endswith("}x"))
    return [
        (file.name, words(payload(record)) or identifier_of(record), state)
        for index, file in enumerate(harvest.files)
        for record, state in harvest.records(index, [RECORD])
    ]


def test_later_records_replace_and_delete_earlier_ones(tmp_path: Path) -> None:
    states = _harvest(
        tmp_path,
        _page(
            _record("oai:m:1", "2020-01-01", "old"),
            _record("oai:m:2", "2020-01-01", "removed"),
            _record("oai:m:3", "2020-01-01", "only"),
            _record("oai:m:4", deleted=True),
        ),
        _page(_record("oai:m:1", "2021-01-01", "new"), _record("oai:m:2", "2021-01-01", deleted=True)),
    )
    assert states == [
        ("0.xml", "old", "replaced"),
        ("0.xml", "removed", "deleted later"),
        ("0.xml", "only", "in force"),
        ("0.xml", "oai:m:4", "deleted"),
        ("1.xml", "new", "in force"),
        ("1.xml", "oai:m:2", "deleted"),
    ]


def test_a_record_that_came_back(tmp_path: Path) -> None:
    states = _harvest(tmp_path, _page(_record("1", deleted=True), _record("1", "", "back")))
    assert [state for *_, state in states] == ["deleted", "in force"]


def test_dates_and_not_names_tell_the_order(tmp_path: Path) -> None:
    """Pages named page10 and page2 sort the wrong way round by name."""
    states = _harvest(
        tmp_path,
        _page(_record("1", "2022-03-04", "newest"), date="2022-05-01T00:00:00Z"),
        _page(_record("1", "2022-03-04", "older"), date="2022-04-01T00:00:00Z"),
        _page(_record("1", "2022-03-05", "by its own date"), date="2022-03-06T00:00:00Z"),
    )
    assert states == [
        ("2.xml", "by its own date", "in force"),
        ("1.xml", "older", "replaced"),
        ("0.xml", "newest", "replaced"),
    ]


def test_other_formats_replace_nothing(tmp_path: Path) -> None:
    states = _harvest(
        tmp_path, _page(_record("1", "2020-01-01", "a"), _record("1", "2021-01-01", "b", kind="marc"))
    )
    assert [state for *_, state in states] == ["in force", "another format"]


def test_records_without_identifiers_are_their_own(tmp_path: Path) -> None:
    states = _harvest(tmp_path, _page(_record("", "", "a"), _record("", "", "b"), "<record/>", "<record/>"))
    assert {state for *_, state in states} == {"in force"}


@settings(max_examples=40, deadline=None)
@given(
    records=st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 28), st.booleans(), st.integers(0, 2)), max_size=25
    )
)
def test_states_equal_those_of_a_table_kept_in_memory(
    records: list[tuple[int, int, bool, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("harvest")
    pages: list[list[str]] = [[], [], []]
    in_order: list[tuple[int, int, str, bool]] = []
    for row, (identifier, day, deleted, page) in enumerate(records):
        pages[page].append(_record(str(identifier), f"2020-01-{day:02}", f"row{row}", deleted=deleted))
        in_order.append((page, row, str(identifier), deleted))
    latest: dict[str, tuple[int, int, int, bool]] = {}
    for page, row, identifier, deleted in sorted(in_order):
        entry = (records[row][1], page, row, deleted)
        if identifier not in latest or entry[:3] > latest[identifier][:3]:
            latest[identifier] = entry
    expected = {f"row{row}" for _, _, row, deleted in latest.values() if not deleted}
    dated = [_page(*page, date=f"2021-01-0{index + 1}") for index, page in enumerate(pages)]
    assert {text for _, text, state in _harvest(folder, *dated) if state == "in force"} == expected


def test_records_within_records_are_part_of_them(tmp_path: Path) -> None:
    inner = _record("b", "2021-01-01", "inner").replace("<record>", f"<record {_HEAD.split()[1][:-1]}>")
    pages = [
        _page(_record("a", "2020-01-01", f"a {number} {inner}"), _record("b", "", "b")) for number in (1, 2)
    ]
    states = [state for _, _, state in _harvest(tmp_path, "".join(pages))]
    assert states == ["replaced", "replaced", "in force", "in force"]


def test_damage_is_left_to_the_reading_of_records(tmp_path: Path) -> None:
    path = tmp_path / "damaged.xml"
    path.write_text(_page(_record("1", "", "a")) + "</x>")
    harvest = Harvest([path], lambda record: True)
    records = harvest.records(0, [RECORD])
    assert next(records)[1] == "in force"


def test_the_pass_over_the_headers_holds_no_record(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    with path.open("w") as file:
        file.write(f"{_HEAD}<ListRecords>")
        for index in range(60_000):
            file.write(_record(f"oai:m:{index % 50_000}", "2020-01-01", "y" * 400) + "\n")
        file.write("</ListRecords></OAI-PMH>")
    before = peak_memory()
    harvest = Harvest([path], lambda record: True)
    states = [state for _, state in harvest.records(0, [RECORD])]
    assert states.count("replaced") == 10_000
    grown = peak_memory() - before
    assert grown < 30_000, f"{grown} kB more for a file of {path.stat().st_size // 1000} kB"


def test_a_harvest_that_was_broken_off(tmp_path: Path) -> None:
    """All its pages have a token; of a whole one the last has an empty one or none, be it in one file or in several."""
    page = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>{}</ListRecords></OAI-PMH>'
    following, last, plain = (
        page.format(f"{_record('a')}{token}")
        for token in ("<resumptionToken>x/100</resumptionToken>", "<resumptionToken/>", "")
    )

    def is_broken_off(*files: str) -> bool:
        paths = [tmp_path / f"{index}.xml" for index in range(len(files))]
        for path, text in zip(paths, files, strict=True):
            path.write_text(text)
        return Harvest(paths, lambda record: True).is_broken_off

    assert is_broken_off(following) and is_broken_off(following, following)
    assert is_broken_off(following + "\n" + following)
    assert not is_broken_off(following, last) and not is_broken_off(following, plain)
    assert not is_broken_off(following + "\n" + last) and not is_broken_off(plain)
