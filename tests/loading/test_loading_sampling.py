from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import jpeg, textured, write_shards

from arttl.errors import ArttlError
from arttl.loading import Augment, Preprocess, open_loader
from arttl.loading.order import EpochPlan, epoch_order
from arttl.loading.sampling import UNIFORM, Sampling
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet

counts = st.lists(st.integers(1, 40), min_size=1, max_size=9)


def sampling(counts: list[int], unknown: int, way: str) -> Sampling:
    classes = np.concatenate([np.full(unknown, -1), np.repeat(np.arange(len(counts)), counts)])
    power = {"balanced": 0.0, "sqrt": 0.5}[way]
    return Sampling(f"{way}:type", np.random.default_rng(0).permutation(classes), power)


@given(
    counts=counts,
    unknown=st.integers(0, 20),
    way=st.sampled_from(["balanced", "sqrt"]),
    seed=st.integers(0, 2**40),
)
@settings(deadline=None)
def test_classes_come_in_their_shares_and_samples_in_turn(
    counts: list[int], unknown: int, way: str, seed: int
) -> None:
    drawn = sampling(counts, unknown, way)
    assert drawn.classes is not None
    known = sum(counts)
    shares = np.array(counts, float) ** drawn.power
    exact = known * shares / shares.sum()
    total: Counter[int] = Counter()
    for epoch in range(5):
        visited = drawn.visited(seed, epoch)
        assert len(visited) == len(drawn.classes)
        visits = Counter(drawn.classes[visited].tolist())
        assert visits.pop(-1, 0) == unknown
        assert all(abs(visits[name] - exact[name]) < 1 for name in range(len(counts)))
        total.update(visited.tolist())
        for name in range(-1, len(counts)):
            of_class = [total[index] for index in np.flatnonzero(drawn.classes == name).tolist()]
            assert not of_class or max(of_class) - min(of_class) <= 1
    assert np.array_equal(drawn.visited(seed, 3), drawn.visited(seed, 3))


@given(
    counts=counts,
    way=st.sampled_from(["balanced", "sqrt"]),
    batch_size=st.integers(1, 17),
    world_size=st.sampled_from([1, 2, 3, 8]),
    epoch=st.integers(0, 50),
)
@settings(deadline=None)
def test_the_visits_come_exactly_over_any_ranks_and_repeats_are_numbered(
    counts: list[int], way: str, batch_size: int, world_size: int, epoch: int
) -> None:
    visited = sampling(counts, 3, way).visited(7, epoch)
    order = epoch_order(visited, visited % 4, shuffle=True, seed=7, epoch=epoch)
    plans = [EpochPlan.cut(order, batch_size, rank, world_size) for rank in range(world_size)]
    assert len({plan.rows.shape for plan in plans}) == 1
    pairs = [
        pair
        for plan in plans
        for pair in zip(plan.rows[plan.valid].tolist(), plan.visits[plan.valid].tolist(), strict=True)
    ]
    expected = Counter(visited.tolist())
    assert Counter(pairs) == Counter(
        (row, visit) for row, times in expected.items() for visit in range(times)
    )


def test_it_says_what_an_epoch_is() -> None:
    assert UNIFORM.meaning == "an epoch visits every sample once"
    assert sampling([8, 2, 2], 3, "balanced").meaning == (
        "an epoch is 15 visits, in which the 3 classes of type come equally (4 visits each), a class's samples in turn;"
        " the 3 without a label of type come once each"
    )
    assert sampling([9, 4], 0, "sqrt").meaning == (
        "an epoch is 13 visits, in which the 2 classes of type come in proportion to the square root of their sizes"
        " (5 to 8 visits each), a class's samples in turn"
    )


@pytest.fixture
def uneven(tmp_path: Path) -> Manifest:
    """Twelve samples: nine of class a, two of b, one without a label of `type`, all with one of `other`."""
    sizes = [(60 + number, 70) for number in range(12)]
    manifest = write_shards(
        tmp_path / "shards", [jpeg(textured(number, *size)) for number, size in enumerate(sizes)], sizes
    )
    table = manifest.table
    labels = pa.array([["a"]] * 9 + [["b"]] * 2 + [None], pa.list_(pa.string()))
    table = table.set_column(table.column_names.index("labels.type"), "labels.type", labels)
    table = table.append_column("labels.other", pa.array([["x"], ["y"]] * 6, pa.list_(pa.string())))
    return Manifest(manifest.directory, table, manifest.dataset)


def test_a_loader_draws_so_and_cuts_repeats_anew(uneven: Manifest) -> None:
    loader = open_loader(
        uneven,
        tasks=("type", "other"),
        preprocess=Preprocess(size=16, augment=Augment(scale=(0.2, 1))),
        batch_size=5,
        engine="cpu",
        threads=2,
        device="cpu",
        sampling="balanced:type",
    )
    pictures: dict[int, list[bytes]] = {}
    seen: Counter[int] = Counter()
    for batch in loader:
        for index in batch.valid.nonzero().flatten().tolist():
            pictures.setdefault(int(batch.rows[index]), []).append(batch.images[index].numpy().tobytes())
            seen[int(batch.targets["type"][index])] += 1
    assert sum(seen.values()) == 12 and seen[-1] == 1 and sorted((seen[0], seen[1])) == [5, 6]
    repeated = [crops for crops in pictures.values() if len(crops) > 1]
    assert len(repeated) == 2 and all(len(set(crops)) == len(crops) for crops in repeated)


@pytest.mark.parametrize("engine", ["cpu", "dali-cpu"])
def test_a_restored_loader_goes_on_in_a_balanced_epoch(painted_collection: Manifest, engine: str) -> None:
    if engine == "dali-cpu":
        pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    options = {
        "tasks": ("subject",),
        "preprocess": Preprocess(size=16, augment=Augment()),
        "batch_size": 4,
        "engine": engine,
        "threads": 2,
        "device": "cpu",
        "sampling": "balanced:subject",
    }
    loader, restored = (open_loader(painted_collection, **options) for _ in range(2))
    loader.set_epoch(2)
    batches = iter(loader)
    next(batches)
    restored.load_state_dict(loader.state_dict())
    for ours, theirs in zip(batches, restored, strict=True):
        assert (ours.images == theirs.images).all() and (ours.rows == theirs.rows).all()
    uniform = open_loader(painted_collection, **{**options, "sampling": "uniform"})
    with pytest.raises(ArttlError, match="another sampling"):
        uniform.load_state_dict(loader.state_dict())


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ("balanced", "'balanced' is unknown; choose uniform, balanced:TASK or sqrt:TASK"),
        ("cubic:type", "'cubic:type' is unknown"),
        ("balanced:artist", "'artist' is none of the tasks type, subject"),
        ("sqrt:subject", "only the classes of a single-label task"),
    ],
)
def test_other_samplings_are_refused(painted_collection: Manifest, sampling: str, message: str) -> None:
    tasks = TaskSet.from_manifest(painted_collection, ("type", "subject"), multi_label=("subject",))
    with pytest.raises(ArttlError) as caught:
        open_loader(painted_collection, tasks=tasks, sampling=sampling, device="cpu")
    assert message in str(caught.value) and "\n" not in str(caught.value)
