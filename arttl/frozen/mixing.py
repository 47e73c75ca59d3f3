"""Fitting heads over tokens: every method of fusion is one of these, solved to convergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from arttl.frozen.tokens import Samples
from arttl.inference.calibration import fit_temperature
from arttl.models.fusion import Mixing, TokenHead
from arttl.models.losses import summed_loss
from arttl.models.solver import INVERSE_L2_GRID, PATIENCE, Tolerances, fit_path
from arttl.tasks import Task

TOKEN_GRID = tuple(1000 * inverse_l2 for inverse_l2 in INVERSE_L2_GRID)
"""Values of C tried: a token's mean squared length is 1 and not its width, of the order of a thousand."""
_TOLERANCES = Tolerances(max_iterations=100, gradient=1e-4, change=1e-6)


@dataclass(frozen=True)
class FittedHead:
    """A head and its validation loss.

    Attributes:
        head: takes tokens [N, D] each, gives logits [N, Q].
        inverse_l2: its penalty's inverse strength; None where it has none of its own.
        val_loss: mean over the validation samples.
    """

    head: nn.Module
    inverse_l2: float | None
    val_loss: float

    @torch.no_grad()
    def logits(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, Q]."""
        logits: torch.Tensor = self.head(tokens)
        return logits


def fit_mixing(task: Task, train: Samples, val: Samples, mixing: Mixing) -> FittedHead:
    """Fit a `TokenHead`, its penalty's strength chosen on the validation samples."""
    head = TokenHead([token.shape[1] for token in train.tokens], task.outputs, mixing)
    return fit_head(task, head.to(train.targets.device), train, val)


def fit_head(
    task: Task, head: nn.Module, train: Samples, val: Samples, grid: Sequence[float] | None = None
) -> FittedHead:
    """Fit any head over tokens, see `arttl.models.solver.fit_path`.

    Args:
        task: what is predicted.
        head: takes the samples' tokens; left with the best weights.
        train, val: samples.
        grid: values of C, all of which are tried in this order; by default `TOKEN_GRID` until the validation loss has
            not fallen for two of them.
    """
    best = fit_path(
        head,
        lambda: summed_loss(task, head(train.tokens), train.targets),
        len(train.targets),
        lambda: mean_loss(task, head(val.tokens), val.targets),
        tolerances=_TOLERANCES,
        grid=TOKEN_GRID if grid is None else grid,
        patience=PATIENCE if grid is None else len(grid),
    )
    return FittedHead(head, best.inverse_l2, best.val_loss)


@torch.no_grad()
def mean_loss(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Mean loss over samples, all labelled."""
    return float(summed_loss(task, logits, targets)) / len(targets)


def late_fusion(
    task: Task, val: Samples, parts: Sequence[tuple[Sequence[int], FittedHead]], widths: Sequence[int]
) -> FittedHead:
    """The mean of the calibrated log-probabilities of heads that were trained apart.

    The logits of each head are divided by the temperature that suits the validation samples (Guo et al. 2017). A mean
    of log-probabilities, normalised again, is the softmax of the mean of the logits, so that the whole is one linear
    head over all tokens. For a number it is the mean of the predictions.

    Args:
        task: what is predicted.
        val: samples with all tokens.
        parts: for each head the indices of its tokens, and the head, with uniform shares.
        widths: D of all tokens.
    """
    fused = TokenHead(widths, task.outputs, "uniform").to(val.targets.device)
    fused_pieces = fused.weight.data.split(list(widths), dim=1)
    for indices, fitted in parts:
        head = fitted.head
        assert isinstance(head, TokenHead) and head.mixing == "uniform"
        temperature = 1.0
        if task.kind != "number":
            logits = fitted.logits(val.with_tokens(indices).tokens)
            temperature = fit_temperature(task, logits.cpu(), val.targets.cpu())
        # Uniform shares divide by the square root of the number of tokens, here of all and there of the part's.
        factor = (len(widths) / len(indices)) ** 0.5 / (temperature * len(parts))
        for index, piece in zip(indices, head.weight.data.split(list(head.widths), dim=1), strict=True):
            fused_pieces[index].add_(piece, alpha=factor)
        fused.bias.data.add_(head.bias.data, alpha=1 / (temperature * len(parts)))
    return FittedHead(fused, None, mean_loss(task, fused(val.tokens), val.targets))


class HiddenHead(nn.Module):
    """A head with one hidden layer over a single token: what a control of the same parameter count is made of."""

    def __init__(self, width: int, hidden: int, outputs: int, seed: int) -> None:
        super().__init__()
        first, second = nn.Linear(width, hidden), nn.Linear(hidden, outputs)
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            # A token has length one whatever its width, so that these give hidden units of order one.
            first.weight.normal_(generator=random)
            second.weight.normal_(std=hidden**-0.5, generator=random)
            first.bias.zero_()
            second.bias.zero_()
        self.layers = nn.Sequential(first, nn.ReLU(), second)

    def forward(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, Q] of one token [N, D]."""
        (token,) = tokens
        logits: torch.Tensor = self.layers(token)
        return logits


def fit_hidden(task: Task, head: HiddenHead, train: Samples, val: Samples) -> FittedHead:
    """Fit a `HiddenHead`, from weak penalties to strong: a strong one pulls both layers to zero, where they stay."""
    return fit_head(task, head, train, val, TOKEN_GRID[::-1])


def hidden_width(width: int, outputs: int, parameters: int) -> int:
    """Hidden units with which a `HiddenHead` has about that many parameters."""
    return max(1, round((parameters - outputs) / (width + outputs + 1)))
