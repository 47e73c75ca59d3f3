"""The training loop: epochs, validation loss, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import nn

from arttl.errors import ArttlError
from arttl.loading import Batch
from arttl.tasks import TaskSet
from arttl.training.losses import labelled_mask, multitask_loss, summed_loss


class Batches(Protocol):
    """A split, batch by batch; a `Loader` is one."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    """From 1."""
    train_loss: float
    """Mean over steps."""
    val_loss: float
    """Sum over tasks of the mean over the validation split's labelled samples."""
    val_accuracy: dict[str, float]
    """Task name to accuracy on the validation split (single-label tasks)."""
    best: bool
    """Whether no earlier epoch had a lower validation loss."""


@dataclass(frozen=True)
class Fitted:
    """The course of a training that left the best epoch's weights in the module."""

    history: tuple[Epoch, ...]
    best_epoch: int


def warm_up_cosine(step: int, total: int, warm_up: float = 0.1) -> float:
    """Factor of the learning rate at a step: linear warm-up over the first tenth, then half a cosine to 0."""
    first = max(1, round(total * warm_up))
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, total - first)))


def fit(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    tasks: TaskSet,
    train: Batches,
    val: Batches,
    *,
    accelerator: Accelerator,
    epochs: int,
    patience: int,
    on_step: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train until the validation loss has not fallen for `patience` epochs, and keep the best epoch's weights.

    Args:
        module: task name to logits from `batch.images`; changed in place.
        optimizer: over the module's parameters.
        tasks: what is learnt.
        train, val: the two splits.
        accelerator: places the module, spreads it over ranks and sets the precision.
        epochs: the most epochs, and the length of the learning rate's schedule.
        patience: epochs without a lower validation loss before training stops.
        on_step, on_epoch: called after each step and epoch.

    Raises:
        ArttlError: if the loss stops being a number.
    """
    total_steps = epochs * len(train)
    # Stepped by hand and never prepared: an Accelerate scheduler steps once per rank at every step.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_up_cosine(step, total_steps))
    prepared, optimizer = accelerator.prepare(module, optimizer)
    history: list[Epoch] = []
    best_loss, best_epoch, best_state = math.inf, 0, None
    for number in range(1, epochs + 1):
        train.set_epoch(number)
        train_loss = _train_epoch(prepared, optimizer, schedule, tasks, train, accelerator, on_step)
        val_loss, accuracy = validate(prepared, tasks, val, accelerator)
        if not math.isfinite(train_loss + val_loss):
            raise ArttlError(
                f"the loss of epoch {number} is not finite (training {train_loss}, validation {val_loss});"
                " lower --learning-rate or --head-learning-rate"
            )
        better = val_loss < best_loss
        if better:
            best_loss, best_epoch = val_loss, number
            best_state = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
        history.append(Epoch(number, train_loss, val_loss, accuracy, better))
        on_epoch(history[-1])
        if number - best_epoch >= patience:
            break
    assert best_state is not None
    module.load_state_dict(best_state)
    return Fitted(tuple(history), best_epoch)


def _train_epoch(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    tasks: TaskSet,
    train: Batches,
    accelerator: Accelerator,
    on_step: Callable[[], None],
) -> float:
    module.train()
    losses = []
    for batch in train:
        loss = multitask_loss(
            tasks,
            module(batch.images),
            batch.targets,
            batch.valid,
            lambda counts: accelerator.reduce(counts, "sum"),
            accelerator.num_processes,
        )
        if loss is None:  # no label in the whole batch: nothing to learn from it
            continue
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        if not accelerator.optimizer_step_was_skipped:
            schedule.step()
        losses.append(loss.detach())
        on_step()
    mean = torch.stack(losses).mean()
    return float(accelerator.reduce(mean, "mean"))


@torch.inference_mode()
def validate(
    module: nn.Module, tasks: TaskSet, val: Batches, accelerator: Accelerator
) -> tuple[float, dict[str, float]]:
    """Loss (summed over tasks, each the mean over its labelled samples) and accuracies over a split and all ranks."""
    module.eval()
    sums = torch.zeros(len(tasks), 3, dtype=torch.float64, device=accelerator.device)  # loss, hits, samples
    for batch in val:
        logits = module(batch.images)
        for place, task in enumerate(tasks):
            targets = batch.targets[task.name]
            mask = labelled_mask(targets, batch.valid)
            answer, wanted = logits[task.name][mask], targets[mask]
            sums[place, 0] += summed_loss(task, answer, wanted)
            if task.kind == "single-label":
                sums[place, 1] += (answer.argmax(1) == wanted).sum()
            sums[place, 2] += mask.sum()
    sums = accelerator.reduce(sums, "sum").cpu()
    measured = [(task, row) for task, row in zip(tasks, sums.tolist(), strict=True) if row[2]]
    if not measured:
        raise ArttlError("no sample of the validation split carries a label of the chosen classes")
    loss = sum(row[0] / row[2] for _, row in measured)
    return loss, {task.name: row[1] / row[2] for task, row in measured if task.kind == "single-label"}
