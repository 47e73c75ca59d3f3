"""What is minimised: the loss of several tasks with missing labels, mixed pictures and teachers.

Each task's loss is divided by its label count over all ranks and all batches of an optimizer step, and not by its own
batch's, so that the gradient (which is averaged over ranks) is the one a single process would compute on all of them
at once. A task without a label anywhere in the step has no term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from arttl.loading import Batch
from arttl.tasks import TaskSet
from arttl.training.losses import labelled_mask, summed_loss
from arttl.training.teachers import Teacher


@dataclass(frozen=True)
class Part:
    """The labels of one batch's pictures, or what mixing has left of them.

    Attributes:
        share: how much of each picture they describe, 0 to 1.
        targets: task name to [B] or [B, Q].
        valid: [B] bool, False for padding.
        rows: [B] int64, rows of the manifest, on the CPU.
    """

    share: float
    targets: Mapping[str, torch.Tensor]
    valid: torch.Tensor
    rows: torch.Tensor


@dataclass(frozen=True)
class Example:
    """A batch as the network sees it.

    Attributes:
        images: [B, 3, H, W] for each input of the model.
        parts: whose labels count, shares adding up to 1.
    """

    images: tuple[torch.Tensor, ...]
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *views: Batch) -> Example:
        """A batch as it is, for each input of the model."""
        batch = views[0]
        return cls(tuple(view.images for view in views), (Part(1.0, batch.targets, batch.valid, batch.rows),))

    @classmethod
    def mixed(cls, *views: Batch, alpha: float) -> Example:
        """Mixup (Zhang et al. 2018): each picture blended with another of the batch, and so its labels.

        One share is drawn from Beta(alpha, alpha) for the batch, with torch's random numbers of the CPU.
        """
        batch = views[0]
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        other = torch.randperm(len(batch.rows))
        there = other.to(batch.valid.device)
        targets = {name: found[there] for name, found in batch.targets.items()}
        return cls(
            tuple(torch.lerp(view.images[there], view.images, share) for view in views),
            (
                Part(share, batch.targets, batch.valid, batch.rows),
                Part(1 - share, targets, batch.valid[there], batch.rows[other]),
            ),
        )


@dataclass(frozen=True)
class Objective:
    """The terms of the loss.

    Attributes:
        tasks: what is learnt.
        label_smoothing: of single-label tasks (Szegedy et al. 2016): the share of the target that goes to all classes
            alike.
        log_priors: for tasks trained with logit adjustment (Menon et al. 2021), what is added to their logits, [Q]:
            the strength times the logarithm of the classes' shares in the training split.
        teacher: whose answers are learnt beside the labels, if anyone's.
    """

    tasks: TaskSet
    label_smoothing: float
    log_priors: Mapping[str, torch.Tensor]
    teacher: Teacher | None

    def counts(
        self, examples: Sequence[Example], sum_over_ranks: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """What each task's terms are divided by.

        Args:
            examples: all batches of an optimizer step, on this rank.
            sum_over_ranks: adds a tensor up over the ranks; the identity on one.

        Returns:
            [2, T] float64 on the CPU: labels of each task, mixed ones by their share; and pictures with a teacher's
            answer.
        """
        device = examples[0].images[0].device
        found = torch.zeros(2, len(self.tasks), dtype=torch.float64, device=device)
        for example in examples:
            for part in example.parts:
                for place, task in enumerate(self.tasks):
                    found[0, place] += part.share * labelled_mask(part.targets[task.name], part.valid).sum()
                    if self.teacher and task.name in self.teacher.tasks:
                        found[1, place] += part.share * part.valid.sum()
        return sum_over_ranks(found).cpu()

    def terms(
        self, example: Example, logits: Mapping[str, torch.Tensor], counts: torch.Tensor, num_ranks: int
    ) -> dict[str, torch.Tensor]:
        """The part of each task's loss that comes from one batch.

        Args:
            example: the batch.
            logits: task name to [B, Q], of its images.
            counts: of the optimizer step, as `counts` gives them.
            num_ranks: how many there are; gradients are averaged over them.

        Returns:
            Task name to a scalar, for tasks with any label or teacher's answer in the step. Added up over the batches
            of the step and averaged over ranks it is the task's mean loss.
        """
        found: dict[str, torch.Tensor] = {}
        for task, labels, answers in zip(self.tasks, *counts.tolist(), strict=True):
            told = self.teacher.share if self.teacher and answers else 0.0
            for part in example.parts:
                if labels:
                    mask = labelled_mask(part.targets[task.name], part.valid)
                    loss = summed_loss(
                        task,
                        logits[task.name][mask],
                        part.targets[task.name][mask],
                        label_smoothing=self.label_smoothing,
                        log_prior=self.log_priors.get(task.name),
                    )
                    # Without a teacher's word on it, or alone, labels count in full.
                    term = loss * ((1 - told) * part.share * num_ranks / labels)
                    found[task.name] = found[task.name] + term if task.name in found else term
                if told and self.teacher:
                    loss = self.teacher.summed_loss(task, logits[task.name], part.rows, part.valid)
                    term = loss * (told * part.share * num_ranks / answers)
                    found[task.name] = found[task.name] + term if task.name in found else term
        return found
