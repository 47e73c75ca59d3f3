"""One optimizer step over one batch or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from arttl.errors import ArttlError
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
        project: weigh the tasks' gradients of the backbone against each other by UPGrad (Quinton and Rey 2024), which
            takes a backward pass a task: each task's gradient is projected so that a step along it makes no other
            task worse, and the projections are added.
    """

    model: TrainedModel
    prepared: nn.Module
    optimizer: AcceleratedOptimizer
    accelerator: Accelerator
    objective: Objective
    balancing: Balancing
    mixup: float = 0.0
    clip_norm: float | None = None
    project: bool = False

    def __call__(self, batches: Sequence[Sequence[Batch]], step: int) -> torch.Tensor | None:
        """Do a step.

        Args:
            batches: of this rank, the same number on each, and of each one view for each input of the model; their
                gradients add up to that of one large batch.
            step: how many were done before.

        Returns:
            The weighed loss on this rank, a scalar; its mean over ranks is the loss of the step. None where no batch
            on any rank holds a label, so that there is nothing to learn.
        """
        examples = [
            Example.mixed(*views, alpha=self.mixup) if self.mixup else Example.of(*views) for views in batches
        ]
        counts = self.objective.counts(examples, self._sum_over_ranks)
        if not counts.any():
            return None
        self.optimizer.zero_grad()
        if self.project:
            total, losses = self._projected(examples[0], counts), None
        else:
            total, losses = self._weighed(examples, counts, step)
        if self.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        if losses is not None:
            after = None
            if self.balancing.looks_again:
                with torch.no_grad():
                    after = self._losses(self._terms(examples[0], counts))
            self.balancing.update(losses, after)
        return total

    def _weighed(
        self, examples: Sequence[Example], counts: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Gradients of the weighed sum of the tasks' losses.

        Returns:
            The sum on this rank, and each task's loss over all ranks, [T] float64, where the balancing learns from it.
        """
        names = self.objective.tasks.names
        losses: torch.Tensor | None = None
        total = torch.zeros((), device=self.accelerator.device)
        for place, example in enumerate(examples):
            last = place == len(examples) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.prepared):
                terms = self._terms(example, counts)
                if self.balancing.learns:
                    # Reading them waits for the device, which fixed weights need not.
                    here = self._losses(terms)
                    losses = here if losses is None else losses + here
                weights = dict(zip(names, self.balancing.weights(step, losses).tolist(), strict=True))
                loss = sum((weights[name] * term for name, term in terms.items()), torch.zeros_like(total))
                self.accelerator.backward(loss)
            total = total + loss.detach()
        return total, losses

    def _projected(self, example: Example, counts: torch.Tensor) -> torch.Tensor:
        """Gradients by UPGrad; the heads', which are each task's own, are those of its weighed loss."""
        from torchjd.aggregation import UPGrad
        from torchjd.autojac import jac_to_grad, mtl_backward

        with self.accelerator.autocast():
            features = self.model.features(*example.images)
            logits = self.model.logits(features)
        terms = self.objective.terms(example, logits, counts, num_ranks=1)
        weights = dict(zip(self.objective.tasks.names, self.balancing.fixed.tolist(), strict=True))
        weighed = [weights[name] * term for name, term in terms.items()]
        shared = [one for network in self.model.networks for one in network.parameters() if one.requires_grad]
        # One task at a time: in-place ReLUs, of which the networks are full, cannot be differentiated for all at once.
        mtl_backward(weighed, features, shared_params=shared, parallel_chunk_size=1)
        reached = [parameter for parameter in shared if getattr(parameter, "jac", None) is not None]
        jac_to_grad(reached, UPGrad(pref_vector=torch.ones(len(weighed), device=features[0].device)))
        return torch.stack([loss.detach() for loss in weighed]).sum()

    def _terms(self, example: Example, counts: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.prepared(*example.images)
        return self.objective.terms(example, logits, counts, self.accelerator.num_processes)

    def _losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Each task's loss over all ranks, [T] float64 on the CPU, NaN for tasks without a term."""
        nothing = torch.tensor(torch.nan, device=self.accelerator.device)
        names = self.objective.tasks.names
        here = torch.stack(
            [terms[name].detach().double() if name in terms else nothing.double() for name in names]
        )
        return self.accelerator.reduce(here, "mean").cpu()

    def _sum_over_ranks(self, counts: torch.Tensor) -> torch.Tensor:
        if (
            self.accelerator.num_processes == 1
        ):  # a round trip to the device would wait for all that it has to do
            return counts
        return self.accelerator.reduce(counts.to(self.accelerator.device), "sum").cpu()


def check_project(settings_processes: int, mixed_precision: str) -> None:
    """Whether UPGrad can work here.

    Raises:
        ArttlError: on several ranks, with fp16, or without torchjd.
    """
    if settings_processes > 1:
        raise ArttlError("--balancing upgrad works on one process; start it without a launcher of several")
    if mixed_precision == "fp16":
        raise ArttlError("--balancing upgrad and --mixed-precision fp16 do not go together; use bf16 or no")
    try:
        import torchjd  # noqa: F401
    except ImportError as error:
        raise ArttlError(
            "--balancing upgrad needs the extra 'balancing': pip install 'arttl[balancing]'"
        ) from error
