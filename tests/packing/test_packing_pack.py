from __future__ import annotations

import csv
import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset
from folder_contents import contents
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.packing import pack as packing
from arttl.packing.pack import pack
from arttl.packing.parts import SCRATCH
from arttl.packing.settings import PackSettings
from arttl.pictures.remarks import ALPHA
from arttl.shards.manifest import Manifest

MakeArtworks = Callable[..., list[Artwork]]


def _settings(tmp_path: Path, name: str = "out", **changes: object) -> PackSettings:
    values: dict[str, object] = {"images": tmp_path / "images", "workers": 1, "shard_size": 4, **changes}
    return PackSettings(out=tmp_path / name, **values)  # type: ignore[arg-type]


def _rejects(folder: Path) -> list[dict[str, str]]:
    with (folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_artwork_is_in_the_shards_as_the_manifest_says(
    tmp_path: Path, make_artworks: MakeArtworks
) -> None:
    artworks = {artwork.key: artwork for artwork in make_artworks(30, title="A title", source="met")}
    manifest = pack(artworks.values(), _settings(tmp_path))
    assert len(manifest) == 30
    assert sorted(manifest.keys) == sorted(artworks)
    assert list(manifest.splits) == ["train"] * 24 + ["val"] * 3 + ["test"] * 3
    assert manifest.task_names == ("type", "material")
    row = 0
    for shard in dict.fromkeys(manifest.shards):
        for sample in webdataset.WebDataset(str(manifest.directory / shard), shardshuffle=False):
            key = sample["__key__"]
            assert (manifest.keys[row], manifest.shards[row]) == (key, shard)
            assert struct.unpack("<q", sample["row"]) == (row,)
            artwork, metadata = artworks[key], json.loads(sample["json"])
            source = artwork.image.read_bytes()
            assert sample["jpg"] == source
            assert metadata["object_number"] == manifest.object_numbers[row] == artwork.object_number
            assert metadata["labels"] == {task: list(found) for task, found in artwork.labels.items()}
            assert (metadata["title"], metadata["source"], metadata["date"]) == ("A title", "met", None)
            size = Image.open(artwork.image).size
            assert metadata["original"] == {
                "file": artwork.image.name,
                "bytes": len(source),
                "sha256": hashlib.sha256(source).hexdigest(),
                "width": size[0],
                "height": size[1],
            }
            record = manifest.table.slice(row, 1).to_pylist()[0]
            assert record["sha256"] == record["stored_sha256"] == metadata["original"]["sha256"]
            assert (record["width"], record["height"]) == size
            for task in manifest.task_names:
                assert manifest.labels(task)[row] == artwork.labels.get(task)
            row += 1
    assert row == 30


_TEXT = st.text(min_size=1, max_size=30)  # any Unicode, controls and halves of surrogate pairs too


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(st.tuples(_TEXT, _TEXT, _TEXT), min_size=6, max_size=6))
def test_any_text_survives(
    texts: list[tuple[str, str, str]],
    tmp_path_factory: pytest.TempPathFactory,
    soft_picture: Callable[..., Image.Image],
) -> None:
    folder = tmp_path_factory.mktemp("text")
    artworks = []
    for index, (number, label, title) in enumerate(texts):
        image = folder / f"{index}.jpg"
        soft_picture(16, 16, seed=index).save(image)
        artworks.append(Artwork(sample_key(number), number, image, {"type": (label, "x")}, title=title))
    manifest = pack(artworks, PackSettings(out=folder / "out", images=folder, workers=1))
    expected = {tuple(text.encode("utf-8", "backslashreplace").decode() for text in found) for found in texts}
    found = set()
    for shard in dict.fromkeys(manifest.shards):
        for sample in webdataset.WebDataset(str(manifest.directory / shard), shardshuffle=False):
            record = json.loads(sample["json"])
            row = struct.unpack("<q", sample["row"])[0]
            assert manifest.object_numbers[row] == record["object_number"]
            assert (manifest.labels("type")[row] or ())[0] == record["labels"]["type"][0]
            found.add((record["object_number"], record["labels"]["type"][0], record["title"]))
    assert found == expected


def test_description_and_digests(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    manifest = pack(make_artworks(30), _settings(tmp_path))
    dataset = manifest.dataset
    assert dataset["samples"] == {"train": 24, "val": 3, "test": 3}
    assert sum(dataset["labelled"]["material"].values()) == 15
    assert dataset["rejected"] == {}
    lines = []
    for name, file in dataset["files"].items():
        data = (manifest.directory / name).read_bytes()
        assert file == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        lines.append(f"{file['sha256']}  {name}\n")
    assert (
        dataset["digest"]
        == hashlib.sha256("".join(sorted(lines, key=lambda line: line[66:])).encode()).hexdigest()
    )
    on_disk = {path.name for path in manifest.directory.iterdir()}
    assert on_disk == {*dataset["files"], "dataset.json"}
    assert sum(name.endswith(".tar") for name in on_disk) == 6 + 1 + 1


def _make_transparent(artworks: list[Artwork]) -> None:
    for index, artwork in enumerate(artworks):
        Image.new("LA", (40, 30), (10 * index, 0)).save(artwork.image, "PNG")


def _check_transparent(folder: Path, artworks: list[Artwork]) -> None:
    manifest = Manifest.read(folder)
    files = {artwork.object_number: artwork.image.name for artwork in artworks}
    first = next(number for number in manifest.object_numbers if number in files)
    assert manifest.dataset["remarks"] == {ALPHA: {"pictures": len(artworks), "example": files[first]}}


def test_same_bytes_for_any_number_of_workers(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(30)
    artworks[7].image.write_bytes(b"")
    _make_transparent(artworks[10:14])
    for workers in (1, 2):
        pack(artworks, _settings(tmp_path, str(workers), workers=workers))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    _check_transparent(tmp_path / "1", artworks[10:14])


def test_seed_changes_split_and_order(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(30)
    first, second = (pack(artworks, _settings(tmp_path, str(seed), seed=seed)) for seed in (0, 1))
    assert sorted(first.keys) == sorted(second.keys)
    assert set(first.keys[24:]) != set(second.keys[24:])


def test_a_full_folder_is_refused(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(12)
    settings = _settings(tmp_path)
    pack(artworks, settings)
    before = contents(settings.out)
    with pytest.raises(ArttlError, match="is not empty; name another folder"):
        pack(artworks, settings)
    for name in ("notes.txt", "train-00000.tar"):
        other = tmp_path / name.split(".")[0]
        other.mkdir()
        (other / name).touch()
        for resume in (False, True):
            with pytest.raises(ArttlError, match="another folder"):
                pack(artworks, _settings(tmp_path, other.name, resume=resume))
        assert (other / name).exists()
    with pytest.raises(ArttlError, match="is a file"):
        pack(artworks, _settings(tmp_path, "notes/notes.txt"))
    assert contents(settings.out) == before


class _Stopped(Exception):
    pass


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make packing fail after so many pictures."""
    whole = packing.samples_in_order

    def arm(pictures: int) -> None:
        def some(*arguments: object) -> object:
            for index, outcome in enumerate(whole(*arguments)):  # type: ignore[arg-type]
                if index == pictures:
                    raise _Stopped
                yield outcome

        monkeypatch.setattr(packing, "samples_in_order", some)

    return arm


@pytest.mark.parametrize("stop", [0, 3, 4, 13, 24, 26, 29])
def test_resume_gives_the_same_bytes(
    stop: int, tmp_path: Path, make_artworks: MakeArtworks, stop_after: Callable[[int], None]
) -> None:
    artworks = make_artworks(30)
    artworks[3].image.write_bytes(b"")
    artworks[11].image.unlink()
    _make_transparent(artworks[20:])
    pack(artworks, _settings(tmp_path, "whole", resume=True))
    _check_transparent(tmp_path / "whole", artworks[20:])
    settings = _settings(tmp_path, "broken", resume=True)
    stop_after(stop)
    with pytest.raises(_Stopped):
        pack(artworks, settings)
    with pytest.raises(ArttlError, match="not a finished folder of shards"):
        Manifest.read(settings.out)
    kept = {path.name: path.stat().st_mtime_ns for path in settings.out.glob("*.tar")}
    with pytest.raises(ArttlError, match="unfinished run; finish it with --resume"):
        pack(artworks, _settings(tmp_path, "broken"))
    stop_after(30)
    pack(artworks, settings)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    assert len(kept) == {0: 0, 3: 0, 4: 1, 13: 3, 24: 6, 26: 6, 29: 7}[stop]
    for name, written in kept.items():
        assert (settings.out / name).stat().st_mtime_ns == written, "a finished shard was written again"


def test_resume_of_another_run_is_refused(
    tmp_path: Path, make_artworks: MakeArtworks, stop_after: Callable[[int], None]
) -> None:
    artworks = make_artworks(30)
    stop_after(10)
    with pytest.raises(_Stopped):
        pack(artworks, _settings(tmp_path))
    stop_after(30)
    with pytest.raises(ArttlError, match="--max-side 512, not 100"):
        pack(artworks, _settings(tmp_path, resume=True, max_side=100))
    with pytest.raises(ArttlError, match="the metadata has changed"):
        pack(artworks[:-1], _settings(tmp_path, resume=True))
    part = tmp_path / "out" / SCRATCH / "train-00000.json"
    whole = part.read_text()
    for damaged in ("{", "[" * 100_000, "[]", "{}", json.dumps({**json.loads(whole), "end": "8"})):
        part.write_text(damaged)
        with pytest.raises(
            ArttlError, match=r"train-00000\.json.*; delete that file, and its shard is made again"
        ):
            pack(artworks, _settings(tmp_path, resume=True))
    (tmp_path / "out" / SCRATCH / "plan.json").write_text("{}")
    with pytest.raises(ArttlError, match=r"plan\.json: it lacks 'settings'; pack into another --out"):
        pack(artworks, _settings(tmp_path, resume=True))


def test_resume_of_a_finished_run_changes_nothing(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(12)
    pack(artworks, _settings(tmp_path))
    before = contents(tmp_path / "out")
    assert len(pack(artworks, _settings(tmp_path, resume=True, workers=2))) == 12
    assert contents(tmp_path / "out") == before
    with pytest.raises(ArttlError, match="--seed 42, not 1"):
        pack(artworks, _settings(tmp_path, resume=True, seed=1))


def test_a_lost_shard_is_made_again(
    tmp_path: Path, make_artworks: MakeArtworks, stop_after: Callable[[int], None]
) -> None:
    artworks = make_artworks(30)
    pack(artworks, _settings(tmp_path, "whole"))
    stop_after(27)
    with pytest.raises(_Stopped):
        pack(artworks, _settings(tmp_path))
    (tmp_path / "out" / "train-00002.tar").write_bytes(b"cut")
    stop_after(30)
    pack(artworks, _settings(tmp_path, resume=True))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_no_usable_picture_at_all(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(8)
    for artwork in artworks:
        artwork.image.write_bytes(b"<html>")
    with pytest.raises(ArttlError, match=r"no picture could be used \(8 in all\); .*rejects\.csv says why"):
        pack(artworks, _settings(tmp_path))
    assert {reject["reason"] for reject in _rejects(tmp_path / "out")} == {"not-a-picture"}
    with pytest.raises(ArttlError, match="not a finished folder"):
        Manifest.read(tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"max_side": -1}, "--max-side -1"),
        ({"seed": 2**32}, "--seed 4294967296"),
        ({"workers": -2}, "--workers -2"),
        ({"shard_size": 0}, "--shard-size 0"),
        ({"max_pixels": 0}, "--max-pixels 0"),
        ({"split": "random"}, "--split 'random'"),
        ({"tasks": ("type", "type")}, "twice"),
    ],
)
def test_impossible_settings(
    changes: dict[str, object], flag: str, tmp_path: Path, make_artworks: MakeArtworks
) -> None:
    with pytest.raises(ArttlError, match=flag):
        pack(make_artworks(8), _settings(tmp_path, **changes))
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_in_a_sentence(
    tmp_path: Path, make_artworks: MakeArtworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    artworks = make_artworks(30)

    def full(descriptor: int) -> None:
        if list((tmp_path / "out").glob("train-00002.*")):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArttlError, match="No space left on device; mend that and continue with --resume"):
        pack(artworks, _settings(tmp_path))
    monkeypatch.undo()
    pack(artworks, _settings(tmp_path, resume=True))
    pack(artworks, _settings(tmp_path, "whole"))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
