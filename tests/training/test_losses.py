from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.losses import multitask_loss

TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(("a", "b", "c"), (1, 1, 1), (0,))),
        Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
    ]
)


def batch(seed: int, n: int) -> tuple[dict, dict, torch.Tensor]:
    random = np.random.default_rng(seed)
    logits = {
        "type": torch.tensor(random.normal(size=(n, 3)), dtype=torch.float32, requires_grad=True),
        "material": torch.tensor(random.normal(size=(n, 2)), dtype=torch.float32, requires_grad=True),
    }
    material = random.integers(2, size=(n, 2)).astype(np.float32)
    material[random.random(n) < 0.4] = np.nan
    targets = {"type": torch.tensor(random.integers(-1, 3, size=n)), "material": torch.tensor(material)}
    return logits, targets, torch.tensor(random.random(n) < 0.8)


def in_double_precision(logits: dict, targets: dict, valid: torch.Tensor) -> float | None:
    """The loss from its definition, a sample at a time."""
    terms: dict[str, list[float]] = {"type": [], "material": []}
    for row in range(len(valid)):
        if not valid[row]:
            continue
        scores, target = logits["type"][row].detach().double().numpy(), int(targets["type"][row])
        if target >= 0:
            terms["type"].append(float(np.log(np.exp(scores).sum()) - scores[target]))
        scores, wanted = logits["material"][row].detach().double().numpy(), targets["material"][row].numpy()
        if not np.isnan(wanted).any():
            sigmoid = 1 / (1 + np.exp(-scores))
            terms["material"].append(float(-np.log(np.where(wanted == 1, sigmoid, 1 - sigmoid)).sum()))
    found = [float(np.mean(values)) for values in terms.values() if values]
    return sum(found) if found else None


def alone(counts: torch.Tensor) -> torch.Tensor:
    return counts


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12))
@settings(max_examples=60)
def test_missing_labels_and_padding_do_not_count(seed: int, n: int) -> None:
    logits, targets, valid = batch(seed, n)
    found = multitask_loss(TASKS, logits, targets, valid, alone, 1)
    expected = in_double_precision(logits, targets, valid)
    if expected is None:
        assert found is None
    else:
        assert found.item() == pytest.approx(expected, rel=1e-5)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 12), first=st.integers(1, 11))
@settings(max_examples=60)
def test_ranks_average_to_the_gradient_of_the_whole_batch(seed: int, n: int, first: int) -> None:
    logits, targets, valid = batch(seed, n)
    whole = multitask_loss(TASKS, logits, targets, valid, alone, 1)
    if whole is None:
        return
    expected = torch.autograd.grad(whole, list(logits.values()), allow_unused=True)
    cut = min(first, n - 1)
    parts = [slice(0, cut), slice(cut, n)]
    mask = {
        "type": (targets["type"] >= 0) & valid,
        "material": ~targets["material"][:, 0].isnan() & valid,
    }
    counts = torch.stack([mask["type"].sum(), mask["material"].sum()])
    total = torch.zeros(())
    for part in parts:
        term = multitask_loss(
            TASKS,
            {name: found[part] for name, found in logits.items()},
            {name: found[part] for name, found in targets.items()},
            valid[part],
            lambda local: counts,
            2,
        )
        total = total + term / 2  # what averaging gradients over two ranks comes to
    found = torch.autograd.grad(total, list(logits.values()), allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(
            torch.zeros(()) if one is None else one.abs().sum(),
            torch.zeros(()) if other is None else other.abs().sum(),
        )
        if one is not None and other is not None:
            torch.testing.assert_close(one, other)


def test_a_task_without_a_label_in_the_batch_has_no_gradient() -> None:
    logits, targets, _ = batch(0, 5)
    targets["material"][:] = float("nan")
    targets["type"] = torch.tensor([0, 1, 2, 0, 1])
    loss = multitask_loss(TASKS, logits, targets, torch.ones(5, dtype=torch.bool), alone, 1)
    loss.backward()
    assert logits["material"].grad is None and logits["type"].grad.abs().sum() > 0
