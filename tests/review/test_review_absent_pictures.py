"""Photographs that cannot be there: one of them does not keep the others from being reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from review_cases import draw_photographs, made_records, write_records

from arttl.errors import ArttlError
from arttl.review.collection import Collection
from arttl.review.pictures import Pictures


def test_a_name_that_no_file_can_have_is_a_picture_that_is_not_there(tmp_path: Path) -> None:
    records = made_records(6)
    draw_photographs(tmp_path / "photos", records)
    records[0]["picture"] = "x" * 300 + ".jpg"
    write_records(tmp_path / "s.parquet", records)
    collection = Collection(tmp_path / "s.parquet", None)
    pictures = Pictures(collection, tmp_path / "photos", None)
    assert pictures.pixels(pictures.of_row(1)).size == (60, 40)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArttlError, match="has no picture that the rows name, such as 'xxx"):
        Pictures(collection, tmp_path / "empty", None)
