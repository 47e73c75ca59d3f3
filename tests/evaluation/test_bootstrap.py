from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import of_kind, single, task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from arttl.evaluation.bootstrap import (
    bootstrap_intervals,
    groups_of,
    mcnemar,
    paired_bootstrap,
    resamplings,
)
from arttl.evaluation.measures import Statistic, measures_of


def accuracy(right: np.ndarray) -> Statistic:
    one = task("single-label", 2)
    return measures_of(one, np.stack([right, ~right], axis=1).astype(float), np.zeros(len(right), int))[
        "accuracy"
    ]


def test_the_interval_of_a_share_is_the_one_of_the_normal_approximation() -> None:
    right = np.arange(400) < 280
    low, high = bootstrap_intervals({"accuracy": accuracy(right)}, 400, replicates=4000)["accuracy"]
    half = 1.96 * np.sqrt(0.7 * 0.3 / 400)
    assert low == pytest.approx(0.7 - half, abs=0.006) and high == pytest.approx(0.7 + half, abs=0.006)


@pytest.mark.parametrize("kind", ["single-label", "multi-label", "number"])
def test_intervals_are_seeded_and_hold_their_value(kind) -> None:
    one, logits, targets = of_kind(kind, 0, 80)
    measures = measures_of(one, logits, targets)
    found = bootstrap_intervals(measures, 80, replicates=200, seed=1)
    assert found == bootstrap_intervals(measures, 80, replicates=200, seed=1)
    assert found != bootstrap_intervals(measures, 80, replicates=200, seed=2)
    for name, measure in measures.items():
        low, high = found[name]
        assert low < measure(np.ones((1, 80)))[0] < high, name


def test_a_resampling_draws_as_many_as_there_are() -> None:
    drawn = np.concatenate(list(resamplings(30, groups=None, replicates=130, seed=0)))
    assert drawn.shape == (130, 30) and (drawn.sum(1) == 30).all()
    assert drawn.mean(0) == pytest.approx(np.ones(30), abs=0.35) and len(np.unique(drawn, axis=0)) == 130


def test_groups_are_drawn_whole() -> None:
    groups = np.repeat(["b", "a", "c", "d"], [1, 2, 3, 4])
    drawn = np.concatenate(list(resamplings(10, groups=groups, replicates=50, seed=0)))
    for name in "abcd":
        members = drawn[:, groups == name]
        assert (members == members[:, :1]).all()
    assert (drawn[:, [0, 1, 3, 6]].sum(1) == 4).all()


def test_copies_in_groups_say_no_more_than_one_of_each() -> None:
    right = np.random.default_rng(0).random(60) < 0.6
    once = bootstrap_intervals({"accuracy": accuracy(right)}, 60, replicates=300)
    copied, groups = accuracy(np.repeat(right, 5)), np.repeat(np.arange(60), 5)
    assert bootstrap_intervals({"accuracy": copied}, 300, groups=groups, replicates=300) == once
    low, high = bootstrap_intervals({"accuracy": copied}, 300, replicates=300)["accuracy"]
    assert high - low < 0.6 * (
        once["accuracy"][1] - once["accuracy"][0]
    )  # 1 / sqrt(5), had they been independent


def test_a_model_is_no_better_than_itself() -> None:
    right = np.random.default_rng(0).random(50) < 0.6
    found = paired_bootstrap(accuracy(right), accuracy(right), 50, replicates=100)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_paired_difference_is_surer_than_its_ends() -> None:
    random = np.random.default_rng(0)
    first = random.random(300) < 0.7
    second = first | (random.random(300) < 0.15)
    found = paired_bootstrap(accuracy(first), accuracy(second), 300)
    assert found.value == pytest.approx(second.mean() - first.mean())
    assert 0 < found.low < found.value < found.high
    assert found.p == pytest.approx(2 / 1001)
    low, high = bootstrap_intervals({"accuracy": accuracy(first)}, 300)["accuracy"]
    assert found.high - found.low < high - low


def test_tests_of_equal_models_seldom_find_a_difference() -> None:
    """Of 200 pairs of equally good models about one in twenty has p below 0.05, and few more."""
    random = np.random.default_rng(0)
    by_bootstrap, by_mcnemar = [], []
    for _ in range(200):
        easy = random.random(150) < 0.5
        first, second = (np.where(easy, random.random(150) < 0.9, random.random(150) < 0.5) for _ in range(2))
        by_bootstrap.append(paired_bootstrap(accuracy(first), accuracy(second), 150, replicates=300).p)
        by_mcnemar.append(mcnemar(first, second))
    assert 0.01 <= np.mean(np.array(by_bootstrap) < 0.05) <= 0.1
    assert np.mean(np.array(by_mcnemar) < 0.05) <= 0.08
    assert np.mean(np.array(by_bootstrap) < 0.5) == pytest.approx(0.5, abs=0.12)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 3000), bias=st.floats(0, 0.3))
@settings(max_examples=60, deadline=None)
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant(seed: int, n: int, bias: float) -> None:
    random = np.random.default_rng(seed)
    first, second = random.random(n) < 0.5, random.random(n) < 0.5 + bias
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_samples_without_a_label_are_groups_of_their_own() -> None:
    found = groups_of([("a", "x"), None, ("b",), ("a",), None])
    assert found[0] == found[3] and len(set(found.tolist())) == 4


def test_measures_without_a_value_have_no_interval() -> None:
    one = task("single-label", 2)
    logits, targets = single(0, 4, 2)
    nothing = {"nothing": lambda weights: np.full(len(weights), np.nan)}
    assert np.isnan(bootstrap_intervals(nothing, 4, replicates=10)["nothing"]).all()
    assert not np.isnan(bootstrap_intervals(measures_of(one, logits, targets), 4)["accuracy"]).any()
