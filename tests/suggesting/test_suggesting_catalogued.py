"""Suggestions for a museum's own metadata: the same rows in the same order, columns appended, nobody else's picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from suggested_tables import rows

from arttl.cli import run_command

Run = Callable[..., str]


@pytest.fixture
def images(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("1907.jpg", "1907.1.jpg", "A-2.png", "b3.jpg")):
        soft_picture(120, 90, seed=seed).save(folder / name)
    (folder / "broken.jpg").write_bytes((folder / "b3.jpg").read_bytes()[:900])
    return folder


@pytest.fixture
def predict(
    model: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    def run(metadata: Path, out: str, *flags: str) -> tuple[int, str]:
        argv = ["--model", str(model), "--metadata", str(metadata), "--images", str(images), *flags]
        status = run_command("predict", [*argv, "--out", str(tmp_path / out)])
        captured = capsys.readouterr()
        return status, " ".join((captured.out + captured.err).split())

    return run


def table(path: Path, codec: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(codec), newline=""), delimiter=delimiter))


@pytest.mark.parametrize(
    ("codec", "delimiter", "newline", "flags"),
    [
        ("utf-8", ",", "\n", []),
        ("utf-8-sig", ";", "\r\n", []),
        ("utf-16", "\t", "\r\n", []),
        ("cp1252", ";", "\r\n", ["--encoding", "cp1252"]),
    ],
)
def test_the_museums_rows_with_columns_appended(
    codec: str,
    delimiter: str,
    newline: str,
    flags: list[str],
    predict: Callable[..., tuple[int, str]],
    tmp_path: Path,
) -> None:
    own = [
        ["Inv. no", "bestand", " titel ", "notes"],
        ["1907.1", "1907.1.jpg", 'De "nachtwacht"', "first\nsecond"],
        ["1907", "1907.jpg", "", "=1+1"],
        ["Ü.9", "nowhere.jpg", "café", ""],
        ["A-2", " A-2.png ", "a; b, c", "'quoted"],
        ["B.4", "broken.jpg", "x", "-"],
        ["", "b3.jpg", "no number", "y"],
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
    writer.writerows(own)
    metadata = tmp_path / "objects.csv"
    metadata.write_bytes(text.getvalue().encode(codec))
    named = ["--object-number", "Inv. no", "--image", "bestand", *flags]
    status, printed = predict(metadata, "out.csv", *named, "--top", "2")
    assert status == 0, printed
    written = table(tmp_path / "out.csv", codec, delimiter)
    assert [row[:4] for row in written] == own
    assert (tmp_path / "out.csv").read_bytes().decode(codec).count(newline) >= 7
    head = ["problem", "type", "type_probability", "type_status", "type_2", "type_2_probability"]
    assert written[0][4:10] == head and {len(row) for row in written} == {len(written[0])}
    problems = [row[4] for row in written[1:]]
    assert problems[0] == problems[1] == problems[3] == ""
    assert problems[2].startswith("missing: ") and problems[4].startswith("damaged: ")
    assert problems[5].startswith("no-object-number")
    assert all(bool(row[5]) == (not row[4]) for row in written[1:])


def test_each_row_has_the_suggestion_of_its_own_picture(
    model: Path, images: Path, predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata = tmp_path / "objects.csv"
    metadata.write_text(
        "id,image\n" + "".join(f"{name},{name}\n" for name in ("b3", "1907.1", "A-2", "1907"))
    )
    flags = ["--object-number", "id", "--image", "image"]
    assert predict(metadata, "with.parquet", *flags)[0] == predict(metadata, "with.csv", *flags)[0] == 0
    argv = ["--model", str(model), "--images", str(images), "--out", str(tmp_path / "plain.parquet")]
    assert run_command("predict", argv) == 0
    plain = {Path(row["picture"]).stem: row for row in pq.read_table(tmp_path / "plain.parquet").to_pylist()}
    with_metadata = pq.read_table(tmp_path / "with.parquet").to_pylist()
    assert [row["object_number"] for row in with_metadata] == ["b3", "1907.1", "A-2", "1907"]
    for row in with_metadata:
        # Another number of pictures per batch may change the last digits.
        (expected,), (ranked,) = plain[row["object_number"]]["type"]["ranked"], row["type"]["ranked"]
        assert ranked["label"] == expected["label"]
        assert ranked["probability"] == pytest.approx(expected["probability"], rel=1e-6)
    probabilities = [row["type"]["ranked"][0]["probability"] for row in with_metadata]
    assert len({f"{probability:.7f}" for probability in probabilities}) == 4
    appended = rows(tmp_path / "with.csv")
    assert [(row["id"], row["type_probability"]) for row in appended] == [
        (row["object_number"], f"{probability:.4f}")
        for row, probability in zip(with_metadata, probabilities, strict=True)
    ]


def test_a_picture_that_is_another_objects_is_not_taken(
    predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata = tmp_path / "objects.csv"
    metadata.write_text("id,image\nA.2,A.2\nA-2,A-2.png\n1907,1907.jpg\n")
    status, _ = predict(metadata, "out.csv", "--object-number", "id", "--image", "image")
    assert status == 0
    first, second, third = rows(tmp_path / "out.csv")
    assert first["problem"] == "ambiguous-picture: A-2.png is named more exactly by object 'A-2'"
    assert first["type"] == "" and second["problem"] == third["problem"] == "" and second["type"]


def test_columns_that_the_table_has_already_get_other_names(
    predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata = tmp_path / "objects.csv"
    metadata.write_text("object_number,image,material,type_status\n1907,1907.jpg,wood,seen\n")
    status, printed = predict(metadata, "out.csv")
    assert status == 0 and "named suggested_..." in printed
    (row,) = rows(tmp_path / "out.csv")
    assert row["material"] == "wood" and row["type_status"] == "seen"
    assert row["suggested_material"] and row["suggested_type_status"] and row["suggested_problem"] == ""


def test_a_row_with_more_cells_than_the_header_keeps_them(
    predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata = tmp_path / "objects.csv"
    metadata.write_text("object_number,image\n1907,1907.jpg\nA-2,A-2.png,one,two\nb3\n")
    assert predict(metadata, "out.csv")[0] == 0
    written = table(tmp_path / "out.csv", "utf-8", ",")
    assert [row[:4] for row in written] == [
        ["object_number", "image", "", ""],
        ["1907", "1907.jpg", "", ""],
        ["A-2", "A-2.png", "one", "two"],
        ["b3", "", "", ""],
    ]
    assert written[2][4].startswith("bad-row: ") and written[3][4].startswith("no-image-named")


def test_other_sources_and_nested_tables_with_what_the_catalogue_says(
    predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata = tmp_path / "export.xml"
    metadata.write_text(
        "<r:metadata xmlns:r='http://x' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
        "<r:record><dc:identifier>A-2</dc:identifier><dc:type>etching</dc:type></r:record>"
        "<r:record><dc:identifier>gone</dc:identifier><dc:type>vase</dc:type></r:record>"
        "</r:metadata>"
    )
    for name in ("out.parquet", "out.jsonl", "out.csv"):
        status, printed = predict(metadata, name, "--source", "dublin-core", "--tasks", "type")
        assert status == 0, printed
    nested = pq.read_table(tmp_path / "out.parquet").to_pylist()
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert nested[0] == lines[0] | {"material": lines[0]["material"]}
    assert nested[0]["object_number"] == "A-2" and nested[0]["picture"] == "A-2.png"
    assert nested[0]["type"]["catalogued"] == ["etching"] and nested[0]["type"]["labels"]
    assert nested[1]["problem"].startswith("missing: ") and nested[1]["type"]["labels"] is None
    first, second = rows(tmp_path / "out.csv")
    assert first["type_catalogued"] == "etching" and first["type"] == nested[0]["type"]["labels"][0]
    assert second["object_number"] == "gone" and second["type_status"] == ""


@pytest.mark.parametrize(
    ("text", "flags", "sentence"),
    [
        ("object_number,image\nX,none.jpg\n", [], "(1 in all) has a picture in"),
        ("number,image\n1,2\n", ["--object-number", "id"], "has no column 'id'"),
        ("object_number,image\n1907,1907.jpg\n", ["--source", "lido"], "is not XML but a table"),
    ],
)
def test_metadata_that_give_nothing(
    text: str, flags: list[str], sentence: str, predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata = tmp_path / "objects.csv"
    metadata.write_text(text)
    status, printed = predict(metadata, "out.csv", *flags)
    assert status == 2 and sentence in printed and "Traceback" not in printed


def test_identifiers_of_a_reviewed_vocabulary_and_linked_art_of_what_was_accepted(
    predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    metadata, vocabulary = tmp_path / "objects.csv", tmp_path / "vocabulary.csv"
    metadata.write_text("object_number,image\nA-2,A-2.png\n1907,1907.jpg\nX,gone.jpg\n")
    assert predict(metadata, "first.jsonl")[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "first.jsonl").read_text().splitlines()]
    (label,) = lines[0]["type"]["labels"]
    address = "http://vocab.getty.edu/aat/300033618"
    hologram = "http://vocab.getty.edu/aat/300138196"
    vocabulary.write_text(f"task,label,uri\ntype,{label},{address}\ntype,Hologram,{hologram}\n")
    for name in ("out.csv", "out.parquet"):
        status, printed = predict(metadata, name, "--vocabulary", str(vocabulary))
        assert status == 0 and "vocabulary: 1 label is none of the model's, such as 'Hologram'" in printed
    nested = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for row, flat in zip(nested, rows(tmp_path / "out.csv"), strict=True):
        of_task = row["type"] or {"labels": [], "uris": []}
        named = label in of_task["labels"]
        assert of_task["uris"] == ([address] if named else [])
        assert flat["type_uri"] == (address if named else "")
    (tmp_path / "accepted.csv").write_text(f"object_number,task,label\nA-2,type,{label}\n")
    given = ["--predictions", str(tmp_path / "out.parquet"), "--accepted", str(tmp_path / "accepted.csv")]
    out = tmp_path / "out.json"
    argv = [*given, "--vocabulary", str(vocabulary), "--to", "linked-art", "--out", str(out)]
    assert run_command("convert", argv) == 0
    written = out.read_text()
    assert address in written and label in written


def test_rows_that_are_none_keep_their_place(predict: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    metadata = tmp_path / "objects.csv"
    own = ['="1907",1907.jpg', "object_number,image", "A-2,A-2.png", "b3,b3.jpg"]
    metadata.write_text("object_number,image\n" + "\n".join(own) + "\n")
    assert predict(metadata, "out.csv")[0] == 0
    written = rows(tmp_path / "out.csv")
    assert [row["object_number"] for row in written] == ['="1907"', "object_number", "A-2", "b3"]
    assert [bool(row["type"]) for row in written] == [True, False, True, True]
    assert written[1]["problem"].startswith("bad-row: ")
