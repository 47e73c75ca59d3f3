from __future__ import annotations

import torch

from arttl.loading import Batch

NAN = float("nan")


def test_what_counts_as_a_label() -> None:
    targets = {
        "type": torch.tensor([2, -1, 0]),
        "year": torch.tensor([-500.0, NAN, 1642.0]),
        "material": torch.tensor([[0.0, 1.0], [NAN, NAN], [1.0, 1.0]]),
    }
    batch = Batch.of(torch.zeros(3, 3, 2, 2), targets, torch.ones(3, dtype=torch.bool), torch.arange(3))
    actual = {name: indices.tolist() for name, indices in batch.labelled.items()}
    assert actual == {name: [0, 2] for name in targets}


def test_a_batch_knows_where_its_samples_and_labels_are() -> None:
    batch = Batch.of(
        torch.zeros(4, 3, 2, 2),
        {"type": torch.tensor([2, -1, 0, 1]), "year": torch.tensor([1642.0, 1700.0, NAN, 1650.0])},
        torch.tensor([True, True, True, False]),
        torch.tensor([7, 8, 9, 9]),
    )
    assert batch.real.tolist() == [0, 1, 2]
    assert {name: indices.tolist() for name, indices in batch.labelled.items()} == {
        "type": [0, 2],
        "year": [0, 1],
    }
