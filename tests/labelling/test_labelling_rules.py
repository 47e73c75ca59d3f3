from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.labelling import rules as label_rules
from arttl.labelling.rules import LabelRules, normalise
from arttl.shards.rejects import Reject


def _apply(rules: LabelRules, **labels: tuple[str, ...]) -> Artwork:
    (found,) = rules.apply([Artwork("key", "A.1", Path("a.jpg"), labels)])
    assert isinstance(found, Artwork)
    return found


def _mapping(tmp_path: Path, text: str) -> str:
    (tmp_path / "map.csv").write_text(text, encoding="utf-8")
    return f"artist={tmp_path / 'map.csv'}"


@given(st.text())
def test_normalising_is_idempotent_and_canonical(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert normalise(unicodedata.normalize("NFD", text)) == once


def test_labels_are_normalised_and_raw_strings_kept() -> None:
    raw = {"material": (" oil", "canvas ", "oil", " "), "artist": ("Du\u0308rer",), "type": ("", "\t")}
    found = _apply(LabelRules({}), **raw)
    assert found.labels == {"material": ("oil", "canvas"), "artist": ("D\u00fcrer",)}
    assert found.raw_labels == {"material": raw["material"], "artist": raw["artist"]}


def test_mapping(tmp_path: Path) -> None:
    rules = LabelRules.read(
        [
            _mapping(
                tmp_path,
                'found,wanted\nmonet,Claude Monet\n" Du\u0308rer ",Albrecht D\u00fcrer\nonbekend,\nno one,x\n',
            )
        ],
        ("artist", "type"),
    )
    assert _apply(rules, artist=("monet ",), type=("monet",)).labels == {
        "artist": ("Claude Monet",),
        "type": ("monet",),
    }
    assert _apply(rules, artist=("D\u00fcrer", "Claude Monet", "monet")).labels == {
        "artist": ("Albrecht D\u00fcrer", "Claude Monet")
    }
    unknown = _apply(rules, artist=("onbekend",))
    assert unknown.labels == {}
    assert unknown.raw_labels == {"artist": ("onbekend",)}
    assert rules.notes() == [
        "labels: Unicode NFC, blanks trimmed, invisible characters left out",
        "distinct labels, raw to normalised: artist 5 to 2, type 1",
        "mapping of artist: 4 labels replaced by 4 entries, 1 never found (such as 'no one')",
    ]


def test_mappings_may_name_their_columns_as_they_did(tmp_path: Path) -> None:
    for header in ("catalogued,label", "found,wanted"):
        rules = LabelRules.read(
            [_mapping(tmp_path, f"{header}\nmonet,Claude Monet\nonbekend,\n")], ("artist",)
        )
        assert _apply(rules, artist=("monet", "onbekend")).labels == {"artist": ("Claude Monet",)}


def test_letter_case_is_folded_before_the_mapping(tmp_path: Path) -> None:
    entry = _mapping(tmp_path, "found,wanted\nGOUACHE,Gouache\nStraße,road\n")
    rules = LabelRules.read([entry], ("artist",), fold_case=True)
    labels = ("Gouache", "STRASSE", "Oil", "oil", "İstanbul")
    (artwork,) = rules.apply([Artwork("a", "a", Path("a.jpg"), {"artist": labels})])
    assert isinstance(artwork, Artwork)
    assert artwork.labels["artist"] == ("Gouache", "road", "oil", "i\u0307stanbul")
    assert artwork.raw_labels["artist"] == labels
    assert "letter case folded (4 labels changed by it)" in rules.notes()[0]


def test_rejects_pass_through() -> None:
    reject = Reject("A.1", "", "", "no-image-named", "line 2")
    assert list(LabelRules({}).apply([reject])) == [reject]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("found,want\na,b\n", "no column 'wanted'"),
        ("catalogued,labels\na,b\n", "no column 'label'"),
        ("from,to\na,b\n", "no column 'catalogued'"),
        ("found,wanted\na,b\na,c\n", r"line 3 of .*map\.csv maps 'a' a second time"),
        ("found,wanted\na,b,c\n", r"line 2 of .*map\.csv: the row has 3 cells"),
        ("found,wanted\n", "no rows"),
    ],
)
def test_bad_mapping_files(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=sentence):
        LabelRules.read([_mapping(tmp_path, text)], ("artist",))


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (["map.csv"], "not of the form task=file.csv"),
        (["artist="], "not of the form"),
        (["artst=map.csv"], r"no task 'artst' \(did you mean 'artist'\?\); there are: artist, type"),
        (["artist=none.csv"], r"--mapping none\.csv does not exist"),
    ],
)
def test_bad_mapping_flags(entries: list[str], sentence: str) -> None:
    with pytest.raises(ArttlError, match=sentence):
        LabelRules.read(entries, ("artist", "type"))


def test_two_files_for_one_task(tmp_path: Path) -> None:
    entry = _mapping(tmp_path, "found,wanted\na,b\n")
    with pytest.raises(ArttlError, match="'artist' two files"):
        LabelRules.read([entry, entry], ("artist",))


def test_control_characters_of_another_encoding_are_left_out_and_counted() -> None:
    rules = LabelRules({})
    assert _apply(rules, material=("\x93Ivory\x94",)).labels == {"material": ("Ivory",)}
    assert rules.notes()[-1] == (
        "control characters were left out of 1 label (such as '\\x93Ivory\\x94'), as text has that was read in another"
        " encoding than its own; try --encoding cp1252 or mac-roman"
    )


def test_blanks_and_invisible_characters_are_folded_and_counted() -> None:
    raw = (
        "oil\u00a0on canvas",
        "oil  on canvas",
        "oil on\tcanvas",
        "\ufeffoil on can\u00advas",
        " oil on canvas ",
    )
    rules = LabelRules({})
    artwork = _apply(rules, material=raw)
    assert artwork.labels == {"material": ("oil on canvas",)}
    assert artwork.raw_labels == {"material": raw}
    assert rules.notes()[1:] == [
        "distinct labels, raw to normalised: material 5 to 1",
        "blanks other than single spaces, or invisible characters, were within 4 labels (such as"
        " 'oil\\xa0on canvas')",
    ]


def test_unknown_labels_before_the_mapping(tmp_path: Path) -> None:
    entry = _mapping(tmp_path, "catalogued,label\nONBEKEND,Nobody\noil,Oil\n")
    rules = LabelRules.read(
        [entry], ("artist", "type"), unknown=("onbekend", "#N/A", "inconnu\u0065\u0301", "-", "n/a")
    )
    artwork = _apply(
        rules,
        artist=("ONBEKEND", "oil", "#n/a", "Inconnu\u00c9 "),
        type=("--", "\u2014", "#N/A", "-"),
    )
    assert artwork.labels == {"artist": ("Oil",)}
    assert artwork.raw_labels["type"] == ("--", "\u2014", "#N/A", "-")
    notes = rules.notes()
    assert (
        "--unknown: 3 labels of artist are unknown ('onbekend' 1, '#N/A' 1, 'inconnu\u0065\u0301' 1)" in notes
    )
    assert "--unknown: 4 labels of type are unknown ('-' 3, '#N/A' 1)" in notes
    assert "--unknown: 'n/a' never occurred" in notes


def test_labels_that_a_mapping_lacks_are_shown_with_the_closest_entry(tmp_path: Path) -> None:
    entry = _mapping(tmp_path, "catalogued,label\noil on canvas,oil\nbronze,metal\n")
    rules = LabelRules.read([entry], ("artist",))
    for label, count in (
        ("oil on canvass", 3),
        ("papier-m\u00e2ch\u00e9", 2),
        ("bronze ", 1),
        ("x", 1),
        ("y", 1),
    ):
        for _ in range(count):
            _apply(rules, artist=(label,))
    assert rules.notes()[-1] == (
        "mapping of artist: 7 labels stay as they are (4 distinct), most often 'oil on canvass' (3; the closest entry"
        " is 'oil on canvas'), 'papier-m\u00e2ch\u00e9' (2), 'x' (1)"
    )


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(label_rules, "_MOST_DISTINCT", 10)
    rules = LabelRules.read([_mapping(tmp_path, "catalogued,label\na,b\n")], ("artist",))
    for number in range(40):
        _apply(rules, artist=(f"artist {number % 20}",))
    notes = rules.notes()
    assert notes[1] == "distinct labels, raw to normalised: artist more than 10"
    assert "40 labels stay as they are (more than 10 distinct)" in notes[-1]
