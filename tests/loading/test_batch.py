from __future__ import annotations

import torch

from arttl.loading import Batch
from arttl.loading.batch import labelled_mask

NAN = float("nan")


def test_what_counts_as_a_label() -> None:
    assert labelled_mask(torch.tensor([2, -1, 0])).tolist() == [True, False, True]
    assert labelled_mask(torch.tensor([-500.0, NAN, 1642.0])).tolist() == [True, False, True]
    several = torch.tensor([[0.0, 1.0], [NAN, NAN], [1.0, 1.0]])
    assert labelled_mask(several).tolist() == [True, False, True]


def test_a_batch_knows_where_its_samples_and_labels_are() -> None:
    batch = Batch.of(
        torch.zeros(4, 3, 2, 2),
        {"type": torch.tensor([2, -1, 0, 1]), "year": torch.tensor([1642.0, 1700.0, NAN, 1650.0])},
        torch.tensor([True, True, True, False]),
        torch.tensor([7, 8, 9, 9]),
    )
    assert batch.real.tolist() == [0, 1, 2]
    assert {name: places.tolist() for name, places in batch.labelled.items()} == {
        "type": [0, 2],
        "year": [0, 1],
    }
