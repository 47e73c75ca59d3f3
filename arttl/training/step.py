"""One optimizer step over one batch or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from arttl.loading import Batch
from arttl.models import TrainedModel
from arttl.training.balancing import Balancing
from arttl.training.objective import Example, Objective


@dataclass
class TrainingStep:
    """All that turns batches into a changed model.

    Attributes:
        model: not wrapped for ranks.
        prepared: the same, as Accelerate wraps it.
        optimizer: likewise.
        accelerator: spreads over ranks and sets the precision.
        objective: the terms of the loss.
        balancing: the weights of the tasks.
        mixup: alpha of the mixing; 0: none.
        clip_norm: the largest norm of the gradient.
    """

    model: TrainedModel
    prepared: nn.Module
    optimizer: AcceleratedOptimizer
    accelerator: Accelerator
    objective: Objective
    balancing: Balancing
    mixup: float = 0.0
    clip_norm: float | None = None

    def __call__(self, batches: Sequence[Sequence[Batch]]) -> torch.Tensor | None:
        """Do a step.

        Args:
            batches: of this rank, the same number on each, and of each a view per input of the model; their
                gradients add up to that of one large batch.

        Returns:
            The weighted loss on this rank, a scalar; its mean over ranks is the loss of the step. None where no batch
            on any rank holds a label, so that there is nothing to learn.
        """
        examples = [
            Example.mixed(*views, alpha=self.mixup) if self.mixup else Example.of(*views) for views in batches
        ]
        counts = self.objective.counts(examples, self._sum_over_ranks)
        if not counts.any():
            return None
        self.optimizer.zero_grad()
        total, losses = self._backward(examples, counts)
        # A gradient of zero is one for the optimizer: weight decay and momentum would move the head.
        for task, count in zip(self.objective.tasks, counts.sum(0).tolist(), strict=True):
            if not count:
                self.model.head_of(task.name).zero_grad(set_to_none=True)
        if self.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        if losses is not None:
            self.balancing.update(losses)
        return total

    def _backward(
        self, examples: Sequence[Example], counts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Gradients of the weighted sum of the tasks' losses.

        Returns:
            The sum on this rank, and each task's loss over all ranks, [T] float64, where the balancing learns from it.
        """
        names = self.objective.tasks.names
        weights = dict(zip(names, self.balancing.weights().tolist(), strict=True))
        losses: torch.Tensor | None = None
        total = torch.zeros((), device=self.accelerator.device)
        for index, example in enumerate(examples):
            last = index == len(examples) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.prepared):
                logits = self.prepared(*example.images)
                terms = self.objective.terms(example, logits, counts, self.accelerator.num_processes)
                if self.balancing.learns:
                    # Reading them waits for the device, which fixed weights need not.
                    of_batch = self._losses(terms)
                    losses = of_batch if losses is None else losses + of_batch
                loss = sum((weights[name] * term for name, term in terms.items()), torch.zeros_like(total))
                if self.accelerator.num_processes > 1:  # ranks wait for the gradients of all parameters
                    loss = loss + sum(0 * logits[name].sum() for name in names if name not in terms)
                self.accelerator.backward(loss)
            total = total + loss.detach()
        return total, losses

    def _losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Each task's loss over all ranks, [T] float64 on the CPU, NaN for tasks without a term."""
        missing = torch.tensor(torch.nan, device=self.accelerator.device)
        losses = [terms.get(name, missing).detach().double() for name in self.objective.tasks.names]
        return self.accelerator.reduce(torch.stack(losses), "mean").cpu()

    def _sum_over_ranks(self, counts: torch.Tensor) -> torch.Tensor:
        if self.accelerator.num_processes == 1:
            return counts  # a round trip to the device would wait for all that it has to do
        return self.accelerator.reduce(counts.to(self.accelerator.device), "sum").cpu()
