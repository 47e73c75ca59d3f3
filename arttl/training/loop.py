"""The training loop: epochs, validation loss, early stopping."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3
from torch import nn

from arttl.errors import ArttlError
from arttl.loading import Batch
from arttl.loading.views import Views
from arttl.models.losses import summed_loss
from arttl.tasks import TaskSet
from arttl.training.checkpoints import Checkpoints, Epoch, Learner, Progress
from arttl.training.optimisation import rate_factor
from arttl.training.settings import OptimisationSettings
from arttl.training.signals import Terminated, watch_sigterm
from arttl.training.step import TrainingStep

_LOSSES_WAITING = 50  # on a GPU: reading a loss waits for the device


def fit(
    step: TrainingStep,
    train: Views,
    val: Views,
    settings: OptimisationSettings,
    *,
    average: ModelEmaV3 | None = None,
    training_mode: Callable[[], None],
    checkpoints: Checkpoints | None = None,
    checkpoint_every: int | None = None,
    on_step: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Progress:
    """Train until the validation loss has not fallen for `patience` epochs, and keep the best epoch's weights.

    Args:
        step: does a step; its model is changed in place, and left with the best epoch's weights.
        train, val: the two splits.
        settings: resolved; `epochs` is also the length of the learning rate's schedule.
        average: of the weights over time, which is then validated and kept.
        training_mode: corrects which of the model's modules are in training, at the beginning of each epoch.
        checkpoints: to resume from, and to write at the end of each epoch.
        checkpoint_every: steps between further checkpoints.
        on_step, on_epoch: called after each step and epoch; for those done before a resume too.

    Returns:
        The course of the training.

    Raises:
        ArttlError: if the loss stops being a number, or a checkpoint cannot be used.
        Terminated: after SIGTERM, when a checkpoint has been left.
    """
    assert settings.epochs is not None
    accelerator, tasks = step.accelerator, step.objective.tasks
    optimizer = step.optimizer.optimizer
    rates = [group["lr"] for group in optimizer.param_groups]
    learner = Learner(step.model, optimizer, average.module if average else None, step.balancing)
    steps_per_epoch = -(-len(train) // settings.accumulate)
    progress, best = Progress(), None
    restored = checkpoints.restore(learner) if checkpoints else None
    if restored:
        progress, position, best = restored
        if progress.steps > progress.epoch * steps_per_epoch:
            raise ArttlError(
                f"the checkpoint has {progress.steps} steps in epoch {progress.epoch}, and an epoch has"
                f" {steps_per_epoch}: start the run anew"
            )
        train.load_state_dict(position)
        for epoch in progress.history:
            on_epoch(epoch)
        for _ in range(progress.steps):
            on_step()

    with watch_sigterm(accelerator) as is_terminated:
        while progress.epoch <= settings.epochs and not _out_of_patience(progress, settings.patience):
            train.set_epoch(progress.epoch)
            step.prepared.train()
            training_mode()
            losses = _Losses(progress.losses, train)
            for batches in _groups(train, settings.accumulate):
                factor = rate_factor(settings.schedule, progress.steps, settings.epochs * steps_per_epoch)
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                losses.add(step(batches), batches)
                progress.steps += 1
                if average and not accelerator.optimizer_step_was_skipped:
                    average.update(step.model, progress.steps)
                on_step()
                terminated = is_terminated()
                due = checkpoint_every and progress.steps % checkpoint_every == 0
                if checkpoints and (terminated or due):
                    losses.read()
                    checkpoints.save(progress, learner, train.state_dict())
                if terminated:
                    raise Terminated(
                        f"stopped by SIGTERM after step {progress.steps}; resume it with --resume"
                    )
            losses.read()
            mean = sum(progress.losses) / max(1, len(progress.losses))
            train_loss = float(accelerator.reduce(torch.tensor(mean, device=accelerator.device), "mean"))
            val_loss, accuracy = validate(
                average.module if average else step.prepared, tasks, val, accelerator
            )
            if not math.isfinite(val_loss):
                raise ArttlError(
                    f"the validation loss of epoch {progress.epoch} is {val_loss}; lower --learning-rate or"
                    " --head-learning-rate"
                )
            better = progress.best is None or val_loss < progress.best.val_loss
            progress.history.append(Epoch(progress.epoch, train_loss, val_loss, accuracy, better))
            progress.epoch, progress.losses = progress.epoch + 1, []
            if better:
                state = (average.module if average else step.model).state_dict()
                best = {name: value.detach().cpu().clone() for name, value in state.items()}
                if checkpoints:
                    checkpoints.save_best(progress.history[-1].epoch, best)
            if checkpoints:
                checkpoints.save(progress, learner, train.state_dict())
            on_epoch(progress.history[-1])
    assert best is not None
    step.model.load_state_dict(best)
    return progress


class _Losses:
    """The losses of an epoch's steps, read from the device now and then."""

    def __init__(self, read: list[float], train: Views) -> None:
        self._read, self._train = read, train
        self._waiting: list[tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]] = []

    def add(self, loss: torch.Tensor | None, batches: list[tuple[Batch, ...]]) -> None:
        """Note a step's loss, None where it had nothing to learn."""
        if loss is None:
            return
        self._waiting.append((loss, [(views[0].rows, views[0].real) for views in batches]))
        if loss.device.type == "cpu" or len(self._waiting) >= _LOSSES_WAITING:
            self.read()

    def read(self) -> None:
        """Read the losses that wait.

        Raises:
            ArttlError: for a loss that is not finite, naming its samples.
        """
        for loss, samples in self._waiting:
            value = float(loss)
            if not math.isfinite(value):
                rows = torch.cat([rows[real.cpu()] for rows, real in samples])
                keys = [self._train.first.manifest.keys[row] for row in rows.tolist()]
                more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
                raise ArttlError(
                    f"the loss is {value} on the samples {', '.join(keys[:8])}{more}; lower --learning-rate or"
                    " --head-learning-rate, or give --clip-norm 1"
                )
            self._read.append(value)
        self._waiting.clear()


def _groups(train: Views, size: int) -> Iterator[list[tuple[Batch, ...]]]:
    batches = iter(train)
    while group := list(itertools.islice(batches, size)):
        yield group


def _out_of_patience(progress: Progress, patience: int) -> bool:
    return progress.best is not None and len(progress.history) - progress.best.epoch >= patience


@torch.inference_mode()
def validate(
    module: nn.Module, tasks: TaskSet, val: Views, accelerator: Accelerator
) -> tuple[float, dict[str, float]]:
    """Loss (summed over tasks, each the mean over its labelled samples) and accuracies over a split and all ranks."""
    module.eval()
    sums = torch.zeros(len(tasks), 3, dtype=torch.float64, device=accelerator.device)  # loss, hits, samples
    for views in val:
        batch = views[0]
        logits = module(*[view.images for view in views])
        for index, task in enumerate(tasks):
            labelled = batch.labelled[task.name]
            known_logits, targets = logits[task.name][labelled], batch.targets[task.name][labelled]
            sums[index, 0] += summed_loss(task, known_logits, targets)
            if task.kind == "single-label":
                sums[index, 1] += (known_logits.argmax(1) == targets).sum()
            sums[index, 2] += len(labelled)
    sums = accelerator.reduce(sums, "sum").cpu()
    measured = [(task, row) for task, row in zip(tasks, sums.tolist(), strict=True) if row[2]]
    if not measured:
        raise ArttlError("no sample of the validation split carries a label of the chosen classes")
    loss = sum(row[0] / row[2] for _, row in measured)
    return loss, {task.name: row[1] / row[2] for task, row in measured if task.kind == "single-label"}
