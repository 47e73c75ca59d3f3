from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.loading import Batch
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.objective import Example, Objective
from arttl.training.teachers import Teacher

TYPE = Task("type", "single-label", Vocabulary(("a", "b", "c"), (6, 3, 1), (0,)))
MATERIAL = Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,)))
YEAR = Task("year", "number", NumberStatistics(count=9, mean=1600.0, std=50.0, median=1610.0))
TASKS = TaskSet([TYPE, MATERIAL, YEAR])
PLAIN = Objective(TASKS, 0.0, {}, None)
WEIGHTS = {"type": (0, 3), "material": (3, 5), "year": (5, 6)}


def random_batch(random: np.random.Generator, size: int, known: float = 0.6) -> Batch:
    """A batch with holes in its labels and some padding; pictures of four numbers."""
    types = np.where(random.random(size) < known, random.integers(3, size=size), -1)
    materials = random.integers(2, size=(size, 2)).astype(np.float32)
    materials[random.random(size) > known] = np.nan
    years = np.where(random.random(size) < known, random.normal(1600, 80, size), np.nan).astype(np.float32)
    return Batch.of(
        images=torch.tensor(random.normal(size=(size, 4)), dtype=torch.float64),
        targets={
            "type": torch.tensor(types),
            "material": torch.tensor(materials),
            "year": torch.tensor(years),
        },
        valid=torch.tensor(random.random(size) < 0.9),
        rows=torch.arange(size),
    )


def changed(batch: Batch, **changes: object) -> Batch:
    """The same pictures with other labels, or all of them real."""
    made = {
        "images": batch.images,
        "targets": batch.targets,
        "valid": batch.valid,
        "rows": batch.rows,
        **changes,
    }
    return Batch.of(**made)  # type: ignore[arg-type]


def logits_of(images: torch.Tensor, matrix: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: images @ matrix[:, slice(*place)] for name, place in WEIGHTS.items()}


def total(objective: Objective, examples: list[Example], matrix: torch.Tensor) -> torch.Tensor:
    counts = objective.counts(examples, lambda found: found)
    parts = [objective.terms(one, logits_of(one.images[0], matrix), counts, 1).values() for one in examples]
    return sum((term for part in parts for term in part), torch.zeros((), dtype=torch.float64))


def by_hand(batch: Batch, matrix: torch.Tensor, share_of: np.ndarray | None = None) -> float:
    """The definition, sample by sample, in double precision."""
    scores = (batch.images @ matrix).numpy()
    losses: dict[str, list[float]] = {"type": [], "material": [], "year": []}
    for row in np.flatnonzero(batch.valid.numpy()):
        if (label := int(batch.targets["type"][row])) >= 0:
            s = scores[row, :3]
            losses["type"].append(np.log(np.exp(s).sum()) - s[label])
        label = batch.targets["material"][row].numpy()
        if not np.isnan(label[0]):
            p = 1 / (1 + np.exp(-scores[row, 3:5]))
            losses["material"].append(-np.log(np.where(label == 1, p, 1 - p)).sum())
        year = float(batch.targets["year"][row])
        if not np.isnan(year):
            far = abs(scores[row, 5] - (year - 1600) / 50)
            losses["year"].append(far**2 / (2 * 0.25) if far < 0.25 else far - 0.25 / 2)
    return float(sum(np.mean(found) for found in losses.values() if found))


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_each_task_is_averaged_over_its_own_labels(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    batch, matrix = random_batch(random, size), torch.tensor(random.normal(size=(4, 6)))
    found = total(PLAIN, [Example.of(batch)], matrix)
    assert found.item() == pytest.approx(by_hand(batch, matrix), rel=1e-5)


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4))
@settings(max_examples=30, deadline=None)
def test_accumulated_batches_have_the_gradient_of_one_large_batch(seed: int, sizes: list[int]) -> None:
    random = np.random.default_rng(seed)
    batches = [random_batch(random, size, known=0.3) for size in sizes]
    whole = Batch.of(
        images=torch.cat([batch.images for batch in batches]),
        targets={name: torch.cat([batch.targets[name] for batch in batches]) for name in WEIGHTS},
        valid=torch.cat([batch.valid for batch in batches]),
        rows=torch.arange(sum(sizes)),
    )
    gradients = []
    for group in (batches, [whole]):
        matrix = torch.tensor(np.random.default_rng(seed).normal(size=(4, 6)), requires_grad=True)
        loss = total(PLAIN, [Example.of(batch) for batch in group], matrix)
        gradients.append(torch.autograd.grad(loss, matrix)[0] if loss.requires_grad else torch.zeros(4, 6))
    torch.testing.assert_close(gradients[0], gradients[1].to(gradients[0]), rtol=1e-5, atol=1e-7)


def test_a_task_without_a_label_anywhere_has_no_term() -> None:
    batch = random_batch(np.random.default_rng(0), 6, known=1.0)
    unknown = {**batch.targets, "material": torch.full((6, 2), torch.nan)}
    batch = changed(batch, targets=unknown, valid=torch.ones(6, dtype=torch.bool))
    counts = PLAIN.counts([Example.of(batch)], lambda found: found)
    assert counts[0].tolist() == [6, 0, 6] and not counts[1].any()
    terms = PLAIN.terms(Example.of(batch), logits_of(batch.images, torch.ones(4, 6).double()), counts, 1)
    assert set(terms) == {"type", "year"}


def test_two_ranks_with_unequal_labels_average_to_the_whole() -> None:
    random = np.random.default_rng(3)
    parts = [random_batch(random, 5, known) for known in (0.2, 0.9)]
    matrix = torch.tensor(random.normal(size=(4, 6)))
    counts = PLAIN.counts([Example.of(batch) for batch in parts], lambda found: found)
    means = []
    for batch in parts:
        terms = PLAIN.terms(Example.of(batch), logits_of(batch.images, matrix), counts, num_ranks=2)
        means.append(sum(float(term) for term in terms.values()))
    whole = total(PLAIN, [Example.of(batch) for batch in parts], matrix)
    assert np.mean(means) == pytest.approx(whole.item(), rel=1e-6)


def test_mixup_blends_pictures_and_labels_alike() -> None:
    torch.manual_seed(4)
    batch = random_batch(np.random.default_rng(4), 8, known=1.0)
    batch = changed(batch, valid=torch.ones(8, dtype=torch.bool))
    example = Example.mixed(batch, alpha=0.4)
    first, second = example.parts
    assert 0 < first.share < 1 and first.share + second.share == pytest.approx(1)
    blended = first.share * batch.images[first.rows] + second.share * batch.images[second.rows]
    torch.testing.assert_close(example.images[0], blended)
    assert sorted(second.rows.tolist()) == list(range(8)) != second.rows.tolist()
    for name, target in batch.targets.items():
        torch.testing.assert_close(second.targets[name], target[second.rows])
    matrix = torch.tensor(np.random.default_rng(5).normal(size=(4, 6)))
    other = changed(batch, images=example.images[0], targets=dict(second.targets))
    mine = changed(batch, images=example.images[0])
    wanted = first.share * by_hand(mine, matrix) + second.share * by_hand(other, matrix)
    assert total(PLAIN, [example], matrix).item() == pytest.approx(wanted, rel=1e-5)


def test_mixing_counts_unknown_labels_by_their_share() -> None:
    batch = random_batch(np.random.default_rng(6), 8, known=0.5)
    batch = changed(batch, valid=torch.ones(8, dtype=torch.bool))
    example = Example.mixed(batch, alpha=1.0)
    counts = PLAIN.counts([example], lambda found: found)
    assert counts[0, 0].item() == pytest.approx(float((batch.targets["type"] >= 0).sum()))


def teacher(answers: dict[str, torch.Tensor], share: float = 0.5, temperature: float = 2.0) -> Teacher:
    return Teacher(answers, torch.arange(8), share, temperature)


def test_a_teacher_is_listened_to_on_every_picture_and_shares_the_loss() -> None:
    batch = random_batch(np.random.default_rng(7), 8, known=0.5)
    batch = changed(batch, valid=batch.valid & (torch.arange(8) > 0))
    matrix = torch.tensor(np.random.default_rng(8).normal(size=(4, 6)))
    answers = {"type": torch.randn(8, 3, generator=torch.Generator().manual_seed(1))}
    objective = Objective(TASKS, 0.0, {}, teacher(answers, share=0.3))
    example = Example.of(batch)
    counts = objective.counts([example], lambda found: found)
    assert counts[1].tolist() == [int(batch.valid.sum()), 0, 0]
    found = objective.terms(example, logits_of(batch.images, matrix), counts, 1)
    plain = PLAIN.terms(example, logits_of(batch.images, matrix), counts, 1)
    student = (batch.images @ matrix)[:, :3].numpy() / 2
    wanted = answers["type"].numpy().astype(np.float64) / 2
    p = np.exp(wanted) / np.exp(wanted).sum(1, keepdims=True)
    q = np.exp(student) / np.exp(student).sum(1, keepdims=True)
    divergence = 4 * (p * np.log(p / q)).sum(1)[batch.valid.numpy()].mean()
    assert found["type"].item() == pytest.approx(0.7 * plain["type"].item() + 0.3 * divergence, rel=1e-5)
    torch.testing.assert_close(found["year"], plain["year"])


@pytest.mark.parametrize("task", [TYPE, MATERIAL, YEAR], ids=lambda task: task.name)
def test_agreeing_with_the_teacher_costs_nothing(task: Task) -> None:
    logits = torch.randn(8, task.outputs)
    found = teacher({task.name: logits}).summed_loss(
        task, logits, torch.arange(8), torch.ones(8, dtype=torch.bool)
    )
    assert found.item() == pytest.approx(0, abs=1e-5)
    other = teacher({task.name: logits}).summed_loss(
        task, logits.flip(0), torch.arange(8), torch.ones(8, dtype=torch.bool)
    )
    assert other.item() > 0.1


@pytest.mark.parametrize("alpha", [None, 0.4])
def test_nothing_is_read_from_the_device(alpha: float | None) -> None:
    """Tensors of the device `meta` hold no numbers: what would wait for a GPU to read one cannot be done on them."""
    batch = random_batch(np.random.default_rng(9), 8)
    there = changed(batch, images=batch.images.to("meta"))
    assert there.targets["type"].is_meta and there.labelled["type"].is_meta and not there.rows.is_meta
    example = Example.of(there) if alpha is None else Example.mixed(there, alpha=alpha)
    answers = {name: torch.zeros(8, width) for name, width in (("type", 3), ("material", 2))}
    objective = Objective(TASKS, 0.1, {"type": torch.zeros(3, device="meta")}, teacher(answers))
    counts = objective.counts([example], lambda found: found)
    matrix = torch.zeros(4, 6, dtype=torch.float64, device="meta", requires_grad=True)
    terms = objective.terms(example, logits_of(example.images[0], matrix), counts, 1)
    assert set(terms) == set(WEIGHTS)
    sum(terms.values()).backward()
    with pytest.raises(RuntimeError):
        terms["type"].item()
