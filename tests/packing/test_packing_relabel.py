from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import webdataset
from iiif_cases import SERVICE, canvas_3, image_3, manifest_3
from PIL import Image

from arttl.artworks import Artwork, sample_key
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.iiif.manifest import read_manifest
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


def test_pages_of_manifests_get_the_labels_of_their_own_canvases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(material: str) -> None:
        """Six manifests of two pages, each page of a material of its own."""
        for number in range(6):
            pages = [
                canvas_3(
                    image_3(f"{SERVICE}/{number}/{page}"),
                    number=page,
                    metadata=[{"label": "Medium", "value": f"{material} {number % 2} {page}"}],
                )
                for page in (1, 2)
            ]
            document = manifest_3({}, *pages, id=f"https://museum.example/iiif/{number}/manifest")
            (tmp_path / "manifests" / f"{number}.json").write_text(json.dumps(document))
            for page, canvas in enumerate(read_manifest(document).canvases()):
                assert canvas.picture is not None
                pixels = np.random.RandomState(2 * number + page).randint(0, 256, (4, 6, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "images" / canvas.picture.file_name)

    (tmp_path / "manifests").mkdir()
    (tmp_path / "images").mkdir()
    flags = ["--source", "iiif", "--metadata", str(tmp_path / "manifests"), "--tasks", "material"]
    flags += ["--all-canvases", "--workers", "1"]
    write("wood")
    argv = [*flags, "--images", str(tmp_path / "images"), "--out", str(tmp_path / "old")]
    assert run_command("shards", argv) == 0
    write("oak")
    assert (
        run_command("shards", ["relabel", str(tmp_path / "old"), *flags, "--out", str(tmp_path / "new")]) == 0
    )
    capsys.readouterr()
    old, new = Manifest.read(tmp_path / "old"), Manifest.read(tmp_path / "new")
    assert len(new) == len(old) == 12 and new.keys == old.keys
    before = [labels[0] for labels in old.labels("material") if labels]
    assert sorted(set(before)) == ["wood 0 1", "wood 0 2", "wood 1 1", "wood 1 2"]
    assert new.labels("material") == [(label.replace("wood", "oak"),) for label in before]


def _relabelled_by_museum(tmp_path: Path, *records: tuple[str, str, str]) -> Manifest:
    """The shards `old` with the genres of records of a number, a genre and a museum, as `new`."""
    made, _ = relabel(
        RelabelSettings(
            folder=tmp_path / "old",
            metadata=_write(tmp_path / "new.csv", [("number", "genre", "museum"), *records]),
            object_number="number",
            tasks=("genre",),
            institution_column="museum",
            out=tmp_path / "new",
            workers=1,
        )
    )
    return made


def test_a_record_of_another_institution_is_none_of_the_picture(
    tmp_path: Path, make_artworks: MakeArtworks
) -> None:
    museums = ("Antwerp", "Ghent")
    artworks = [
        dataclasses.replace(
            artwork,
            object_number=str(index % 8),
            key=sample_key(str(index % 8), part=museums[index // 8]),
            institution=museums[index // 8],
        )
        for index, artwork in enumerate(make_artworks(16))
    ]
    pack(artworks, PackSettings(out=tmp_path / "old", images=tmp_path / "images", workers=1))
    made = _relabelled_by_museum(tmp_path, *((str(index), "portrait", "ANTWERP") for index in range(8)))
    assert sorted(made.object_numbers) == [str(index) for index in range(8)]
    assert {*made.keys} == {sample_key(str(index), part="Antwerp") for index in range(8)}
    rejects = list(read_rejects(tmp_path / "new"))
    assert {(reject.reason, reject.detail) for reject in rejects} == {
        ("no-record", "only another institution's object has this number")
    }
    assert len(rejects) == 8


def test_an_institution_may_be_spelled_otherwise_where_numbers_are_its_own(
    tmp_path: Path, make_artworks: MakeArtworks
) -> None:
    artworks = [dataclasses.replace(artwork, institution="Antwerp") for artwork in make_artworks(8)]
    pack(artworks, PackSettings(out=tmp_path / "old", images=tmp_path / "images", workers=1))
    made = _relabelled_by_museum(tmp_path, *((f"A.{index}", "portrait", "KMSKA") for index in range(8)))
    assert len(made) == 8
    assert {*made.institutions} == {"KMSKA"}
