from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.artworks import Artwork, sample_key


@given(st.text())
def test_any_object_number_has_a_key_that_an_artwork_takes(object_number: str) -> None:
    key = sample_key(object_number)
    assert Artwork(key, object_number, Path("x.jpg"), {}).key == key
    assert key == sample_key(object_number)


@given(st.text(), st.text())
def test_different_numbers_have_different_keys(one: str, other: str) -> None:
    assert (sample_key(one) == sample_key(other)) == (one == other)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,95}", fullmatch=True))
def test_a_number_that_is_a_key_stays_as_it_is(object_number: str) -> None:
    assert sample_key(object_number) == object_number


def test_museum_numbers_that_differ_in_punctuation_keep_apart() -> None:
    numbers = ["SK-A-4878", "BK.NM.4821", "BK/NM/4821", "BK NM 4821", "BK_NM_4821"]
    assert len({sample_key(number) for number in numbers}) == len(numbers)
    assert sample_key("1972.263.5").startswith("1972_263_5-")
    assert sample_key("66.73", part="recto.jpg") != sample_key("66.73", part="verso.jpg")


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "é", "a b", "x" * 96, "a\n"])
def test_an_artwork_refuses_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="may only hold letters"):
        Artwork(key, "1", Path("x.jpg"), {})
