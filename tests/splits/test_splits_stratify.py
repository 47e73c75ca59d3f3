"""Iterative stratification beside brute force: which classes can be in every split, and which are."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.splits.stratify import Labels, stratified_folds, stratified_split
from arttl.tasks import SPLITS

Numbers = npt.NDArray[np.int64]


def _split_of(groups: Numbers, split: dict[str, Numbers]) -> Numbers:
    found = np.full(len(groups), -1)
    for number, name in enumerate(SPLITS):
        assert (found[split[name]] == -1).all()
        found[split[name]] = number
    assert (found >= 0).all()
    return found


def _in_every_split(has_class: npt.NDArray[np.bool_], split_of: Numbers) -> int:
    """How many classes are in all three splits; [rows, classes] and [rows]."""
    return sum(len(set(split_of[has].tolist())) == 3 for has in has_class.T)


@settings(max_examples=40, deadline=None)
@given(groups=st.integers(6, 8), classes=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_as_many_classes_in_every_split_as_any_division_has(groups: int, classes: int, seed: int) -> None:
    random = np.random.RandomState(seed)
    has_class = random.rand(groups, classes) < random.choice([0.3, 0.4, 0.6])
    rows, of_class = np.nonzero(has_class)
    split = stratified_split(np.arange(groups), Labels(rows, of_class), seed)
    divisions = np.array(list(itertools.product(range(3), repeat=groups)))
    most = np.zeros(len(divisions), dtype=int)
    for has in has_class.T:
        splits = np.bitwise_or.reduce(1 << divisions[:, has], axis=1) if has.any() else np.zeros(1, int)
        most += splits == 7
    assert _in_every_split(has_class, _split_of(np.arange(groups), split)) == most.max()


def _long_tailed(count: int, seed: int) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Groups of 1 to 3 rows and two tasks of 40 classes with a long tail, a third of the labels unknown."""
    random = np.random.RandomState(seed)
    groups = np.repeat(np.arange(count), random.randint(1, 4, count))
    shares = 1 / np.arange(1, 41)
    has_class = np.zeros((len(groups), 80), dtype=bool)
    for first in (0, 40):
        chosen = random.choice(40, count, p=shares / shares.sum())[groups]
        known = random.rand(len(groups)) < 2 / 3
        has_class[np.flatnonzero(known), first + chosen[known]] = True
    return groups, has_class


@pytest.mark.parametrize("seed", range(4))
def test_a_collection_of_two_tasks(seed: int) -> None:
    groups, has_class = _long_tailed(600, seed)
    rows, classes = np.nonzero(has_class)
    split = stratified_split(groups, Labels(rows, classes), seed)
    split_of = _split_of(groups, split)
    assert max(len(set(split_of[groups == group])) for group in range(600)) == 1
    can_be = sum(len(set(groups[has].tolist())) >= 3 for has in has_class.T)
    assert can_be > 60
    assert _in_every_split(has_class, split_of) == can_be
    shares = [len(split[name]) / len(groups) for name in SPLITS]
    # Forty rare classes want one in val and in test each, whatever their tenth comes to.
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.08)
    largest = has_class[:, 0]
    assert [(largest & (split_of == number)).sum() / largest.sum() for number in range(3)] == pytest.approx(
        [0.8, 0.1, 0.1], abs=0.03
    )


def test_better_than_chance() -> None:
    groups, has_class = _long_tailed(600, 9)
    rows, classes = np.nonzero(has_class)
    split_of = _split_of(groups, stratified_split(groups, Labels(rows, classes), 9))
    at_random = np.random.RandomState(9).choice(3, 600, p=[0.8, 0.1, 0.1])[groups]
    assert _in_every_split(has_class, split_of) >= _in_every_split(has_class, at_random) + 15


def test_the_same_for_the_same_seed() -> None:
    groups, has_class = _long_tailed(100, 0)
    labels = Labels(*np.nonzero(has_class))
    first, again, other = (stratified_split(groups, labels, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in SPLITS)
    assert not all(np.array_equal(first[name], other[name]) for name in SPLITS)


def test_rows_without_labels_and_too_few_groups() -> None:
    nothing = Labels(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    split = stratified_split(np.arange(100), nothing, 0)
    assert {name: len(rows) for name, rows in split.items()} == {"train": 80, "val": 10, "test": 10}
    with pytest.raises(ArttlError, match=r"5 groups of artworks are too few for --split stratified"):
        stratified_split(np.array([0, 1, 2, 3, 4, 4, 4]), nothing, 0)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_another_share_for_validation_in_every_class(share: float) -> None:
    classes = np.repeat(np.arange(4), [400, 200, 100, 100])
    found = stratified_split(np.arange(800), Labels(np.arange(800), classes), 1, share)
    for name, expected in (("train", 0.9 - share), ("val", share), ("test", 0.1)):
        counts = np.bincount(classes[found[name]], minlength=4)
        np.testing.assert_allclose(counts, expected * np.array([400, 200, 100, 100]), atol=1.01)


@pytest.mark.parametrize("seed", range(4))
def test_folds_have_every_class_alike_and_divide_no_group(seed: int) -> None:
    groups, has_class = _long_tailed(400, seed)
    rows, classes = np.nonzero(has_class)
    folds = stratified_folds(groups, Labels(rows, classes), 5, seed)
    assert max(len(set(folds[groups == group].tolist())) for group in range(400)) == 1
    assert np.bincount(folds) == pytest.approx(np.full(5, len(groups) / 5), rel=0.1)
    for has in has_class.T:
        if len(set(groups[has].tolist())) >= 15:
            assert np.bincount(folds[has], minlength=5) / has.sum() == pytest.approx(np.full(5, 0.2), abs=0.1)


def test_folds_of_single_objects_of_one_task_are_exact() -> None:
    classes = np.repeat(np.arange(6), [5, 6, 9, 20, 33, 50])
    folds = stratified_folds(np.arange(len(classes)), Labels(np.arange(len(classes)), classes), 5, 0)
    for class_ in range(6):
        counts = np.bincount(folds[classes == class_], minlength=5)
        assert counts.max() - counts.min() <= 1
