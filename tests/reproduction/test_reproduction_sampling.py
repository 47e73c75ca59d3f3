"""Samples of a task against a count by hand, and against the definition on random collections."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from arttl.reproduction.sampling import sample_task
from arttl.tasks import SPLITS, TaskSet


@dataclass
class Rows:
    """A collection in memory, as far as a sample needs it."""

    splits: list[str]
    of_task: list[tuple[str, ...] | None]
    task_names: tuple[str, ...] = ("type",)

    def labels(self, task: str) -> list[tuple[str, ...] | None]:
        return self.of_task


def test_a_sample_by_hand() -> None:
    """Vases are the most frequent, and cut to four of eight; of bowls and cups, two each, bowls come first by name."""
    splits = (
        ["train"] * 6 + ["val", "test"] + ["train", "val", "test"] * 2 + ["train", "train", "val", "test"]
    )
    labels = (
        [("vase",)] * 8 + [("cup",)] * 3 + [("bowl",)] * 3 + [("vase", "bowl"), None, ("vase", "cup"), None]
    )
    sample = sample_task(Rows(splits, labels), "type", "all-splits", classes=2, per_class=4)
    assert {split: rows.tolist() for split, rows in sample.chosen.items()} == {
        "train": [0, 1, 11], "val": [6, 12], "test": [7, 13],
    }  # fmt: skip
    assert sample.splits == ["train", "train", "train", "val", "val", "test", "test"]
    assert sample.labels("type") == [
        ("vase",),
        ("vase",),
        ("bowl",),
        ("vase",),
        ("bowl",),
        ("vase",),
        ("bowl",),
    ]
    assert sample.rows("val").tolist() == [3, 4]
    assert TaskSet.from_manifest(sample, ("type",))["type"].vocabulary.classes == ("bowl", "vase")


@pytest.mark.parametrize("seed", range(20))
def test_samples_of_random_collections(seed: int) -> None:
    random = np.random.default_rng(seed)
    count, classes, per_class = 600, int(random.integers(1, 12)), int(random.integers(3, 60))
    splits = random.choice(SPLITS, count, p=(0.8, 0.1, 0.1)).tolist()
    names = [f"c{number}" for number in range(15)]
    weights = random.dirichlet(np.full(15, 0.5))
    labels = [
        None
        if random.random() < 0.1
        else tuple(random.choice(names, random.integers(1, 3), p=weights).tolist())
        for _ in range(count)
    ]
    chosen = sample_task(
        Rows(splits, labels), "type", "all-splits", classes=classes, per_class=per_class
    ).chosen
    single = [label[0] if label and len(label) == 1 else None for label in labels]
    sizes = Counter((label, split) for label, split in zip(single, splits, strict=True) if label)
    possible = [name for name in names if all(sizes[name, split] for split in SPLITS)]
    totals = {name: sum(sizes[name, split] for split in SPLITS) for name in possible}
    expected = sorted(possible, key=lambda name: (-totals[name], name))[:classes]
    taken = Counter((single[row], split) for split, rows in chosen.items() for row in rows.tolist())
    assert {name for name, _ in taken} == set(expected)
    for name in expected:
        assert sum(taken[name, split] for split in SPLITS) == min(per_class, totals[name])
        for split in SPLITS:
            exact = sizes[name, split] * min(1, per_class / totals[name])
            assert taken[name, split] >= 1 and abs(taken[name, split] - exact) < 3
            rows = [row for row in range(count) if single[row] == name and splits[row] == split]
            assert [row for row in chosen[split].tolist() if single[row] == name] == rows[
                : taken[name, split]
            ]
