"""A grid of linear heads, learning rates by weight decays, trained together on stored features.

As in the linear evaluation of DINOv2 (Oquab et al. 2024) all heads of the grid see the same mini-batches, and their
weights are one tensor, so that a step of the whole grid is one matrix product. The paper's own recipe is a point of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from arttl.frozen.tokens import Samples
from arttl.models.losses import sample_losses
from arttl.tasks import Task

BATCH_SIZE = 32
RHO, EPSILON = 0.9, 1e-8
PATIENCE = 7
MAX_EPOCHS = 100
_AT_ONCE = 1 << 26  # numbers in the validation logits of one step, to bound the memory


@dataclass(frozen=True)
class GridPoint:
    """One way of training a head."""

    learning_rate: float
    """Of RMSprop."""
    weight_decay: float
    """Decoupled: what a step takes off the weights is `learning_rate * weight_decay` of them."""
    standardised: bool
    """Whether the features are standardised first, or are as the network gives them."""

    def __str__(self) -> str:
        scaled = "standardised" if self.standardised else "as they are"
        return f"learning rate {self.learning_rate:g}, weight decay {self.weight_decay:g}, features {scaled}"


PAPER = GridPoint(1e-3, 0.0, standardised=False)
"""Off-the-shelf training in Sabatelli et al. 2018: RMSprop 1e-3, rho 0.9, epsilon 1e-8, batches of 32, patience 7."""


@dataclass(frozen=True)
class GridHead:
    """A head of the grid, at the epoch with the lowest validation loss.

    Attributes:
        point: how it was trained.
        val_loss: mean over the validation split's labelled samples.
        epoch: the best one, from 1.
        epochs: after how many early stopping would have ended its training.
        weight: [Q, D], on features as the network gives them.
        bias: [Q].
    """

    point: GridPoint
    val_loss: float
    epoch: int
    epochs: int
    weight: torch.Tensor
    bias: torch.Tensor


def train_grid(
    task: Task,
    train: Samples,
    val: Samples,
    *,
    mean: torch.Tensor,
    std: torch.Tensor,
    learning_rates: Sequence[float],
    weight_decays: Sequence[float],
    max_epochs: int = MAX_EPOCHS,
    seed: int = 0,
    on_epoch: Callable[[], None] = lambda: None,
) -> list[GridHead]:
    """Train a head for every learning rate, weight decay and scaling of the features.

    RMSprop (rho 0.9, epsilon 1e-8) on batches of 32, weights drawn as Glorot and Bengio 2010 do (Keras's default),
    early stopping with patience 7 on the validation loss, for each head by itself.

    Args:
        task: what is predicted.
        train, val: samples with one token, the features as the network gives them.
        mean, std: [D], of the training split, for the standardised half of the grid.
        learning_rates, weight_decays: the grid.
        max_epochs: the most epochs.
        seed: of the weights and the order.
        on_epoch: called after each epoch.

    Returns:
        A head for each point: first with features as they are, then standardised; learning rates outside, weight
        decays inside.
    """
    (raw,), (raw_val,) = train.tokens, val.tokens
    device = raw.device
    mean, std = mean.to(device), std.to(device)
    values = torch.stack([raw, (raw - mean) / std])  # [2, N, D]
    val_values = torch.stack([raw_val, (raw_val - mean) / std])
    pairs = [(rate, decay) for rate in learning_rates for decay in weight_decays]
    heads = _Heads(pairs, raw.shape[1], task.outputs, device, seed)
    best = _Best(heads)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(1, max_epochs + 1):
        for chosen in torch.randperm(len(raw), generator=order).split(BATCH_SIZE):
            at = chosen.to(device)
            logits = heads.logits(values[:, at])
            # The heads do not touch each other: the gradient of the sum is each one's own.
            heads.step(sample_losses(task, logits, train.targets[at][None, :, None]).mean(1).sum())
        best.update(epoch, _validate(task, heads, val_values, val.targets))
        on_epoch()
        if not best.running.any():
            break
        heads.keep_only(best.running.any(0))
    return [
        best.head(index, GridPoint(*pairs[index % len(pairs)], standardised=index >= len(pairs)), mean, std)
        for index in range(2 * len(pairs))
    ]


class _Heads:
    """The weights of a grid, its two scalings of the features beside each other, and RMSprop on them.

    Attributes:
        count: G, the pairs of rate and decay that are still in training.
        columns: [G] which of all pairs these are.
        outputs: Q.
        weight: [2, D, G * Q], so that one batched product serves all heads.
        bias: [2, 1, G * Q].
    """

    def __init__(
        self,
        pairs: Sequence[tuple[float, float]],
        num_features: int,
        outputs: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self.count, self.outputs = len(pairs), outputs
        limit = math.sqrt(6 / (num_features + outputs))
        first = torch.empty(num_features, outputs)
        first.uniform_(-limit, limit, generator=torch.Generator().manual_seed(seed))
        self.weight = first.repeat(2, 1, self.count).to(device).requires_grad_()
        self.bias = torch.zeros(2, 1, self.count * outputs, device=device, requires_grad=True)
        self._squares = [torch.zeros_like(self.weight), torch.zeros_like(self.bias)]
        rates, decays = (torch.tensor(values, device=device) for values in zip(*pairs, strict=True))
        self._rates = rates.repeat_interleave(outputs)
        self._kept = 1 - (rates * decays).repeat_interleave(outputs)
        self.columns = torch.arange(self.count, device=device)

    def keep_only(self, running: torch.Tensor) -> None:
        """Drop the pairs whose heads have both stopped: a large grid soon has few that are still in training.

        Args:
            running: [G] bool, of all pairs.
        """
        kept = running[self.columns]
        if bool(kept.all()):
            return
        wide = kept.repeat_interleave(self.outputs)
        self.columns, self.count = self.columns[kept], int(kept.sum())
        with torch.no_grad():
            self.weight, self.bias = (
                parameter[:, :, wide].contiguous().requires_grad_() for parameter in (self.weight, self.bias)
            )
            self._squares = [squares[:, :, wide].contiguous() for squares in self._squares]
        self._rates, self._kept = self._rates[wide], self._kept[wide]

    def logits(self, values: torch.Tensor) -> torch.Tensor:
        """[2, B, D] to [2, B, G, Q]."""
        logits = torch.baddbmm(self.bias, values, self.weight)
        return logits.view(2, values.shape[1], self.count, self.outputs)

    def step(self, loss: torch.Tensor) -> None:
        """RMSprop (Hinton 2012), each head with its own learning rate and decoupled weight decay."""
        gradients = torch.autograd.grad(loss, [self.weight, self.bias])
        with torch.no_grad():
            self.weight.mul_(self._kept)
            for parameter, gradient, squares in zip(
                (self.weight, self.bias), gradients, self._squares, strict=True
            ):
                squares.mul_(RHO).addcmul_(gradient, gradient, value=1 - RHO)
                parameter.sub_(gradient.div_(squares.sqrt().add_(EPSILON)).mul_(self._rates))


class _Best:
    """The best epoch of each head so far, and which heads are still in training."""

    def __init__(self, heads: _Heads) -> None:
        self._heads = heads
        self._count = heads.count  # of all pairs; of `heads` it falls
        shape = (2, heads.count)
        self._loss = torch.full(shape, math.inf, device=heads.weight.device)
        self._epoch = torch.zeros(shape, dtype=torch.int64, device=heads.weight.device)
        self._last = self._epoch.clone()
        self._weight, self._bias = heads.weight.detach().clone(), heads.bias.detach().clone()
        self.running = torch.ones(shape, dtype=torch.bool, device=heads.weight.device)

    @torch.no_grad()
    def update(self, epoch: int, val_loss: torch.Tensor) -> None:
        """Take in an epoch's validation losses [2, G], of the pairs that are still in training."""
        columns, outputs = self._heads.columns, self._heads.outputs
        better = self.running[:, columns] & (val_loss < self._loss[:, columns])
        self._loss[:, columns] = torch.where(better, val_loss, self._loss[:, columns])
        self._epoch[:, columns] = torch.where(better, epoch, self._epoch[:, columns])
        self._last[self.running] = epoch
        wide = better.repeat_interleave(outputs, dim=1)[:, None]
        entries = (columns[:, None] * outputs + torch.arange(outputs, device=columns.device)).flatten()
        for mine, theirs in ((self._weight, self._heads.weight), (self._bias, self._heads.bias)):
            mine[:, :, entries] = torch.where(wide, theirs, mine[:, :, entries])
        self.running &= epoch - self._epoch < PATIENCE

    def head(self, index: int, point: GridPoint, mean: torch.Tensor, std: torch.Tensor) -> GridHead:
        """The head at an index of the grid, the standardisation absorbed."""
        half, column = divmod(index, self._count)
        part = slice(column * self._heads.outputs, (column + 1) * self._heads.outputs)
        weight, bias = self._weight[half, :, part].T.clone(), self._bias[half, 0, part].clone()
        if point.standardised:
            weight /= std
            bias -= weight @ mean
        return GridHead(
            point,
            float(self._loss[half, column]),
            int(self._epoch[half, column]),
            int(self._last[half, column]),
            weight,
            bias,
        )


@torch.no_grad()
def _validate(task: Task, heads: _Heads, values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean validation loss of every head, [2, G]."""
    size = max(1, _AT_ONCE // (2 * heads.count * heads.outputs))
    total = torch.zeros(2, heads.count, device=values.device)
    for part, of_part in zip(values.split(size, dim=1), targets.split(size), strict=True):
        total += sample_losses(task, heads.logits(part), of_part[None, :, None]).sum(1)
    return total / len(targets)
