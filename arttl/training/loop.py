"""The training loop: epochs, validation loss, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import nn

from arttl.errors import ArttlError
from arttl.loading import Batch, Loader
from arttl.tasks import TaskSet
from arttl.training.checkpoints import Checkpoints, Epoch, Progress
from arttl.training.losses import labelled_mask, multitask_loss, summed_loss
from arttl.training.signals import SignalWatch, Terminated


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
    train: Loader,
    val: Loader,
    *,
    accelerator: Accelerator,
    epochs: int,
    patience: int,
    checkpoints: Checkpoints | None = None,
    checkpoint_every: int | None = None,
    on_step: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Progress:
    """Train until the validation loss has not fallen for `patience` epochs, and keep the best epoch's weights.

    Args:
        module: task name to logits from `batch.images`; changed in place, and left with the best epoch's weights.
        optimizer: over the module's parameters.
        tasks: what is learnt.
        train, val: the two splits.
        accelerator: places the module, spreads it over ranks and sets the precision.
        epochs: the most epochs, and the length of the learning rate's schedule.
        patience: epochs without a lower validation loss before training stops.
        checkpoints: where to go on from, and what to leave behind at the end of each epoch.
        checkpoint_every: steps after which to leave one as well.
        on_step, on_epoch: called after each step and epoch; for epochs done before a resume too.

    Returns:
        The course of the training.

    Raises:
        ArttlError: if the loss stops being a number, or a checkpoint cannot be used.
        Terminated: after SIGTERM, when a checkpoint has been left.
    """
    prepared, stepper = accelerator.prepare(module, optimizer)
    rates = [group["lr"] for group in optimizer.param_groups]
    progress, best = Progress(), None
    restored = checkpoints.restore(module, optimizer) if checkpoints else None
    if restored:
        progress, position, best = restored
        train.load_state_dict(position)
        for epoch in progress.history:
            on_epoch(epoch)
        for _ in range(progress.steps):
            on_step()

    with SignalWatch() as watch:
        while progress.epoch <= epochs and not _out_of_patience(progress, patience):
            train.set_epoch(progress.epoch)
            prepared.train()
            pending: list[torch.Tensor] = []  # losses still on the device: reading one waits for it
            for batch in train:
                factor = warm_up_cosine(progress.steps, epochs * len(train))
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                loss = _step(prepared, stepper, tasks, batch, accelerator)
                if loss is not None:
                    pending.append(loss)
                # Counted by batches, so that the schedule is the same for every number of ranks.
                progress.steps += 1
                on_step()
                terminated = watch.terminated(accelerator)
                if checkpoints and (
                    terminated or (checkpoint_every and progress.steps % checkpoint_every == 0)
                ):
                    progress.losses += map(float, pending)
                    pending.clear()
                    checkpoints.save(progress, module, optimizer, train.state_dict())
                if terminated:
                    raise Terminated(f"stopped by SIGTERM after step {progress.steps}; go on with --resume")
            progress.losses += map(float, pending)
            mean = sum(progress.losses) / max(1, len(progress.losses))
            train_loss = float(accelerator.reduce(torch.tensor(mean, device=accelerator.device), "mean"))
            val_loss, accuracy = validate(prepared, tasks, val, accelerator)
            if not math.isfinite(train_loss + val_loss):
                raise ArttlError(
                    f"the loss of epoch {progress.epoch} is not finite (training {train_loss}, validation {val_loss});"
                    " lower --learning-rate or --head-learning-rate"
                )
            better = progress.best is None or val_loss < progress.best.val_loss
            progress.history.append(Epoch(progress.epoch, train_loss, val_loss, accuracy, better))
            progress.epoch, progress.losses = progress.epoch + 1, []
            if better:
                best = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
                if checkpoints:
                    checkpoints.save_best(progress.history[-1].epoch, best)
            if checkpoints:
                checkpoints.save(progress, module, optimizer, train.state_dict())
            on_epoch(progress.history[-1])
    assert best is not None
    module.load_state_dict(best)
    return progress


def _out_of_patience(progress: Progress, patience: int) -> bool:
    return progress.best is not None and len(progress.history) - progress.best.epoch >= patience


def _step(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    tasks: TaskSet,
    batch: Batch,
    accelerator: Accelerator,
) -> torch.Tensor | None:
    """One optimizer step; None where the global batch holds no label, so that there is nothing to learn from it."""
    loss = multitask_loss(
        tasks,
        module(batch.images),
        batch.targets,
        batch.valid,
        lambda counts: accelerator.reduce(counts, "sum"),
        accelerator.num_processes,
    )
    if loss is None:
        return None
    optimizer.zero_grad()
    accelerator.backward(loss)
    optimizer.step()
    return loss.detach()


@torch.inference_mode()
def validate(
    module: nn.Module, tasks: TaskSet, val: Loader, accelerator: Accelerator
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
