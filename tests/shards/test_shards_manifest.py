from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import FORMAT_VERSION, Manifest, manifest_schema


@pytest.fixture
def shards(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> Path:
    out = tmp_path / "shards"
    pack(make_artworks(12), PackSettings(out=out, workers=1, shard_size=4))
    return out


def test_reading(shards: Path) -> None:
    manifest = Manifest.read(shards)
    assert manifest.table.schema.equals(manifest_schema(("type", "material")))
    assert manifest.task_names == ("type", "material")
    assert manifest.rows("val").tolist() == [9]
    assert manifest.sizes.shape == (12, 2)
    assert set(manifest.sizes[:, 0]) == {32}
    with pytest.raises(ArttlError, match="no split 'valid'; it has: test, train, val"):
        manifest.rows("valid")


@pytest.mark.parametrize("name", ["dataset.json", "manifest.parquet"])
def test_an_unfinished_folder(shards: Path, name: str) -> None:
    (shards / name).unlink()
    with pytest.raises(ArttlError, match=f"{name} is missing"):
        Manifest.read(shards)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="is not a folder of shards"):
        Manifest.read(tmp_path / "none")


@pytest.mark.parametrize("name", ["dataset.json", "manifest.parquet"])
def test_a_damaged_folder(shards: Path, name: str) -> None:
    (shards / name).write_bytes(b"PAR1{")
    with pytest.raises(ArttlError, match="cannot be read"):
        Manifest.read(shards)


def test_another_version(shards: Path) -> None:
    path = shards / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": FORMAT_VERSION + 1}))
    with pytest.raises(ArttlError, match="shard format 2; this version reads 1"):
        Manifest.read(shards)
    path.write_text("[]")
    with pytest.raises(ArttlError, match="shard format None"):
        Manifest.read(shards)


def test_a_lacking_column(shards: Path) -> None:
    pq.write_table(pa.table({"key": ["a"]}), shards / "manifest.parquet")
    with pytest.raises(ArttlError, match="lacks the column 'object_number'"):
        Manifest.read(shards)
