from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from peak_memory import peak_memory

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
    without = Manifest(shards, manifest.table.slice(0, manifest.rows("test")[0]), manifest.dataset)
    with pytest.raises(ArttlError, match="'test'; it has: train, val; pack it with another --split, such as"):
        without.rows("test")


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
    with pytest.raises(ArttlError, match=rf"{name} (is not JSON|cannot be read)"):
        Manifest.read(shards)


def test_a_manifest_that_inflates(shards: Path) -> None:
    """Rows that share a text of five kilobytes: little on the disk, gigabytes in memory."""
    path = shards / "manifest.parquet"
    table = pq.read_table(path)
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 5000])
    columns = {name: [table[name][0].as_py()] * 100_000 for name in table.column_names}
    columns |= {"key": column, "width": pa.array(range(100_000), pa.int32())}
    pq.write_table(pa.table(columns), path)
    assert path.stat().st_size < 2**20
    before = peak_memory()
    with pytest.raises(ArttlError, match="more than 2 KiB per row"):
        Manifest.read(shards)
    assert peak_memory() - before < 400_000


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("width", [b"x"] * 12, "'width' of .* holds binary, not int32"),
        ("labels.type", ["vase"] * 12, "'labels.type' of .* holds string, not list"),
        ("key", [[1]] * 12, "'key' of .* holds list<.*>, not string"),
        ("width", [2**40] * 12, "cannot be read as Parquet: .*"),
    ],
)
def test_columns_of_other_types(shards: Path, column: str, values: list[object], message: str) -> None:
    path = shards / "manifest.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(column), column, pa.array(values)), path)
    with pytest.raises(ArttlError, match=message):
        Manifest.read(shards)


def test_texts_that_are_no_utf_8(shards: Path) -> None:
    path = shards / "manifest.parquet"
    table = pq.read_table(path)
    texts = pa.array([b"\xb9"] * len(table)).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("key"), "key", texts), path)
    with pytest.raises(ArttlError, match=r"manifest\.parquet cannot be read as Parquet: .*UTF8"):
        Manifest.read(shards)


def test_what_other_programs_write_is_read(shards: Path) -> None:
    """Larger types of the same kind, and columns of their own."""
    path = shards / "manifest.parquet"
    before = Manifest.read(shards).table
    table = pq.read_table(path)
    for name, kind in (
        ("key", pa.large_string()),
        ("width", pa.int64()),
        ("labels.type", pa.large_list(pa.large_string())),
    ):
        index = table.column_names.index(name)
        table = table.set_column(index, name, table[name].cast(kind))
    pq.write_table(table.append_column("mine", pa.array([{"a": 1}] * 12)), path)
    assert Manifest.read(shards).table.equals(before)


def test_another_version(shards: Path) -> None:
    path = shards / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": FORMAT_VERSION + 1}))
    with pytest.raises(ArttlError, match="shard format 2; this version reads 1"):
        Manifest.read(shards)
    path.write_text("[]")
    with pytest.raises(ArttlError, match=r"dataset\.json: it must be an object, not a list"):
        Manifest.read(shards)


def test_a_file_whose_name_no_system_takes(shards: Path) -> None:
    path = shards / "dataset.json"
    record = json.loads(path.read_text())
    record["files"][f"{'manifest.' * 40}parquet"] = record["files"]["manifest.parquet"]
    path.write_text(json.dumps(record))
    with pytest.raises(
        ArttlError, match=r"a file of the name manifest\.manifest\.ma\.\.\., of more than 255 bytes"
    ):
        Manifest.read(shards)


def test_a_lacking_column(shards: Path) -> None:
    pq.write_table(pa.table({"key": ["a"]}), shards / "manifest.parquet")
    with pytest.raises(ArttlError, match="lacks the column 'object_number'"):
        Manifest.read(shards)
