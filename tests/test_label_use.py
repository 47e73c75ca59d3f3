from __future__ import annotations

from arttl.label_use import describe_task
from arttl.numbers import NumberFormat, NumberStatistics
from arttl.tasks import Task, Vocabulary


def test_a_line_counts_what_can_be_used() -> None:
    year = Task("year", "number", NumberStatistics(24, 1650.0, 50.0, 1642.0, 36, NumberFormat(years=True)))
    labels = [("1642",)] * 24 + [("before 1642", "1700")] * 36 + [None] * 12
    assert describe_task(year, labels) == (
        "year: number, median 1642, standard deviation 50; 60 with a value, 36 of them not read as a number"
        " (such as 'before 1642'; see docs/numbers.md); 12 without"
    )
    assert describe_task(year, labels[:24]).endswith("; 24 with a value")
    assert describe_task(year, [None]).endswith("; 0 with a value; 1 without")


def test_labels_of_no_class() -> None:
    vocabulary = Vocabulary(("oil", "wood"), (3, 2), (0,))
    labels = [("oil",), ("gold", "oil"), ("gold",), ("ink", "gold"), None]
    single = describe_task(Task("m", "single-label", vocabulary), labels)
    assert single == (
        "m: single-label, 2 classes; 4 with a value, 3 of them of no class (such as 'gold', 'ink'); 1 without"
    )
    several = describe_task(Task("m", "multi-label", vocabulary), labels)
    assert "4 with a value, 2 of them of no class" in several
