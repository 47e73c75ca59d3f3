"""The longest text of a dictionary and the most values of a row, as counted without looking for a shorter way."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parquet_cases import text_page

from arttl.shards.parquet_batches import BoundedFile, _Table
from arttl.shards.parquet_levels import RowLengths, longest_text


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=8),
            st.integers(0, 600).map(lambda size: b"x" * size),
            st.integers(0, 300).map(lambda size: b"\0" * size),
            st.lists(st.binary(max_size=3), max_size=4).map(text_page),
        ),
        max_size=12,
    )
)
def test_the_longest_text(texts: list[bytes]) -> None:
    longest = max(map(len, texts), default=0)
    found = longest_text(text_page(texts), len(texts))
    assert longest <= found <= max(longest, 255)  # zeros may look like the beginning of a text
    if not any(b"\0" in text for text in texts) and all(texts):
        assert found == longest


@given(st.binary(max_size=40), st.integers(0, 10))
def test_what_is_no_dictionary(data: bytes, values: int) -> None:
    """The longest text of as many as there are is never more."""
    at = longest = 0
    for _ in range(values):
        length = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + length > len(data):
            break
        longest, at = max(longest, length), at + 4 + length
    assert longest <= longest_text(data, values) <= max(len(data), 255)


def _most(value: list | None, deepest: int) -> int:
    """Values that a row has in the file: lists that are empty or missing have one."""
    if deepest == 0 or not value:
        return 1
    return sum(_most(inner, deepest - 1) for inner in value)


def _lists(depth: int) -> st.SearchStrategy:
    inner = st.sampled_from(["a", "b", None]) if depth == 1 else _lists(depth - 1)
    few = st.lists(inner, max_size=3)
    return st.one_of(
        st.none(), few, few.flatmap(lambda some: st.integers(1, 30).map(lambda times: some * times))
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_most_values_of_a_row(tmp_path: Path, depth: int, version: str) -> None:
    kind = pa.string()
    for _ in range(depth):
        kind = pa.list_(kind)
    path = tmp_path / "t.parquet"

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(st.tuples(_lists(depth), st.integers(1, 40)), min_size=1, max_size=8),
        st.sampled_from(["zstd", "none", "snappy", "lz4"]),
    )
    def check(runs: list, codec: str) -> None:
        rows = [value for value, times in runs for _ in range(times)]
        table = pa.table({"labels": pa.array(rows, kind)})
        options = {"data_page_size": 16, "write_batch_size": 16, "data_page_version": version}
        pq.write_table(table, path, compression=codec, **options)
        with BoundedFile(path) as file:
            (leaf,) = (plan := _Table(file.file, file._reader, path, None)).leaves(0)
            plan.find_most(leaf)
        assert leaf.most == max(_most(row, depth) for row in rows)

    check()


@pytest.mark.parametrize(
    ("levels", "values"),
    [(b"\0\0", 3), (b"\2", 3), (b"\4\0", 3), (b"\xff\xff\xff\xff\xff\x7f\1", 3), (b"\3", 3)],
)
def test_levels_that_are_none(levels: bytes, values: int) -> None:
    """Runs of nothing, without a level, too few, too long a number, without packed levels."""
    assert not RowLengths(1).add(levels, values)
