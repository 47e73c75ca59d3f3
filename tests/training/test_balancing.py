from __future__ import annotations

import json
import math

import pytest
import torch

from arttl.errors import ArttlError
from arttl.training.balancing import (
    Balancing,
    Famo,
    RandomWeights,
    Uncertainty,
    fixed_weights,
    open_balancing,
)

ONES = torch.ones(3, dtype=torch.float64)


def losses(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_weights_that_are_given() -> None:
    found = fixed_weights(("artist=2", "type=0.5"), ("material", "type", "artist"))
    assert found.tolist() == [1, 0.5, 2]
    assert Balancing(found).weights(0, None).tolist() == [1, 0.5, 2]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("typo=2", r"there is no task 'typo' \(did you mean 'type'\?\)"),
        ("type", "write a number above 0, such as type=2"),
        ("type=0", "above 0"),
        ("type=-1", "above 0"),
        ("type=nan", "above 0"),
        ("type=inf", "above 0"),
    ],
)
def test_weights_that_cannot_be(item: str, reason: str) -> None:
    with pytest.raises(ArttlError, match=reason):
        fixed_weights((item,), ("type",))


def test_random_weights_depend_on_seed_and_step_alone_and_add_up() -> None:
    drawn = [RandomWeights(ONES, seed).weights(step, None) for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[3])
    assert all(found.sum().item() == pytest.approx(3) and (found > 0).all() for found in drawn)
    mean = torch.stack([RandomWeights(ONES, 0).weights(step, None) for step in range(4000)]).mean(0)
    torch.testing.assert_close(mean, ONES, atol=0.05, rtol=0)


def test_uncertainty_follows_the_gradient_of_the_joint_loss() -> None:
    """Against autograd on the formula, one step of plain Adam."""
    balancing = Uncertainty(ONES.clone(), rate=0.1)
    values = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([values], lr=0.1)
    for found in (losses(0.2, 1.0, 4.0), losses(0.1, 2.0, 3.0)):
        torch.testing.assert_close(balancing.weights(0, found), (-values).exp().detach())
        adam.zero_grad()
        ((-values).exp() * found + values / 2).sum().backward()
        adam.step()
        balancing.update(found, None)
    torch.testing.assert_close(balancing.values, values.detach())


def test_uncertainty_settles_where_each_weighed_loss_is_a_half() -> None:
    balancing = Uncertainty(ONES.clone(), rate=0.05)
    found = losses(0.2, 1.0, 4.0)
    for _ in range(2000):
        balancing.update(found, None)
    torch.testing.assert_close(balancing.weights(0, found) * found, ONES / 2, atol=1e-3, rtol=0)


def test_famo_weighs_by_the_losses_and_learns_from_their_fall() -> None:
    """Against autograd: the weighed loss has the gradient of the sum of z log(loss), scaled to add up to T."""
    balancing = Famo(ONES.clone(), rate=0.025)
    before, after = losses(0.5, 2.0, 1.0), losses(0.4, 1.9, 1.0)
    weights = balancing.weights(0, before)
    assert weights.sum().item() == pytest.approx(3)
    torch.testing.assert_close(weights / weights[0], (1 / before) / (1 / before[0]))  # equal shares at first
    values = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([values], lr=0.025, weight_decay=1e-3)
    (values.softmax(0) * (before.log() - after.log())).sum().backward()
    adam.step()
    balancing.update(before, after)
    torch.testing.assert_close(balancing.values, values.detach(), rtol=1e-5, atol=1e-9)
    assert balancing.values[2] > balancing.values[0]  # what fell least weighs more from now on


@pytest.mark.parametrize("make", [lambda: Uncertainty(ONES.clone(), 0.1), lambda: Famo(ONES.clone(), 0.1)])
def test_a_task_without_labels_changes_nothing_of_its_own(make) -> None:
    balancing = make()
    found = losses(0.5, math.nan, 1.0)
    weights = balancing.weights(0, found)
    assert weights[[0, 2]].isfinite().all()
    balancing.update(found, losses(0.4, math.nan, 1.0))
    assert balancing.values.isfinite().all() and balancing.values[1] == 0


@pytest.mark.parametrize("method", ["fixed", "random", "uncertainty", "famo", "upgrad"])
def test_a_restored_balancing_goes_on_exactly(method) -> None:
    def steps(balancing: Balancing, count: int) -> list[list[float]]:
        random = torch.Generator().manual_seed(count)
        seen = []
        for step in range(count):
            found = torch.rand(3, generator=random, dtype=torch.float64) + 0.1
            seen.append(balancing.weights(step, found).tolist())
            balancing.update(found, found * 0.9)
        return seen

    one, two = (open_balancing(method, ONES.clone(), 0.05, seed=3) for _ in range(2))
    steps(one, 4)
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert steps(one, 3) == steps(two, 3)
