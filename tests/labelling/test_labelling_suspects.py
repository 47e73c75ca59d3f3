from __future__ import annotations

import shlex
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.labelling.suspects import LabelCounts, sentences_on_institutions, sentences_on_labels
from arttl.labelling.unknown import means_unknown, unknown_key


def _sentences(
    counts: Mapping[str, int], *, fold_case: bool = False, unknown: tuple[str, ...] = ()
) -> list[str]:
    labels = LabelCounts("material", list(counts), np.array(list(counts.values())))
    return sentences_on_labels([labels], fold_case=fold_case, unknown=unknown)


@pytest.mark.parametrize(
    "label",
    [
        *(
            "nan",
            "NaN",
            "NA",
            "n/a",
            "N/A",
            "#N/A",
            "#REF!",
            "#VALUE!",
            "#DIV/0!",
            "#NV",
            "-",
            "--",
            "—",
            "?",
            "???",
        ),
        *(
            ".",
            "unknown",
            "[unknown]",
            "(Unknown)",
            "Unknown?",
            "onbekend",
            "Onbekend.",
            "unbekannt",
            "inconnu",
        ),
        *(
            "sconosciuto",
            "anoniem",
            "anonymous",
            "Anonym",
            "none",
            "NULL",
            "n.d.",
            "Undated",
            "<NA>",
            "desconocido",
            "Künstler unbekannt",
        ),
        *(
            "French Painter",
            "unknown Japanese",
            "Unidentified Italian sculptor",
            "British School 18th century",
        ),
        *(
            "British (?) School",
            "Italian [Tuscan] Painter",
            "North Netherlandish Painters",
            "Netherlandish Painter, 16th century",
        ),
    ],
)
def test_labels_that_mean_that_nothing_is_known(label: str) -> None:
    assert means_unknown(label)


@pytest.mark.parametrize(
    "label",
    [
        "oil",
        "Unknown Pleasures",
        *(
            "Berlin Painter",
            "French",
            "Japanese paper",
            "English, Harold",
            "German School of Arms",
            "Dutch Gift",
        ),
        "Nana",
        "nanquin",
        "Null, A.",
        "C-print",
        "-500",
        "1650?",
        "#1",
        "紙",
        "non-woven",
    ],
)
def test_labels_that_mean_something(label: str) -> None:
    assert not means_unknown(label)


def test_the_flag_is_ready_to_copy() -> None:
    artist = LabelCounts("artist", ["anoniem", "Frans Hals", "it's unknown"], np.array([12, 3, 1]))
    material = LabelCounts("material", ["#N/A", "--", "oil", "Anoniem"], np.array([3, 4, 5, 1]))
    sentences = sentences_on_labels([artist, material], unknown=("no idea", "n/a"))
    assert sentences == [
        "artist: kept as labels, but they may mean that nothing is known: 'anoniem' (12)",
        "material: kept as labels, but they may mean that nothing is known: '--' (4), '#N/A' (3), 'Anoniem' (1)",
        "to make these unknown: --unknown 'no idea' n/a Anoniem - '#N/A'",
    ]
    assert shlex.split(sentences[-1].partition("--unknown ")[2]) == ["no idea", "n/a", "Anoniem", "-", "#N/A"]


def test_nothing_to_report() -> None:
    assert _sentences({"oil": 3, "canvas": 2, "oil on canvas": 1}) == []
    assert sentences_on_labels([LabelCounts("material", [], np.zeros(0, dtype=np.int64))]) == []


@pytest.mark.parametrize(
    ("first", "second", "difference", "remedy"),
    [
        ("Oil on canvas", "oil on canvas", "letter case", ": --fold-case"),
        (
            "oil",
            "ｏｉｌ",
            "compatible characters (NFKC)",
            "; for the file of --mapping material=FILE:\nｏｉｌ,oil",
        ),
        (
            "figure",
            "ﬁgure",
            "compatible characters (NFKC)",
            "; for the file of --mapping material=FILE:\nﬁgure,figure",
        ),
        (
            "O'Keeffe",
            "O’Keeffe",
            "quotation marks",
            "; for the file of --mapping material=FILE:\nO’Keeffe,O'Keeffe",
        ),
        ("1650-60", "1650–60", "dashes", "; for the file of --mapping material=FILE:\n1650–60,1650-60"),
        (
            "oil, wood",
            "oil, wood.",
            "marks at the end",
            '; for the file of --mapping material=FILE:\n"oil, wood.","oil, wood"',
        ),
        (
            "papier-mâché",
            "Papier–mâché;",
            "letter case, dashes and marks at the end",
            "; for the file of --mapping material=FILE:\nPapier–mâché;,papier-mâché",
        ),
    ],
)
def test_labels_that_look_alike(first: str, second: str, difference: str, remedy: str) -> None:
    assert _sentences({second: 3, "canvas": 5, first: 812}) == [
        f"material: {first!r} (812) and {second!r} (3) differ only in {difference}{remedy}"
    ]


def test_letter_case_that_a_mapping_brought_back() -> None:
    assert _sentences({"Monet": 5, "monet": 1}, fold_case=True) == [
        "material: 'Monet' (5) and 'monet' (1) differ only in letter case; for the file of --mapping material=FILE:"
        "\nmonet,Monet"
    ]


def test_only_the_largest_groups_are_shown() -> None:
    counts = {name: 10 for number in range(9) for name in (f"A{number}", f"a{number}")}
    counts |= dict.fromkeys(("Oil", "oil", "OIL", "oIL", "OiL", "oiL"), 100)
    assert _sentences(counts) == [
        "material: 'OIL' (100), 'OiL' (100), 'Oil' (100), 'oIL' (100) and 2 more; 'A0' (10) and 'a0' (10);"
        " 'A1' (10) and 'a1' (10); 'A2' (10) and 'a2' (10); 'A3' (10) and 'a3' (10); and 5 more groups differ only in"
        " letter case: --fold-case"
    ]
    sentences = _sentences({name: 10 for number in range(9) for name in (f"a{number}", f"a{number}.")})
    assert len(sentences) == 6
    assert sentences[-1] == "material: 4 more groups of labels look alike"


@given(st.dictionaries(st.text("aAbB.-–' ’", min_size=1, max_size=3), st.integers(1, 9), max_size=12))
def test_groups_are_those_of_pairwise_comparison(counts: dict[str, int]) -> None:
    def seen(label: str) -> str:  # by hand, for this alphabet
        return label.casefold().replace("–", "-").replace("’", "'").rstrip(" .") or "-"

    labels = [label for label in counts if any(map(str.isalnum, label)) and label == " ".join(label.split())]
    alike = {frozenset(b for b in labels if seen(a) == seen(b)) for a in labels}
    expected = sum(len(group) > 1 for group in alike)
    sentences = _sentences({label: counts[label] for label in labels})
    assert all("differ only in" in sentence for sentence in sentences)
    by_case = sum(sentence.count("; ") + 1 for sentence in sentences if sentence.endswith("--fold-case"))
    others = sum("--mapping" in sentence for sentence in sentences)
    assert (expected <= 5 and by_case + others == expected) or expected > 5


@given(st.text())
def test_keys_ignore_letter_case(text: str) -> None:
    assert unknown_key(text) == unknown_key(unknown_key(text))


def test_letters_that_were_lost_before() -> None:
    misread = "D\u00fcrer".encode().decode("cp1252")
    assert _sentences({misread: 2, "D\u00fcrer": 1, "\u00c3\u00a9t\u00e9": 1, "Corot": 1}) == [
        f"material: 1 label looks like UTF-8 that was read as Windows-1252, such as {misread!r} for 'D\u00fcrer';"
        " export the metadata again"
    ]
    assert _sentences({"D\ufffdrer": 2}) == [
        "material: 1 label has lost letters (such as 'D\ufffdrer'); export the metadata again"
    ]


@pytest.mark.parametrize("mark", ["$", "|", ";"])
def test_several_labels_in_one_cell(mark: str) -> None:
    counts = {"canvas": 9, f"canvas{mark}oil": 5, f"oil {mark} panel": 7, f"wood{mark}": 3, "silver": 1}
    labels = [LabelCounts("material", list(counts), np.array(list(counts.values())))]
    (sentence,) = sentences_on_labels(labels, separated=False)
    assert sentence == (
        f"material: 2 labels of 12 samples may be several labels each, such as 'oil {mark} panel'; to separate"
        f" them: --label-separator {shlex.quote(mark)}"
    )
    assert sentences_on_labels(labels) == []


def test_a_mark_within_labels_is_no_separator() -> None:
    counts = {"oil; gilt frame": 3, "bronze; marble base": 2, "price in $ and cents": 1}
    labels = LabelCounts("material", list(counts), np.array(list(counts.values())))
    assert sentences_on_labels([labels], separated=False) == []


def test_labels_with_html() -> None:
    assert _sentences(
        {"Caf&eacute;": 2, "<i>oil</i>": 1, "R&D": 1, "a < b; c > d": 1, "oil &amp; wax": 1}
    ) == ["material: 3 labels hold HTML, such as 'Caf&eacute;'; export the metadata as plain text"]


def test_institutions_of_two_spellings() -> None:
    counts = {
        "Museum A": 3,
        "Museum B": 5,
        "museum a": 4,
        "Musée d\u2019Art": 1,
        "Musée d'Art": 1,
        "Museum C": 2,
    }
    institutions = LabelCounts("", list(counts), np.array(list(counts.values())))
    assert sentences_on_institutions(institutions) == [
        "institutions: 'museum a' (4) and 'Museum A' (3) differ only in letter case, and count as several; give them"
        " one name in the metadata",
        "institutions: \"Musée d'Art\" (1) and 'Musée d\u2019Art' (1) differ only in quotation marks, and count as"
        " several; give them one name in the metadata",
    ]
    alike = [f"{name} {letters}" for name in ("M", "m") for letters in "abcdefg"]
    *_, last = sentences_on_institutions(LabelCounts("", alike, np.ones(14, dtype=np.int64)))
    assert last == "institutions: 2 more groups look alike"
    assert sentences_on_institutions(LabelCounts("", ["A", "B"], np.array([1, 2]))) == []


def test_labels_that_are_objects() -> None:
    labels = ['{"name": "X", "role": "after"}', "{'name': 'Y'}", "{oil}", '"a": b', "{1: 2}"]
    (sentence,) = sentences_on_labels([LabelCounts("artist", labels, np.ones(5, dtype=np.int64))])
    assert sentence == (
        'artist: 2 labels are objects of JSON, such as \'{"name": "X", "role": "after"}\'; name a field of it, as'
        " --tasks artist=COLUMN.FIELD"
    )
