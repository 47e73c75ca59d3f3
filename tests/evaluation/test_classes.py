from __future__ import annotations

import csv

import numpy as np
import pytest
from evaluation_cases import multi, single, task
from sklearn.metrics import precision_recall_fscore_support

from arttl.evaluation.classes import COLUMNS, ClassRow, class_bands, class_rows, write_classes
from arttl.inference.labels import decide_labels


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_rows_agree_with_scikit_learn(kind) -> None:
    logits, targets = (single if kind == "single-label" else multi)(0, 60, 5)
    rows = list(class_rows(task(kind, 5, counts=(9, 8, 7, 6, 5)), logits, targets))
    answered = logits.argmax(1) if kind == "single-label" else decide_labels(logits)
    expected = precision_recall_fscore_support(targets, answered, labels=range(5), zero_division=0)
    found = np.array([[row.precision, row.recall, row.f1, row.samples] for row in rows])
    np.testing.assert_allclose(found.T, expected)
    assert [row.name for row in rows] == [f"class {place}" for place in range(5)]
    assert [row.train for row in rows] == [9, 8, 7, 6, 5]


def test_what_a_class_is_mistaken_for() -> None:
    targets = np.array([0, 0, 0, 0, 1, 2])
    answers = np.array([0, 1, 2, 2, 1, 0])
    rows = list(class_rows(task("single-label", 4), np.eye(4)[answers], targets))
    assert [(row.mistaken_for, row.mistaken) for row in rows] == [
        ("class 2", 2),
        (None, 0),
        ("class 0", 1),
        (None, 0),
    ]
    assert rows[3] == ClassRow("class 3", 1, 0, None, None, None, None, 0)


def test_what_a_label_is_mistaken_for() -> None:
    """Where a label was missed, the labels answered that the object does not have."""
    wanted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=np.float32)
    logits = np.array([[-1, 1, -1], [-1, 1, 1], [1, 1, -1]], dtype=np.float32)
    rows = list(class_rows(task("multi-label", 3), logits, wanted))
    assert (rows[0].mistaken_for, rows[0].mistaken) == ("class 1", 1)
    assert rows[0].recall == pytest.approx(1 / 3) and rows[1].mistaken_for is None


def test_bands_by_training_samples() -> None:
    targets = np.array([0] * 6 + [1] * 2 + [2] * 2 + [3])
    answers = np.array([0] * 5 + [1] + [1, 0] + [2, 2] + [0])
    one = task("single-label", 5, counts=(101, 100, 20, 19, 1))
    found = class_bands(one, np.eye(5)[answers], targets)
    assert [(band.name, band.classes, band.n) for band in found] == [
        ("many", 1, 6),
        ("medium", 2, 4),
        ("few", 1, 1),
    ]
    assert [band.accuracy for band in found] == pytest.approx([5 / 6, 3 / 4, 0])
    assert [band.balanced_accuracy for band in found] == pytest.approx([5 / 6, 3 / 4, 0])
    assert [band.training_samples for band in found] == ["more than 100", "20 to 100", "fewer than 20"]


def test_bands_of_a_multi_label_task_count_labels() -> None:
    wanted = np.array([[1, 1], [1, 0], [1, 0]], dtype=np.float32)
    logits = np.array([[1, -1], [1, -1], [-1, 1]], dtype=np.float32)
    found = class_bands(task("multi-label", 2, counts=(50, 5)), logits, wanted)
    assert [(band.n, band.accuracy) for band in found] == [(3, pytest.approx(2 / 3)), (1, 0)]


def test_the_table_is_plain_csv(tmp_path) -> None:
    rows = [
        ClassRow('oil; "fresh", wet', 3, 2, 0.5, None, 1 / 3, "ébène", 1),
        ClassRow("b", 0, 0, *[None] * 4, 0),
    ]
    write_classes(tmp_path / "classes.csv", {"material": rows})
    with (tmp_path / "classes.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert read == [
        list(COLUMNS),
        ["material", 'oil; "fresh", wet', "3", "2", "0.5000", "", "0.3333", "ébène", "1"],
        ["material", "b", "0", "0", "", "", "", "", "0"],
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["classes.csv"]
