from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
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
        members = rows.members(row)
        jpeg, text, place = members.read()
        number = manifest.object_numbers[row]
        assert members.key == manifest.keys[row]
        assert members.tar == manifest.directory / manifest.shards[row]
        assert jpeg == (tmp_path / "images" / f"{number[2:]}.jpg").read_bytes()
        assert struct.unpack("<q", place) == (row,)
        assert f'"object_number": "{number}"'.encode() in text
        assert members.read_json() == text


def test_json_that_is_too_large(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    members = ShardRows(manifest).members(0)
    monkeypatch.setattr("arttl.shards.index.LARGEST", members.spans[1][1] - 1)
    with pytest.raises(ArttlError, match=r"\.json in .*train-00000\.tar has more than"):
        members.read_json()


def test_no_memory_is_taken_for_what_an_index_promises(manifest: Manifest) -> None:
    members = ShardRows(manifest).members(0)
    (offset, _), *rest = members.spans
    with pytest.raises(ArttlError, match=r"train-00000\.tar ends before .*; run arttl shards verify"):
        replace(members, spans=((offset, 1 << 50), *rest)).read()


def test_an_index_of_another_shard(manifest: Manifest) -> None:
    other = (manifest.directory / "train-00000.idx").read_bytes()
    (manifest.directory / "train-00001.idx").write_bytes(other)
    with pytest.raises(ArttlError, match=r"train-00001\.idx, line 2: \S+ is listed where the manifest has"):
        ShardRows(manifest).members(7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.idx cannot be read as an index of a shard"),
        ("v1.2 1\n雪\n", r"x\.idx cannot be read as an index of a shard"),
        (
            "v1.2 2\njpg 512 9 a.jpg json 1536 9 a.json row 2560 8 a.row\n",
            r"x\.idx does not list the 1 sample that the manifest has in x\.tar",
        ),
        (
            "v1.1 1\njpg 512 9 a.jpg json 1536 9 a.json row 2560 8 a.row\n",
            r"x\.idx does not list the 1 sample",
        ),
        ("v1.2 1\njpg 512 9 a.jpg cls 1536 9 a.cls row 2560 8 a.row\n", r"x\.idx, line 2: not a sample"),
        ("v1.2 1\njpg 512 9 a.jpg json 1536 9 b.json row 2560 8 a.row\n", r"line 2: b\.json is listed where"),
        ("v1.2 1\njpg 512 x a.jpg json 1536 9 a.json row 2560 8 a.row\n", r"x\.idx, line 2: not a sample"),
        ("v1.2 1\njpg 512 9 a.jpg json 1536 9 a.json row 2560 9 a.row\n", r"x\.idx, line 2: not a sample"),
        (f"v1.2 1\njpg {10**30} 9 a.jpg json 1536 9 a.json row 2560 8 a.row\n", r"line 2: not a sample"),
        ("v1.2 1\njpg 512 9 a.jpg json 1536 9 a.json row 2560 8\n", r"x\.idx, line 2: not a sample"),
        ("v1.2 1\njpg 512\n", r"x\.idx, line 2: not a sample"),
    ],
)
def test_files_that_are_no_index(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.idx").write_text(text, encoding="utf-8")
    with pytest.raises(ArttlError, match=message):
        read_index(tmp_path / "x.idx", ["a"])


def test_a_shard_cannot_lie_outside_the_folder(manifest: Manifest) -> None:
    names = pa.array(["../../secrets-00000.tar"] * len(manifest))
    column = manifest.table.column_names.index("shard")
    elsewhere = Manifest(
        manifest.directory, manifest.table.set_column(column, "shard", names), manifest.dataset
    )
    with pytest.raises(ArttlError, match=r"names a shard '\.\./\.\./secrets-00000\.tar'"):
        ShardRows(elsewhere)
