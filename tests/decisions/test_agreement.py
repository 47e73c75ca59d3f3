"""Cohen's kappa against scikit-learn's, and its standard error against the delta method by numerical derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from arttl.decisions.agreement import agreement, kappa_of
from arttl.decisions.decision import Decision, Row, Subject

categories = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=60)


@settings(max_examples=200, deadline=None)
@given(categories)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    ours = kappa_of(first, second)
    if len({*first, *second}) == 1:
        assert math.isnan(ours.kappa)
    else:
        assert ours.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert ours.share == pytest.approx(np.mean(np.equal(first, second)))


def kappa_of_shares(shares: np.ndarray) -> float:
    expected = shares.sum(1) @ shares.sum(0)
    return float((np.trace(shares) - expected) / (1 - expected))


@settings(max_examples=100, deadline=None)
@given(categories)
def test_the_interval_is_that_of_the_delta_method(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    ours = kappa_of(first, second)
    if math.isnan(ours.kappa):
        return
    table = np.zeros((4, 4))
    np.add.at(table, (first, second), 1)
    shares = table / len(pairs)
    gradient = np.zeros((4, 4))
    for cell in np.ndindex(4, 4):
        step = np.zeros((4, 4))
        step[cell] = 1e-6
        # Without rescaling to a sum of 1, so that 1 - expected is that of the function.
        gradient[cell] = (kappa_of_shares(shares + step) - kappa_of_shares(shares - step)) / 2e-6
    variance = float((shares * gradient**2).sum() - (shares * gradient).sum() ** 2) / len(pairs)
    width = 1.959964 * math.sqrt(max(variance, 0))
    assert ours.low == pytest.approx(max(-1, ours.kappa - width), abs=1e-4)
    assert ours.high == pytest.approx(min(1, ours.kappa + width), abs=1e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = np.array([[0.35, 0.05, 0.0], [0.05, 0.25, 0.05], [0.02, 0.03, 0.2]])
    expected = kappa_of_shares(truth)
    random = np.random.RandomState(1)
    held = []
    for _ in range(1000):
        drawn = random.choice(9, 200, p=truth.ravel())
        ours = kappa_of((drawn // 3).tolist(), (drawn % 3).tolist())
        held.append(ours.low <= expected <= ours.high)
    assert 0.93 < np.mean(held) < 0.97


def test_wrong_lists() -> None:
    for lists in (([], []), ([1], [1, 2])):
        with pytest.raises(ValueError, match="decisions"):
            kappa_of(*lists)


def row(number: int, reviewer: str, label: str, *, blind: bool = True, undoes: int | None = None) -> Row:
    verdict = {"": "rejected", "?": "skipped", "oil": "accepted"}.get(label, "corrected")
    labels = (label,) if verdict in ("accepted", "corrected") else ()
    decision = Decision("material", "A", "", "", (), ("oil",), None, verdict, labels, reviewer, "", blind)  # type: ignore[arg-type]
    return Row(number, "2026-11-30T08:00:00Z", decision, undoes)


def test_only_what_was_decided_blindly_counts() -> None:
    histories = [
        (Subject("material", "1"), [row(1, "Q", "oil"), row(2, "R", "oil")]),
        (Subject("material", "2"), [row(3, "Q", "wood"), row(4, "R", "")]),
        (Subject("material", "3"), [row(5, "Q", "wood"), row(6, "R", "wood", blind=False)]),  # has seen it
        (Subject("material", "4"), [row(7, "Q", "wood"), row(8, "R", "?")]),
        (Subject("material", "5"), [row(9, "Q", "oil"), row(10, "R", "oil"), row(11, "R", "oil", undoes=10)]),
        (Subject("material", "6"), [row(12, "Q", "oil"), row(13, "Q", "wood"), row(14, "R", "wood")]),
        (Subject("artist", "1"), [row(15, "Q", "oil"), row(16, "R", "oil", blind=False)]),
    ]
    artist, material = agreement(histories)
    assert (artist.task, artist.agreement, artist.seen) == ("artist", None, 1)
    assert (material.task, material.first, material.second, material.seen) == ("material", "Q", "R", 1)
    assert material.agreement is not None and material.agreement.objects == 3
    assert material.agreement.share == pytest.approx(2 / 3)
    assert material.agreement.kappa == pytest.approx(
        cohen_kappa_score(["oil", "wood", "wood"], ["oil", "no", "wood"])
    )
