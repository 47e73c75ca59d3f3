"""Decisions taken home: every format read back by other code, and the museum's own table as it was."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from sklearn.metrics import cohen_kappa_score

from arttl.cli import run_command
from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile
from arttl.shards.manifest import Manifest

BASE = Decision(
    "material",
    "A.1",
    "",
    "a.jpg",
    ("wood",),
    ("oil paint",),
    0.9123456,
    "accepted",
    ("oil paint",),
    "Q",
    "ab" * 32,
)
DECISIONS = [
    BASE,
    replace(BASE, object_number="A.2", verdict="corrected", labels=("ivory", "gold leaf")),
    replace(BASE, object_number="A.3", verdict="rejected", labels=()),
    replace(BASE, object_number="A.4", verdict="skipped", labels=()),
    replace(
        BASE,
        task="artist",
        object_number="A.1",
        suggested=("=SUM(1)",),
        labels=("=SUM(1)",),
        probability=None,
    ),
    replace(BASE, object_number="", key="nameless.jpg"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with DecisionFile(tmp_path / "decisions.sqlite") as file:
        file.save([(decision, 0) for decision in DECISIONS])
        disputed = [(replace(BASE, object_number="A.5", is_blind=True), 0)]
        disputed.append(
            (
                replace(
                    BASE, object_number="A.5", is_blind=True, reviewer="R", verdict="rejected", labels=()
                ),
                0,
            )
        )
        file.save(disputed)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> int:
    name, *rest = line.split()
    return run_command(name, rest)


def test_the_museums_table_keeps_its_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'Inventory Number;Medium;note\r\nA.1;wood;"a ""b"""\r\nA.2;;ü\r\n A.3 ;bronze;\r\nA.9;brass;x\r\n'
    (folder / "objects.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert run("decisions export --to csv --metadata objects.csv --tasks material=Medium --out out.csv") == 0
    data = (folder / "out.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\r\n") == 5
    before = list(csv.reader(io.StringIO(text), delimiter=";"))
    after = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), delimiter=";"))
    assert [row[:3] for row in after] == before
    header, *rows = [row[3:] for row in after]
    table = [dict(zip(header, row, strict=True)) for row in rows]
    material = [
        (row["material_decided"], row["material_verdict"], row["material_after_review"]) for row in table
    ]
    assert material == [
        ("oil paint", "accepted", "oil paint"),
        ("ivory; gold leaf", "corrected", "ivory; gold leaf"),
        ("", "rejected", "bronze"),
        ("", "", "brass"),
    ]
    assert table[0]["material_probability"] == "0.9123" and table[0]["material_reviewer"] == "Q"
    assert table[0]["artist_decided"] == "'=SUM(1)"  # which no spreadsheet runs
    assert "artist_after_review" not in header  # the table has no such column
    printed = capsys.readouterr().out
    assert "4 decisions beside the rows of objects.csv" in printed
    assert "1 was skipped" in printed and "1 is left out, since reviewers have decided differently" in printed
    assert (
        "no column of objects.csv is called 'artist', so that artist_after_review is left out; name it with --tasks"
        " artist=COLUMN" in printed
    )


def test_a_task_that_is_misspelt_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "o.csv").write_text("id,Medium\nA.1,wood\n")
    assert run("decisions export --to csv --metadata o.csv --tasks materials=Medium --out out.csv") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "no decision is about the task 'materials' of --tasks (did you mean 'material'?)" in printed


def test_the_table_is_packed_with_what_was_decided(folder: Path, make_pictures: list[str]) -> None:
    """The way back for objects that had no label: the exported table is metadata like any other."""
    with DecisionFile(folder / "all.sqlite") as file:
        decided = [replace(BASE, object_number=f"A.{number}") for number in range(7)]
        decided.append(replace(BASE, object_number="A.7", verdict="corrected", labels=("ivory", "gold leaf")))
        file.save([(decision, 0) for decision in decided])
    rows = "".join(f"A.{number},{name},\n" for number, name in enumerate(make_pictures))
    (folder / "objects.csv").write_text("object_number,file,material\n" + rows)
    export = "decisions export --to csv --metadata objects.csv --out reviewed.csv --decisions all.sqlite"
    assert run(export) == 0
    line = (
        "shards --metadata reviewed.csv --images photos --tasks material=material_after_review --image file"
    )
    assert run(f"{line} --out shards --label-separator ;") == 0
    manifest = Manifest.read(folder / "shards")
    labels = dict(zip(manifest.object_numbers, manifest.labels("material"), strict=True))
    assert {*(labels.pop("A.7") or ())} == {"ivory", "gold leaf"}
    assert labels == dict.fromkeys([f"A.{number}" for number in range(7)], ("oil paint",))


@pytest.fixture
def make_pictures(folder: Path, soft_picture) -> list[str]:  # type: ignore[no-untyped-def]
    (folder / "photos").mkdir()
    names = [f"{index}.jpg" for index in range(8)]
    for index, name in enumerate(names):
        soft_picture(seed=index).save(folder / "photos" / name)
    return names


def test_a_row_per_label(folder: Path) -> None:
    assert run("decisions export --to csv --out out.csv") == 0
    rows = list(csv.DictReader((folder / "out.csv").read_text().splitlines()))
    found = {
        (row["object_number"], row["picture"], row["task"], row["label"], row["verdict"]) for row in rows
    }
    assert found == {
        ("A.1", "a.jpg", "material", "oil paint", "accepted"),
        ("A.1", "a.jpg", "artist", "'=SUM(1)", "accepted"),
        ("A.2", "a.jpg", "material", "ivory", "corrected"),
        ("A.2", "a.jpg", "material", "gold leaf", "corrected"),
        ("A.3", "a.jpg", "material", "oil paint", "rejected"),
        ("", "nameless.jpg", "material", "oil paint", "accepted"),
    }
    assert {row["model"] for row in rows} == {"ab" * 32} and {row["who"] for row in rows} == {"Q"}


def test_json_lines(folder: Path) -> None:
    assert run("decisions export --to jsonl --out out.jsonl --reviewer R") == 0
    (line,) = (folder / "out.jsonl").read_text().splitlines()
    assert json.loads(line) == json.loads(line) | {
        "object_number": "A.5",
        "verdict": "rejected",
        "labels": [],
        "blind": True,
    }


def test_linked_art_and_lido_hold_what_is_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("decisions export --to linked-art --out out.jsonl") == 0
    records = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    texts = json.dumps(records)
    assert len(records) == 2 and "ivory" in texts and "A.3" not in texts
    printed = capsys.readouterr().out
    assert "1 label that a person has rejected" in printed and "without an object number" in printed
    assert run("decisions export --to lido --out out.xml --language en") == 0
    terms = etree.parse(folder / "out.xml").xpath(
        "//*[local-name()='termMaterialsTech' or local-name()='materialsTech']//text()"
    )
    assert {text.strip() for text in terms if text.strip()} >= {"oil paint", "ivory", "gold leaf"}


def test_who_decided_is_written_though_the_model_was_not_named(folder: Path) -> None:
    with DecisionFile(folder / "two.sqlite") as file:
        file.save([(replace(BASE, model=""), 0)])
    assert run("decisions export --to linked-art --out out.jsonl --decisions two.sqlite") == 0
    (assignment,) = json.loads((folder / "out.jsonl").read_text())["attributed_by"]
    assert assignment["carried_out_by"][0]["_label"] == "Q" and "timespan" in assignment


def test_what_stands_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DecisionFile(folder / "two.sqlite") as file:
        file.save([(replace(BASE, task="colour"), 0)])
    assert run("decisions export --to lido --out out.xml --decisions two.sqlite") == 2
    captured = capsys.readouterr()
    assert "1 decision stands" in captured.out and "stands" not in captured.err
    assert "task 'colour', which is no field; see --fields" in captured.err


def test_agreement_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = "aaabbbabab", "aabbbbabaa"
    with DecisionFile(folder / "two.sqlite") as file:
        for number, labels in enumerate(zip(first, second, strict=True)):
            for reviewer, label in zip("QR", labels, strict=True):
                decision = replace(
                    BASE,
                    object_number=f"{number}",
                    verdict="corrected",
                    labels=(label,),
                    reviewer=reviewer,
                    is_blind=True,
                )
                file.save([(decision, 0)])
    assert run("decisions agreement --decisions two.sqlite") == 0
    printed = capsys.readouterr().out
    assert (
        f"{cohen_kappa_score([*first], [*second]):.2f}" in printed
        and "80.0%" in printed
        and "Q, R" in printed
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "export --to csv --out out.csv --reviewer Nobody",
            "--reviewer Nobody: decisions.sqlite has decisions of Q, R",
        ),
        ("export --to csv --out out.xml", "--out out.xml must end in .csv or .tsv for --to csv"),
        (
            "export --to csv --out out.csv --decisions none.sqlite",
            "none.sqlite is not a file; arttl review makes one",
        ),
        ("export --to csv --out out.csv --metadata none.csv", "none.csv"),
        (
            "export --to csv --out out.csv --metadata o.csv --tasks material=Stuff",
            "o.csv has no column 'Stuff'",
        ),
        ("export --to csv --out out.csv --metadata o.csv --object-number Nr", "o.csv has no column 'Nr'"),
        ("export --to csv --out out.csv --metadata twice.csv", "has a column 'material_decided' already"),
        (
            "export --to csv --out out.csv --metadata long.csv",
            "a row of long.csv has 4 cells, and its header 2",
        ),
        ("export --to lido --out out.xml --metadata o.csv", "--metadata is for --to csv, not for --to lido"),
        ("export --to lido --out out.xml --tasks a=b", "--tasks is for --metadata"),
        ("export --to csv --out out.csv --institution Nowhere", "there is nothing to write"),
        ("agreement", "Q"),
    ],
)
def test_one_sentence_for_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    (folder / "o.csv").write_text("id,Medium\nA.1,wood\n")
    (folder / "twice.csv").write_text("id,material_decided\nA.1,wood\n")
    (folder / "long.csv").write_text("id,Medium\nA.1,wood,x,y\n")
    status = run(f"decisions {line}")
    captured = capsys.readouterr()
    if line == "agreement":
        assert status == 0 and sentence in captured.out
    else:
        assert status == 2 and sentence in captured.err and not (folder / "out.csv").exists(), captured


def test_objects_of_two_institutions_with_one_number(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DecisionFile(folder / "two.sqlite") as file:
        file.save([(replace(BASE, institution=name), 0) for name in ("X", "Y")])
    (folder / "o.csv").write_text("id,material\nA.1,wood\n")
    line = "decisions export --to csv --out out.csv --metadata o.csv --decisions two.sqlite"
    assert run(line) == 2
    assert "objects of several institutions: name one with --institution" in capsys.readouterr().err
    assert run(f"{line} --institution X") == 0


def test_a_label_that_the_tables_encoding_lacks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DecisionFile(folder / "two.sqlite") as file:
        file.save([(replace(BASE, suggested=("漆",), labels=("漆",)), 0)])
    (folder / "o.csv").write_bytes("id,matière\nA.1,é\n".encode("cp1252"))
    line = "decisions export --to csv --out out.csv --metadata o.csv --decisions two.sqlite --encoding cp1252"
    assert run(line) == 2
    assert (
        "'漆' cannot be written in cp1252, the encoding of o.csv: save that as UTF-8"
        in capsys.readouterr().err
    )


def test_pictures_without_an_object_number_are_said_to_be_left_out_of_the_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "o.csv").write_text("id,material\nA.1,wood\nA.2,\nA.3,\n")
    assert run("decisions export --to csv --out out.csv --metadata o.csv") == 0
    printed = " ".join(capsys.readouterr().out.split())
    # Five stand: four are of the table's objects, and one is of nameless.jpg.
    assert "5 decisions stand" in printed and "4 decisions beside the rows" in printed
    assert (
        "1 decision is about pictures without an object number, and left out; --to jsonl has them" in printed
    )
