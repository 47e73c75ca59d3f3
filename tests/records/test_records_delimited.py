from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.delimited import Row, read_rows

_NAMES = [("--image", "file"), ("--tasks type", "what")]


def _read(path: Path, data: bytes | str) -> list[Row]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_rows(path, _NAMES))


@pytest.mark.parametrize(
    ("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.txt", "\t"), ("a.tsv", "\t"), ("A.TAB", "\t")]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends(
    name: str, delimiter: str, mark: bytes, ending: str, tmp_path: Path
) -> None:
    text = ending.join(["file|what| date ", 'a.jpg|"one\nand two"|', "b.jpg|é|1650", ""]).replace(
        "|", delimiter
    )
    rows = _read(tmp_path / name, mark + text.encode())
    assert [row.cells for row in rows] == [
        {"file": "a.jpg", "what": "one\nand two", "date": ""},
        {"file": "b.jpg", "what": "é", "date": "1650"},
    ]
    assert [row.location for row in rows] == ["line 3", "line 4"]


def test_a_comma_in_a_semicolon_table_s_header(tmp_path: Path) -> None:
    assert _read(tmp_path / "a.csv", 'file;what;"size, cm"\na.jpg;vase;3,5\n')[0].cells["size, cm"] == "3,5"


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_survives(cells: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["file", "what"])
    writer.writerows(cells)
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_bytes(text.getvalue().encode())
    expected = [row for row in cells if any(cell.strip() for cell in row)]
    if not expected:
        with pytest.raises(ArttlError, match="no rows"):
            list(read_rows(path, _NAMES))
        return
    assert [list(row.cells.values()) for row in read_rows(path, _NAMES)] == expected


def test_rows_that_do_not_fit(tmp_path: Path) -> None:
    rows = _read(tmp_path / "a.csv", "file,what\na.jpg\n\n , \nb.jpg,vase,,\n")
    assert [(row.location, row.cells["what"], bool(row.problem)) for row in rows] == [
        ("line 2", "", False),
        ("line 5", "vase", True),
    ]
    assert rows[1].problem == "the row has 4 cells where the header has 2"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty; its first line must name the columns"),
        (b"\n\n", "is empty"),
        (b"file,what\n", "has a header and no rows"),
        (b"file,what\n,\n\n", "has a header and no rows"),
        (
            b"file,wat\na,b\n",
            r"no column 'what' \(--tasks type\) \(did you mean 'wat'\?\); it has: file, wat",
        ),
        (b"File,what\na,b\n", r"no column 'file' \(--image\)"),
        (b"file,what,what\na,b,c\n", r"two columns 'what' \(--tasks type\)"),
        ("file,what\na.jpg,crème\n".encode("latin-1"), r"is not UTF-8 text \(byte 0xe8\)"),
        ("file,what\na.jpg,vase\n".encode("utf-16"), r"is not UTF-8 text \(byte 0xff\)"),
        (b'file,what\na.jpg,vase\nb.jpg,"no end\n', "line 3 or later of .* is not well-formed"),
        (b'file,what\na.jpg,"one" two\n', "line 2 or later"),
        (b"file,what\na.jpg," + b"x" * 200_000 + b"\n", "line 2 or later .*field larger"),
        (b'"file,what\na.jpg,b', "line 1 or later"),
    ],
)
def test_what_is_no_table_is_said_in_a_sentence(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    with pytest.raises(ArttlError, match=sentence) as caught:
        _read(path, data)
    assert "objects.csv" in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"--metadata .*none\.csv does not exist"):
        list(read_rows(tmp_path / "none.csv", []))
    with pytest.raises(ArttlError, match=r"--mapping .* cannot be read: Is a directory"):
        list(read_rows(tmp_path, [], flag="--mapping"))
