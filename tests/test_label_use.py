from __future__ import annotations

from collections import Counter

import pytest

from arttl.label_use import describe_task, number_note
from arttl.numbers import NumberFormat, NumberStatistics
from arttl.tasks import Task, Vocabulary


def test_a_line_counts_what_can_be_used() -> None:
    year = Task("year", "number", NumberStatistics(24, 1650.0, 50.0, 1642.0, 36, NumberFormat(years=True)))
    labels = [("1642",)] * 24 + [("before 1642", "1700")] * 36 + [None] * 12
    assert describe_task(year, labels) == (
        "year: number, median 1642, standard deviation 50; 60 with a value, 36 of them not read as a number"
        " (such as 'before 1642'; see docs/numbers.md), 36 of them with several, the first of which counts"
        " ('before 1642', not '1700'); 12 without"
    )
    assert describe_task(year, labels[:24]).endswith("; 24 with a value")
    assert describe_task(year, [None]).endswith("; 0 with a value; 1 without")


def test_labels_of_no_class() -> None:
    vocabulary = Vocabulary(("oil", "wood"), (3, 2), (0,))
    labels = [("oil",), ("gold", "oil"), ("gold",), ("ink", "gold"), None]
    single = describe_task(Task("m", "single-label", vocabulary), labels)
    assert single == (
        "m: single-label, 2 classes; 4 with a value, 3 of them of no class (such as 'gold', 'ink'),"
        " 2 of them with several, the first of which counts ('gold', not 'oil'); 1 without"
    )
    several = describe_task(Task("m", "multi-label", vocabulary), labels)
    assert several.endswith("; 4 with a value, 2 of them of no class (such as 'gold', 'ink'); 1 without")


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (
            ["1642", "ca. 1650", "17th century", "n.d."],
            "the labels of year are years, which arttl train --number year learns: 4 with a value,"
            " 1 of them not read as a number (such as 'n.d.'; see docs/numbers.md)",
        ),
        (
            ["23.5", "12"],
            "the labels of year are numbers, which arttl train --number year learns: 2 with a value",
        ),
        (
            ["1,234", "12"],
            "--number year would be refused, since it needs one way of writing numbers: 1 of its 2 numbers, such as"
            " '1,234', may be 1.234 or 1234",
        ),
        (["1,234", "66.73.1", "08.139,1"], None),  # object numbers
        (["oil", "oil", "1642"], None),
        (["Glass 3", "Glass 4"], None),
        (["n.d.", "undated"], None),
        ([], None),
    ],
)
def test_a_sentence_for_tasks_of_numbers(labels: list[str], note: str | None) -> None:
    assert number_note("year", Counter(labels)) == note


def test_a_flag_is_quoted_for_the_shell() -> None:
    assert "arttl train --number 'Object Date' learns" in str(number_note("Object Date", {"1642": 3}))
