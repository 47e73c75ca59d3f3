"""Out-of-fold probabilities beside scikit-learn's, and that no label is seen by what is said of its object."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from arttl.auditing import out_of_fold as module
from arttl.auditing.out_of_fold import FOLDS, out_of_fold
from arttl.models.solver import Tolerances
from arttl.tasks import Task, Vocabulary

NAMES = ("a", "b", "c")


def single_label(
    count: int = 120, seed: int = 0, noise: float = 1
) -> tuple[Task, torch.Tensor, torch.Tensor, np.ndarray]:
    """Features [N, 6] that say something about three classes, and folds."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 6)).astype(np.float32)
    scores = features[:, :3] + noise * random.normal(size=(count, 3))
    task = Task("t", "single-label", Vocabulary(NAMES, (1, 1, 1), (0,)))
    folds = random.permutation(np.arange(count) % FOLDS)
    return task, torch.from_numpy(features), torch.from_numpy(scores.argmax(1)), folds


def scaled(features: torch.Tensor) -> np.ndarray:
    values = features.numpy().astype(np.float64)
    return (values - values.mean(0)) / values.std(0, ddof=1)


def sklearn_head(values: np.ndarray, targets: np.ndarray, inverse_l2: float) -> LogisticRegression:
    return LogisticRegression(C=inverse_l2, tol=1e-8, max_iter=2000).fit(values, targets)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOLERANCES", Tolerances(500, 1e-7, 1e-10))


def test_a_fold_is_judged_by_scikit_learns_regression_on_the_others(exact: None) -> None:
    task, features, targets, folds = single_label()
    found, (alone,) = out_of_fold(task, [features], targets, folds)
    values = scaled(features)
    for fold in range(FOLDS):
        inside = folds == fold
        head = sklearn_head(values[~inside], targets.numpy()[~inside], found.inverse_l2[fold])
        logits = head.decision_function(values[inside]) / found.temperatures[fold]
        expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        np.testing.assert_allclose(found.probabilities[inside], expected, atol=2e-4)
    np.testing.assert_array_equal(found.probabilities, alone.probabilities)


def test_strengths_are_those_of_the_lowest_loss_within_the_other_folds(exact: None, monkeypatch) -> None:
    grid = (0.001, 0.01, 0.03, 0.1, 1.0)
    monkeypatch.setattr(module, "INVERSE_L2_GRID", grid)
    monkeypatch.setattr(module, "PATIENCE", len(grid))
    task, features, targets, folds = single_label(seed=3, noise=2)
    found, _ = out_of_fold(task, [features], targets, folds)
    values, known = scaled(features), targets.numpy()
    losses = np.zeros((FOLDS, len(grid)))
    for column, inverse_l2 in enumerate(grid):
        inner = np.zeros((FOLDS, len(known), 3))
        for pair in combinations(range(FOLDS), 2):
            seen = ~np.isin(folds, pair)
            head = sklearn_head(values[seen], known[seen], inverse_l2)
            for fold, other in (pair, pair[::-1]):
                inner[fold, folds == other] = head.predict_proba(values[folds == other])
        for fold in range(FOLDS):
            losses[fold, column] = log_loss(known[folds != fold], inner[fold, folds != fold])
    assert found.inverse_l2 == tuple(grid[best] for best in losses.argmin(1))
    assert len({*found.inverse_l2}) > 1 and not {grid[0], grid[-1]} & {*found.inverse_l2}


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
@pytest.mark.parametrize("networks", [1, 2])
def test_nothing_said_of_an_object_depends_on_its_label(kind: str, networks: int) -> None:
    task, features, targets, folds = single_label()
    if kind == "multi-label":
        task = Task("t", "multi-label", task.vocabulary)
        targets = torch.nn.functional.one_hot(targets, 3).float()
    several = [features, features.flip(1).square()][:networks]
    before, alone_before = out_of_fold(task, several, targets, folds)
    for fold in (0, FOLDS - 1):
        changed = targets.clone()
        inside = torch.from_numpy(folds == fold)
        changed[inside] = targets[inside].roll(1, dims=0)
        assert not torch.equal(changed, targets)
        after, alone_after = out_of_fold(task, several, changed, folds)
        for one, other in ((before, after), *zip(alone_before, alone_after, strict=True)):
            np.testing.assert_array_equal(
                one.probabilities[folds == fold], other.probabilities[folds == fold]
            )
            assert not np.array_equal(one.probabilities, other.probabilities)


def test_labels_without_meaning_are_not_found_again() -> None:
    task, features, targets, folds = single_label(600)
    shuffled = targets[torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))]
    found, _ = out_of_fold(task, [features], shuffled, folds)
    right = (found.probabilities.argmax(1) == shuffled.numpy()).mean()
    assert right < shuffled.bincount().max() / len(shuffled) + 0.06
    assert found.probabilities.max() < 0.6


def test_several_labels_are_judged_class_by_class(exact: None) -> None:
    task, features, targets, folds = single_label(seed=1)
    task = Task("t", "multi-label", task.vocabulary)
    sets = torch.stack([targets == 0, targets != 2, targets != 0], 1).float()
    found, _ = out_of_fold(task, [features], sets, folds)
    values, inside = scaled(features), folds == 2
    for column in range(3):
        head = sklearn_head(values[~inside], sets.numpy()[~inside, column], found.inverse_l2[2])
        expected = 1 / (1 + np.exp(-head.decision_function(values[inside]) / found.temperatures[2]))
        np.testing.assert_allclose(found.probabilities[inside, column], expected, atol=2e-4)


def test_two_networks_that_know_different_things_know_more_together() -> None:
    task, features, targets, folds = single_label(400)
    together, alone = out_of_fold(task, [features[:, :2], features[:, 2:]], targets, folds)
    losses = [log_loss(targets.numpy(), each.probabilities) for each in (together, *alone)]
    assert losses[0] < min(losses[1:]) - 0.05
    assert together.inverse_l2 == () and all(len(each.inverse_l2) == FOLDS for each in alone)
