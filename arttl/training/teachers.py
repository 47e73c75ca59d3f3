"""Distillation: a network learns the answers of others beside the labels (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.predictions import gather_answers
from arttl.models import load_trained_model
from arttl.tasks import Task, TaskSet
from arttl.training.loaders import Loaders
from arttl.training.settings import TrainSettings


@dataclass(frozen=True)
class Teacher:
    """What trained models say of the pictures of the training split, looked at once and unaugmented.

    Attributes:
        answers: task name to logits [N, Q], Q in the order of the learner's classes; several teachers' mean.
        place_of_row: [rows of the manifest] int64, each row's place among the N; -1 where there is no answer.
        share: of the loss, 0 to 1; the labels have the rest.
        temperature: what logits are divided by before they are compared.
    """

    answers: Mapping[str, torch.Tensor]
    place_of_row: torch.Tensor
    share: float
    temperature: float

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that any teacher knows."""
        return tuple(self.answers)

    def summed_loss(
        self, task: Task, logits: torch.Tensor, rows: torch.Tensor, real: torch.Tensor
    ) -> torch.Tensor:
        """How far logits are from the teacher's, summed over samples.

        The Kullback-Leibler divergence of the softened answers, of each class apart for a multi-label task, times
        the temperature squared, as in section 2 of the paper, so that its gradient keeps the size of the labels'.
        For a number, half the squared difference.

        Args:
            task: which task.
            logits: [B, Q].
            rows: [B] int64, rows of the manifest, on the CPU.
            real: [V] int64, the places of the samples that are no padding.
        """
        wanted = self.answers[task.name][self.place_of_row[rows]].to(logits.device, non_blocking=True)
        logits, wanted = logits[real].float(), wanted[real].float()
        if task.kind == "number":
            return 0.5 * (logits - wanted).square().sum()
        softened, goal = logits / self.temperature, wanted / self.temperature
        if task.kind == "single-label":
            loss = F.kl_div(softened.log_softmax(1), goal.log_softmax(1), reduction="sum", log_target=True)
        else:
            probability = goal.sigmoid()
            loss = F.binary_cross_entropy_with_logits(softened, probability, reduction="sum")
            loss = loss - F.binary_cross_entropy_with_logits(goal, probability, reduction="sum")
        return loss * self.temperature**2


def aligned(answers: torch.Tensor, theirs: Task, ours: Task) -> torch.Tensor:
    """A teacher's logits in the order of the learner's classes.

    Args:
        answers: [N, Q] logits over the teacher's classes.
        theirs, ours: the task as the teacher and the learner know it.

    Returns:
        [N, Q']; a number on the learner's scale; classes that the teacher does not
        know get a logit far below all others.
    """
    if ours.kind == "number":
        return ours.statistics.standardise(theirs.statistics.restore(answers))
    known = theirs.vocabulary.index
    places = torch.tensor([known.get(name, -1) for name in ours.vocabulary.classes])
    found = answers[:, places.clamp_min(0)].clone()
    found[:, places < 0] = answers.min() - 20.0
    return found


def mean_answer(
    tasks: TaskSet, several: Sequence[tuple[TaskSet, Mapping[str, torch.Tensor]]]
) -> dict[str, torch.Tensor]:
    """The mean of several teachers' logits for each task that any of them knows.

    Args:
        tasks: the learner's.
        several: each teacher's tasks and logits [N, Q] of the same N samples.
    """
    found: dict[str, list[torch.Tensor]] = {}
    for theirs, answers in several:
        for task in tasks:
            if task.name in theirs and theirs[task.name].kind == task.kind:
                logits = aligned(answers[task.name], theirs[task.name], task)
                # Logits of one softmax are known up to a constant only.
                logits = logits.log_softmax(1) if task.kind == "single-label" else logits
                found.setdefault(task.name, []).append(logits)
    return {name: torch.stack(logits).mean(0) for name, logits in found.items()}


def ask_teachers(
    settings: TrainSettings, tasks: TaskSet, loaders: Loaders, reporter: Reporter, accelerator: Accelerator
) -> Teacher | None:
    """Load the teachers one after another, and hear each on the whole training split.

    Args:
        settings: `teachers`, `teacher_share` and `teacher_temperature`.
        tasks: the learner's.
        loaders: of the collection.
        reporter: tells of it.
        accelerator: ranks share the pictures and all hold all answers.

    Raises:
        ArttlError: for a teacher that is no model, or knows none of the tasks.
    """
    if not settings.teachers:
        return None
    several = []
    rows = torch.zeros(0, dtype=torch.int64)
    for folder in settings.teachers:
        model = load_trained_model(folder)[0].to(accelerator.device)
        known = [
            name for name in tasks.names if name in model.tasks and model.tasks[name].kind == tasks[name].kind
        ]
        if not known:
            raise ArttlError(
                f"--teachers {folder} knows {', '.join(model.tasks.names)}, and none of {', '.join(tasks.names)}"
            )
        views = loaders.open("train", preprocesses=model.preprocesses)
        with reporter.progress(f"answers of {folder.name}", len(views)) as bar:
            rows, answers, _ = gather_answers(model, views, accelerator.gather, bar.advance)
        several.append((model.tasks, answers))
        reporter.say(f"teacher    {folder}: {', '.join(known)}")
    place_of_row = torch.full((int(rows.max()) + 1,), -1)
    place_of_row[rows] = torch.arange(len(rows))
    return Teacher(
        {name: logits.half() for name, logits in mean_answer(tasks, several).items()},
        place_of_row,
        settings.teacher_share,
        settings.teacher_temperature,
    )
