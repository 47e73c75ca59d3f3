"""Objects of several institutions with one number, in one file of suggestions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from exchange_cases import suggestion

from arttl.cli import run_command

RECORDS = [
    {"object_number": "A.1", "picture": "n1.jpg", "institution": "North", "type": suggestion(("vase", 0.9))},
    {"object_number": "A.1", "picture": "s1.jpg", "institution": "South", "type": suggestion(("print", 0.8))},
    {"object_number": "A.1", "picture": "n2.jpg", "institution": "North", "type": suggestion(("vase", 0.7))},
    {"object_number": "A.2", "picture": "n3.jpg", "institution": "North", "type": suggestion(("bowl", 0.7))},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in RECORDS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(*flags: str) -> int:
    return run_command(
        "convert", ["--predictions", "p.jsonl", "--out", "out.jsonl", "--to", "linked-art", *flags]
    )


def test_each_is_a_record_of_its_own(folder: Path) -> None:
    assert convert() == 0
    records = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    found = {
        (record["_label"], record["current_custodian"][0]["_label"]): {
            each["assigned"][0]["_label"] for each in record["attributed_by"]
        }
        for record in records
    }
    assert found == {("A.1", "North"): {"vase"}, ("A.1", "South"): {"print"}, ("A.2", "North"): {"bowl"}}
    assert len({record["id"] for record in records}) == len(records) == 3


def test_a_decision_about_one_of_them_is_not_written_for_the_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "accepted.csv").write_text("object_number,task,label\nA.2,type,bowl\n")
    assert convert("--accepted", "accepted.csv") == 0
    (folder / "out.jsonl").unlink()
    (folder / "accepted.csv").write_text("object_number,task,label\nA.1,type,vase\n")
    assert convert("--accepted", "accepted.csv") == 2
    assert (
        "'A.1' of --accepted is the number of objects of several institutions in --predictions p.jsonl"
        in capsys.readouterr().err
    )
    assert not (folder / "out.jsonl").exists()


def test_makers_of_one_name_are_two_blank_nodes(folder: Path) -> None:
    artist = suggestion(("Monogrammist I.S.", 0.9))
    records = [{**record, "artist": artist} for record in RECORDS[:2]]
    (folder / "p.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    assert convert() == 0
    texts = (folder / "out.jsonl").read_text().splitlines()
    makers = [
        each["assigned"][0]["carried_out_by"][0]["id"]
        for record in map(json.loads, texts)
        for each in record["attributed_by"]
        if each["assigned_property"] == "produced_by"
    ]
    assert len(makers) == len({*makers}) == 2 and all(maker.startswith("_:") for maker in makers)


def test_objects_of_one_number_get_no_address_in_common(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert("--base", "https://museum.example/object/") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "--base gives 'A.1' of South and 'A.1' of North one address: leave it out, or write" in error
    assert not (folder / "out.jsonl").exists()
    (folder / "p.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in RECORDS[2:]))
    assert convert("--base", "https://museum.example/object/") == 0
