from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.packing.leaks import find_leaks
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE
from arttl.shards.manifest import Manifest

MakeArtworks = Callable[..., list[Artwork]]


@pytest.fixture
def packed(tmp_path: Path, make_artworks: MakeArtworks) -> Callable[..., Manifest]:
    """Shards of 24 pictures: the first two are of one object (or series), in the splits that are given."""

    def make(*, same: str = "object_number", splits: tuple[str, str] = ("train", "test")) -> Manifest:
        artworks = [
            dataclasses.replace(artwork, split=("train", "val", "test")[index % 3])
            for index, artwork in enumerate(make_artworks(24))
        ]
        for index in range(2):
            fields: dict[str, str] = {"split": splits[index]}
            if same == "object_number":
                fields |= {"object_number": "X.1", "key": sample_key("X.1", part=str(index))}
            elif same == "leaf":
                fields["object_number"] = f"X.1{'ab'[index]}"
            elif same == "group":
                fields["group"] = "the series"
            artworks[index] = dataclasses.replace(artworks[index], **fields)
        settings = PackSettings(out=tmp_path / "out", images=tmp_path / "images", split="column=s", workers=1)
        return pack(artworks, settings)

    return make


def test_an_object_in_two_splits(packed: Callable[..., Manifest]) -> None:
    (leak,) = find_leaks(packed()).leaks
    assert (leak.kind, leak.count, leak.samples, leak.examples) == ("objects", 1, 1, ("X.1",))


def test_an_object_in_one_split(packed: Callable[..., Manifest]) -> None:
    check = find_leaks(packed(splits=("val", "val")))
    assert check.leaks == ()
    assert check.checked == ("objects", "pictures")
    assert check.sentences()[0] == "no leak: objects and pictures are each in one split only"


def test_leaves(packed: Callable[..., Manifest]) -> None:
    manifest = packed(same="leaf")
    assert find_leaks(manifest).leaks == ()
    (leak,) = find_leaks(manifest, re.compile(r"(?:[a-z])\Z")).leaks
    assert (leak.kind, leak.count, leak.examples) == ("objects", 1, ("X.1a", "X.1b"))


def test_a_series(packed: Callable[..., Manifest]) -> None:
    check = find_leaks(packed(same="group", splits=("val", "test")))
    (leak,) = check.leaks
    assert (leak.kind, leak.count, leak.samples, leak.examples) == ("series", 1, 2, ("the series",))
    assert check.checked == ("objects", "series", "pictures")
    assert "leak: 1 series is in more than one split" in check.sentences()[0]


def test_a_picture_under_two_numbers(packed: Callable[..., Manifest]) -> None:
    manifest = packed(same="nothing")
    names = manifest.table.column_names
    for column in ("sha256", "stored_sha256"):
        values = manifest.table[column].to_pylist()
        values[0] = values[-1]  # the first is in train, the last in test
        table = manifest.table.set_column(names.index(column), column, [values])
        (leak,) = find_leaks(Manifest(manifest.directory, table, manifest.dataset)).leaks
        assert (leak.kind, leak.count, leak.samples, len(leak.examples)) == ("pictures", 1, 1, 2)


def test_look_alikes_are_reported_and_are_no_leak(packed: Callable[..., Manifest]) -> None:
    manifest = packed(splits=("train", "train"))
    path = manifest.directory / NEAR_DUPLICATES_FILE
    path.write_text(
        "group,key,object_number,split,distance\n1,a,a,train,0\n1,b,b,test,3\n2,c,c,val,0\n2,d,d,val,1\n"
    )
    check = find_leaks(manifest)
    assert (check.leaks, check.look_alike) == ((), 1)
    assert "1 group of pictures that look alike is in" in check.sentences()[1]
    path.write_text("nonsense\n1\n")
    with pytest.raises(ArttlError, match=r"near-duplicates\.csv cannot be read"):
        find_leaks(manifest)
    path.unlink()
    assert find_leaks(manifest).look_alike is None


@pytest.mark.parametrize("split", ["grouped", "stratified"])
def test_splits_by_groups_do_not_leak(split: str, tmp_path: Path, make_artworks: MakeArtworks) -> None:
    artworks = [
        dataclasses.replace(
            artwork, object_number=f"B.{index // 3}{'abc'[index % 3]}", group=f"g{index // 6}"
        )
        for index, artwork in enumerate(make_artworks(60))
    ]
    settings = PackSettings(
        out=tmp_path / "out", images=tmp_path / "images", split=split, leaf="[a-c]", workers=1
    )
    check = find_leaks(pack(artworks, settings), settings.leaf_pattern())
    assert check.checked == ("objects", "series", "pictures")
    assert check.leaks == ()
