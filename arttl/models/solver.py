"""The one L-BFGS solver, for all that is fitted to convergence: heads on frozen features, scales, temperatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

INVERSE_L2_GRID = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of C tried on standardised features (mean square of each column 1), from a strong penalty to a weak one."""
PATIENCE = 2
"""Values of C in a row without a lower validation loss after which the search stops."""
_HISTORY = 20  # pairs of steps and gradients that approximate the curvature


@dataclass(frozen=True)
class Tolerances:
    """When the solver stops: at the first of the three."""

    max_iterations: int = 100
    """Steps, each with its own line search."""
    gradient: float = 1e-7
    """Largest absolute entry of the gradient."""
    change: float = 1e-9
    """Change of the loss, and of the largest entry of the parameters, from one step to the next."""


@dataclass(frozen=True)
class PathPoint:
    """One fit of a search for the strength of the penalty.

    Attributes:
        inverse_l2: C, the penalty's inverse strength.
        val_loss: mean loss over the validation samples.
    """

    inverse_l2: float
    val_loss: float


def minimise(
    parameters: Sequence[torch.Tensor],
    objective: Callable[[], torch.Tensor],
    tolerances: Tolerances,
) -> None:
    """Minimise a loss by full-batch L-BFGS with a strong Wolfe line search (Nocedal and Wright 2006, algorithm 7.5).

    Args:
        parameters: what is changed, in place; in the precision the result is wanted in.
        objective: the loss at their present values, a scalar.
        tolerances: when to stop.
    """
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=tolerances.max_iterations,
        history_size=_HISTORY,
        tolerance_grad=tolerances.gradient,
        tolerance_change=tolerances.change,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective()
        loss.backward()
        return loss

    optimizer.step(closure)


def fit_penalised(
    head: nn.Module,
    summed_loss: Callable[[], torch.Tensor],
    count: int,
    inverse_l2: float,
    tolerances: Tolerances,
) -> None:
    """Minimise `|matrices|^2 / 2 + C * (sum of the samples' losses)`, scikit-learn's objective of `LogisticRegression`.

    Args:
        head: left with the best weights. Its matrices carry the penalty; its vectors (biases and gates) are free.
        summed_loss: the head's loss, summed over the training samples.
        count: how many samples that is.
        inverse_l2: C.
        tolerances: when to stop; of the objective divided by C and by the samples, so that they mean the same for
            any collection.
    """
    free = [parameter for parameter in head.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in free if parameter.ndim > 1]

    def objective() -> torch.Tensor:
        penalty = torch.stack([matrix.square().sum() for matrix in matrices]).sum() / (2 * inverse_l2 * count)
        return summed_loss() / count + penalty

    minimise(free, objective, tolerances)


def fit_path(
    head: nn.Module,
    summed_loss: Callable[[], torch.Tensor],
    count: int,
    val_loss: Callable[[], float],
    *,
    tolerances: Tolerances,
    grid: Sequence[float] = INVERSE_L2_GRID,
    patience: int = PATIENCE,
    on_fit: Callable[[PathPoint], None] = lambda point: None,
) -> PathPoint:
    """Choose the strength of the penalty on the validation samples, each fit starting from the one before.

    Args:
        head, summed_loss, count, tolerances: as for `fit_penalised`; the head is left with the weights of the best fit.
        val_loss: mean loss of the head over the validation samples.
        grid: values of C, tried in this order.
        patience: values in a row without a lower validation loss after which the rest is left out.
        on_fit: called after each fit.

    Returns:
        The fit with the lowest validation loss.
    """
    best: PathPoint | None = None
    best_state: dict[str, torch.Tensor] = {}
    worse = 0
    for inverse_l2 in grid:
        fit_penalised(head, summed_loss, count, inverse_l2, tolerances)
        with torch.no_grad():
            point = PathPoint(inverse_l2, val_loss())
        on_fit(point)
        if best is None or point.val_loss < best.val_loss:
            best, worse = point, 0
            best_state = {name: value.clone() for name, value in head.state_dict().items()}
        else:
            worse += 1
            if worse == patience:
                break
    assert best is not None
    head.load_state_dict(best_state)
    return best
