"""Whatever a file holds, its reading ends in rows or in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.rows import column_names, read_any_rows
from arttl.records.text_files import ENCODINGS

_PIECES = st.sampled_from(
    (
        *(
            b"a",
            b"b,",
            b";",
            b"\t",
            b"|",
            b'"',
            b"\n",
            b"\r",
            b"\0",
            b"\xe9",
            b"\xc3\xa9",
            b"\xff\xfe",
            b" ",
            b"sep=;",
        ),
        *(
            b"\xef\xbb\xbf",
            b"{",
            b"}",
            b'{"a":',
            b"[",
            b"]",
            b"NaN",
            b"1e999",
            b"null",
            b"<",
            b"PK\x03\x04",
            b"PAR1",
        ),
    )
)


@settings(max_examples=100, deadline=None)
@given(
    pieces=st.lists(_PIECES, max_size=30),
    suffix=st.sampled_from(["csv", "tsv", "json", "jsonl", "parquet"]),
    encoding=st.none() | st.sampled_from(sorted(ENCODINGS)),
)
@example(pieces=[b"\xff\xfe"], suffix="csv", encoding=None)
@example(pieces=[b"a\n", b"\0"], suffix="csv", encoding="utf-16")
@example(pieces=[b'{"a":', b"[" * 400, b"]" * 400, b"}"], suffix="jsonl", encoding=None)
@example(pieces=[b'{"a":', b'{"a":' * 500, b"1", b"}" * 501], suffix="jsonl", encoding=None)
@example(pieces=[b'[{"a":', b"[" * 990, b"]" * 990, b"}]"], suffix="json", encoding=None)
def test_rows_or_a_sentence(
    pieces: list[bytes], suffix: str, encoding: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path: Path = tmp_path_factory.mktemp("any") / f"objects.{suffix}"
    path.write_bytes(b"".join(pieces))
    try:
        names = column_names(path, encoding=encoding)
        rows = list(read_any_rows(path, [], encoding=encoding))
    except ArttlError as error:
        message = str(error)
        assert "objects." in message and "\n" not in message
        return
    assert rows
    for row in rows:
        assert row.problem or set(row.cells) <= set(names)
        assert all(isinstance(cell, str) for cell in row.cells.values())
