"""Rows made of probabilities that are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from arttl.auditing.doubts import Judgement, pair_doubts
from arttl.auditing.objects import AuditedObjects, judge
from arttl.auditing.out_of_fold import OutOfFold
from arttl.shards.manifest import Manifest

MakeManifest = Callable[..., Manifest]


def given(probabilities: np.ndarray, *, sets: bool = False) -> OutOfFold:
    """What a network would say that gives these probabilities."""
    logits = np.log(probabilities / (1 - probabilities)) if sets else np.log(probabilities)
    return OutOfFold(logits, probabilities, (), ())


def test_of_a_set_the_most_doubtful_label_and_the_most_probable_missing_one_are_named(
    make_manifest: MakeManifest,
) -> None:
    labels = [("oil", "canvas")] * 10 + [("ink", "paper")] * 10
    manifest = make_manifest([f"N{row:02}" for row in range(20)], material=labels)
    objects = AuditedObjects.of(manifest, ["material"])
    judged, _ = judge(objects, "material", multi_label=True, least=5, seed=0)
    assert judged is not None and judged.task.vocabulary.classes == ("canvas", "ink", "oil", "paper")
    rows = objects.objects.chosen[judged.items].tolist()
    usual = np.where(judged.targets.numpy() > 0.5, 0.9, 0.1)
    changed = {
        0: [0.9, 0.1, 0.2, 0.1],  # oil is one too many
        1: [0.4, 0.1, 0.05, 0.8],  # oil more than canvas, and paper is missing
        12: [0.7, 0.9, 0.95, 0.9],  # oil more than canvas is missing
        13: [0.4, 0.6, 0.45, 0.6],  # nothing
    }
    for row, values in changed.items():
        usual[rows.index(row)] = values
    other = usual.copy()
    other[rows.index(0)] = 0.9  # does not mind the oil
    doubts = Judgement(
        judged, given(usual, sets=True), {"a": given(usual, sets=True), "b": given(other, sets=True)}
    ).doubts
    found = {rows[judged.items.tolist().index(doubt.item)]: doubt for doubt in doubts}
    assert {row: (doubt.label, doubt.suggested) for row, doubt in found.items()} == {
        0: ("oil", None),
        1: ("oil", "paper"),
        12: (None, "oil"),
    }
    assert found[1].label_probability == pytest.approx(0.05) and found[
        1
    ].suggested_probability == pytest.approx(0.8)
    assert found[12].label_probability is None and found[12].confident and not found[1].pair
    assert [doubt.rank for doubt in doubts] == [1, 2, 3]
    assert [doubt.score for doubt in doubts] == sorted((doubt.score for doubt in doubts), reverse=True)
    assert [[each.agrees for each in found[row].networks] for row in (0, 1)] == [[True, False], [True, True]]
    assert [each.label for each in found[1].ranked] == ["paper", "canvas", "ink", "oil"]


@pytest.fixture
def marble_painting(make_manifest: MakeManifest) -> AuditedObjects:
    """Forty paintings on canvas, forty marble statues, and row 80, a marble painting."""
    materials = [("canvas",)] * 40 + [("marble",)] * 41
    types = [("painting",)] * 40 + [("statue",)] * 40 + [("painting",)]
    manifest = make_manifest([f"N{row}" for row in range(81)], material=materials, type=types)
    return AuditedObjects.of(manifest, ["material", "type"])


def test_the_doubted_label_of_a_pair_is_the_less_probable_one(marble_painting: AuditedObjects) -> None:
    judgements = {}
    for name, chance in (("material", 0.8), ("type", 0.3)):
        judged, _ = judge(marble_painting, name, multi_label=False, least=5, seed=0)
        assert judged is not None
        probabilities = np.where(judged.targets.numpy()[:, None] == np.arange(2), 0.9, 0.1)
        row = marble_painting.objects.chosen[judged.items].tolist().index(80)
        label = judged.targets[row]
        probabilities[row, label], probabilities[row, 1 - label] = chance, 1 - chance
        judgements[name] = Judgement(judged, given(probabilities), {"a": given(probabilities)})
    (doubt,) = pair_doubts(marble_painting, judgements)
    assert marble_painting.photographs[doubt.item] == [80]
    assert (doubt.kind, doubt.task, doubt.label, doubt.suggested) == ("pair", "type", "painting", "statue")
    assert doubt.label_probability == pytest.approx(0.3) and doubt.rank == 1 and doubt.confident
    assert doubt.pair is not None and (doubt.pair.task, doubt.pair.label) == ("material", "marble")
    assert (doubt.pair.objects, doubt.pair.other_objects) == (41, 41)
    assert doubt.pair.expected == pytest.approx(41 * 41 / 81) and doubt.score == 1 - doubt.pair.chance
    assert [each.label for each in judgements["material"].doubts] == []


def test_a_pair_of_tasks_that_are_not_judged_is_a_row_without_probabilities(
    marble_painting: AuditedObjects,
) -> None:
    (doubt,) = pair_doubts(marble_painting, {})
    assert (doubt.kind, doubt.task, doubt.label, doubt.suggested) == ("pair", "material", "marble", None)
    assert doubt.label_probability is None and doubt.ranked == () and doubt.networks == ()
    assert doubt.pair is not None and doubt.pair.label == "painting"


def test_a_further_label_of_the_object_is_no_contradiction(make_manifest: MakeManifest) -> None:
    labels = [("oil", "tempera")] * 2 + [("oil",)] * 6 + [("tempera",)] * 6
    manifest = make_manifest([f"N{row:02}" for row in range(14)], material=labels)
    objects = AuditedObjects.of(manifest, ["material"])
    judged, _ = judge(objects, "material", multi_label=False, least=5, seed=0)
    assert judged is not None
    rows = objects.objects.chosen[judged.items].tolist()
    probabilities = np.where(judged.targets.numpy()[:, None] == np.arange(2), 0.9, 0.1)
    for row in (0, 2):
        probabilities[rows.index(row)] = [0.2, 0.8]  # both oil first, and the pictures say tempera
    judgement = Judgement(judged, given(probabilities), {"a": given(probabilities)})
    assert [objects.photographs[doubt.item][0] for doubt in judgement.doubts] == [2]
