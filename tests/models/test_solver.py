"""The one solver against scikit-learn in double precision, and that everything converged goes through it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

import arttl
from arttl.models import solver
from arttl.models.solver import INVERSE_L2_GRID, Tolerances, fit_path, fit_penalised, minimise

EXACT = Tolerances(max_iterations=500, gradient=1e-8, change=1e-13)


def problem(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values [N, D] and noisy scores [N, Q], float64, of random sizes."""
    random = np.random.default_rng(seed)
    count, width, classes = (int(random.integers(*limits)) for limits in ((60, 150), (2, 9), (3, 5)))
    values = random.normal(size=(count, width)) * random.uniform(0.3, 3, size=width)
    scores = values @ random.normal(size=(width, classes)) + 3 * random.normal(size=(count, classes))
    return torch.from_numpy(values), torch.from_numpy(scores)


def zeros(width: int, outputs: int) -> torch.nn.Linear:
    head = torch.nn.Linear(width, outputs, dtype=torch.float64)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return head


def reference(inverse_l2: float) -> LogisticRegression:
    return LogisticRegression(C=inverse_l2, tol=1e-10, max_iter=5000)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("inverse_l2", [0.003, 1.0])
def test_a_single_label_fit_is_scikit_learns(seed: int, inverse_l2: float) -> None:
    values, scores = problem(seed)
    targets = scores.argmax(1)
    classes, targets = targets.unique(return_inverse=True)
    head = zeros(values.shape[1], len(classes))
    fit_penalised(
        head,
        lambda: F.cross_entropy(head(values), targets, reduction="sum"),
        len(values),
        inverse_l2,
        EXACT,
    )
    model = reference(inverse_l2).fit(values.numpy(), targets.numpy())
    assert np.abs(head.weight.detach().numpy() - model.coef_).max() < 1e-5
    bias = head.bias.detach().numpy()
    assert np.abs((bias - bias.mean()) - (model.intercept_ - model.intercept_.mean())).max() < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_a_multi_label_fit_is_one_of_scikit_learns_per_class(seed: int) -> None:
    values, scores = problem(seed)
    targets = (scores > 0).double()
    head = zeros(values.shape[1], targets.shape[1])
    fit_penalised(
        head,
        lambda: F.binary_cross_entropy_with_logits(head(values), targets, reduction="sum"),
        len(values),
        0.3,
        EXACT,
    )
    for index in range(targets.shape[1]):
        model = reference(0.3).fit(values.numpy(), targets[:, index].numpy())
        assert np.abs(head.weight[index].detach().numpy() - model.coef_[0]).max() < 1e-5
        assert float(head.bias[index].detach()) == pytest.approx(float(model.intercept_[0]), abs=1e-5)


def test_the_path_keeps_the_fit_with_the_lowest_validation_loss_and_stops_after_two_worse() -> None:
    random = np.random.default_rng(0)
    values = torch.from_numpy(random.normal(size=(90, 20)))
    scores = values[:, :3] + torch.from_numpy(3 * random.normal(size=(90, 3)))
    targets = scores.argmax(1)
    train, val = slice(None, 30), slice(30, None)
    head = zeros(values.shape[1], scores.shape[1])

    @torch.no_grad()
    def val_loss() -> float:
        return float(F.cross_entropy(head(values[val]), targets[val]))

    tried = []
    loss = partial(F.cross_entropy, reduction="sum")
    best = fit_path(
        head,
        lambda: loss(head(values[train]), targets[train]),
        30,
        val_loss,
        tolerances=EXACT,
        on_fit=tried.append,
    )
    assert [point.inverse_l2 for point in tried] == list(INVERSE_L2_GRID[: len(tried)])
    assert best.val_loss == min(point.val_loss for point in tried) == val_loss()
    assert len(tried) < len(INVERSE_L2_GRID) and tried[-3] is best, (
        "the problem of this test does not overfit"
    )
    all_tried: list[solver.PathPoint] = []
    fit_path(
        head,
        lambda: loss(head(values[train]), targets[train]),
        30,
        val_loss,
        tolerances=EXACT,
        patience=len(INVERSE_L2_GRID),
        on_fit=all_tried.append,
    )
    assert len(all_tried) == len(INVERSE_L2_GRID)


def test_tolerances_stop_the_solver() -> None:
    calls = 0
    x = torch.tensor([3.0, -2.0], dtype=torch.float64, requires_grad=True)

    def rosenbrock() -> torch.Tensor:
        nonlocal calls
        calls += 1
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    minimise([x], rosenbrock, Tolerances(max_iterations=2))
    assert calls < 10 and (x.detach() - 1).abs().max() > 0.1
    minimise([x], rosenbrock, Tolerances())
    assert (x.detach() - 1).abs().max() < 1e-4


def test_everything_converged_goes_through_the_one_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each user fails when the solver does, and no other module of the package has an L-BFGS of its own."""
    from arttl.frozen.class_means import class_mean_head
    from arttl.frozen.linear_probe import fit_probe
    from arttl.frozen.mixing import fit_mixing
    from arttl.frozen.tokens import Samples
    from arttl.inference.calibration import fit_temperature
    from arttl.tasks import Task, Vocabulary

    task = Task("t", "single-label", Vocabulary(("a", "b", "c"), (1, 1, 1), (0,)))
    samples = Samples(torch.arange(30), (torch.randn(30, 4),), torch.arange(30) % 3)
    users: list[Callable[[], object]] = [
        lambda: fit_probe(task, samples, samples, 1.0),
        lambda: fit_mixing(task, samples, samples, "gates"),
        lambda: class_mean_head(task, samples),
        lambda: fit_temperature(task, torch.randn(30, 3), samples.targets),
    ]

    class Reached(Exception):
        pass

    class Stopped(torch.optim.Optimizer):
        def __init__(self, *arguments: object, **settings: object) -> None:
            raise Reached

    monkeypatch.setattr(solver.torch.optim, "LBFGS", Stopped)
    for user in users:
        with pytest.raises(Reached):
            user()
    package = Path(arttl.__file__).parent
    names = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "LBFGS"
    }
    assert names == {"models/solver.py"}
