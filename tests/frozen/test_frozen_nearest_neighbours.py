from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_problems import problem
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier

from arttl.frozen.nearest_neighbours import neighbour_logits


def weights(distances: np.ndarray) -> np.ndarray:
    return np.exp((1 - distances) / 0.07)


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_the_shares_of_the_vote_are_those_of_scikit_learn(kind: str) -> None:
    task, train = problem(kind, 200)
    _, test = problem(kind, 100, seed=1)
    values, queries = train.tokens[0].double().numpy(), test.tokens[0].double().numpy()
    reference = KNeighborsClassifier(20, metric="cosine", weights=weights)
    if kind == "multi-label":
        fitted = MultiOutputClassifier(reference).fit(values, train.targets.numpy())
        expected = np.stack([of_class[:, 1] for of_class in fitted.predict_proba(queries)], 1)
        found = neighbour_logits(task, train, test.tokens[0]).sigmoid()
    else:
        expected = reference.fit(values, train.targets.numpy()).predict_proba(queries)
        found = neighbour_logits(task, train, test.tokens[0]).exp()
    upper = 1 - 1e-3 if kind == "multi-label" else 1
    np.testing.assert_allclose(found.numpy(), expected.clip(1e-3, upper), atol=1e-4)
    assert expected.std() > 0.1


def test_fewer_samples_than_neighbours() -> None:
    task, train = problem("single-label", 5)
    shares = neighbour_logits(task, train, train.tokens[0]).exp()
    assert torch.allclose(shares.clamp_min(2e-3).sum(1), torch.ones(5), atol=5e-3)
