"""Distillation: a network learns the logits of others beside the labels (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.inference.predict import gather_logits
from arttl.loading.views import Views
from arttl.models import load_trained_model
from arttl.tasks import Task, TaskSet
from arttl.training.settings import DistillationSettings


@dataclass(frozen=True)
class Teacher:
    """The logits of trained models on the training split, computed once on unaugmented pictures.

    Attributes:
        logits: task name to [N, Q], Q in the order of the learner's classes; several teachers' mean.
        index_of_row: [rows of the manifest] int64, each row's index of the N; -1 for a row without logits.
        share: of the loss, 0 to 1; the labels have the rest.
        temperature: divides the logits before they are compared.
    """

    logits: Mapping[str, torch.Tensor]
    index_of_row: torch.Tensor
    share: float
    temperature: float

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that any teacher knows."""
        return tuple(self.logits)

    def summed_loss(
        self, task: Task, logits: torch.Tensor, rows: torch.Tensor, real: torch.Tensor
    ) -> torch.Tensor:
        """How far logits are from the teacher's, summed over samples.

        The Kullback-Leibler divergence of the softened probabilities, class by class for a multi-label task, times
        the temperature squared, as in section 2 of the paper, so that its gradient keeps the size of the labels'.
        For a number, half the squared difference.

        Args:
            task: which task.
            logits: [B, Q].
            rows: [B] int64, rows of the manifest, on the CPU.
            real: [V] int64, indices of the samples that are not padding.
        """
        theirs = self.logits[task.name][self.index_of_row[rows]].to(logits.device, non_blocking=True)
        logits, theirs = logits[real].float(), theirs[real].float()
        if task.kind == "number":
            return 0.5 * (logits - theirs).square().sum()
        softened, goal = logits / self.temperature, theirs / self.temperature
        if task.kind == "single-label":
            loss = F.kl_div(softened.log_softmax(1), goal.log_softmax(1), reduction="sum", log_target=True)
        else:
            probability = goal.sigmoid()
            loss = F.binary_cross_entropy_with_logits(softened, probability, reduction="sum")
            loss = loss - F.binary_cross_entropy_with_logits(goal, probability, reduction="sum")
        return loss * self.temperature**2


def aligned(logits: torch.Tensor, theirs: Task, ours: Task) -> torch.Tensor:
    """A teacher's logits in the order of the learner's classes.

    Args:
        logits: [N, Q], over the teacher's classes.
        theirs, ours: the task as the teacher and the learner know it.

    Returns:
        [N, Q']; a number on the learner's scale; classes that the teacher does not know get a logit far below all
        others.
    """
    if ours.kind == "number":
        return ours.statistics.standardise(theirs.statistics.restore(logits))
    known = theirs.vocabulary.index
    indices = torch.tensor([known.get(name, -1) for name in ours.vocabulary.classes])
    reordered = logits[:, indices.clamp_min(0)].clone()
    reordered[:, indices < 0] = logits.min() - 20.0
    return reordered


def mean_logits(
    tasks: TaskSet, teachers: Sequence[tuple[TaskSet, Mapping[str, torch.Tensor]]]
) -> dict[str, torch.Tensor]:
    """The mean of several teachers' logits for each task that any of them knows.

    Args:
        tasks: the learner's.
        teachers: each teacher's tasks and logits [N, Q] of the same N samples.
    """
    by_task: dict[str, list[torch.Tensor]] = {}
    for theirs, of_teacher in teachers:
        for task in tasks:
            if task.name in theirs and theirs[task.name].kind == task.kind:
                logits = aligned(of_teacher[task.name], theirs[task.name], task)
                # Logits of one softmax are known up to a constant only.
                logits = logits.log_softmax(1) if task.kind == "single-label" else logits
                by_task.setdefault(task.name, []).append(logits)
    return {name: torch.stack(parts).mean(0) for name, parts in by_task.items()}


def load_teacher(
    settings: DistillationSettings,
    tasks: TaskSet,
    open_train: Callable[..., Views],
    reporter: Reporter,
    accelerator: Accelerator,
) -> Teacher | None:
    """Load the teachers one after another, and run each over the whole training split.

    Args:
        settings: of the run.
        tasks: the learner's.
        open_train: the training split unaugmented, for the `preprocesses` of a model's inputs.
        reporter: prints a line per teacher.
        accelerator: ranks share the pictures and all hold all logits.

    Raises:
        ArttlError: for a teacher that is not a model, or knows none of the tasks.
    """
    if not settings.teachers:
        return None
    teachers = []
    rows = torch.zeros(0, dtype=torch.int64)
    for folder in settings.teachers:
        model = load_trained_model(folder).to(accelerator.device)
        known = [
            name for name in tasks.names if name in model.tasks and model.tasks[name].kind == tasks[name].kind
        ]
        if not known:
            raise ArttlError(
                f"--teachers {folder} knows {', '.join(model.tasks.names)}, and none of {', '.join(tasks.names)}"
            )
        views = open_train(preprocesses=model.preprocesses)
        with reporter.progress(f"logits of {folder.name}", len(views)) as bar:
            rows, logits = gather_logits(model, views, accelerator.gather, bar.advance)
        teachers.append((model.tasks, logits))
        reporter.say(f"teacher    {folder}: {', '.join(known)}")
    index_of_row = torch.full((int(rows.max()) + 1,), -1)
    index_of_row[rows] = torch.arange(len(rows))
    return Teacher(
        {name: mean.half() for name, mean in mean_logits(tasks, teachers).items()},
        index_of_row,
        settings.teacher_share,
        settings.teacher_temperature,
    )
