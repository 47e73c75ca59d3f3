"""A training step on a card."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from arttl.loading import Batch, Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.balancing import Balancing
from arttl.training.objective import Objective
from arttl.training.step import TrainingStep

pytestmark = pytest.mark.gpu

TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(("a", "b", "c"), (6, 3, 1), (0,))),
        Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
    ]
)


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_a_step_does_not_wait_for_the_card(mixup: float) -> None:
    """torch raises where anything does; a step that waits leaves the card idle between its kernels."""
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision="bf16")
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=32)).to(accelerator.device)
    prepared, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    balancing = Balancing(torch.ones(2, dtype=torch.float64))
    step = TrainingStep(
        model, prepared, optimizer, accelerator, Objective(TASKS, 0.1, {}, None), balancing, mixup=mixup
    )

    def batch() -> Batch:
        return Batch.of(
            torch.randn(8, 3, 32, 32, device=accelerator.device),
            {"type": torch.randint(-1, 3, (8,)), "material": torch.randint(0, 2, (8, 2)).float()},
            torch.arange(8) < 7,
            torch.arange(8),
        )

    step([(batch(),)])  # the first allocates, and chooses its kernels
    another = batch()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = step([(another,)])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert loss is not None and loss.isfinite().item()
