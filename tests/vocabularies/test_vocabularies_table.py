"""The reviewed table: what it gives, and every row that it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from arttl.errors import ArttlError
from arttl.vocabularies.concepts import Concept
from arttl.vocabularies.table import Vocabularies

_AAT = "http://vocab.getty.edu/aat/"
_HEADER = "task,label,uri,scheme,broader,alternative_labels,language\n"


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "vocabulary.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_concepts_of_a_label(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        _HEADER
        + f"material,oil paint,{_AAT}300015050,,{_AAT}300015012,oil colour | oil; oils,en\n"
        + "material,oil paint,http://www.wikidata.org/entity/Q296955,wikidata,,,\n"
        + "artist,Café  Artist,https://museum.example/maker/1,Museum X,,,\n"
        + f"type,print,{_AAT}300041273,AAT,,,\n"
        + f"type,print,{_AAT}300041273,AAT,,,\n"
        + "type,vase,,,,,\n",
    )
    read = Vocabularies.read(path)
    oil = Concept(f"{_AAT}300015050", "AAT", f"{_AAT}300015012", ("oil colour", "oil; oils"), "en")
    assert read.identifiers("material", " oil  paint") == (
        oil,
        Concept("http://www.wikidata.org/entity/Q296955", "Wikidata"),
    )
    # Composed and decomposed letters are one label.
    assert read.identifiers("artist", "Cafe\u0301 Artist") == (
        Concept("https://museum.example/maker/1", "Museum X"),
    )
    assert read.identifiers("material", "print") == read.identifiers("subject", "print") == ()
    assert list(read.sentences()) == [
        "vocabulary: 4 identifiers of 3 labels in 3 tasks",
        "vocabulary: 1 row has no uri",
        "vocabulary: 1 row repeats another",
    ]


def test_three_columns_are_enough_and_others_are_not_read(tmp_path: Path) -> None:
    path = _written(tmp_path, f"samples;uri;label;task;remark\n3;{_AAT}300015050;oil paint;material;ok\n")
    assert Vocabularies.read(path).identifiers("material", "oil paint") == (
        Concept(f"{_AAT}300015050", "AAT"),
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (",oil,aat:1,,,,", "line 2 of .* has no task"),
        ("material,,aat:1,,,,", "line 2 of .* has no label"),
        ("material,oil,300015050,,,,", "line 2 of .* has '300015050' as uri, which is no address"),
        ("material,oil,aat:1,,broad term,,", "line 2 of .* has 'broad term' as broader, which is no address"),
        (
            "material,oil,aat:1,Wikidata,,,",
            "line 2 of .* says that aat:1 is of Wikidata, but it is an address of AAT",
        ),
        ("material,oil,aat:1,,,,English (en)", r"line 2 of .* has 'English \(en\)' as language"),
        ("material,oil,https://x.example/1,AAT,,,", "is of AAT, but it is an address of x.example"),
        (
            "material,oil,aat:1,,,,\ntype,oil,aat:2,,,,\nmaterial,oil,aat:2,,,,",
            r"line 2 and line 4 of .* give the material 'oil' two concepts of AAT \(aat:1 and aat:2\)",
        ),
        (
            "material,oil,aat:1,,,,\nmaterial,oil,http://vocab.getty.edu/aat/1,,,,",
            "line 2 and line 3 of .* the same concept with other details",
        ),
        ("material,oil,aat:1,,,,,,more", "line 2 of .*: the row has 9 cells where the header has 7"),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, rows: str, sentence: str) -> None:
    with pytest.raises(ArttlError, match=sentence):
        Vocabularies.read(_written(tmp_path, f"{_HEADER}{rows}\n"))


def test_a_table_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArttlError, match=r"--vocabulary .*nothing\.csv does not exist"):
        Vocabularies.read(tmp_path / "nothing.csv")
    with pytest.raises(ArttlError, match="has no column 'uri'"):
        Vocabularies.read(_written(tmp_path, "task,label\nmaterial,oil\n"))
    monkeypatch.setattr("arttl.vocabularies.table.LARGEST", 2**20)
    path = _written(tmp_path, _HEADER + "material,oil,aat:1,,,,\n" * 50_000)
    with pytest.raises(ArttlError, match="has more than 1 MiB"):
        Vocabularies.read(path)
