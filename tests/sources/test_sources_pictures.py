from __future__ import annotations

from pathlib import Path

import pytest

from arttl.sources.pictures import PictureFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("A_1_2.JPG", "sub/b-7.tif", "c.txt", "Übung 3.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("A.1/2", "A_1_2.JPG"),
        ("a 1 (2", "A_1_2.JPG"),
        ("B.7", "sub/b-7.tif"),
        ("übung-3", "Übung 3.png"),
        ("c", "c.jpg"),
        ("../../etc/passwd", "_etc_passwd.jpg"),
    ],
)
def test_of_an_object(number: str, expected: str, folder: Path) -> None:
    assert PictureFolder(folder).of_object(number) == folder / expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub/b-7.tif", "sub/b-7.tif"),
        ("https://museum.example/iiif/B%2D7.jpg?size=full", "sub/b-7.tif"),
        ("http://museum.example/a_1_2.jpg", "A_1_2.JPG"),
        ("lost.jpg", "lost.jpg"),
        ("https://museum.example/lost.jpg", "lost.jpg"),
        ("../secret.jpg", None),
        ("/etc/passwd", None),
        ("https://museum.example/%2e%2e%2fsecret", None),
    ],
)
def test_named(name: str, expected: str | None, folder: Path) -> None:
    assert PictureFolder(folder).named(name) == (folder / expected if expected else None)
