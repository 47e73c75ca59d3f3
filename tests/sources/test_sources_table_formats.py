"""The source `table` on what JSON, Parquet and Excel make of unknown values, column names and separators."""

from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject
from arttl.sources.registry import open_source
from arttl.sources.settings import SourceSettings
from arttl.sources.table import guess_columns

_SUFFIXES = ("csv", "jsonl", "json", "parquet")


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path) -> None:
    """The pictures that the tables name."""
    for name in "abcde":
        (tmp_path / f"{name}.jpg").touch()


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        text = json.dumps(rows) if path.suffix == ".json" else "\n".join(map(json.dumps, rows))
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", _SUFFIXES[1:])
def test_what_is_unknown_is_no_label_number_or_image(suffix: str, tmp_path: Path) -> None:
    nan = float("nan")
    rows = [
        {"id": 1907.0, "image": "a.jpg", "material": "oil", "year": 1650.0},
        {"id": nan, "image": "b.jpg", "material": "oil", "year": 1650.0},
        {"id": 1908.0, "image": None, "material": "oil", "year": 1650.0},
        {"id": 1909.0, "image": "d.jpg", "material": None, "year": nan},
        {"id": 1910.0, "image": "e.jpg", "material": "nan", "year": float("inf")},
    ]
    settings = SourceSettings(
        metadata=_write(tmp_path / f"objects.{suffix}", rows),
        images=tmp_path,
        object_number="id",
        image="image",
        tasks=("material", "year"),
    )
    items = list(open_source(settings))
    artworks = [item for item in items if isinstance(item, Artwork)]
    assert [(artwork.object_number, artwork.labels) for artwork in artworks] == [
        ("1907", {"material": ("oil",), "year": ("1650",)}),
        ("1909", {}),
        ("1910", {"material": ("nan",)}),
    ]
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [reject.reason for reject in rejects] == ["no-object-number", "no-image-named"]


@pytest.mark.parametrize("suffix", _SUFFIXES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_columns_and_flags_in_other_forms(suffix: str, form: str, tmp_path: Path) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    names = ("numéro", "fichier", "matériau")
    number, file, material = (unicodedata.normalize(form, name) for name in names)
    path = _write(tmp_path / f"objects.{suffix}", [{number: "A.1", file: "a.jpg", material: "plâtre"}])
    number, file, material = (unicodedata.normalize(other, name) for name in names)
    settings = SourceSettings(
        metadata=path, images=tmp_path, object_number=number, image=file, tasks=(f"material={material}",)
    )
    (artwork,) = open_source(settings)
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.labels) == ("A.1", {"material": ("plâtre",)})


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_columns_are_guessed_in_every_format(suffix: str, tmp_path: Path) -> None:
    rows = [{"Object\u00a0Number": "A.1", "Image": "a.jpg", "Medium": "oil"}]
    path = _write(tmp_path / f"objects.{suffix}", rows)
    settings, _ = guess_columns(SourceSettings(metadata=path, images=tmp_path))
    (artwork,) = open_source(settings)
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.labels) == ("A.1", {"material": ("oil",)})


def test_a_table_as_excel_writes_it(tmp_path: Path) -> None:
    text = 'sep=;\r\nInventory number;Image;"Material\r\n(first)"\r\nA.1;a.jpg;crème\r\n'
    (tmp_path / "objects.csv").write_bytes(text.encode("cp1252"))
    settings = SourceSettings(
        metadata=tmp_path / "objects.csv",
        images=tmp_path,
        tasks=("material=Material (first)",),
        encoding="cp1252",
    )
    settings, sentences = guess_columns(settings)
    assert sentences == [
        'columns guessed: --object-number "Inventory number" --image Image; override them with these flags'
    ]
    (artwork,) = open_source(settings)
    assert isinstance(artwork, Artwork)
    assert artwork.labels == {"material": ("crème",)}


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "settings", "count", "number", "labels"),
    [
        (
            "table/rijksmuseum-suriname-adlib.csv",
            {
                "object_number": "objectnummer",
                "tasks": ("material=materiaal", "artist=vervaardiger", "type=objectnaam"),
                "label_separator": "$",
                "unknown": ("anoniem", "onbekend"),
            },
            297,
            "SK-A-1671",
            {"material": ("doek", "olieverf"), "type": ("schilderij",)},
        ),
        (
            "json/tate-80.jsonl",
            {
                "object_number": "acno",
                "tasks": ("material=medium", "artist=all_artists", "type=classification", "depth"),
            },
            80,
            "T00001",
            {"material": ("Gouache on paper",), "artist": ("Keith Vaughan",), "type": ("on paper, print",)},
        ),
        (
            "json/carnegie-80.jsonl",
            {
                "object_number": "accession_number",
                "tasks": ("material=medium", "width=item_width", "height=item_height"),
            },
            80,
            "79.66.115",
            {"material": ("satin with cut and uncut velvet",), "width": ("5.875",), "height": ("13",)},
        ),
    ],
)
def test_real_tables(
    name: str,
    settings: dict[str, Any],
    count: int,
    number: str,
    labels: dict[str, tuple[str, ...]],
    real_data: Path,
) -> None:
    items = list(
        open_source(SourceSettings(metadata=real_data / "metadata" / name, dry_run=True, **settings))
    )
    artworks = {item.object_number: item for item in items if isinstance(item, Artwork)}
    assert len(items) == len(artworks) == count
    assert artworks[number].labels == labels


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_of_several_pictures_the_first_that_is_there_is_taken(suffix: str, tmp_path: Path) -> None:
    def addresses(*names: str) -> list[dict[str, str]]:
        return [{"url": f"https://museum.example/photos/{name}.jpg"} for name in names]

    rows = [
        {"id": "1", "photos": addresses("x", "b", "a"), "what": "vase"},
        {"id": "2", "photos": addresses("c"), "what": "vase"},
        {"id": "3", "photos": addresses("x", "y"), "what": "vase"},
    ]
    settings = SourceSettings(
        metadata=_write(tmp_path / f"objects.{suffix}", rows),
        images=tmp_path,
        object_number="id",
        image="photos.url",
        tasks=("what",),
    )
    reading = open_source(settings)
    items = list(reading)
    assert {item.object_number: item.image.name for item in items if isinstance(item, Artwork)} == {
        "1": "b.jpg",
        "2": "c.jpg",
    }
    assert [(item.object_number, item.reason) for item in items if isinstance(item, Reject)] == [
        ("3", "missing")
    ]
    assert (
        "passed over: further pictures of an object (https://museum.example/photos/a.jpg)"
        in reading.sentences()
    )


@pytest.mark.parametrize("mark", ["; ", "|", " ", ", ", "\n"])
def test_a_cell_of_several_addresses_names_no_picture(mark: str, tmp_path: Path) -> None:
    cell = mark.join(f"https://museum.example/photos/{name}.jpg" for name in "ab")
    path = _write(tmp_path / "objects.csv", [{"id": "1", "photo": cell, "what": "vase"}])
    settings = SourceSettings(
        metadata=path, images=tmp_path, object_number="id", image="photo", tasks=("what",)
    )
    (reject,) = list(open_source(settings))
    assert isinstance(reject, Reject)
    assert reject.reason == "missing"
    assert (
        reject.detail == "line 3: it must be the address of one picture, not several"
        if mark == "\n"
        else (reject.detail == "line 2: it must be the address of one picture, not several")
    )


def test_a_column_of_objects_is_not_guessed(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "object_number": {"own": "A"}, "maker": {"name": "X", "role": "after"}, "type": "vase"}
    ]
    settings = SourceSettings(
        metadata=_write(tmp_path / "objects.jsonl", rows), object_number="id", dry_run=True
    )
    guessed, sentences = guess_columns(settings)
    assert guessed.tasks == ("type=type",)
    assert sentences == [
        "columns guessed: --tasks type=type; override them with these flags",
        "the column 'maker' holds objects; name a field of theirs, such as maker.name",
    ]
    assert guess_columns(settings.replace(tasks=("maker=maker.name",)))[1] == []
    assert guess_columns(settings.replace(object_number="object_number", tasks=("artist=maker",)))[1] == [
        "the column 'object_number' holds objects; name a field of theirs, such as object_number.own",
        "the column 'maker' holds objects; name a field of theirs, such as maker.name",
    ]
    dotted = _write(tmp_path / "objects.csv", [{"id": "1", "artist": "X", "artist.1": "Y"}])
    assert guess_columns(settings.replace(metadata=dotted))[0].tasks == ("artist=artist",)


def test_columns_numbered_after_that_of_a_task_are_told(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "Material": "oil",
        "Material.1": "canvas",
        "Material.2": "",
        "Artist 1": "X",
        "Artist 2": "Y",
    }
    path = _write(tmp_path / "objects.csv", [{**row, "Year 1": "1650", "1": "", "2": ""}])
    settings = SourceSettings(metadata=path, object_number="id", dry_run=True)
    assert guess_columns(settings)[1] == [
        "columns guessed: --tasks material=Material; override them with these flags",
        "material is read from the column 'Material' alone, not from 'Material.1', 'Material.2'; join them into one"
        " cell, see --label-separator",
    ]
    assert guess_columns(settings.replace(tasks=("artist=Artist 1", "year=Year 1", "x=1")))[1] == [
        "artist is read from the column 'Artist 1' alone, not from 'Artist 2'; join them into one cell, see"
        " --label-separator",
    ]
    assert guess_columns(settings.replace(tasks=("first=Artist 1", "second=Artist 2")))[1] == []
