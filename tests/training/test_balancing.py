from __future__ import annotations

import json
import math

import pytest
import torch

from arttl.errors import ArttlError
from arttl.training.balancing import Balancing, Uncertainty, fixed_weights, open_balancing
from arttl.training.settings import MultiTaskSettings

ONES = torch.ones(3, dtype=torch.float64)


def losses(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_weights_that_are_given() -> None:
    found = fixed_weights(("artist=2", "type=0.5"), ("material", "type", "artist"))
    assert found.tolist() == [1, 0.5, 2]
    assert Balancing(found).weights().tolist() == [1, 0.5, 2]


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


def test_uncertainty_follows_the_gradient_of_the_joint_loss() -> None:
    """Against autograd on the formula, one step of plain Adam."""
    balancing = Uncertainty(ONES.clone(), rate=0.1)
    values = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([values], lr=0.1)
    for found in (losses(0.2, 1.0, 4.0), losses(0.1, 2.0, 3.0)):
        torch.testing.assert_close(balancing.weights(), (-values).exp().detach())
        adam.zero_grad()
        ((-values).exp() * found + values / 2).sum().backward()
        adam.step()
        balancing.update(found)
    torch.testing.assert_close(balancing.values, values.detach())


def test_uncertainty_converges_where_each_weighted_loss_is_a_half() -> None:
    balancing = Uncertainty(ONES.clone(), rate=0.05)
    found = losses(0.2, 1.0, 4.0)
    for _ in range(2000):
        balancing.update(found)
    torch.testing.assert_close(balancing.weights() * found, ONES / 2, atol=1e-3, rtol=0)


def test_a_task_without_labels_changes_nothing_of_its_own() -> None:
    balancing = Uncertainty(ONES.clone(), 0.1)
    found = losses(0.2, math.nan, 1.0)
    balancing.update(found)
    assert balancing.values.isfinite().all() and balancing.values[1] == 0
    assert balancing.values[0] < 0 < balancing.values[2]  # towards a weighted loss of a half


@pytest.mark.parametrize("method", ["fixed", "uncertainty"])
def test_a_restored_balancing_continues_exactly(method) -> None:
    def steps(balancing: Balancing, count: int) -> list[list[float]]:
        random = torch.Generator().manual_seed(count)
        seen = []
        for _ in range(count):
            found = torch.rand(3, generator=random, dtype=torch.float64) + 0.1
            seen.append(balancing.weights().tolist())
            balancing.update(found)
        return seen

    settings = MultiTaskSettings(task_weights=("b=2",), balancing=method, balancing_rate=0.05)
    one, two = (open_balancing(settings, ("a", "b", "c")) for _ in range(2))
    steps(one, 4)
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert steps(one, 3) == steps(two, 3)
