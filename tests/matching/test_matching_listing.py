from __future__ import annotations

import os
from pathlib import Path

import pytest

from arttl.matching.listing import list_pictures


def test_files_come_before_folders_each_sorted(tmp_path: Path) -> None:
    for name in (
        "b/2.jpg",
        "b/1.tif",
        "a/x/3.png",
        "c.jpg",
        "a.JPG",
        "b/notes.txt",
        ".x/1.jpg",
        "b/Thumbs.db",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "d.jpg").symlink_to("c.jpg")
    assert list(list_pictures(tmp_path)) == [
        (".x", "hidden files and folders"),
        ("a.JPG", ""),
        ("c.jpg", ""),
        ("d.jpg", ""),
        ("loop.jpg", "broken symbolic links and special files"),
        ("pipe.jpg", "broken symbolic links and special files"),
        ("a/up", "symbolic links to folders"),
        ("a/x/3.png", ""),
        ("b/1.tif", ""),
        ("b/2.jpg", ""),
        ("b/notes.txt", "files without the suffix of a picture"),
    ]


def test_folders_of_any_depth(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(60):
        folder = folder / "f"
        folder.mkdir()
    (folder / "1.jpg").touch()
    assert list(list_pictures(tmp_path)) == [(f"{'f/' * 60}1.jpg", "")]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(list_pictures(tmp_path / "none"))
