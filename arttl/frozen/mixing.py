"""Fitting heads over tokens: every rung of the fusion ladder is one of these, solved to convergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from arttl.frozen.tokens import Samples
from arttl.inference.calibration import fit_temperature
from arttl.models.fusion import Mixing, TokenHead
from arttl.models.losses import summed_loss
from arttl.tasks import Task

INVERSE_L2_GRID = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Inverse strengths of the penalty tried, from strong to weak; tokens have length one on average."""
_PATIENCE = 2  # strengths without a lower validation loss before the search stops
_MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Fitted:
    """A head and how it does.

    Attributes:
        head: takes tokens [N, D] each, gives logits [N, Q].
        inverse_l2: its penalty's inverse strength.
        val_loss: mean over the validation samples.
    """

    head: nn.Module
    inverse_l2: float
    val_loss: float

    @torch.no_grad()
    def logits(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, Q]."""
        found: torch.Tensor = self.head(tokens)
        return found


def fit_mixing(task: Task, train: Samples, val: Samples, mixing: Mixing) -> Fitted:
    """Fit a `TokenHead`, its penalty's strength chosen on the validation samples."""
    head = TokenHead([found.shape[1] for found in train.tokens], task.outputs, mixing)
    return fit_head(task, head.to(train.targets.device), train, val)


def fit_head(
    task: Task,
    head: nn.Module,
    train: Samples,
    val: Samples,
    strengths: Sequence[float] | None = None,
) -> Fitted:
    """Fit any head over tokens.

    Minimises `|matrices|^2 / 2 + C * (sum of the samples' losses)` by L-BFGS, as `arttl.frozen.linear_probe` does;
    vectors (biases and gates) are free. The C with the lowest validation loss is taken, each fit starting from the one
    before.

    Args:
        task: what is predicted.
        head: takes the samples' tokens; left with the best weights.
        train, val: samples.
        strengths: values of C, all of which are tried in this order; by default `INVERSE_L2_GRID` until the
            validation loss has not fallen for two of them.
    """
    patience = _PATIENCE if strengths is None else len(strengths)
    best: Fitted | None = None
    best_state: dict[str, torch.Tensor] = {}
    worse = 0
    for strength in INVERSE_L2_GRID if strengths is None else strengths:
        _minimise(task, head, train, strength)
        loss = mean_loss(task, head(val.tokens), val.targets)
        if best is None or loss < best.val_loss:
            best, worse = Fitted(head, strength, loss), 0
            best_state = {name: value.clone() for name, value in head.state_dict().items()}
        else:
            worse += 1
            if worse == patience:
                break
    assert best is not None
    head.load_state_dict(best_state)
    return best


def _minimise(task: Task, head: nn.Module, train: Samples, strength: float) -> None:
    free = [parameter for parameter in head.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in free if parameter.ndim > 1]
    optimizer = torch.optim.LBFGS(
        free,
        max_iter=_MAX_ITERATIONS,
        history_size=20,
        tolerance_grad=1e-4,
        tolerance_change=1e-6,
        line_search_fn="strong_wolfe",
    )
    count = len(train.targets)

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        # Per sample, so that the tolerances mean the same for any collection.
        penalty = torch.stack([matrix.square().sum() for matrix in matrices]).sum() / (2 * strength * count)
        loss = summed_loss(task, head(train.tokens), train.targets) / count + penalty
        loss.backward()
        return loss

    optimizer.step(objective)


@torch.no_grad()
def mean_loss(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Mean loss over samples, all labelled."""
    return float(summed_loss(task, logits, targets)) / len(targets)


def late_fusion(
    task: Task, val: Samples, parts: Sequence[tuple[Sequence[int], Fitted]], widths: Sequence[int]
) -> Fitted:
    """The mean of the calibrated log-probabilities of heads that were trained apart.

    The logits of each head are divided by the temperature that suits the validation samples (Guo et al. 2017). A mean
    of log-probabilities, normalised again, is the softmax of the mean of the logits, so that the whole is one linear
    head over all tokens. Of a number it is the mean of the answers.

    Args:
        task: what is predicted.
        val: samples with all tokens.
        parts: for each head its tokens, as places among all, and the head, with uniform shares.
        widths: D of all tokens.
    """
    fused = TokenHead(widths, task.outputs, "uniform").to(val.targets.device)
    pieces = fused.weight.data.split(list(widths), dim=1)
    for places, fitted in parts:
        head = fitted.head
        assert isinstance(head, TokenHead) and head.mixing == "uniform"
        temperature = 1.0
        if task.kind != "number":
            logits = fitted.logits([val.tokens[place] for place in places])
            temperature = fit_temperature(task, logits.cpu(), val.targets.cpu())
        # Uniform shares divide by the square root of the number of tokens, here of all and there of the part's.
        factor = (len(widths) / len(places)) ** 0.5 / (temperature * len(parts))
        own = head.weight.data.split(list(head.widths), dim=1)
        for place, piece in zip(places, own, strict=True):
            pieces[place].add_(piece, alpha=factor)
        fused.bias.data.add_(head.bias.data, alpha=1 / (temperature * len(parts)))
    loss = mean_loss(task, fused(val.tokens), val.targets)
    return Fitted(fused, float("nan"), loss)


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


def fit_hidden(task: Task, head: HiddenHead, train: Samples, val: Samples) -> Fitted:
    """Fit a `HiddenHead`, from weak penalties to strong: a strong one pulls both layers to zero, where they stay."""
    return fit_head(task, head, train, val, INVERSE_L2_GRID[::-1])


def hidden_width(width: int, outputs: int, parameters: int) -> int:
    """Hidden units with which a `HiddenHead` has about that many parameters."""
    return max(1, round((parameters - outputs) / (width + outputs + 1)))
