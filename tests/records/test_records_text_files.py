from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.delimited import detect_encoding, read_columns, read_rows
from arttl.records.text_files import ENCODINGS, Encoding, encoding_name

_WESTERN = {
    "fr": "numéro;matériau\n1;crème, encre brune\n2;plâtre doré à la feuille\n3;huile sur toile, XVIIe siècle\n",
    "de": "Inventarnummer;Künstler\n1;Dürer, Albrecht\n2;Öl auf Leinwand, für Bürger\n3;Gefäß, weiß glasiert\n",
    "da": "nummer;titel\n1;Ældre mand på en bænk\n2;Rødvinsglas\n3;Å i måneskin\n",
    "es": "número;título\n1;Niño con lámpara\n2;Óleo sobre lienzo, pequeño\n",
}


@pytest.mark.parametrize("language", _WESTERN)
@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "cp850"])
def test_the_likeliest_encoding(language: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(_WESTERN[language].encode(encoding))
    assert detect_encoding(path) == Encoding(encoding, certain=False)
    with pytest.raises(
        ArttlError, match=rf"a\.csv is not UTF-8 text \(byte .*; it looks like {encoding}, as which"
    ) as caught:
        list(read_rows(path, []))
    assert f"give --encoding {encoding}, or save it as UTF-8" in str(caught.value)
    rows = list(read_rows(path, [], encoding=encoding))
    expected = [line.split(";")[1] for line in _WESTERN[language].splitlines()[1:]]
    assert [list(row.cells.values())[1] for row in rows] == expected


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_without_a_mark_is_named(order: str, tmp_path: Path) -> None:
    """Its lines cannot be quoted: their bytes may begin within a character."""
    path = tmp_path / "a.csv"
    path.write_bytes(_WESTERN["de"].encode(f"utf-16-{order}"))
    with pytest.raises(
        ArttlError, match=rf"a\.csv is not UTF-8 text \(byte 0xfc\); it looks like utf-16-{order}: give"
    ):
        list(read_rows(path, []))


def test_utf_8_with_a_line_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = _WESTERN["fr"].encode().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines * 2, "5;crème\n".encode("cp1252"), *lines]))
    assert detect_encoding(path) == Encoding("utf-8", certain=False)
    with pytest.raises(
        ArttlError, match=r"line 9 of .* \(byte 0xe8\) after '5;cr', though most of the file is; correct"
    ):
        list(read_rows(path, []))


def test_cyrillic(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("номер;материал\n1;холст, масло\n2;Бумага, тушь\n".encode("cp1251"))
    assert detect_encoding(path).name == "cp1251"


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8-sig", b"", "utf-8"),
        ("utf-16", b"", "utf-16"),
        ("utf-16-le", b"\xff\xfe", "utf-16"),
        ("utf-16-be", b"\xfe\xff", "utf-16"),
    ],
)
def test_encodings_that_are_marked_or_valid(encoding: str, mark: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(mark + _WESTERN["de"].encode(encoding))
    assert detect_encoding(path) == Encoding(name, certain=True)
    assert [row.cells["Künstler"] for row in read_rows(path, [])][2] == "Gefäß, weiß glasiert"
    if name == "utf-16":
        with pytest.raises(ArttlError, match="begins with the mark of UTF-16; leave --encoding out"):
            read_columns(path, encoding="cp1252")
    else:
        with pytest.raises(
            ArttlError, match=r"--encoding cp1252: .* is UTF-8 text|begins with the mark of UTF-8"
        ):
            read_columns(path, encoding="cp1252")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(_WESTERN["fr"].encode(encoding))
    assert detect_encoding(path) == Encoding(encoding, certain=False)
    with pytest.raises(ArttlError, match=f"UTF-16 without a mark; give --encoding {encoding}"):
        read_columns(path)
    assert read_columns(path, encoding=encoding) == ["numéro", "matériau"]


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_utf_8_is_told(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("text") / "a.csv"
    path.write_bytes(text.encode())
    assert detect_encoding(path).name == "utf-8"


def test_a_letter_cut_at_a_chunk_s_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a" * (2**20 - 1) + "é".encode() * 10)
    assert detect_encoding(path) == Encoding("utf-8", certain=True)
    path.write_bytes(b"a" * (2**20 - 1) + b"\xc3")
    assert not detect_encoding(path).certain


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((name, name) for name in ENCODINGS),
        *(
            ("Windows-1252", "cp1252"),
            ("ISO-8859-1", "latin-1"),
            ("UTF8", "utf-8"),
            ("macroman", "mac-roman"),
        ),
        *(("utf_16_le", "utf-16-le"), ("latin1", "latin-1"), ("CP1252", "cp1252")),
    ],
)
def test_names_of_encodings(text: str, name: str) -> None:
    assert encoding_name(text) == name


@pytest.mark.parametrize("text", ["", "cp9999", "rot13", "zlib", "../x", "shift-jis"])
def test_unknown_encodings(text: str) -> None:
    with pytest.raises(ArttlError, match=r"--encoding .* is not known.*; use utf-8, utf-16"):
        encoding_name(text)


def _zipped(path: Path, *names: str) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet")
    return path.read_bytes()


def test_what_is_no_text(tmp_path: Path) -> None:
    made = tmp_path / "made.zip"
    for data, sentence in (
        (
            _zipped(made, "[Content_Types].xml", "xl/workbook.xml"),
            "a spreadsheet, not a text file; save the table as CSV",
        ),
        (_zipped(made, "mimetype", "content.xml"), "a spreadsheet, not a text file"),
        (_zipped(made, "objects.csv"), "a zip archive, not a table; unpack it first"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "a spreadsheet"),
        (b"%PDF-1.7\n", "a PDF document"),
        (gzip.compress(b"a,b\n1,2\n"), "compressed by gzip"),
        (b"\n<!DOCTYPE html><html>", "an HTML page"),
        (b"<table border=1><tr>", "an HTML page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "XML, not a table; name its format with --source"),
        (b'<lido:lido xmlns:lido="x">', "XML, not a table"),
        (b"PAR1\x15\x04", r"a Parquet file; give it a name that ends in \.parquet"),
        (b'[\n {"a": 1}]', r"a JSON list; give it a name that ends in \.json"),
        (b'{"a": 1}\n{"a": 2}\n', r"JSON; give it a name that ends in \.jsonl"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\xff\xfe\0\0a\0\0\0", "UTF-32 text; save it as UTF-8"),
    ):
        path = tmp_path / "objects.csv"
        path.write_bytes(data)
        with pytest.raises(ArttlError, match=rf"objects\.csv is {sentence}"):
            read_columns(path)
