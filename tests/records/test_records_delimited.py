from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.delimited import Row, read_columns, read_rows

_NAMES = [("--image", "file"), ("--tasks type", "what")]


def _read(path: Path, data: bytes | str) -> list[Row]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_rows(path, _NAMES))


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("a.csv", ","), ("a.csv", ";"), ("a.txt", "\t"), ("a.txt", "|"), ("a.tsv", "\t"), ("A.TAB", "\t")],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
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
        (b" \nfile,what\na,b\n", "line 1 of .* is blank; the first line must name the columns"),
        (b"sep=,\n\nfile,what\na,b\n", "line 2 of .* is blank"),
        (b"file,what\n", "has a header and no rows"),
        (b"file,what\n,\n\n", "has a header and no rows"),
        (
            b"file,wat\na,b\n",
            r"no column 'what' \(--tasks type\) \(did you mean 'wat'\?\); it has: file, wat",
        ),
        (b"File,what\na,b\n", r"no column 'file' \(--image\)"),
        (b"file,what,what\na,b,c\n", r"two columns 'what' \(--tasks type\)"),
        ("file,what\na.jpg,crème\n".encode("latin-1"), r"is not UTF-8 text \(byte 0xe8\)"),
        (b"file,what\na.jpg,va\xffse\n", r"is not UTF-8 text \(byte 0xff\)"),
        (b"fi\0le,what\na.jpg,vase\n", "line 1 of .* holds a NUL byte"),
        (b",,\n1,,\n", "line 1 of .* names no column; the first line must name the columns"),
        (b"sep=;\n", "is empty; its first line must name the columns"),
        (
            b'file,what\r\na.jpg,"two\r\nlines"\r\n"b.jpg","no end\r\nc.jpg,bowl\r\n',
            r'a cell begins with a quotation mark in line 4 of .* \("no end c.jpg,bowl\) and is not closed by another',
        ),
        (
            b'file,what\na.jpg,"vase\nb.jpg,"bowl"\n',
            r"in line 2 of .*, and the next one, in line 3, does not end it; close it, or double the quotation marks",
        ),
        (
            b'file,what\na.jpg,"one" two\n',
            r'in line 2 of .* \("one" two\), and the next one, there, does not end it; close',
        ),
        (
            b"file,what\na.jpg," + b"x" * (2**20 + 1) + b"\n",
            r"line 2 or later .* a cell of more than 1,048,576 characters$",
        ),
        (
            b'file,what\na.jpg,"' + b"x\n" * 2**20,
            r"in line 2 of .* and is not closed by another",
        ),
        (b"file,what\na.jpg," + b"x" * (17 * 2**20), "line 2 of .* more than 16,777,216 characters"),
        (b'"file,what\na.jpg,b', "in line 1 of .* and is not closed"),
        (
            "Export vom 3.2.2024;;\n;;\nnr;was;wo\n1;Vase;Öl, Holz\n".encode(),
            r"line 1 of .* names too few columns \(Export vom 3\.2\.2024\); line 3 looks like the header"
            r" \(nr, was, wo\): delete the lines above it",
        ),
        (b"Export of 2024\n\nnr,what\n1,vase\n2,bowl\n", r"\(Export of 2024\); line 3 looks like the header"),
        (
            b"Museum, by X\nnr;what;a;b\n1;vase;;\n2;bowl;;\n",
            r"\(Museum, by X\); line 2 looks like the header",
        ),
        (b'\n\n"nr\r\nof",what\n1,vase\n', "line 1 of .* is blank.*; line 4 looks like the header"),
        (
            b"Export of the museum;3.2.2024;;;\nby;admin;;;\nnr;photo;what;of;by\n1;a;vase;clay;X\n2;b;bowl;clay;Y\n",
            r"line 1 of .* names too few columns \(Export of the museum, 3\.2\.2024\); line 3 looks like the header"
            r" \(nr, photo, what, of, by\): delete the lines above it",
        ),
        (
            b"Export;2024\nnr;photo;what;of;by\n1;a;vase;clay;X\n2;b;bowl;clay;Y\n",
            r"line 1 of .* names too few columns \(Export, 2024\); line 2 looks like the header",
        ),
        (
            b";;\nnr;what;\n1;vase;\n",
            r"names too few columns \(none\); line 2 looks like the header \(nr, what\)",
        ),
    ],
)
def test_what_is_no_table_is_said_in_a_sentence(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    with pytest.raises(ArttlError, match=sentence) as caught:
        _read(path, data)
    assert "objects.csv" in str(caught.value)


@pytest.mark.parametrize("suffix", ["tsv", "TAB"])
def test_a_name_that_says_tabs_is_not_believed_of_other_delimiters(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("number;what\n1;oil, paper\n2;chalk, paper\n")
    with pytest.raises(
        ArttlError, match=r"is divided by semicolons, not by the tabs that its name .*; name it \*\.csv"
    ):
        list(read_rows(path, []))
    path.write_text("what\noil, paper\nchalk; paper\n")
    assert [row.cells["what"] for row in read_rows(path, [])] == ["oil, paper", "chalk; paper"]


def test_rows_that_all_have_a_cell_more_are_not_a_header(tmp_path: Path) -> None:
    for more in (1, 5):
        rows = _read(tmp_path / "a.csv", f"file,what\na.jpg,vase{',' * more}\nb.jpg,bowl{',' * more}\n")
        assert [row.problem for row in rows] == [f"the row has {2 + more} cells where the header has 2"] * 2


@pytest.mark.parametrize(
    "text",
    [
        "nr,what,,,,\n1,vase,,,,\n2,bowl,x,y,z,w\n",  # data without names; a row of numbers is no header
        "nr,what,,\n1,vase,,\nA,bowl,sold,\n",  # an unnamed column of notes
    ],
)
def test_a_header_with_few_names_stays_one(text: str, tmp_path: Path) -> None:
    assert [row.cells["what"] for row in read_rows_of(tmp_path, text)] == ["vase", "bowl"]


def read_rows_of(folder: Path, text: str) -> list[Row]:
    path = folder / "objects.csv"
    path.write_text(text, encoding="utf-8")
    return list(read_rows(path, []))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("column", [0, 2, 4])
@pytest.mark.parametrize("swallowed", [1, 3])
def test_a_quotation_mark_that_a_later_row_closes(
    column: int, swallowed: int, delimiter: str, tmp_path: Path
) -> None:
    rows = [[f"{name}{row}" for name in "abcde"] for row in range(6)]
    rows[1][column] = '"' + rows[1][column]
    rows[1 + swallowed][column] += '"'
    text = "\n".join(delimiter.join(row) for row in (["nr", "file", "what", "of", "by"], *rows))
    problems = {row.location: row.problem for row in read_rows_of(tmp_path, text + "\n")}
    location = f"line {3 + swallowed}"
    assert list(problems) == ["line 2", location, *(f"line {line}" for line in range(4 + swallowed, 8))]
    assert problems.pop(location).startswith(
        "a cell that begins with a quotation mark in line 3 or later holds"
    )
    assert {*problems.values()} == {""}


def test_line_breaks_within_cells_are_not_rows(tmp_path: Path) -> None:
    text = 'nr,what,of,by\n1,vase,"clay, glazed\nand painted, gilt",X\n2,"a\nb\nc",clay,"Y,\nZ, A, B"\n'
    assert [(row.cells["of"], row.cells["by"], row.problem) for row in read_rows_of(tmp_path, text)] == [
        ("clay, glazed\nand painted, gilt", "X", ""),
        ("clay", "Y,\nZ, A, B", ""),
    ]


def test_a_header_within_a_table_is_no_object(tmp_path: Path) -> None:
    rows = read_rows_of(tmp_path, "nr ,what\n1,vase\nnr ,what\n2,bowl\n")
    assert [(row.cells["nr"], row.problem) for row in rows] == [
        ("1", ""),
        ("nr ", "the row repeats the header"),
        ("2", ""),
    ]


def test_a_header_in_another_order_is_refused(tmp_path: Path) -> None:
    text = "nr,what,of\n1,vase,clay\nnr,of,what\n2,clay,bowl\n"
    with pytest.raises(
        ArttlError, match=r"line 3 of .* names the columns in another order than the header: save"
    ):
        read_rows_of(tmp_path, text)
    # Values may be names of columns.
    assert len(read_rows_of(tmp_path, "nr,what,of\nwhat,nr,clay\nnr,nr,what\n")) == 2


def test_formulas_that_stand_for_texts(tmp_path: Path) -> None:
    text = 'nr;what;of\n="007";"=""a """"b"""" c""";=1+1\n"=""1907.10""";="x" & "y";"=""open"\n'
    assert [list(row.cells.values()) for row in read_rows_of(tmp_path, text)] == [
        ["007", 'a "b" c', "=1+1"],
        ["1907.10", '="x" & "y"', '="open'],
    ]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"--metadata .*none\.csv does not exist"):
        list(read_rows(tmp_path / "none.csv", []))
    with pytest.raises(ArttlError, match=r"--mapping .* cannot be read: Is a directory"):
        list(read_rows(tmp_path, [], flag="--mapping"))


def test_cells_of_up_to_a_mebibyte(tmp_path: Path) -> None:
    cell = "x" * 2**20
    (row,) = _read(tmp_path / "a.csv", f"file,what\na.jpg,{cell}\n")
    assert row.cells["what"] == cell


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;", "sep=;;;"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_separator_line_of_excel(line: str, ending: str, tmp_path: Path) -> None:
    text = ending.join((line, "file;what, and more, and more", "a.jpg;vase", ""))
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    (row,) = read_rows(path, [("--image", "file")])
    assert row == Row("line 3", {"file": "a.jpg", "what, and more, and more": "vase"})


def test_a_separator_line_may_name_another_mark(tmp_path: Path) -> None:
    assert _read(tmp_path / "a.csv", "sep=|\nfile|what\na,b;c.jpg|vase\n")[0].cells["file"] == "a,b;c.jpg"
    assert _read(tmp_path / "a.csv", "sep=\t\nfile\twhat\na.jpg\tvase\n")[0].cells["what"] == "vase"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_line_breaks_in_a_quoted_header(delimiter: str, tmp_path: Path) -> None:
    text = 'file|"what\r\n(kind; or type, or\tsort)"|date\na.jpg|vase|1650\n'.replace("|", delimiter)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    (row,) = read_rows(path, [("--image", "file")])
    assert row.location == "line 3"
    assert row.cells == {"file": "a.jpg", "what (kind; or type, or sort)": "vase", "date": "1650"}


def test_a_semicolon_table_whose_header_has_more_commas(tmp_path: Path) -> None:
    text = "file;what, or type, or sort, or kind\na.jpg;vase\nb.jpg;bowl, or dish\n"
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert [row.cells["what, or type, or sort, or kind"] for row in read_rows(path, [])] == [
        "vase",
        "bowl, or dish",
    ]


def test_a_delimiter_that_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("file,what;date\na.jpg,vase;1650\n")
    with pytest.raises(
        ArttlError, match=r"divided by commas or semicolons; put a line such as sep=; before the first"
    ):
        list(read_rows(path, []))
    path.write_text("sep=,\nfile,what;date\na.jpg,vase;1650\n")
    assert next(read_rows(path, [])).cells == {"file": "a.jpg", "what;date": "vase;1650"}


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.text(st.sampled_from("ab,;\t \n\"'é")), min_size=3, max_size=3), min_size=1, max_size=6
    ),
    delimiter=st.sampled_from(",;\t|"),
)
def test_the_delimiter_is_the_one_it_was_written_with(
    rows: list[list[str]], delimiter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["file", "what, or; type", "x\ty"])
    writer.writerows([["a", *row[1:]] for row in rows])
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_bytes(text.getvalue().encode())
    assert [list(row.cells.values()) for row in read_rows(path, [])] == [["a", *row[1:]] for row in rows]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_columns_are_compared_in_one_form(form: str, tmp_path: Path) -> None:
    header = unicodedata.normalize(form, "num\u00e9ro,mat\u00e9riau\u00a0principal ,\ufefftitre")
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n1,pl\u00e2tre,x\n", encoding="utf-8")
    assert read_columns(path) == ["num\u00e9ro", "mat\u00e9riau principal", "titre"]
    for given_form in ("NFC", "NFD"):
        column = unicodedata.normalize(given_form, "mat\u00e9riau principal")
        (row,) = read_rows(path, [("--tasks material", column)])
        assert row.cells[column] == "pl\u00e2tre"


def test_rows_shorter_than_the_header(tmp_path: Path) -> None:
    rows = _read(tmp_path / "a.csv", "file,what,date\na.jpg,vase,1650\nb.jpg,bowl\nc.jp")
    assert [(row.lacking, row.cells["what"], row.cells["date"]) for row in rows] == [
        (0, "vase", "1650"),
        (1, "bowl", ""),
        (2, "", ""),
    ]


def test_a_nul_byte_spoils_its_row_alone(tmp_path: Path) -> None:
    rows = _read(tmp_path / "a.csv", b'file,what\na.jpg,"va\nse\0"\nb.jpg,bowl\nc.jpg,\0\n')
    assert [row.problem for row in rows] == ["the row holds a NUL byte", "", "the row holds a NUL byte"]


def test_mapping_files_are_saved_anew_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_bytes("catalogued,label\npl\u00e2tre,plaster\n".encode("cp1252"))
    with pytest.raises(ArttlError, match=r"reads 'pl\u00e2tre': save it as UTF-8, in Excel as 'CSV UTF-8'"):
        list(read_rows(path, [], flag="--mapping"))
