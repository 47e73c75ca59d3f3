from __future__ import annotations

import copy

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from arttl.errors import ArttlError
from arttl.loading import Batch, Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.balancing import Balancing, open_balancing
from arttl.training.objective import Objective
from arttl.training.step import TrainingStep, check_project

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
    losses = one([(whole,)], 0), two([(part,) for part in parts], 0)
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    torch.testing.assert_close(weights(one), weights(two), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(weights(one), torch.cat([p.detach().flatten() for p in model.parameters()]))


def test_a_task_without_a_label_leaves_its_head_without_a_gradient(model) -> None:
    found = batch(3)
    found = relabelled(found, train=torch.full((4, 2), torch.nan))
    step = make(model)
    assert step([(found,)], 0) is not None
    labelled, unlabelled = step.model.heads.layers
    assert labelled.weight.grad is not None and unlabelled.weight.grad is None
    torch.testing.assert_close(unlabelled.weight, model.heads.layers[1].weight)
    found = relabelled(found, type=torch.full((4,), -1))
    before = weights(step)
    assert step([(found,)], 1) is None
    assert torch.equal(weights(step), before)


def test_the_gradient_is_no_longer_than_asked(model) -> None:
    norms = []
    for clip_norm in (None, 0.01):
        step = make(model, clip_norm=clip_norm)
        step([(batch(4),)], 0)
        norms.append(
            torch.cat([p.grad.flatten() for p in step.model.parameters() if p.grad is not None]).norm()
        )
    assert norms[0] > 0.1 and norms[1].item() == pytest.approx(0.01, rel=1e-3)


def test_fixed_weights_scale_each_tasks_gradient(model) -> None:
    gradients = []
    for fixed in ([1.0, 0.0], [0.0, 1.0], [3.0, 0.5]):
        step = make(model, Balancing(torch.tensor(fixed, dtype=torch.float64)))
        step([(batch(5),)], 0)
        gradients.append(gradient(step))
    torch.testing.assert_close(gradients[2], 3 * gradients[0] + 0.5 * gradients[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", ["random", "uncertainty", "famo"])
def test_balancing_that_learns_or_draws_trains(model, method) -> None:
    balancing = open_balancing(method, ONES, 0.1, seed=0)
    step = make(model, balancing, rate=0.02)
    losses = [step([(batch(6),)], number).item() for number in range(12)]
    assert all(torch.isfinite(torch.tensor(losses)))
    if method != "random":  # whose weighed losses are of another sum each time
        assert losses[-1] < losses[0]
        assert balancing.values.abs().min() > 0


def test_upgrad_makes_no_task_worse_where_their_gradients_conflict(model) -> None:
    """Two tasks that want the opposite of each other: the sum would harm one, the projection neither."""
    found = batch(7)
    alone = []
    for fixed in ([1.0, 0.0], [0.0, 1.0]):
        step = make(model, Balancing(torch.tensor(fixed, dtype=torch.float64)))
        step([(found,)], 0)
        alone.append(gradient(step))
    projected = make(model, project=True)
    projected([(found,)], 0)
    ours = gradient(projected)
    assert all(torch.dot(ours, one).item() >= -1e-5 for one in alone)
    if torch.dot(alone[0], alone[1]) >= 0:  # no conflict: the sum itself
        torch.testing.assert_close(ours, alone[0] + alone[1], rtol=1e-3, atol=1e-6)
    for name in ("type", "train"):
        place = TASKS.names.index(name)
        torch.testing.assert_close(
            projected.model.heads.layers[place].weight.grad,
            _head_gradient(model, found, place),
            rtol=1e-3,
            atol=1e-6,
        )


def _head_gradient(model: MultiTaskModel, found: Batch, place: int) -> torch.Tensor:
    step = make(model)
    step([(found,)], 0)
    return step.model.heads.layers[place].weight.grad


def test_upgrad_projects_conflicting_gradients(model) -> None:
    """A second task that is the first with its labels turned round: the sum of the gradients nearly vanishes."""
    tasks = TaskSet(
        [Task(name, "single-label", Vocabulary(("a", "b"), (1, 1), (0,))) for name in ("one", "two")]
    )
    torch.manual_seed(1)
    twin = MultiTaskModel(model.backbone, tasks, Preprocess(size=160))
    with torch.no_grad():  # small logits, so that only the labels decide on the direction
        for one, other in zip(*(layer.parameters() for layer in twin.heads.layers), strict=True):
            one.mul_(1e-3)
            other.copy_(one * 1.5)
    labels = torch.tensor([0, 1, 0, 1])
    found = Batch.of(
        batch(8).images, {"one": labels, "two": 1 - labels}, torch.ones(4, dtype=torch.bool), torch.arange(4)
    )

    def run(fixed: list[float], project: bool) -> torch.Tensor:
        step = make(twin, Balancing(torch.tensor(fixed, dtype=torch.float64)), project=project)
        step.objective = Objective(tasks, 0.0, {}, None)
        step([(found,)], 0)
        return gradient(step)

    one, two = run([1.0, 0.0], False), run([0.0, 1.0], False)
    assert torch.dot(one, two) < 0
    summed, projected = run([1.0, 1.0], False), run([1.0, 1.0], True)
    assert min(torch.dot(summed, one), torch.dot(summed, two)) < 0
    assert min(torch.dot(projected, one), torch.dot(projected, two)) >= -1e-6


@pytest.mark.parametrize(
    ("processes", "precision", "reason"),
    [(2, "no", "works on one process"), (1, "fp16", "--mixed-precision fp16 do not go together")],
)
def test_where_upgrad_cannot_work(processes, precision, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        check_project(processes, precision)
