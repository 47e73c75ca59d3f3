"""Files of some kilobytes that stand for gigabytes take little memory, and are refused or read in small batches."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_cases import data_page, dictionary_page, text_page, varint, with_pages

from arttl.errors import ArttlError
from arttl.shards import parquet_batches
from arttl.shards.parquet import read_bounded_table
from arttl.shards.parquet_batches import BoundedFile

MIB = 2**20
TYPES = {"row": pa.int64(), "title": pa.string(), "labels": pa.list_(pa.string())}

# Reads each file with each reader in a process of its own, and prints what came of it and the peak of memory.
CHILD = """
import json, resource, sys
from pathlib import Path
import numpy, pyarrow as pa, pyarrow.compute
from arttl.errors import ArttlError
from arttl.exchange.parquet_rows import checked_batches
from arttl.exchange.predictions import _records
from arttl.records.structured import read_parquet
from arttl.shards.parquet import read_bounded_table
from arttl.shards.parquet_batches import BoundedFile
TYPES = {"row": pa.int64(), "title": pa.string(), "labels": pa.list_(pa.string())}
def rows(path):
    with BoundedFile(path) as table:
        for _ in checked_batches(table, None, path):
            pass
def each(records):
    for _ in records:
        pass
READERS = {
    "table": lambda path: read_bounded_table(path, TYPES.get),
    "metadata": lambda path: each(read_parquet(path, [])),
    "suggestions": lambda path: each(_records(path, ("row", "title", "labels"))),
    "rows": rows,
}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)
before = peak()
for path in map(Path, sys.argv[1:]):
    for name, read in READERS.items():
        try:
            read(path)
            said = ""
        except ArttlError as error:
            said = str(error)
        print(json.dumps([path.stem, name, said, peak() - before]), flush=True)
"""


def _write(path: Path, columns: dict, **options: object) -> None:
    rows = len(next(iter(columns.values())))
    table = pa.table({"row": pa.array(range(rows), pa.int64()), **columns})
    pq.write_table(table, path, **{"compression": "zstd", "write_statistics": False, **options})


def _bombs(folder: Path) -> dict[str, str]:
    """Name of a file to what is said of it."""
    large, mib = "0" * (129 * MIB), "0" * MIB
    page = "has a page of [0-9,]+ bytes, and up to 128 MiB are read"
    row = "may hold [0-9,]+ bytes in a row, and up to 64 MiB are read"
    expected = {}
    for codec in ("zstd", "snappy", "gzip", "brotli"):
        _write(folder / f"text-{codec}.parquet", {"title": [large]}, compression=codec, use_dictionary=False)
        expected[f"text-{codec}"] = page
    _write(folder / "dictionary.parquet", {"title": [large]}, dictionary_pagesize_limit=2**30)
    del large
    several = {f"title{number}": ["0" * (90 * MIB)] for number in range(3)}
    _write(folder / "columns.parquet", several, use_dictionary=False)
    one = pa.ListArray.from_arrays([0, 5_000_000], pa.array(["x"]).take(np.zeros(5_000_000, np.int8)))
    _write(folder / "list.parquet", {"labels": one})
    _write(
        folder / "shared-list.parquet", {"labels": pa.array([[mib] * 100])}, dictionary_pagesize_limit=2 * MIB
    )
    body = text_page([b"abc"])
    with_pages(folder / "lying.parquet", 1, data_page(2**31 - 1, len(body), 1) + body)
    with_pages(folder / "lying-dictionary.parquet", 1, dictionary_page(8, 8, 2**31 - 1) + body)
    # Several lies about sizes that are allowed alone.
    stored = pa.Codec("zstd").compress(b"\0" * (127 * MIB), asbytes=True)
    pages = dictionary_page(127 * MIB, len(stored), 31 * MIB) + stored
    with_pages(folder / "empty-texts.parquet", 1, pages + data_page(2, 2, 1, 8) + b"\1\2", "zstd")
    together = r"and others have pages of [0-9,]+ bytes together, and up to 256 MiB are read at once"
    expected |= {"dictionary": page, "columns": together, "list": row, "shared-list": row, "lying": page}
    return expected | {"lying-dictionary": "more values than bytes", "empty-texts": together}


def _streams(folder: Path) -> None:
    """Files that are read in small batches, or refused for what rows hold."""
    mib = "0" * MIB
    _write(folder / "shared.parquet", {"title": [mib] * 900}, dictionary_pagesize_limit=2 * MIB)
    options = {"use_dictionary": False, "write_batch_size": 1, "data_page_size": 1000}
    _write(folder / "pages.parquet", {"title": [mib] * 500}, **options)
    delta = {"use_dictionary": False, "column_encoding": {"title": "DELTA_BYTE_ARRAY"}}
    _write(folder / "prefixes.parquet", {"title": [mib] * 500}, **delta)


def _read(folder: Path) -> list[tuple[str, str, str, int]]:
    files = sorted(folder.glob("*.parquet"))
    assert all(path.stat().st_size < 8 * MIB for path in files)
    done = subprocess.run([sys.executable, "-c", CHILD, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(lines) == 4 * len(files)
    return lines


@pytest.mark.slow
def test_bombs_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    expected = _bombs(tmp_path)
    for name, reader, said, peak in _read(tmp_path):
        assert peak < 200, (name, reader, peak)
        if name != "columns" or reader in ("metadata", "rows"):  # the others read none of its columns
            assert re.search(expected[name], said), (name, reader, said)


@pytest.mark.slow
def test_what_many_rows_share_is_read_in_small_batches(tmp_path: Path) -> None:
    _streams(tmp_path)
    for name, reader, said, peak in _read(tmp_path):
        assert peak < 350, (name, reader, peak)
        assert bool(said) == (reader != "metadata"), (name, reader, said)


def test_two_columns_of_the_same_bytes(tmp_path: Path) -> None:
    """A file whose columns are one another's bytes would be as large in memory as their number says."""
    path = tmp_path / "t.parquet"
    texts = ["".join(map(chr, np.random.default_rng(0).integers(97, 122, 3000)))] * 2
    options = {
        "compression": "none",
        "use_dictionary": False,
        "write_statistics": False,
        "store_schema": False,
    }
    pq.write_table(pa.table(dict.fromkeys("ab", texts)), path, **options)
    a, b = (pq.read_metadata(path).row_group(0).column(number) for number in (0, 1))
    size = a.total_compressed_size
    assert size == b.total_compressed_size
    data = bytearray(path.read_bytes())
    # Field 9 of the column's metadata, after field 7; the number gets the form that has as many bytes.
    second = varint(b.data_page_offset << 1)
    at = data.rindex(b"\x26" + second) + 1
    first = varint(a.data_page_offset << 1)
    data[at : at + len(second)] = first[:-1] + bytes([first[-1] | 128]) + b"\0" * (len(second) - len(first))
    del data[b.data_page_offset : b.data_page_offset + size]
    path.write_bytes(data)
    assert pq.read_table(path).to_pydict() == {"a": texts, "b": texts}
    with pytest.raises(ArttlError, match=r"its column 'b' shares its bytes with another$"):
        read_bounded_table(path, {"a": pa.string(), "b": pa.string()}.get)
    assert read_bounded_table(path, {"b": pa.string()}.get)["b"].to_pylist() == texts


def _columns(draw: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    words = [f"w{number}" for number in range(50)]
    labels = [
        draw.choice(words, draw.integers(0, 5)).tolist() if draw.random() < 0.9 else None for _ in range(rows)
    ]
    return {
        "title": pa.array([f"title {number}" + "x" * int(draw.integers(0, 99)) for number in range(rows)]),
        "type": pa.array(draw.choice(words, rows)),
        "labels": pa.array(labels, pa.list_(pa.string())),
        "size": pa.array(draw.random((rows, 3)).tolist(), pa.list_(pa.float32(), 3)),
    }


@pytest.mark.parametrize("at_once", [1, 5000, 60_000, 10**9])
@pytest.mark.parametrize("rows_per_group", [7, 150, 5000])
@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_small_batches_hold_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, rows_per_group: int, page: str
) -> None:
    monkeypatch.setattr(parquet_batches, "_AT_ONCE", at_once)
    path = tmp_path / "t.parquet"
    columns = _columns(np.random.default_rng(rows_per_group), 1000)
    options = {"row_group_size": rows_per_group, "data_page_version": page, "data_page_size": 1000}
    _write(path, columns, write_batch_size=32, **options)
    with BoundedFile(path) as file:
        assert sum(file.rows_of_groups) == file.rows == 1000
        batches = list(file.batches(None, 400))
        for names in (["labels"], ["title", "size"], ["absent"], []):
            chosen = list(file.batches(names, 400))
            assert sum(map(len, chosen)) == (0 if names == ["absent"] and not chosen else 1000)
    assert pa.Table.from_batches(batches).equals(pq.read_table(path))
    assert max(map(len, batches)) <= 400
    sizes = [batch.nbytes for batch in batches if len(batch) > 1]
    assert max(sizes, default=0) <= max(at_once, 1)
    if at_once == 1:
        assert not sizes
    if at_once == 10**9:
        assert [len(batch) for batch in batches] == [400, 400, 200]


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    """The bytes that are allowed grow with the rows."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"row": pa.nulls(100_000, pa.int64())}), path, store_schema=False)
    with pytest.raises(ArttlError, match=r"has 100,000 rows, more than its \d+ bytes$"):
        read_bounded_table(path, TYPES.get)
    data = path.read_bytes()
    number = varint(100_000 << 1)
    assert data.count(b"\x16" + number + b"\x19\x1c") == 1  # field 3 of the footer, before its row groups
    path.write_bytes(
        data.replace(b"\x16" + number + b"\x19\x1c", b"\x16" + varint(90_000 << 1) + b"\x19\x1c")
    )
    with pytest.raises(ArttlError, match=r"its row groups have other rows than its footer says$"):
        read_bounded_table(path, TYPES.get)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x18\x05title\x15\x00", b"\x18\x05title\x15\x6e"),  # a codec that there is not
        (b"\x15\x0c\x19\x25", b"\x15\x0c\x19\x35"),  # more encodings than there are
        (b"\x19\x2c\x26", b"\x19\x1c\x26"),  # fewer columns than the schema has
    ],
)
def test_a_footer_that_is_damaged(tmp_path: Path, old: bytes, new: bytes) -> None:
    """pyarrow's own account of such a footer ends the process."""
    body = text_page([b"abc"])
    path = with_pages(tmp_path / "t.parquet", 1, data_page(len(body), len(body), 1) + body)
    data = path.read_bytes()
    at = data.rindex(old)
    path.write_bytes(data[:at] + new + data[at + len(new) :])
    with pytest.raises(ArttlError, match=r"t\.parquet cannot be read as Parquet: "):
        read_bounded_table(path, TYPES.get)
