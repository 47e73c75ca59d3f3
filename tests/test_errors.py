from __future__ import annotations

import pytest

from arttl.errors import counted


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("record",), "0 records"),
        (1, ("record",), "1 record"),
        (1200, ("record",), "1,200 records"),
        (1, ("class has", "classes have"), "1 class has"),
        (2, ("class has", "classes have"), "2 classes have"),
    ],
)
def test_a_thing_is_counted_in_singular_and_plural(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text
