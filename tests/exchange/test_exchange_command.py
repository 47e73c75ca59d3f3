"""`arttl convert`: which suggestions and decisions are written, what is said of the others, and what is refused."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exchange_cases import ACCEPTED_LABELS, PREDICTIONS, labels_of, read_back, suggestion, write_inputs

from arttl.cli import run_command

Printed = Callable[[], str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    return lambda: " ".join(" ".join(capsys.readouterr()).split())


def _convert(folder: Path, name: str, to: str, flags: list[str]) -> list[dict[str, str]]:
    out = folder / name
    assert run_command("convert", [*flags, "--to", to, "--out", str(out)]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _lines(*records: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def _decided(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return [
        (row["object_number"], row["label"], row["probability"], row["status"], row["verdict"])
        for row in rows
    ]


def test_only_suggestions_unless_asked_and_all_are_counted(tmp_path: Path, printed: Printed) -> None:
    flags = write_inputs(tmp_path)[:2]
    rows = _convert(tmp_path, "a.csv", "csv", flags)
    assert [row["label"] for row in rows if row["status"] == "suggested"] == [row["label"] for row in rows]
    assert len(rows) == 7
    text = printed()
    assert (
        "suggestions: 7 labels of 4 pictures; left out for their status: 2 unsure, 1 outside (--statuses)"
        in text
    )
    assert "suggestions: 1 picture has none" in text
    both = _convert(tmp_path, "b.csv", "csv", [*flags, "--statuses", "unsure", "outside"])
    assert {row["status"] for row in both} == {"unsure", "outside"} and len(both) == 3


def test_decisions_without_verdicts_are_compared_with_the_suggestions(
    tmp_path: Path, printed: Printed
) -> None:
    accepted = "object_number,task,label\nSK-A-1718,type,painting\nRP-P-1,artist,Lievens\nNEW,type,vase\nX.3,type,jug\n"
    rows = _convert(tmp_path, "a.csv", "csv", write_inputs(tmp_path, accepted=accepted))
    assert [row for row in _decided(rows) if row[-1]] == [
        ("SK-A-1718", "painting", "0.9912", "suggested", "accepted"),
        ("RP-P-1", "Lievens", "", "", "corrected"),
        ("X.3", "jug", "", "", "accepted"),
        ("NEW", "vase", "", "", "accepted"),
    ]
    text = printed()
    assert "decisions: 3 accepted, 1 corrected" in text
    assert "2 that a person has decided about" in text
    assert (
        "1 decided object is not in --predictions, such as " in text
        and ", and written without a probability" in text
    )


def test_a_decision_is_about_its_own_label(tmp_path: Path) -> None:
    """Of several labels the others stay; a correction, and another label in place of an only one, replace all."""
    materials = suggestion(("oil", 0.9), ("canvas", 0.8), labels=2)
    records = [
        {"object_number": number, "problem": None, "material": materials, "type": suggestion(("vase", 0.9))}
        for number in "ABCD"
    ]
    records.append({**records[0], "type": suggestion(("jug", 0.9))})  # another picture of A
    rows = """A,material,oil,accepted\nA,type,vase,accepted\nB,material,oil,rejected\nB,type,jug,rejected
C,material,wood,corrected\nC,type,vase,rejected\n"""
    accepted = f"object_number,task,label,verdict\n{rows}"
    flags = write_inputs(tmp_path, predictions=_lines(*records), accepted=accepted)
    written = _convert(tmp_path, "a.csv", "csv", flags)
    left = [(row["object_number"], row["label"]) for row in written if not row["verdict"]]
    of_d = [("D", "oil"), ("D", "canvas"), ("D", "vase")]
    assert left == [("B", "canvas"), ("B", "vase"), *of_d, ("A", "canvas"), ("A", "canvas")]


def test_a_table_of_suggestions_is_decided_and_given_back(tmp_path: Path, printed: Printed) -> None:
    inputs = write_inputs(tmp_path)
    rows = _convert(tmp_path, "todo.csv", "csv", [*inputs[:2], *inputs[4:]])
    verdicts = {"oil paint": "accepted", "paper": "rejected", "painting": "Accepted "}
    for row in rows:
        row["verdict"] = verdicts.get(row["label"], "")
    todo = tmp_path / "todo.csv"
    with todo.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        writer.writerow(dict.fromkeys(rows[0], "") | {"object_number": "D", "task": "type"})
    again = _convert(tmp_path, "done.csv", "csv", [*inputs[:2], "--accepted", str(todo)])
    assert {row["label"]: row["verdict"] for row in again if row["verdict"]} == {
        "oil paint": "accepted",
        "paper": "rejected",
        "painting": "accepted",
    }
    assert (
        next(row["uri"] for row in again if row["label"] == "oil paint")
        == "http://vocab.getty.edu/aat/300015050"
    )
    assert "decisions: 4 rows have no verdict" in printed()


def test_a_row_per_object_is_read_back_as_a_table(tmp_path: Path) -> None:
    _convert(tmp_path, "objects.csv", "table", write_inputs(tmp_path))
    tasks = ("material", "type", "artist", "technique")
    artworks, _ = read_back(
        "table",
        tmp_path / "objects.csv",
        object_number="object_number",
        tasks=tuple(f"{task}={task}" for task in tasks),
        label_separator="|",
    )
    assert labels_of(artworks) == ACCEPTED_LABELS


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_pictures_of_an_object_are_one_record(tmp_path: Path, suffix: str, printed: Printed) -> None:
    records = [
        {
            "object_number": number,
            "picture": f"{index}.jpg",
            "problem": None,
            "type": suggestion((label, probability)),
        }
        for index, (number, label, probability) in enumerate(
            [
                ("A", "vase", 0.8),
                ("B", "bowl", 0.9),
                ("A", "vase", 0.9),
                ("", "coin", 0.9),
                ("A", "jug", 0.95),
            ]
        )
    ]
    flags = write_inputs(tmp_path, predictions=_lines(*records))[:2]
    if suffix == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(records), tmp_path / "p.parquet")
        flags = ["--predictions", str(tmp_path / "p.parquet")]
    out = tmp_path / "a.jsonl"
    assert run_command("convert", [*flags, "--to", "linked-art", "--out", str(out)]) == 0
    read = {each["_label"]: each for each in map(json.loads, out.read_text().splitlines())}
    assert {number: len(record["attributed_by"]) for number, record in read.items()} == {"A": 3, "B": 1}
    assert "not written: 1 label of pictures without an object number" in printed()
    # The decision has the probability of the picture for which the model was surest of it.
    accepted = tmp_path / "accepted.csv"
    accepted.write_text("object_number,task,label\nA,type,vase\n")
    rows = _convert(tmp_path, "a.csv", "csv", [*flags, "--accepted", str(accepted)])
    assert [(row["picture"], row["probability"]) for row in rows if row["verdict"]] == [("2.jpg", "0.9000")]


def test_the_digest_of_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "best"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    flags = [*write_inputs(tmp_path)[:2], "--model", str(tmp_path / "run")]
    digest = hashlib.sha256(b"weights").hexdigest()
    assert {row["model"] for row in _convert(tmp_path, "a.csv", "csv", flags)} == {digest}
    out = tmp_path / "a.json"
    assert run_command("convert", [*flags, "--to", "linked-art", "--out", str(out)]) == 0
    (model,) = json.loads(out.read_text())[0]["attributed_by"][0]["influenced_by"]
    # RFC 6920: base64 without padding, in the alphabet for addresses.
    assert model["id"].removeprefix("ni:///sha-256;").translate(str.maketrans("-_", "+/")) == (
        base64.b64encode(bytes.fromhex(digest)).decode().rstrip("=")
    )
    assert digest in model["_label"]


def test_tasks_that_are_no_fields(tmp_path: Path, printed: Printed) -> None:
    accepted = "object_number,task,label\nA,subject,ship\nA,type,vase\n"
    flags = [*write_inputs(tmp_path, accepted=accepted)[2:4], "--to", "lido"]
    assert run_command("convert", [*flags, "--out", str(tmp_path / "a.xml")]) == 0
    assert "not written: 1 label of the task 'subject', which is no field; see --fields" in printed()
    assert "ship" not in (tmp_path / "a.xml").read_text()
    assert run_command("convert", [*flags, "--out", str(tmp_path / "b.xml"), "--fields", "subject=type"]) == 0
    assert "ship" in (tmp_path / "b.xml").read_text()


def test_nothing_to_write_leaves_no_file(tmp_path: Path, printed: Printed) -> None:
    unsure = {task: suggestion(("a", 0.5), status="unsure") for task in ("material", "type")}
    rejected = "object_number,task,label,verdict\nB,type,b,rejected\n"
    inputs = write_inputs(tmp_path, predictions=_lines(PREDICTIONS[0] | unsure), accepted=rejected)
    for to, flags in (("linked-art", inputs[:2]), ("lido", inputs[2:4])):
        out = tmp_path / ("a.json" if to == "linked-art" else "a.xml")
        assert run_command("convert", [*flags, "--to", to, "--out", str(out)]) == 2
        assert not out.exists()
    text = printed()
    nothing = "there is nothing to write as"
    assert (
        f"{nothing} linked-art: suggestions: 0 labels of 1 picture; left out for their status: 3 unsure"
        in text
    )
    assert f"{nothing} lido: decisions: 1 rejected" in text


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("object_number,task\nA,type", "has no column 'label'"),
        ("object_number,task,label\n,type,vase", "line 2 of .* has no object_number"),
        (
            "object_number,task,label\nA,type,vase,more",
            "line 2 of .*: the row has 4 cells where the header has 3",
        ),
        ("object_number,task,label,verdict\nA,type,vase,acepted", r"'acepted' \(did you mean 'accepted'\?\)"),
        (
            "object_number,task,label,when\nA,type,vase,30.11.2026",
            "'30.11.2026' is no date such as 2026-11-30",
        ),
        ("object_number,task,label,when\nA,type,vase,2026-11-30T09:00", "no time with its zone"),
        ("object_number,task,label,when\nA,type,vase,0001-01-01T00:00+14:00", "is no date"),
        ("object_number,task,label,uri\nA,type,vase,300132254", "'300132254' as uri, which is no address"),
        (
            "object_number,task,label,uri\nA,material,oil paint,aat:1",
            "the uri aat:1, and there is another of AAT, http://vocab.getty.edu/aat/300015050",
        ),
        (
            "object_number,task,label,verdict\nA,type,vase,accepted\nA,type,vase,rejected",
            "line 3 of .* is rejected, and line 2 of .* that it is accepted",
        ),
        ("object_number,task,label\nA,type,vase|bowl", r"'vase\|bowl' of object 'A' holds a '\|'"),
    ],
)
def test_decisions_that_cannot_be_used(tmp_path: Path, printed: Printed, rows: str, sentence: str) -> None:
    flags = write_inputs(tmp_path, accepted=f"{rows}\n")
    assert run_command("convert", [*flags, "--to", "table", "--out", str(tmp_path / "a.csv")]) == 2
    assert re.search(sentence, printed())
    assert not (tmp_path / "a.csv").exists()


def test_predictions_that_change_while_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Printed
) -> None:
    monkeypatch.setattr("arttl.exchange.combining.read_objects", lambda path: [("NG.4", "")] * 2)
    flags = [*write_inputs(tmp_path)[:2], "--to", "csv", "--out", str(tmp_path / "a.csv")]
    assert run_command("convert", flags) == 2
    assert "changed while it was read" in printed() and not (tmp_path / "a.csv").exists()


def test_a_decision_that_is_repeated(tmp_path: Path, printed: Printed) -> None:
    accepted = "object_number,task,label\nA,type,vase\nA,type,vase\n"
    rows = _convert(tmp_path, "a.csv", "csv", write_inputs(tmp_path, accepted=accepted)[2:4])
    assert len(rows) == 1 and "decisions: 1 row repeats another" in printed()


@pytest.mark.parametrize("flag", ["accepted", "targets"])
def test_tables_that_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Printed, flag: str
) -> None:
    module = {"accepted": "decisions", "targets": "targets"}[flag]
    monkeypatch.setattr(f"arttl.exchange.{module}.LARGEST", 1)
    flags = write_inputs(tmp_path, targets="picture,target\nNG-4,https://a.example/1\n")
    assert run_command("convert", [*flags, "--to", "web-annotation", "--out", str(tmp_path / "a.json")]) == 2
    assert re.search(rf"--{flag} .* has more than 9.53674e-07 MiB", printed())


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--to csv --out new.csv", "name what is written with --predictions, with --accepted, or with both"),
        (
            "--to lido --out a.xml --predictions p.jsonl",
            "--to lido holds accepted values alone: give --accepted",
        ),
        ("--to web-annotation --out a.json --predictions p.jsonl", "--to web-annotation needs --targets"),
        ("--to csv --out b.csv --accepted a.csv --targets t.csv", "--targets is for --to web-annotation"),
        ("--to lido --out a.json --accepted a.csv", "--out a.json must end in .xml for --to lido"),
        (
            "--to csv --out b.csv --accepted a.csv --fields type",
            "--fields 'type' is not of the form task=field",
        ),
        (
            "--to csv --out b.csv --accepted a.csv --fields a=typ",
            "there is no field 'typ' (did you mean 'type'?)",
        ),
        ("--to csv --out b.csv --accepted a.csv --predicted today", "--predicted 'today' is no date such as"),
        ("--to csv --out b.csv --accepted a.csv --base museum", "--base 'museum' is no address"),
        ("--to lido --out a.xml --accepted a.csv --language e", "--language 'e' is no tag of a language"),
        ("--to csv --out new.csv --accepted gone.csv", "--accepted gone.csv does not exist"),
        (
            "--to csv --out new.csv --accepted p.jsonl",
            "p.jsonl is JSON, and only CSV or TSV can be read here; export the table as CSV",
        ),
        ("--to csv --out new.csv --predictions gone.jsonl", "--predictions gone.jsonl is not a file"),
        (
            "--to csv --out b.csv --accepted a.csv --vocabulary gone.csv",
            "--vocabulary gone.csv does not exist",
        ),
        ("--to csv --out new.csv --predictions p.jsonl --model .", "--model . is not the folder of a model"),
    ],
)
def test_flags_that_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Printed, flags: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("object_number,task,label\nA,type,vase\n")
    Path("p.jsonl").write_text(_lines(PREDICTIONS[0]))
    assert run_command("convert", flags.split()) == 2
    assert sentence in printed()


def test_decisions_that_are_probably_misspelled_are_named(tmp_path: Path, printed: Printed) -> None:
    accepted = "object_number,task,label\nSK-A-1718,type,Painting\nRP-P-1,Artist,Lievens\nNOPE.1,type,print\n"
    rows = _convert(tmp_path, "a.csv", "csv", write_inputs(tmp_path, accepted=accepted))
    assert {row["label"] for row in rows if row["verdict"]} == {"Painting", "Lievens", "print"}
    text = printed()
    assert "warning: the type 'Painting' is written as decided; the model writes it 'painting'" in text
    assert (
        "warning: 1 decision of the task 'Artist', which is none of --predictions (did you mean 'artist'?)"
        in text
    )
    assert "1 decided object is not in --predictions, such as 'NOPE.1', and" in text


def test_several_accepted_labels_of_a_task_with_one(tmp_path: Path, printed: Printed) -> None:
    """A warning for the type, of which the model suggests one; none for the material, of which it suggests several."""
    materials = suggestion(("oil", 0.9), ("canvas", 0.8), labels=2)
    record = {"object_number": "A", "problem": None, "material": materials, "type": suggestion(("vase", 0.9))}
    rows = "A,type,vase\nA,type,jug\nA,material,oil\nA,material,canvas\n"
    flags = write_inputs(tmp_path, predictions=_lines(record), accepted=f"object_number,task,label\n{rows}")
    assert len(_convert(tmp_path, "a.csv", "csv", flags)) == 4
    text = printed()
    assert (
        "warning: 1 object has several accepted labels of 'type', of which the model suggests one; all are written,"
        " such as 'vase' and 'jug' of 'A'" in text
    )
    assert "labels of 'material'" not in text


def test_two_tasks_in_one_field(tmp_path: Path, printed: Printed) -> None:
    rows = "A,type,vase\nA,subject,flowers\nB,type,jug\n"
    flags = write_inputs(tmp_path, accepted=f"object_number,task,label\n{rows}")[2:4]
    out = tmp_path / "a.xml"
    merging = [*flags, "--to", "lido", "--fields", "subject=type", "--out", str(out)]
    assert run_command("convert", merging) == 0
    assert (
        "warning: the labels of 'type' and 'subject' of 1 object are both written as type; see --fields"
        in printed()
    )
