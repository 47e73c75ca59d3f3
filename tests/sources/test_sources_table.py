from __future__ import annotations

from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.sources.rejects import Reject
from arttl.sources.settings import SourceSettings
from arttl.sources.table import read_table


def _read(tmp_path: Path, text: str, **changes: object) -> list[Artwork | Reject]:
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "objects.csv").write_text(text, encoding="utf-8")
    values: dict[str, object] = {
        "metadata": tmp_path / "objects.csv",
        "images": tmp_path / "images",
        "object_number": "inv",
        "image": "file",
        "tasks": ("type",),
        **changes,
    }
    return list(read_table(SourceSettings(**values)))  # type: ignore[arg-type]


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
        ("2", "../a.jpg", "outside-folder", "line 3"),
        ("", "a.jpg", "no-object-number", "line 4"),
        ("3", "a.jpg", "bad-row", "line 5: the row has 4 cells where the header has 3"),
        ("4", "/etc/passwd", "outside-folder", "line 6"),
    ]
    assert isinstance(artwork, Artwork)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metadata": None}, "needs --metadata FILE"),
        ({"images": None}, "needs --images FOLDER"),
        ({"object_number": None}, "needs --object-number COLUMN; .* has: inv, file, type"),
        ({"image": None}, "needs --image COLUMN; .* has: inv, file, type"),
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
