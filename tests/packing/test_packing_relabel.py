from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.pack import pack
from arttl.packing.relabel import RelabelSettings, relabel
from arttl.packing.settings import PackSettings
from arttl.packing.verify import verify
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import read_rejects

MakeArtworks = Callable[..., list[Artwork]]


def _write(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def settings(tmp_path: Path, make_artworks: MakeArtworks) -> RelabelSettings:
    """Shards of A.0 to A.29, and new metadata: A.28, A.29 lack a record, A.3 a label, and X has no picture."""
    pack(
        make_artworks(30),
        PackSettings(out=tmp_path / "old", images=tmp_path / "images", workers=1, shard_size=8),
    )
    rows = [("number", "file", "genre", "name")]
    rows += [
        (f"A.{index}", f"{index}.jpg", "" if index == 3 else f" g{index % 4}", f"N{index}")
        for index in range(28)
    ]
    rows.append(("X", "x.jpg", "g1", ""))
    return RelabelSettings(
        folder=tmp_path / "old",
        metadata=_write(tmp_path / "new.csv", rows),
        object_number="number",
        image="file",
        tasks=("genre",),
        title="name",
        out=tmp_path / "new",
        shard_size=8,
        workers=1,
    )


def test_new_labels_for_the_same_pictures(settings: RelabelSettings) -> None:
    old = Manifest.read(settings.folder)
    made, notes = relabel(settings)
    assert made.task_names == ("genre",)
    assert notes[-1] == "distinct labels, raw to normalised: genre 5 to 4"
    kept = [number for number in old.object_numbers if number not in ("A.3", "A.28", "A.29")]
    assert made.object_numbers == kept
    split_of = dict(zip(old.object_numbers, old.splits, strict=True))
    assert made.splits == [split_of[number] for number in kept]
    assert made.labels("genre") == [(f"g{int(number[2:]) % 4}",) for number in kept]
    assert made.dataset["unlabelled"] == 1
    pictures = dict(zip(old.keys, old.table["stored_sha256"].to_pylist(), strict=True))
    assert made.table["stored_sha256"].to_pylist() == [pictures[key] for key in made.keys]
    assert {(reject.object_number, reject.reason) for reject in read_rejects(settings.out)} == {
        ("A.28", "no-record"),
        ("A.29", "no-record"),
        ("X", "missing"),
    }
    assert list(verify(settings.out)) == []
    for shard in dict.fromkeys(made.shards):
        for sample in webdataset.WebDataset(str(made.directory / shard), shardshuffle=False):
            found = json.loads(sample["json"])
            index = int(found["object_number"][2:])
            assert found["title"] == f"N{index}"
            assert found["raw_labels"] == {"genre": [f" g{index % 4}"]}
            assert found["original"]["file"] == f"{index}.jpg"


def test_a_second_run_gives_the_same_bytes(settings: RelabelSettings) -> None:
    relabel(settings)
    relabel(dataclasses.replace(settings, out=settings.out.parent / "again", workers=2))
    for path in settings.out.iterdir():
        assert (settings.out.parent / "again" / path.name).read_bytes() == path.read_bytes()


def test_photographs_of_one_object_are_told_apart_by_their_names(
    tmp_path: Path, make_artworks: MakeArtworks
) -> None:
    artworks = [
        dataclasses.replace(artwork, object_number=f"B.{index // 2}")
        for index, artwork in enumerate(make_artworks(24))
    ]
    pack(artworks, PackSettings(out=tmp_path / "old", images=tmp_path / "images", workers=1))
    rows = [("number", "file", "genre")]
    rows += [(f"B.{index // 2}", f"{index}.jpg", f"g{index}") for index in range(22)]
    rows += [("B.11", "other.jpg", "g0"), ("B.11", "another.jpg", "g1")]
    metadata = _write(tmp_path / "new.csv", rows)
    made, _ = relabel(
        RelabelSettings(
            folder=tmp_path / "old",
            metadata=metadata,
            object_number="number",
            image="file",
            tasks=("genre",),
            out=tmp_path / "new",
            workers=1,
        )
    )
    assert len(made) == 22
    for number, labels in zip(made.object_numbers, made.labels("genre"), strict=True):
        assert labels is not None
        assert f"B.{int(labels[0][1:]) // 2}" == number
    assert len(set(made.labels("genre"))) == 22
    details = [reject.detail for reject in read_rejects(tmp_path / "new") if reject.reason == "no-record"]
    assert details == ["2 records of this object, none of which names this image"] * 2


def test_what_cannot_be_relabelled(settings: RelabelSettings) -> None:
    for changes, sentence in (
        ({"source": "folders"}, "--source folders: arttl shards relabel reads records"),
        ({"tasks": ("gnre",)}, r"no column 'gnre' \(--tasks gnre\) \(did you mean 'genre'\?\)"),
        ({"object_number": "name"}, r"no picture of .*old has a record with a label in .*new\.csv"),
        ({"folder": settings.folder / "none"}, "is not a folder of shards"),
        ({"out": settings.folder}, "is not empty"),
        ({"metadata": None}, "--source table needs --metadata"),
    ):
        with pytest.raises(ArttlError, match=sentence):
            relabel(dataclasses.replace(settings, **changes))  # type: ignore[arg-type]
        assert not settings.out.exists()
