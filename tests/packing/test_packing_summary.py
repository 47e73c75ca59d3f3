"""Counts of a plan and of a manifest, beside counting one by one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from arttl.artworks import Artwork
from arttl.packing.pack import pack
from arttl.packing.plan import make_plan
from arttl.packing.settings import PackSettings
from arttl.packing.summary import Summary
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS


@pytest.fixture
def both(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> tuple[Summary, Summary, Manifest]:
    """The summary of a plan, that of the shards made from it, and their manifest."""
    artworks = make_artworks(40)
    artworks[4] = dataclasses.replace(artworks[4], labels={})
    artworks[6] = dataclasses.replace(artworks[6], labels={"material": ("oil", "雪")})
    settings = PackSettings(out=tmp_path / "out", images=tmp_path / "images", workers=1, shard_size=8)
    manifest = pack([*artworks, artworks[9]], settings)
    plan = make_plan([*artworks, artworks[9]], settings)
    return Summary.of_plan(plan, 8), Summary.of_manifest(manifest), manifest


def test_a_plan_is_summed_up_like_its_shards(both: tuple[Summary, Summary, Manifest]) -> None:
    of_plan, of_manifest, _ = both
    assert of_plan.samples.tolist() == of_manifest.samples.tolist()
    assert of_plan.shards.tolist() == of_manifest.shards.tolist()
    assert of_plan.together == of_manifest.together
    assert of_plan.rejected == of_manifest.rejected == {"duplicate-row": 1}
    assert of_plan.unlabelled == of_manifest.unlabelled == 1
    for planned, packed in zip(of_plan.tasks, of_manifest.tasks, strict=True):
        assert planned.name == packed.name
        assert planned.labelled.tolist() == packed.labelled.tolist()
        assert planned.several == packed.several
        by_class = [
            {
                name: (samples.tolist(), first.tolist())
                for name, samples, first in zip(task.classes, task.samples, task.first, strict=True)
            }
            for task in (planned, packed)
        ]
        assert by_class[0] == by_class[1]


def test_counts_are_those_of_the_rows(both: tuple[Summary, Summary, Manifest]) -> None:
    _, summary, manifest = both
    assert summary.samples.tolist() == [manifest.splits.count(split) for split in SPLITS]
    assert summary.shards.tolist() == [
        len({shard for shard in manifest.shards if shard.startswith(split)}) for split in SPLITS
    ]
    together: Counter[tuple[str, ...]] = Counter()
    for row in range(len(manifest)):
        together[tuple(task for task in manifest.task_names if manifest.labels(task)[row])] += 1
    assert summary.together == together
    for task in summary.tasks:
        labels = manifest.labels(task.name)
        any_label: Counter[tuple[str, str]] = Counter()
        first_label: Counter[tuple[str, str]] = Counter()
        for split, found in zip(manifest.splits, labels, strict=True):
            any_label.update((label, split) for label in found or ())
            first_label.update((label, split) for label in (found or ())[:1])
        for index, name in enumerate(task.classes):
            assert task.samples[index].tolist() == [any_label[name, split] for split in SPLITS]
            assert task.first[index].tolist() == [first_label[name, split] for split in SPLITS]
        assert len(task.classes) == len({name for name, _ in any_label})
        assert task.several == sum(len(found or ()) > 1 for found in labels)
        assert task.labelled.sum() == sum(found is not None for found in labels)


def test_classes_that_duplicates_took_along_are_not_counted(
    tmp_path: Path, make_artworks: Callable[..., list[Artwork]]
) -> None:
    artworks = make_artworks(20)
    artworks[3] = dataclasses.replace(artworks[3], labels={"type": ("urn",)})
    artworks[3].image.write_bytes(artworks[0].image.read_bytes())
    plan = make_plan(artworks, PackSettings(out=tmp_path / "out", images=tmp_path / "images"))
    summary = Summary.of_plan(plan, 1000)
    (task,) = (task for task in summary.tasks if task.name == "type")
    assert "urn" not in task.classes
    assert np.all(task.samples.sum(axis=1) > 0)
    assert summary.rejected == {"duplicate-picture": 1}
