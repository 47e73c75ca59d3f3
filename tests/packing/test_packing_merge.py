from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.merge import MergeSettings, merge
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.packing.verify import verify
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import read_rejects

MakeArtworks = Callable[..., list[Artwork]]


def _pack(tmp_path: Path, name: str, artworks: list[Artwork], **changes: object) -> Manifest:
    values: dict[str, object] = {"workers": 1, "shard_size": 8, **changes}
    return pack(artworks, PackSettings(out=tmp_path / name, images=tmp_path / "images", **values))  # type: ignore[arg-type]


def _samples(manifest: Manifest) -> dict[str, tuple[bytes, dict[str, object], str]]:
    """Key to picture, JSON and split."""
    found = {}
    for shard in dict.fromkeys(manifest.shards):
        for sample in webdataset.WebDataset(str(manifest.directory / shard), shardshuffle=False):
            found[sample["__key__"]] = (sample["jpg"], json.loads(sample["json"]), shard.split("-")[0])
    return found


def test_two_folders_to_one(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(60)
    first = _pack(tmp_path, "a", artworks[:30], tasks=("type",))
    second = _pack(tmp_path, "b", artworks[30:], seed=3)
    merged = merge(
        MergeSettings(folders=(tmp_path / "a", tmp_path / "b"), out=tmp_path / "c", shard_size=10, workers=1)
    )
    assert merged.task_names == ("type", "material")
    assert _samples(merged) == _samples(first) | _samples(second)
    assert list(verify(tmp_path / "c")) == []
    assert [merged.splits.count(split) for split in ("train", "val", "test")] == [48, 6, 6]
    train = [key in first.keys for key in merged.keys[:48]]
    assert 0 < sum(train[:24]) < 24, "samples are shuffled over both folders"
    labels = dict(zip(merged.keys, merged.labels("material"), strict=True))
    assert all(labels[key] is None for key in first.keys)
    assert [labels[key] for key in second.keys] == second.labels("material")


def test_the_same_bytes_again_and_on_two_processes(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(40)
    _pack(tmp_path, "a", artworks[:20])
    _pack(tmp_path, "b", artworks[20:])
    for name, workers in (("c", 1), ("d", 2)):
        merge(MergeSettings(folders=(tmp_path / "a", tmp_path / "b"), out=tmp_path / name, workers=workers))
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("c", "d")]
    assert contents[0] == contents[1]


def test_a_picture_in_both_is_kept_once(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(24)
    artworks[1] = dataclasses.replace(artworks[1], labels={"type": ("vase",)})
    again = [
        dataclasses.replace(artwork, labels={"type": ("other",), "material": ("gold",)})
        for artwork in artworks[:12]
    ]
    first = _pack(tmp_path, "a", artworks)
    second = _pack(tmp_path, "b", again, seed=1)
    merged = merge(MergeSettings(folders=(tmp_path / "a", tmp_path / "b"), out=tmp_path / "c", workers=1))
    assert sorted(merged.keys) == sorted(first.keys)
    both = zip(merged.labels("type"), merged.labels("material"), strict=True)
    labels = dict(zip(merged.keys, both, strict=True))
    assert labels["A_1-" + artworks[1].key[-10:]] == (("vase",), ("gold",))
    assert labels[artworks[3].key] == (artworks[3].labels["type"], artworks[3].labels["material"])
    details = {reject.object_number: reject.detail for reject in read_rejects(tmp_path / "c")}
    assert len(details) == 12
    assert details["A.1"].startswith("the same bytes as object A.1; type differs: vase is kept, not other; ")
    assert "which takes its material from here" in details["A.1"]
    splits = [dict(zip(manifest.keys, manifest.splits, strict=True)) for manifest in (first, second)]
    for artwork in again:
        said = "split differs" in details[artwork.object_number]
        assert said == (splits[0][artwork.key] != splits[1][artwork.key])
    assert list(verify(tmp_path / "c")) == []


def test_one_key_for_two_pictures(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = make_artworks(24)
    others = [
        dataclasses.replace(artwork, object_number=f"A.{index}", key=artworks[index].key)
        for index, artwork in enumerate(artworks[12:])
    ]
    _pack(tmp_path, "a", artworks[:12])
    _pack(tmp_path, "b", others)
    merged = merge(MergeSettings(folders=(tmp_path / "a", tmp_path / "b"), out=tmp_path / "c", workers=1))
    assert len(set(merged.keys)) == 24
    assert sorted(merged.object_numbers) == sorted(2 * [f"A.{index}" for index in range(12)])
    assert list(verify(tmp_path / "c")) == []


def test_an_interrupted_merge_is_gone_on_with(
    tmp_path: Path, make_artworks: MakeArtworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    artworks = make_artworks(40)
    folders = (tmp_path / "a", tmp_path / "b")
    _pack(tmp_path, "a", artworks[:20])
    _pack(tmp_path, "b", artworks[20:])
    merge(MergeSettings(folders=folders, out=tmp_path / "whole", shard_size=5, workers=1))
    from arttl.packing import rewriting

    complete = rewriting.in_order

    def interrupted(*arguments: object, **options: object) -> object:
        for index, outcome in enumerate(complete(*arguments, **options)):  # type: ignore[arg-type]
            if index == 13:
                raise KeyboardInterrupt
            yield outcome

    settings = MergeSettings(folders=folders, out=tmp_path / "c", shard_size=5, workers=1)
    monkeypatch.setattr(rewriting, "in_order", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge(settings)
    monkeypatch.undo()
    with pytest.raises(ArttlError, match="unfinished run"):
        merge(settings)
    with pytest.raises(ArttlError, match="--seed 42, not 1"):
        merge(dataclasses.replace(settings, resume=True, seed=1))
    merge(dataclasses.replace(settings, resume=True))
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "c" / path.name).read_bytes() == path.read_bytes()


def test_what_cannot_be_merged(tmp_path: Path, make_artworks: MakeArtworks) -> None:
    _pack(tmp_path, "a", make_artworks(12))
    with pytest.raises(ArttlError, match="needs two folders"):
        merge(MergeSettings(folders=(tmp_path / "a",), out=tmp_path / "c"))
    with pytest.raises(ArttlError, match="is not a folder of shards"):
        merge(MergeSettings(folders=(tmp_path / "a", tmp_path / "none"), out=tmp_path / "c"))
    shard = tmp_path / "a" / "train-00000.tar"
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(ArttlError, match=r"train-00000\.tar ends before .*; run arttl shards verify"):
        merge(MergeSettings(folders=(tmp_path / "a", tmp_path / "a"), out=tmp_path / "c", workers=1))
    (tmp_path / "a" / "train-00000.idx").write_text("v1.2 1\njpg 0 1 x.jpg\n")
    with pytest.raises(ArttlError, match=r"train-00000\.idx does not list the 8 samples"):
        merge(MergeSettings(folders=(tmp_path / "a", tmp_path / "a"), out=tmp_path / "d", workers=1))
