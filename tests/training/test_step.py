from __future__ import annotations

import copy

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from arttl.loading import Batch, Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.balancing import Balancing, Uncertainty
from arttl.training.objective import Objective
from arttl.training.step import TrainingStep

TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(("a", "b", "c"), (6, 3, 1), (0,))),
        Task("train", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
    ]
)
ONES = torch.ones(2, dtype=torch.float64)


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    """Layer normalisation, so that a batch's parts do not see each other."""
    torch.manual_seed(0)
    return MultiTaskModel(Backbone("test_vit"), TASKS, Preprocess(size=160))


def batch(seed: int, size: int = 4) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return Batch.of(
        images=torch.randn(size, 3, 160, 160, generator=random),
        targets={
            "type": torch.randint(-1, 3, (size,), generator=random),
            "train": torch.randint(0, 2, (size, 2), generator=random).float(),
        },
        valid=torch.ones(size, dtype=torch.bool),
        rows=torch.arange(size),
    )


def relabelled(found: Batch, **targets: torch.Tensor) -> Batch:
    return Batch.of(found.images, {**found.targets, **targets}, found.valid, found.rows)


def make(
    model: MultiTaskModel, balancing: Balancing | None = None, rate: float = 0.1, **changes
) -> TrainingStep:
    AcceleratorState._reset_state()
    accelerator = Accelerator(cpu=True)
    model = copy.deepcopy(model)
    prepared, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=rate))
    objective = Objective(TASKS, 0.0, {}, None)
    return TrainingStep(
        model, prepared, optimizer, accelerator, objective, balancing or Balancing(ONES), **changes
    )


def weights(step: TrainingStep) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in step.model.parameters()])


def gradient(step: TrainingStep) -> torch.Tensor:
    return torch.cat(
        [
            (torch.zeros_like(parameter) if parameter.grad is None else parameter.grad).flatten()
            for parameter in step.model.backbone.parameters()
        ]
    )


def test_accumulated_batches_step_as_one_large_batch(model) -> None:
    parts = [batch(1, 3), batch(2, 5)]
    whole = Batch.of(
        torch.cat([part.images for part in parts]),
        {name: torch.cat([part.targets[name] for part in parts]) for name in TASKS.names},
        torch.cat([part.valid for part in parts]),
        torch.arange(8),
    )
    one, two = make(model), make(model)
    losses = one([(whole,)]), two([(part,) for part in parts])
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    torch.testing.assert_close(weights(one), weights(two), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(weights(one), torch.cat([p.detach().flatten() for p in model.parameters()]))


def test_a_task_without_a_label_leaves_its_head_without_a_gradient(model) -> None:
    found = batch(3)
    found = relabelled(found, train=torch.full((4, 2), torch.nan))
    step = make(model)
    assert step([(found,)]) is not None
    labelled, unlabelled = step.model.heads.layers
    assert labelled.weight.grad is not None and unlabelled.weight.grad is None
    torch.testing.assert_close(unlabelled.weight, model.heads.layers[1].weight)
    found = relabelled(found, type=torch.full((4,), -1))
    before = weights(step)
    assert step([(found,)]) is None
    assert torch.equal(weights(step), before)


def test_the_gradient_is_no_longer_than_asked(model) -> None:
    norms = []
    for clip_norm in (None, 0.01):
        step = make(model, clip_norm=clip_norm)
        step([(batch(4),)])
        norms.append(
            torch.cat([p.grad.flatten() for p in step.model.parameters() if p.grad is not None]).norm()
        )
    assert norms[0] > 0.1 and norms[1].item() == pytest.approx(0.01, rel=1e-3)


def test_fixed_weights_scale_each_tasks_gradient(model) -> None:
    gradients = []
    for fixed in ([1.0, 0.0], [0.0, 1.0], [3.0, 0.5]):
        step = make(model, Balancing(torch.tensor(fixed, dtype=torch.float64)))
        step([(batch(5),)])
        gradients.append(gradient(step))
    torch.testing.assert_close(gradients[2], 3 * gradients[0] + 0.5 * gradients[1], rtol=1e-3, atol=1e-4)


def test_learnt_weights_move_while_the_network_trains(model) -> None:
    balancing = Uncertainty(ONES.clone(), 0.1)
    step = make(model, balancing, rate=0.02)
    losses = [step([(batch(6),)]).item() for _ in range(12)]
    assert losses[-1] < losses[0]
    assert balancing.values.abs().min() > 0


def test_learnt_weights_see_the_loss_of_all_accumulated_batches(model) -> None:
    """Two halves in a step move the weights as the whole batch does."""
    halves = [batch(1, 3), batch(2, 5)]
    whole = Batch.of(
        torch.cat([half.images for half in halves]),
        {name: torch.cat([half.targets[name] for half in halves]) for name in TASKS.names},
        torch.cat([half.valid for half in halves]),
        torch.arange(8),
    )
    learnt = []
    for batches in ([(whole,)], [(half,) for half in halves]):
        balancing = Uncertainty(ONES.clone(), 0.1)
        make(model, balancing)(batches)
        learnt.append(balancing.values)
    torch.testing.assert_close(learnt[0], learnt[1], rtol=1e-4, atol=1e-6)
    assert learnt[0].abs().min() > 0
