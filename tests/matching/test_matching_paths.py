from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.matching.paths import image_folder, image_path

_FOLDER = Path("/museum/images")


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a.jpg", "a.jpg"),
        (" a b.jpg ", "a b.jpg"),
        ("1/2/a.jpg", "1/2/a.jpg"),
        ("1\\a.jpg", "1/a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("1/../a.jpg", "a.jpg"),
        ("..a.jpg", "..a.jpg"),
        ("-rf.jpg", "-rf.jpg"),
        ("雪.jpg", "雪.jpg"),
    ],
)
def test_names_within_the_folder(name: str, inside: str) -> None:
    assert image_path(_FOLDER, name) == _FOLDER / inside


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "1/../../a.jpg",
        "..",
        ".",
        "",
        "/etc/passwd",
        "C:\\a.jpg",
        "c:a.jpg",
        "..\\a.jpg",
        "\\\\host\\a",
    ],
)
def test_names_that_lead_out(name: str) -> None:
    assert image_path(_FOLDER, name) is None


@given(st.text(st.sampled_from("./\\a: C")))
def test_no_name_leads_out(name: str) -> None:
    path = image_path(_FOLDER, name)
    if path is not None:
        assert path.is_relative_to(_FOLDER)
        assert ".." not in path.parts
        assert path != _FOLDER


def test_the_folder_itself(tmp_path: Path) -> None:
    assert image_folder(tmp_path, "table") == tmp_path
    with pytest.raises(ArttlError, match="--source table needs --images"):
        image_folder(None, "table")
    with pytest.raises(ArttlError, match="none is not a folder"):
        image_folder(tmp_path / "none", "table")
