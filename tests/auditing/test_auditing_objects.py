"""Objects, the classes that are judged, and folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from arttl.auditing.objects import AuditedObjects, judge
from arttl.auditing.out_of_fold import FOLDS
from arttl.shards.manifest import Manifest

MakeManifest = Callable[..., Manifest]


def test_photographs_of_one_object_are_one_and_two_museums_are_two(make_manifest: MakeManifest) -> None:
    manifest = make_manifest(
        ["A", "B", "A", "A", "C"],
        institutions=["x", "x", "x", "y", None],
        type=[("vase",), ("bowl",), ("vase",), ("vase",), None],
    )
    objects = AuditedObjects.of(manifest, ["type"])
    assert len(objects) == 4 and objects.differing == 0
    by_first = {rows[0]: sorted(rows) for rows in objects.photographs}
    assert sorted(by_first.values()) == [[0, 2], [1], [3], [4]]
    assert all(first == objects.objects.chosen[item] for item, (first, *_) in enumerate(objects.photographs))
    assert objects.sentences() == [
        "objects    4 objects of 5 photographs, in 3 groups that folds do not divide"
    ]


def test_photographs_with_different_labels_are_judged_apart_and_reported(make_manifest: MakeManifest) -> None:
    manifest = make_manifest(["A", "A", "B"], type=[("vase",), ("bowl",), ("vase",)])
    objects = AuditedObjects.of(manifest, ["type"])
    assert len(objects) == 3 and len(set(objects.groups.tolist())) == 2
    assert "1 object has photographs with different labels, which are judged apart" in objects.sentences()[-1]


def test_missing_near_duplicates_are_reported(make_manifest: MakeManifest) -> None:
    manifest = make_manifest(["A", "B"], type=[("vase",), ("bowl",)])
    (manifest.directory / "near-duplicates.csv").unlink()
    assert "have no near-duplicates.csv" in AuditedObjects.of(manifest, ["type"]).sentences()[-1]


def test_a_class_is_as_large_as_its_objects_that_look_different(make_manifest: MakeManifest) -> None:
    labels = ["vase"] * 8 + ["bowl"] * 6 + ["coin"] * 6 + ["urn"]
    manifest = make_manifest(
        [f"N{row}" for row in range(len(labels))],
        near=[(8, 9), (14, 15)],  # two bowls, two coins
        type=[(label,) for label in labels],
    )
    objects = AuditedObjects.of(manifest, ["type"])
    judged, not_judged = judge(objects, "type", multi_label=False, least=6, seed=0)
    assert judged is None  # only the vases are left
    assert [(each.label, each.objects, each.reason) for each in not_judged] == [
        ("vase", 8, "the only class with enough objects"),
        ("bowl", 5, "too few objects"),
        ("coin", 5, "too few objects"),
        ("urn", 1, "too few objects"),
    ]
    judged, not_judged = judge(objects, "type", multi_label=False, least=5, seed=0)
    assert judged is not None and judged.task.vocabulary.classes == ("bowl", "coin", "vase")
    assert judged.task.vocabulary.counts == (6, 6, 8) and judged.labelled == 21 and len(judged.items) == 20
    assert [each.label for each in not_judged] == ["urn"]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_folds_divide_no_group_and_have_every_class(
    make_manifest: MakeManifest, multi_label: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    numbers = [f"N{row}" for row in range(200) for _ in range(random.integers(1, 4))]
    names = ("a", "b", "c", "d", "e")
    of_object = {
        number: tuple(
            random.choice(names, size=1 + random.integers(0, 2), replace=False, p=(0.4, 0.3, 0.1, 0.1, 0.1))
        )
        if random.random() < 0.8
        else None
        for number in dict.fromkeys(numbers)
    }
    near = [sorted(random.choice(len(numbers), 3, replace=False).tolist()) for _ in range(15)]
    manifest = make_manifest(numbers, near=near, t=[of_object[number] for number in numbers])
    objects = AuditedObjects.of(manifest, ["t"])
    judged, not_judged = judge(objects, "t", multi_label=multi_label, least=FOLDS, seed=seed)
    assert judged is not None and not not_judged
    groups = objects.groups[judged.items]
    assert max(len(set(judged.folds[groups == group].tolist())) for group in set(groups.tolist())) == 1
    targets = judged.targets.numpy()
    has = targets > 0.5 if multi_label else targets[:, None] == np.arange(len(names))
    for of_class in has.T:
        counts = np.bincount(judged.folds[of_class], minlength=FOLDS)
        assert counts.min() >= 1 and counts.max() - counts.min() <= 0.4 * of_class.sum() + 1
    assert np.bincount(judged.folds).max() <= 1.4 * len(judged.folds) / FOLDS


def test_folds_follow_the_seed(make_manifest: MakeManifest) -> None:
    manifest = make_manifest([f"N{row}" for row in range(40)], t=[("ab"[row % 2],) for row in range(40)])
    objects = AuditedObjects.of(manifest, ["t"])
    folds = []
    for seed in (0, 0, 1):
        judged, _ = judge(objects, "t", multi_label=False, least=5, seed=seed)
        assert judged is not None
        folds.append(judged.folds.tolist())
    assert folds[0] == folds[1] != folds[2]
