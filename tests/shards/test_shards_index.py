from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.index import ShardRows, read_index
from arttl.shards.manifest import Manifest


@pytest.fixture
def manifest(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> Manifest:
    out = tmp_path / "out"
    return pack(make_artworks(24), PackSettings(out=out, images=tmp_path / "images", workers=1, shard_size=7))


def test_every_row_is_read_from_its_place(manifest: Manifest, tmp_path: Path) -> None:
    rows = ShardRows(manifest)
    for row in (23, 0, 6, 7, *range(24)):
        components = rows.components(row)
        jpeg, text, place = components.read()
        number = manifest.object_numbers[row]
        assert components.key == manifest.keys[row]
        assert components.tar == manifest.directory / manifest.shards[row]
        assert jpeg == (tmp_path / "images" / f"{number[2:]}.jpg").read_bytes()
        assert struct.unpack("<q", place) == (row,)
        assert f'"object_number": "{number}"'.encode() in text


def test_an_index_of_another_shard(manifest: Manifest) -> None:
    other = (manifest.directory / "train-00000.idx").read_bytes()
    (manifest.directory / "train-00001.idx").write_bytes(other)
    with pytest.raises(ArttlError, match=r"train-00001\.idx does not hold what manifest\.parquet says"):
        ShardRows(manifest).components(7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1.2 2\njpg 512 9 a.jpg json 1536 9 a.json row 2560 8 a.row\n",
        "v1.1 1\njpg 512 9 a.jpg json 1536 9 a.json row 2560 8 a.row\n",
        "v1.2 1\njpg 512 9 a.jpg cls 1536 9 a.cls row 2560 8 a.row\n",
        "v1.2 1\njpg 512 9 a.jpg json 1536 9 b.json row 2560 8 a.row\n",
        "v1.2 1\njpg 512 x a.jpg json 1536 9 a.json row 2560 8 a.row\n",
        "v1.2 1\njpg 512\n",
        "v1.2 1\n雪\n",
    ],
)
def test_files_that_are_no_index(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.idx").write_text(text, encoding="utf-8")
    with pytest.raises(ArttlError, match=r"x\.idx is no index of shards made by arttl"):
        read_index(tmp_path / "x.idx")
