from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from arttl.errors import ArttlError
from arttl.splits.split import grouped_split, held_out_split, paper_split, shuffled


@settings(max_examples=60, deadline=None)
@given(count=st.integers(6, 3000), seed=st.integers(0, 2**32 - 1))
def test_paper_split_is_that_of_scikit_learn(count: int, seed: int) -> None:
    train, rest = train_test_split(np.arange(count), test_size=0.2, random_state=seed)
    val, test = train_test_split(rest, test_size=0.5, random_state=seed)
    found = paper_split(count, seed)
    for name, expected in (("train", train), ("val", val), ("test", test)):
        assert found[name].tolist() == sorted(expected.tolist())


def test_the_paper_s_figures() -> None:
    sizes = {name: len(rows) for name, rows in paper_split(110_668, 42).items()}
    assert sizes == {"train": 88_534, "val": 11_067, "test": 11_067}


def test_too_few_rows() -> None:
    with pytest.raises(ArttlError, match="5 labelled artwork"):
        paper_split(5, 42)


def test_shuffling_is_a_permutation_by_seed_and_split() -> None:
    rows = np.arange(10, 60)
    orders = [shuffled(rows, split, seed).tolist() for split in ("train", "val") for seed in (0, 1)]
    assert all(sorted(order) == rows.tolist() for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert shuffled(rows, "train", 0).tolist() == orders[0]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=6, max_size=80), seed=st.integers(0, 2**32 - 1))
def test_grouped_split_divides_no_group(sizes: list[int], seed: int) -> None:
    groups = np.random.RandomState(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    found = grouped_split(groups, seed)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(len(groups)))
    of_split = [set(groups[rows].tolist()) for rows in found.values()]
    assert sum(map(len, of_split)) == len(sizes)
    for split in ("val", "test"):
        # Half of the largest group is the most by which a tenth can be missed.
        assert abs(len(found[split]) - 0.1 * len(groups)) <= max(sizes) / 2 + 0.5


def test_grouped_split_of_single_rows() -> None:
    found = grouped_split(np.arange(1000), 3)
    assert {name: len(rows) for name, rows in found.items()} == {"train": 800, "val": 100, "test": 100}
    assert not np.array_equal(found["test"], grouped_split(np.arange(1000), 4)["test"])
    with pytest.raises(ArttlError, match=r"5 groups of artworks are too few for --split grouped"):
        grouped_split(np.repeat(np.arange(5), 9), 0)


@pytest.mark.parametrize("share", [0.02, 0.4, 0.8])
def test_another_share_for_validation(share: float) -> None:
    sizes = {name: len(rows) for name, rows in grouped_split(np.arange(1000), 3, share).items()}
    assert sizes == {"train": 900 - round(1000 * share), "val": round(1000 * share), "test": 100}
    held_out = np.arange(1000) < 100
    sizes = {name: len(rows) for name, rows in held_out_split(np.arange(1000), held_out, 3, share).items()}
    assert sizes == {"train": 900 - round(1000 * share), "val": round(1000 * share), "test": 100}
