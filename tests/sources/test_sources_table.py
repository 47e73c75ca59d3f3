from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.shards.rejects import Reject
from arttl.sources.registry import open_source
from arttl.sources.remarks import Note
from arttl.sources.settings import SourceSettings
from arttl.sources.table import guess_columns, read_table


def _read(tmp_path: Path, text: str, **changes: object) -> list[Artwork | Reject]:
    for name in ("paintings/sk-a-1.jpg", "sub/c.png", "bk-17-2.tif", "a.jpg", "b.jpg", "b.tif", "c.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    (tmp_path / "objects.csv").write_text(text, encoding="utf-8")
    values: dict[str, object] = {
        "metadata": tmp_path / "objects.csv",
        "images": tmp_path / "images",
        "object_number": "inv",
        "image": "file",
        "tasks": ("type",),
        **changes,
    }
    items = read_table(SourceSettings(**values))  # type: ignore[arg-type]
    return [item for item in items if isinstance(item, Artwork | Reject)]


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    text = (
        "inv,file,type,material\nSK-A-1,paintings/sk-a-1.jpg,painting,oil;canvas\nBK-17.2,bk-17-2.tif,bowl,\n"
    )
    first, second = _read(tmp_path, text, tasks=("type", "material"), label_separator=";")
    assert isinstance(first, Artwork)
    assert isinstance(second, Artwork)
    assert (first.key, first.object_number) == ("SK-A-1", "SK-A-1")
    assert first.image == tmp_path / "images" / "paintings" / "sk-a-1.jpg"
    assert first.labels == {"type": ("painting",), "material": ("oil", "canvas")}
    assert second.key.startswith("BK-17_2-")
    assert second.labels == {"type": ("bowl",), "material": ("",)}
    assert (first.title, first.date, first.source, first.split) == (None,) * 4


def test_optional_columns(tmp_path: Path) -> None:
    rows = ("1,a.jpg,vase,A vase, 1650 ,met,Training", "2,b.jpg,vase,,,,", "3,c.jpg,vase,,,,DEV")
    text = "\n".join(["inv,file,type,t,y,from,fold", *rows])
    changes = {"title": "t", "date": "y", "provenance": "from", "split": "column=fold"}
    found = [artwork for artwork in _read(tmp_path, text, **changes) if isinstance(artwork, Artwork)]
    assert [(a.title, a.date, a.source, a.split) for a in found] == [
        ("A vase", "1650", "met", "train"),
        (None, None, None, None),
        (None, None, None, "val"),
    ]
    with pytest.raises(ArttlError, match=r"line 2 of .*objects\.csv has 'A vase' in the column 't'"):
        _read(tmp_path, text, split="column=t")


def test_rows_without_a_usable_image_are_rejected(tmp_path: Path) -> None:
    rows = (
        "1,,vase",
        "2,../a.jpg,vase",
        " ,a.jpg,vase",
        "3,a.jpg,vase,more",
        "4,/etc/passwd,vase",
        "5,a.jpg,vase",
    )
    text = "\n".join(["inv,file,type", *rows])
    *rejects, artwork = _read(tmp_path, text)
    assert [(r.object_number, r.file, r.reason, r.detail) for r in rejects if isinstance(r, Reject)] == [
        ("1", "", "no-image-named", "line 2"),
        ("2", "../a.jpg", "outside-folder", "line 3: the name leads out of the image folder"),
        ("", "a.jpg", "no-object-number", "line 4"),
        ("3", "a.jpg", "bad-row", "line 5: the row has 4 cells where the header has 3"),
        ("4", "/etc/passwd", "outside-folder", "line 6: the name leads out of the image folder"),
    ]
    assert isinstance(artwork, Artwork)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metadata": None}, "needs --metadata FILE"),
        ({"images": None}, "needs --images FOLDER"),
        ({"object_number": None}, "needs --object-number COLUMN; .* has: inv, file, type"),
        ({"image": None}, r"needs --image COLUMN \(that of .*\); .* has: inv, file, type"),
        ({"tasks": ()}, "needs --tasks COLUMN; .* has: inv, file, type"),
        ({"tasks": ("tipe",)}, r"no column 'tipe' \(--tasks tipe\) \(did you mean 'type'\?\)"),
        ({"tasks": ("kind=tipe",)}, r"no column 'tipe' \(--tasks kind\)"),
        ({"title": "name"}, r"no column 'name' \(--title\)"),
        ({"split": "column=fold"}, r"no column 'fold' \(--split\)"),
        ({"split": "random"}, "--split 'random' is not a way to split"),
        ({"split": "column="}, "--split 'column=' is not a way to split"),
        ({"tasks": ("Object Name",)}, "--tasks NAME='Object Name'"),
        ({"tasks": ("kind=",)}, "names no column after the '='"),
        ({"tasks": ("type", "type=inv")}, "names the task 'type' twice"),
    ],
)
def test_bad_settings(changes: dict[str, object], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=sentence):
        _read(tmp_path, "inv,file,type\n1,a.jpg,vase\n", **changes)


def test_the_same_artworks_from_every_format(tmp_path: Path) -> None:
    rows = [
        {"inv": "SK-A-1", "file": "a.jpg", "type": "painting", "material": ["oil", "canvas"], "year": 1650},
        {"inv": "17", "file": "b.tif", "type": None, "material": None, "year": None},
        {"inv": "雪.3", "file": "sub/c.png", "type": 'b, "d"\n', "material": ["  wood "], "year": 1651},
    ]
    (tmp_path / "o.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "o.parquet")
    found = {}
    for name in ("o.jsonl", "o.parquet"):
        changes = {"metadata": tmp_path / name, "tasks": ("type", "material"), "date": "year"}
        found[name] = _read(tmp_path, "", **changes)
    assert found["o.jsonl"] == found["o.parquet"]
    first, second, third = (artwork for artwork in found["o.jsonl"] if isinstance(artwork, Artwork))
    assert (first.labels, first.date) == ({"type": ("painting",), "material": ("oil", "canvas")}, "1650")
    assert (second.object_number, second.labels, second.date) == (
        "17",
        {"type": ("",), "material": ("",)},
        None,
    )
    assert third.labels == {"type": ('b, "d"\n',), "material": ("  wood ",)}


def test_columns_are_guessed(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text(
        "Object ID,Object Number,Object Name,Medium,Artist Display Name,Image_File\n"
    )
    settings, shown = guess_columns(SourceSettings(metadata=tmp_path / "o.csv", title="Object Name"))
    assert (settings.object_number, settings.image) == ("Object Number", "Image_File")
    assert settings.task_columns() == {
        "material": "Medium",
        "type": "Object Name",
        "artist": "Artist Display Name",
    }
    assert shown == [
        'columns guessed: --object-number "Object Number" --image Image_File --tasks material=Medium'
        ' "type=Object Name" "artist=Artist Display Name"; override them with these flags'
    ]
    again, nothing = guess_columns(settings)
    assert (again, nothing) == (settings, [])
    named = SourceSettings(metadata=tmp_path / "o.csv", image="Medium", tasks=("x=Medium",))
    settings, shown = guess_columns(named)
    assert (settings.image, settings.tasks, settings.object_number) == (
        "Medium",
        ("x=Medium",),
        "Object Number",
    )
    assert shown == ['columns guessed: --object-number "Object Number"; override them with these flags']


def test_tasks_with_commas_between_them_are_told_to_be_several() -> None:
    with pytest.raises(
        ArttlError, match=r"'type,artist': .*leave blanks and no commas between several tasks"
    ):
        SourceSettings(tasks=("type,artist",)).task_columns()
    with pytest.raises(ArttlError, match=r"--tasks NAME='Object Name'$"):
        SourceSettings(tasks=("Object Name",)).task_columns()


def test_a_dry_run_needs_no_images(tmp_path: Path) -> None:
    text = "inv,file,type\n1,a.jpg,vase\n2,b.jpg,bowl\n"
    found = _read(tmp_path, text, image=None, images=None, dry_run=True)
    assert [artwork.object_number for artwork in found] == ["1", "2"]


def test_group_column(tmp_path: Path) -> None:
    found = _read(tmp_path, "inv,file,type,series\n1,a.jpg,vase,X\n2,b.jpg,bowl,\n", group_column="series")
    assert [artwork.group for artwork in found if isinstance(artwork, Artwork)] == ["X", None]


def test_pictures_by_stems_addresses_and_other_spellings(tmp_path: Path) -> None:
    names = (
        "a",
        "A.JPG",
        "elsewhere/b.tif",
        "https://museum.example/iiif/bk-17-2/full/max/0/default.jpg",
        "d.jpg",
        "b",
    )
    found = _read(
        tmp_path, "\n".join(["inv,file,type", *(f"{i},{name},vase" for i, name in enumerate(names))])
    )
    images = [item.image.name for item in found if isinstance(item, Artwork)]
    assert images == ["a.jpg", "a.jpg", "b.tif", "bk-17-2.tif"]
    assert [(item.file, item.reason, item.detail) for item in found if isinstance(item, Reject)] == [
        ("d.jpg", "missing", "line 6: no file in the folder is named 'd.jpg'"),
        ("b", "ambiguous-picture", "line 7: 2 files could be meant: 'b.jpg' and 'b.tif'"),
    ]


def test_pictures_that_no_row_names_are_counted(tmp_path: Path) -> None:
    _read(tmp_path, "inv,file,type\n1,a.jpg,vase\n")
    values = {"object_number": "inv", "image": "file", "tasks": ("type",)}
    settings = SourceSettings(metadata=tmp_path / "objects.csv", images=tmp_path / "images", **values)  # type: ignore[arg-type]
    reading = open_source(settings)
    assert len(list(reading)) == 1
    assert reading.sentences()[-1] == (
        "passed over: 6 pictures that no record names (b.jpg, b.tif, bk-17-2.tif, ...)"
    )


def test_numbers_that_a_spreadsheet_has_changed_are_reported(tmp_path: Path) -> None:
    numbers = ("1.907E+10", "Mar-07", "7-Mar", "1907.1", "1907-01-03 00:00:00", "1907-01-03", "SK-A-1")
    (tmp_path / "o.csv").write_text("n,t\n" + "".join(f"{number},vase\n" for number in numbers))
    settings = SourceSettings(metadata=tmp_path / "o.csv", object_number="n", tasks=("t",), dry_run=True)
    notes = [item.text for item in read_table(settings) if isinstance(item, Note)]
    assert any(
        "4 object numbers look as if a spreadsheet" in note and "'1.907E+10'" in note for note in notes
    )


@pytest.mark.parametrize("column", ["n", "n.of.object"])
def test_fractions_in_a_column_of_numbers_are_reported(column: str, tmp_path: Path) -> None:
    numbers = [1907.1, 1907.1, 1908.2, 1909.0]
    values = numbers if column == "n" else [{"of": {"object": number}} for number in numbers]
    pq.write_table(pa.table({"n": values, "t": ["a", "b", "c", "d"]}), tmp_path / "o.parquet")
    settings = SourceSettings(
        metadata=tmp_path / "o.parquet", object_number=column, tasks=("t",), dry_run=True
    )
    *rows, note = read_table(settings)
    assert [row.object_number for row in rows if isinstance(row, Artwork)] == [
        "1907.1",
        "1907.1",
        "1908.2",
        "1909",
    ]
    assert isinstance(note, Note)
    assert note.text.startswith("3 object numbers are fractions in a column of numbers, such as 1907.1,")
    assert note.text.endswith(f"2 of them occur more than once; write the column {column!r} as text")
