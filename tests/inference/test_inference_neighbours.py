"""The nearest references are those that scikit-learn finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from arttl.inference import neighbours
from arttl.inference.neighbours import nearest, unit_length


@pytest.mark.parametrize(
    ("queries", "references", "width", "count"), [(1, 1, 3, 1), (70, 900, 48, 12), (5, 40, 8, 40)]
)
def test_same_as_scikit_learn(
    queries: int, references: int, width: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES", 32)
    monkeypatch.setattr(neighbours, "_REFERENCES", 128)
    generator = torch.Generator().manual_seed(queries)
    query, reference = (torch.randn(rows, width, generator=generator) for rows in (queries, references))
    similarity, index = nearest(unit_length(query), unit_length(reference), count)
    expected = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(
        reference.double().numpy()
    )
    distance, neighbour = expected.kneighbors(query.double().numpy())
    np.testing.assert_array_equal(index.numpy(), neighbour)
    np.testing.assert_allclose(1 - similarity.numpy(), distance, atol=1e-6)


def test_equal_pictures_come_in_their_order() -> None:
    reference = unit_length(torch.ones(6, 4))
    _, index = nearest(reference[:1], reference, 6)
    assert index.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_a_vector_of_zeros_is_near_nothing() -> None:
    similarity, _ = nearest(unit_length(torch.zeros(1, 4)), unit_length(torch.eye(4)), 2)
    assert similarity.tolist() == [[0.0, 0.0]]
