"""The headers of pages: those that pyarrow writes are read as the footer counts them, others are refused."""

from __future__ import annotations

import base64
import random
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parquet_cases import data_page, dictionary_page, integers, text_page, varint, with_pages

from arttl.errors import ArttlError
from arttl.shards.parquet import read_bounded_table
from arttl.shards.parquet_batches import BoundedFile
from arttl.shards.parquet_pages import LARGEST_PAGE, PageReader

TYPES = {"row": pa.int64(), "title": pa.string(), "labels": pa.list_(pa.string())}
TEXTS = [b"abc", b"", b"defg"]
BODY = text_page(TEXTS)
WORKS = [("A", 1, 1642), ("A", 2, 1650), ("Ä", 3, 1700)]


# fastparquet 2026.9: DataFrame({"number": ["A.1", "A.2", "Ä.3"], "year": [1642, 1650, 1700]}), without statistics.
FASTPARQUET = """
c-
noF!A`<J5QZ0QHXOKa(<U66O)#23187JzT)1)YK)f2$EOgN&?Y3^WhK7)M@KJmS@4kc&;X^oWL8%h<&}skqXTO<kJ00Kl2_h3R=@
1Mzm^2WoBZP461g>MZUxtAJ;p5f4K-
&f08*=lnXo<_T+Qv7GDvQ+Z(F7;+M;<a_Aku8tEiBV;##I}#26?HGx@BaXDP&^1Wp_>+Ez-0JvUffL33F*KZDck^Lxk)W$-
Bw<r>aGa!dvW6IHf7Uss1?4&zgxruyD+z&l2nFWKHK$kcQF|(&sCl&}-
*zO&5X(z9(78;aR3Z&~a$UHS?Kfze+U^ea4xmvpCmiq7?<P<ou|iSaH8Aq~;G?(ak+LO8g-
%EhneP*n6HTKbkH1Tpws5m0}+GoNhYKUtWHC$7wr9l?C$*FAtzfy_`~UrXvOFng(K~n96d;f+ad;>M7+#tIu2|B9eJ#&>IZhE4P>
TNsD*m?VZ&9FKn;o!tJ~LvJa(&2DMVNK~{GU*o`y&7)fWlfwLnzXR}lUzSBEL@9@z~;a~X%BVW_n
"""


def _table(rows: int) -> pa.Table:
    draw = random.Random(rows)
    words = ["oil", "", "é" * 40, "雪", "x" * 3000, None]
    labels = [draw.choice([None, [], draw.choices(words, k=draw.randrange(9))]) for _ in range(rows)]
    inner = pa.struct({"a": pa.list_(pa.list_(pa.int32())), "b": pa.float64()})
    objects = [
        draw.choice([None, {"a": [[1, 2], None, []], "b": 0.5}, {"a": None, "b": None}]) for _ in range(rows)
    ]
    return pa.table(
        {
            "row": pa.array(range(rows), pa.int64()),
            "title": [f"title {number} of {draw.random()}" for number in range(rows)],
            "shared": pa.array(draw.choices(words, k=rows), pa.string()),
            "labels": pa.array(labels, pa.list_(pa.string())),
            "objects": pa.array(objects, inner),
            "digest": pa.array([draw.randbytes(16) for _ in range(rows)], pa.binary(16)),
            "none": pa.nulls(rows, pa.string()),
            "flag": pa.array([bool(draw.randrange(2)) for _ in range(rows)]),
            "logits": pa.array(np.zeros((rows, 3), np.float32).tolist(), pa.list_(pa.float32(), 3)),
        }
    )


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize(("version", "pages"), [("1.0", "1.0"), ("2.4", "1.0"), ("2.6", "2.0")])
@pytest.mark.parametrize("extras", [False, True])
def test_pages_are_those_of_the_footer(
    tmp_path: Path, codec: str, version: str, pages: str, extras: bool
) -> None:
    path = tmp_path / "t.parquet"
    options = {"write_page_index": True, "write_page_checksum": True, "dictionary_pagesize_limit": 2000}
    kinds = {"version": version, "data_page_version": pages, "compression": codec, "data_page_size": 1000}
    pq.write_table(
        _table(1500), path, row_group_size=700, write_batch_size=64, **kinds, **(options if extras else {})
    )
    metadata, count = pq.read_metadata(path), 0
    with path.open("rb") as file:
        reader = PageReader(file)
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(number)
                described = reader.groups[group].columns[number]
                assert described.codec.removesuffix("_raw") == codec
                found = reader.pages(described, "", 0)
                count += len(found)
                position = (
                    chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
                )
                size = stored = 0
                for page in found:
                    header = page.start - position
                    size, stored = size + header + page.size, stored + header + page.stored
                    position = page.start + page.stored
                assert (size, stored) == (chunk.total_uncompressed_size, chunk.total_compressed_size)
                assert sum(page.values for page in found if not page.is_dictionary) == chunk.num_values
                assert sum(page.is_dictionary for page in found) == chunk.has_dictionary_page
                levels = {page.level_bytes is not None for page in found if not page.is_dictionary}
                assert levels == {pages == "2.0"}
    assert count >= 2 * metadata.num_columns * metadata.num_row_groups
    assert [group.rows for group in reader.groups] == [700, 700, 100]
    table = read_bounded_table(path, TYPES.get)
    assert table.equals(pq.read_table(path, columns=table.column_names))


def test_an_empty_table(tmp_path: Path) -> None:
    pq.write_table(_table(3).slice(0, 0), tmp_path / "t.parquet")
    assert read_bounded_table(tmp_path / "t.parquet", TYPES.get).num_rows == 0


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd"])
def test_pages_written_by_hand(tmp_path: Path, codec: str) -> None:
    """What the refused ones below differ from."""
    stored = BODY if codec == "none" else pa.Codec(codec).compress(BODY, asbytes=True)
    page = data_page(len(BODY), len(stored), 3) + stored
    table = read_bounded_table(with_pages(tmp_path / "t.parquet", 3, page, codec), TYPES.get)
    assert table["title"].to_pylist() == [text.decode() for text in TEXTS]


_SIZES = r"has a page of [\d,]+ bytes, and up to 128 MiB are read: write it with smaller pages$"
_DAMAGED = "has a page whose header is damaged$"
_OF_DATA = b"\x2c" + integers(3, 0, 3, 3) + b"\0"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (data_page(2**31 - 1, len(BODY), 3), _SIZES),
        (data_page(LARGEST_PAGE + 1, len(BODY), 3), _SIZES),
        (data_page(-1, len(BODY), 3), _DAMAGED),
        (data_page(len(BODY), -1, 3), _DAMAGED),
        (data_page(len(BODY), len(BODY), -1), _DAMAGED),
        (data_page(len(BODY), 10_000, 3), "has a page that does not lie within it$"),
        (data_page(len(BODY), len(BODY), 4), "has pages with 4 values, and 3 by the footer$"),
        (
            data_page(len(BODY), len(BODY), 2**31 - 1),
            "has pages with 2,147,483,647 values, and 3 by the footer$",
        ),
        (dictionary_page(8, 8, 3), "has a dictionary with more values than bytes$"),
        (dictionary_page(8, 8, 2**31 - 1), "has a dictionary with more values than bytes$"),
        (integers(0, 8, 8) + b"\0", _DAMAGED),  # no details
        (integers(0, 8) + b"\x28\x01a" + _OF_DATA + b"\0", _DAMAGED),  # a text for its size
        (b"\x15\0\x16\x10\x15" + b"\x80" * 12, _DAMAGED),  # a number that does not end
        (integers(0, 8, 8) + b"\x6c" * 50, _DAMAGED),  # structs within structs
        (integers(0, 8, 8) + b"\x69\xf4" + varint(2**40), _DAMAGED),  # a list
        (integers(0, 8, 8) + b"\x68" + varint(2**60), "has a page whose header does not end$"),  # a text
        (integers(0, 8, 8) + b"\x1d" * 300, _DAMAGED),  # a type that is none
    ],
)
def test_headers_that_lie(tmp_path: Path, page: bytes, reason: str) -> None:
    path = with_pages(tmp_path / "t.parquet", 3, page + BODY)
    with pytest.raises(ArttlError, match=f"t.parquet cannot be read as Parquet: its column 'title' {reason}"):
        read_bounded_table(path, TYPES.get)
    assert read_bounded_table(path, {"row": pa.int64()}.get).num_rows == 3  # the other column is as it was


def test_pages_that_are_passed_over(tmp_path: Path) -> None:
    """Of kinds that are not known yet, and of long statistics."""
    unknown = integers(7, 4, 4) + b"\0" + b"abcd"
    text = b"\x18" + varint(100_000) + b"m" * 100_000
    long = integers(0, len(BODY), len(BODY)) + b"\x2c" + integers(3, 0, 3, 3) + b"\x1c" + text + b"\0\0\0"
    table = read_bounded_table(with_pages(tmp_path / "t.parquet", 3, unknown + long + BODY), TYPES.get)
    assert table["title"].to_pylist() == [text.decode() for text in TEXTS]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "t.parquet"
    table = _table(60).select(["row", "title", "labels"])
    pq.write_table(table, path, row_group_size=40, compression="zstd", data_page_size=200, write_batch_size=8)
    return path


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_is_read_as_pyarrow_does_or_refused(small: Path, data: st.DataObject) -> None:
    whole = small.read_bytes()
    path = small.with_name("changed.parquet")
    if data.draw(st.integers(0, 4)) == 0:
        changed = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    path.write_bytes(changed)
    try:
        table = read_bounded_table(path, TYPES.get)
    except ArttlError as error:
        assert "\n" not in str(error) and "malloc" not in str(error)
        return
    with pq.ParquetFile(path) as file:
        batches = list(file.iter_batches(columns=table.column_names))
    expected = pa.Table.from_batches(batches) if batches else table.slice(0, 0)
    assert table.equals(expected.select(table.column_names).cast(table.schema))


def test_what_fastparquet_writes_is_read(tmp_path: Path) -> None:
    """Its empty lists, of the encodings of a column, are of no kind."""
    path = tmp_path / "t.parquet"
    path.write_bytes(zlib.decompress(base64.b85decode("".join(FASTPARQUET.split()))))
    with BoundedFile(path) as table:
        rows = [row for batch in table.batches(None, 2) for row in batch.to_pylist()]
    assert rows == [{"number": f"{letter}.{n}", "year": year} for letter, n, year in WORKS]
