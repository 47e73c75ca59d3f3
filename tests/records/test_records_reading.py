from __future__ import annotations

from pathlib import Path

import pytest

from arttl.errors import ArttlError
from arttl.records.reading import metadata_files


def test_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("b.xml", "a/c.XML", "d.txt"):
        (tmp_path / name).touch()
    assert metadata_files(tmp_path, (".xml",)) == [tmp_path / "a" / "c.XML", tmp_path / "b.xml"]
    assert metadata_files(tmp_path / "d.txt", (".xml",)) == [tmp_path / "d.txt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ArttlError, match=r"empty holds no file named \*\.xml or \*\.json; there is: no file at all"
    ):
        metadata_files(tmp_path / "empty", (".xml", ".json"))
    (tmp_path / "empty" / "a.csv").write_text("number,title\n1,a\n")
    with pytest.raises(
        ArttlError, match=r"there is: a\.csv: a table with the columns number, title; use --source table"
    ):
        metadata_files(tmp_path / "empty", (".xml",))
