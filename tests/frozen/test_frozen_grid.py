"""Grids of heads against torch's own optimizer, one head at a time."""

from __future__ import annotations

import math

import pytest
import torch
from frozen_problems import problem

from arttl.frozen.grid import BATCH_SIZE, PAPER, PATIENCE, GridPoint, train_grid
from arttl.models.losses import sample_losses, summed_loss

KINDS = ["single-label", "multi-label", "number"]


def one_by_one(task, train, val, point: GridPoint, mean, std, max_epochs: int, seed: int = 0):
    """A head trained alone by torch.optim.RMSprop, as anyone would write it."""
    values, val_values = train.tokens[0], val.tokens[0]
    if point.standardised:
        values, val_values = (values - mean) / std, (val_values - mean) / std
    head = torch.nn.Linear(values.shape[1], task.outputs)
    limit = math.sqrt(6 / (values.shape[1] + task.outputs))
    first = torch.empty(values.shape[1], task.outputs)
    first.uniform_(-limit, limit, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        head.weight.copy_(first.T)
        head.bias.zero_()
    optimizer = torch.optim.RMSprop(head.parameters(), lr=point.learning_rate, alpha=0.9, eps=1e-8)
    order = torch.Generator().manual_seed(seed)
    best, best_epoch, kept = math.inf, 0, None
    for epoch in range(1, max_epochs + 1):
        for chosen in torch.randperm(len(values), generator=order).split(BATCH_SIZE):
            loss = summed_loss(task, head(values[chosen]), train.targets[chosen]) / len(chosen)
            gradients = torch.autograd.grad(loss, list(head.parameters()))
            with torch.no_grad():
                head.weight.mul_(1 - point.learning_rate * point.weight_decay)
            for parameter, gradient in zip(head.parameters(), gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
        with torch.no_grad():
            val_loss = float(summed_loss(task, head(val_values), val.targets)) / len(val.targets)
        if val_loss < best:
            best, best_epoch = val_loss, epoch
            kept = head.weight.detach().clone(), head.bias.detach().clone()
        if epoch - best_epoch >= PATIENCE:
            break
    return best, best_epoch, epoch, kept


@pytest.mark.parametrize("kind", KINDS)
def test_every_head_is_the_one_trained_alone(kind: str) -> None:
    task, train = problem(kind, 40)  # few, so that heads overfit and stop early
    _, val = problem(kind, 60, seed=1)
    mean, std = train.tokens[0].mean(0) + 0.1, train.tokens[0].std(0)
    rates, decays = (1e-3, 0.1), (0.0, 0.5)
    heads = train_grid(
        task, train, val, mean=mean, std=std, learning_rates=rates, weight_decays=decays, max_epochs=60
    )
    assert [(h.point.standardised, h.point.learning_rate, h.point.weight_decay) for h in heads] == [
        (scaled, rate, decay) for scaled in (False, True) for rate in rates for decay in decays
    ]
    assert PAPER in [head.point for head in heads]
    stopped_early = 0
    for head in heads:
        loss, epoch, epochs, (weight, bias) = one_by_one(task, train, val, head.point, mean, std, 60)
        assert (head.epoch, head.epochs) == (epoch, epochs)
        assert head.val_loss == pytest.approx(loss, rel=1e-4)
        stopped_early += epochs < 60
        values = val.tokens[0]
        alone = (values - mean) / std if head.point.standardised else values
        # The grid's head takes the features as they are: the standardisation is inside.
        torch.testing.assert_close(
            values @ head.weight.T + head.bias, alone @ weight.T + bias, rtol=1e-3, atol=1e-3
        )
    assert stopped_early, "no head of the test stops early"
    last = [max(one.epochs, other.epochs) for one, other in zip(heads[:4], heads[4:], strict=True)]
    assert min(last) < max(last), "no pair of the test is dropped before the others"


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_each_head_is_the_loss_of_training(kind: str) -> None:
    task, samples = problem(kind, 11)
    logits = torch.randn(2, 11, 5, task.outputs)
    losses = sample_losses(task, logits, samples.targets[None, :, None])
    assert losses.shape == (2, 11, 5)
    for half in range(2):
        for head in range(5):
            expected = summed_loss(task, logits[half, :, head], samples.targets)
            assert float(losses[half, :, head].sum()) == pytest.approx(float(expected), rel=1e-5)


def test_the_same_seed_gives_the_same_grid() -> None:
    task, train = problem("single-label", 60)
    _, val = problem("single-label", 30, seed=1)
    mean, std = train.tokens[0].mean(0), train.tokens[0].std(0)
    runs = [
        train_grid(
            task,
            train,
            val,
            mean=mean,
            std=std,
            learning_rates=(1e-2,),
            weight_decays=(0.0,),
            max_epochs=5,
            seed=seed,
        )
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0][0].weight, runs[1][0].weight)
    assert not torch.equal(runs[0][0].weight, runs[2][0].weight)
