from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_problems import problem
from sklearn.metrics.pairwise import cosine_similarity

from arttl.frozen.class_means import class_mean_head
from arttl.models.losses import summed_loss


def test_the_likeliest_class_has_the_nearest_mean_by_cosine() -> None:
    task, train = problem("single-label", 200)
    _, test = problem("single-label", 300, seed=1)
    weight, bias = class_mean_head(task, train)
    values = train.tokens[0].double().numpy()
    means = np.stack([values[train.targets.numpy() == label].mean(0) for label in range(3)])
    expected = cosine_similarity(test.tokens[0].double().numpy(), means).argmax(1)
    found = (test.tokens[0] @ weight.T + bias).argmax(1).numpy()
    assert (found == expected).all() and len(set(expected.tolist())) == 3


def test_the_scale_is_the_one_with_the_lowest_training_loss() -> None:
    task, train = problem("single-label", 200)
    weight, bias = class_mean_head(task, train)
    losses = [
        float(summed_loss(task, train.tokens[0] @ (factor * weight).T + bias, train.targets))
        for factor in (0.9, 1.0, 1.1)
    ]
    assert losses[1] < min(losses[0], losses[2])
    assert torch.allclose(weight.norm(dim=1), weight.norm(dim=1)[0])


def test_a_multi_label_class_is_told_from_its_others() -> None:
    task, train = problem("multi-label", 400)
    _, test = problem("multi-label", 400, seed=1)
    weight, bias = class_mean_head(task, train)
    answered = (test.tokens[0] @ weight.T + bias > 0).float()
    usual = (test.targets.mean() > 0.5).float()
    assert (answered == test.targets).float().mean() > (usual == test.targets).float().mean() + 0.1


def test_a_class_without_a_sample_is_never_the_likeliest_by_accident() -> None:
    task, train = problem("single-label", 60)
    without = train.targets.clone()
    without[without == 2] = 0
    weight, _ = class_mean_head(task, type(train)(train.rows, train.tokens, without))
    assert torch.equal(weight[2], torch.zeros(6)) and weight[:2].norm() > 0


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_it_has_a_row_a_class(kind: str) -> None:
    task, train = problem(kind, 50)
    weight, bias = class_mean_head(task, train)
    assert weight.shape == (3, 6) and bias.shape == (3,) and not weight.requires_grad
