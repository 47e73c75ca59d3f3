from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.matching.listing import cut_suffix
from arttl.matching.rules import Query, deciding, in_nearest_folder, keys_of

_PIECES = st.sampled_from(
    ["1", "23", "a", "A", "é", "e\u0301", "雪", ".", "-", "_", " ", "%20", "%", "%2F", ".jpg", ".TIF"]
)
_NAMES = st.lists(_PIECES, min_size=1, max_size=4).map("".join)
_FILES = st.builds(
    "{}{}{}".format, st.sampled_from(["", "", "in/", "In/a/"]), _NAMES, st.sampled_from([".jpg", ".tif"])
)
_PATHS = st.builds("{}{}".format, st.sampled_from(["", "", "in/", "x/"]), _NAMES)


def _has_a_letter(path: str) -> bool:
    """Whether the stem has a letter or a digit, as all names of people have."""
    stem = cut_suffix(path.rpartition("/")[2])[0]
    return all(any(map(str.isalnum, text)) for text in (stem, unquote(stem), cut_suffix(unquote(stem))[0]))


@settings(max_examples=300, deadline=None)
@given(
    files=st.lists(_FILES.filter(_has_a_letter), unique=True, max_size=6),
    path=_PATHS.filter(_has_a_letter),
    is_number=st.booleans(),
)
def test_every_file_that_answers_a_rule_is_under_a_key_of_the_query(
    files: list[str], path: str, is_number: bool
) -> None:
    query = Query.of(path, path, is_number=is_number)
    for whole_paths in (True, False):
        keys = query.keys(whole_paths=whole_paths)
        candidates = [file for file in files if keys_of(file) & keys]
        assert deciding(candidates, query, whole_paths=whole_paths) == deciding(
            files, query, whole_paths=whole_paths
        )


def _same(text: str, other: str) -> bool:
    """Equal but for percent-encoding, composition and letter case, written without the package's functions."""

    def spellings(text: str) -> set[str]:
        decomposed = (unicodedata.normalize("NFD", form) for form in (text, unquote(text)))
        return {unicodedata.normalize("NFD", form.casefold()) for form in decomposed}

    return not spellings(text).isdisjoint(spellings(other))


@settings(max_examples=300, deadline=None)
@given(files=st.lists(_FILES, unique=True, max_size=6), number=_NAMES)
def test_the_files_of_a_number_by_the_rules_as_they_are_documented(files: list[str], number: str) -> None:
    def name(file: str) -> str:
        return file.rpartition("/")[2]

    def stem(file: str) -> str:
        return cut_suffix(name(file))[0]

    rank, matching = deciding(files, Query.of(number, number, is_number=True), whole_paths=False)
    rules = [
        (0, [file for file in files if name(file) == number]),
        (0, [file for file in files if stem(file) == number]),
        (2, [file for file in files if _same(name(file), number)]),
        (2, [file for file in files if _same(stem(file), number)]),
    ]
    decided = next(((rank, answer) for rank, answer in rules if answer), None)
    if decided is not None:
        assert (rank, matching) == decided
    else:
        assert rank == (3 if matching else 0)


@pytest.mark.parametrize(
    ("files", "folders", "nearest"),
    [
        (["a/1.jpg", "b/1.jpg"], ["b"], ["b/1.jpg"]),
        (["a/1.jpg", "b/1.jpg"], ["old", "B"], ["b/1.jpg"]),
        (["a/1.jpg", "b/1.jpg"], ["c"], ["a/1.jpg", "b/1.jpg"]),
        (["a/1.jpg", "b/1.jpg"], [], ["a/1.jpg", "b/1.jpg"]),
        (["x/a/1.jpg", "y/a/1.jpg"], ["y", "a"], ["y/a/1.jpg"]),
        (["1.jpg"], ["c"], ["1.jpg"]),
    ],
)
def test_the_nearest_folder(files: list[str], folders: list[str], nearest: list[str]) -> None:
    assert in_nearest_folder(files, folders) == nearest
