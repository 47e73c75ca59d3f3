"""The vote of the nearest training samples: what features are worth without any head."""

from __future__ import annotations

import torch

from arttl.frozen.tokens import Samples
from arttl.inference.neighbours import nearest, unit_length
from arttl.tasks import Task

NEIGHBOURS = 20
TEMPERATURE = 0.07
_LEAST = 1e-3  # of a class without a vote, so that its loss is finite


def neighbour_logits(task: Task, train: Samples, queries: torch.Tensor) -> torch.Tensor:
    """Logarithms of the shares of the vote that each class gets from the training samples most similar to a query.

    The 20 nearest by the cosine of the features, as the network gives them, vote with the weight
    `exp(cosine / 0.07)`: the evaluation of DINO and DINOv2 (Wu et al. 2018; Caron et al. 2021).

    Args:
        task: single-label or multi-label.
        train: samples with one token [N, D].
        queries: [M, D].

    Returns:
        [M, Q]: of a single-label task logarithms of probabilities, of a multi-label task their logits.
    """
    (values,) = train.tokens
    similarities, indices = nearest(
        unit_length(queries), unit_length(values), min(NEIGHBOURS, len(values))
    )  # [M, K]
    weights = (similarities / TEMPERATURE).softmax(1)
    if task.kind == "single-label":
        votes = torch.zeros(len(queries), task.outputs, device=queries.device)
        return votes.scatter_add_(1, train.targets[indices], weights).clamp_min(_LEAST).log()
    shares = (weights[..., None] * train.targets[indices]).sum(1)
    return shares.clamp(_LEAST, 1 - _LEAST).logit()
