"""The objective: the loss of several tasks with missing labels, mixed pictures and teachers.

Each task's loss is divided by its label count over all ranks and all batches of an optimizer step, and not by its own
batch's, so that the gradient (which is averaged over ranks) is that which a single process would compute on all of them
at once. A task without a label anywhere in the step has no term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from arttl.loading import Batch
from arttl.models.losses import summed_loss
from arttl.tasks import TaskSet
from arttl.training.teachers import Teacher


@dataclass(frozen=True)
class Part:
    """The labels of a batch's pictures, or their share in mixed pictures.

    Attributes:
        share: of each picture, 0 to 1.
        targets: task name to [B] or [B, Q].
        rows: [B] int64, rows of the manifest, on the CPU.
        real: [V] int64, the indices of the samples that are not padding.
        labelled: task name to [N] int64, the indices of those with a label.
    """

    share: float
    targets: Mapping[str, torch.Tensor]
    rows: torch.Tensor
    real: torch.Tensor
    labelled: Mapping[str, torch.Tensor]

    @classmethod
    def of(cls, batch: Batch, share: float = 1.0) -> Part:
        """A batch's own labels."""
        return cls(share, batch.targets, batch.rows, batch.real, batch.labelled)

    def reordered(self, order: torch.Tensor, share: float) -> Part:
        """The labels of other pictures of the batch.

        Args:
            order: [B] int64, for each index whose labels it gets, on the CPU.
            share: of the new part.
        """
        device = self.real.device
        source = order.to(device, non_blocking=True)
        inverse = order.argsort().to(device, non_blocking=True)  # where each index's labels go
        return Part(
            share,
            {name: targets[source] for name, targets in self.targets.items()},
            self.rows[order],
            inverse[self.real].sort().values,
            {name: inverse[labelled].sort().values for name, labelled in self.labelled.items()},
        )


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
        return cls(tuple(view.images for view in views), (Part.of(views[0]),))

    @classmethod
    def mixed(cls, *views: Batch, alpha: float) -> Example:
        """Mixup (Zhang et al. 2018): each picture blended with another of the batch, and so its labels.

        One share is drawn from Beta(alpha, alpha) for the batch, with torch's random numbers of the CPU.
        """
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        order = torch.randperm(len(views[0].rows))
        partner = order.to(views[0].real.device, non_blocking=True)
        own = Part.of(views[0], share)
        return cls(
            tuple(torch.lerp(view.images[partner], view.images, share) for view in views),
            (own, own.reordered(order, 1 - share)),
        )


@dataclass(frozen=True)
class Objective:
    """The terms of the loss.

    Attributes:
        tasks: what is learnt.
        label_smoothing: of single-label tasks (Szegedy et al. 2016): the share of the target that goes to all classes
            alike.
        log_priors: for tasks trained with logit adjustment (Menon et al. 2021), an offset of their logits, [Q]:
            the strength times the logarithm of the classes' shares in the training split.
        teacher: whose logits are learnt beside the labels, if there is one.
    """

    tasks: TaskSet
    label_smoothing: float
    log_priors: Mapping[str, torch.Tensor]
    teacher: Teacher | None

    def counts(
        self, examples: Sequence[Example], sum_over_ranks: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """The divisor of each task's terms.

        Args:
            examples: all batches of an optimizer step, on this rank.
            sum_over_ranks: adds a tensor of the CPU up over the ranks; the identity on one.

        Returns:
            [2, T] float64 on the CPU: labels of each task, mixed ones by their share; and pictures with a teacher's
            logits.
        """
        counts = torch.zeros(2, len(self.tasks), dtype=torch.float64)
        for example in examples:
            for part in example.parts:
                for index, task in enumerate(self.tasks):
                    counts[0, index] += part.share * len(part.labelled[task.name])
                    if self.teacher and task.name in self.teacher.tasks:
                        counts[1, index] += part.share * len(part.real)
        return sum_over_ranks(counts)

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
            Task name to a scalar, for tasks with any label or teacher's logits in the step. Added up over the batches
            of the step and averaged over ranks it is the task's mean loss.
        """
        terms: dict[str, torch.Tensor] = {}
        for task, labels, taught in zip(self.tasks, *counts.tolist(), strict=True):
            share = self.teacher.share if self.teacher and taught else 0.0
            for part in example.parts:
                if labels:
                    labelled = part.labelled[task.name]
                    loss = summed_loss(
                        task,
                        logits[task.name][labelled],
                        part.targets[task.name][labelled],
                        label_smoothing=self.label_smoothing,
                        log_prior=self.log_priors.get(task.name),
                    )
                    # Where no teacher knows the task, labels count in full.
                    term = loss * ((1 - share) * part.share * num_ranks / labels)
                    terms[task.name] = terms[task.name] + term if task.name in terms else term
                if share and self.teacher:
                    loss = self.teacher.summed_loss(task, logits[task.name], part.rows, part.real)
                    term = loss * (share * part.share * num_ranks / taught)
                    terms[task.name] = terms[task.name] + term if task.name in terms else term
        return terms
