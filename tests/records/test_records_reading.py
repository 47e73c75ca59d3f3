from __future__ import annotations

import os
from pathlib import Path

import pytest

from arttl.errors import ArttlError
from arttl.records.reading import metadata_files, read_bytes, readable


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


def test_files_at_any_depth_equal_those_of_pathlib(tmp_path: Path) -> None:
    (tmp_path / "a" / ".b").mkdir(parents=True)
    (tmp_path / "c.xml").mkdir()
    names = (".xml", "..xml", "a.xml", "A.XML", "a.xml.gz", "a/.b/é.xml", "a/b.c.xml", "a/xml", "c.xml/d.xml")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "link.xml").symlink_to("a.xml")
    (tmp_path / "broken.xml").symlink_to("none.xml")
    (tmp_path / "circle.xml").symlink_to("circle.xml")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    expected = [path for path in tmp_path.rglob("*") if path.suffix.lower() == ".xml" and path.is_file()]
    assert metadata_files(tmp_path, (".xml", ".rdf")) == sorted(expected)
    assert len(expected) == 7


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xml")
    message = r"--metadata .*pipe\.xml is a pipe or a device; give the name of a file"
    with pytest.raises(ArttlError, match=message), readable(tmp_path / "pipe.xml", "--metadata"):
        pass
    with pytest.raises(ArttlError, match="does not exist"), readable(tmp_path / "none", "--metadata"):
        (tmp_path / "none").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 2, 5, 3 * 2**20])
def test_bytes_of_a_file(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(size)
    path = tmp_path / "a.json"
    path.write_bytes(data)
    for most in (1, size, size + 1, 2**23):
        assert read_bytes(path, "--metadata", most) == data[:most]
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: read(descriptor, min(count, 2**20 - 7)))
    assert read_bytes(path, "--metadata", 2**23) == data


def test_bytes_of_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ArttlError, match=r"pipe\.json is a pipe or a device; give the name of a file"):
        read_bytes(tmp_path / "pipe.json", "--metadata", 10)
    with pytest.raises(ArttlError, match=r"--metadata /dev/zero is a pipe or a device"):
        read_bytes(Path("/dev/zero"), "--metadata", 10)
    with pytest.raises(ArttlError, match=r"--metadata .*none does not exist"):
        read_bytes(tmp_path / "none", "--metadata", 10)
    with pytest.raises(ArttlError, match=r"--metadata .* cannot be read: Is a directory"):
        read_bytes(tmp_path, "--metadata", 10)
    status = Path("/proc/self/status")  # whose size is 0
    if status.exists():
        assert read_bytes(status, "--metadata", 2**20).startswith(b"Name:")
