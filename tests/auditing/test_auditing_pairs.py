"""Pairs of labels that occur once, beside Fisher's exact test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from arttl.auditing.objects import AuditedObjects
from arttl.auditing.pairs import LARGEST_CHANCE, lonely_pairs
from arttl.shards.manifest import Manifest

MakeManifest = Callable[..., Manifest]


def test_marble_paintings_are_listed_and_rare_pairs_are_not(make_manifest: MakeManifest) -> None:
    """Forty paintings on canvas, forty marble statues, one marble painting, and one wax doll."""
    materials = [("canvas",)] * 40 + [("marble",)] * 41 + [("wax",), None, ("canvas",)]
    types = [("painting",)] * 40 + [("statue",)] * 40 + [("painting",), ("doll",), ("painting",), None]
    manifest = make_manifest([f"N{row}" for row in range(84)], material=materials, type=types)
    objects = AuditedObjects.of(manifest, ["material", "type"])
    (pair,) = lonely_pairs(objects)
    assert [objects.photographs[item] for item in pair.items] == [[80]]
    assert pair.tasks == ("material", "type") and pair.labels == ("marble", "painting")
    assert pair.objects == (41, 41) and pair.expected == pytest.approx(41 * 41 / 82)
    assert 0 < pair.chance < 1e-15


def test_near_duplicates_count_once_and_are_all_named(make_manifest: MakeManifest) -> None:
    materials = [("canvas",)] * 40 + [("marble",)] * 42
    types = [("painting",)] * 40 + [("statue",)] * 40 + [("painting",)] * 2
    numbers = [f"N{row}" for row in range(82)]
    apart = AuditedObjects.of(make_manifest(numbers, material=materials, type=types), ["material", "type"])
    assert list(lonely_pairs(apart)) == []  # it occurs twice
    manifest = make_manifest(numbers, near=[(80, 81)], material=materials, type=types)
    (pair,) = lonely_pairs(AuditedObjects.of(manifest, ["material", "type"]))
    assert len(pair.items) == 2 and pair.objects == (41, 41)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_the_rule_is_fishers_exact_test_with_bonferronis_correction(
    make_manifest: MakeManifest, seed: int
) -> None:
    random = np.random.default_rng(seed)
    count, of_type = 120, random.integers(0, 4, 120)
    of_material = np.where(random.random(count) < 0.97, of_type, random.integers(0, 4, count))
    manifest = make_manifest(
        [f"N{row}" for row in range(count)],
        material=[(f"m{each}",) for each in of_material],
        type=[(f"t{each}",) for each in of_type],
    )
    found = list(lonely_pairs(AuditedObjects.of(manifest, ["material", "type"])))
    table = np.zeros((4, 4), dtype=int)
    np.add.at(table, (of_material, of_type), 1)
    expected = {}
    for material, type_ in np.argwhere(table == 1).tolist():
        rest = [
            [1, table[material].sum() - 1],
            [table[:, type_].sum() - 1, count - table[material].sum() - table[:, type_].sum() + 1],
        ]
        chance = fisher_exact(rest, alternative="less").pvalue
        if chance * (table == 1).sum() <= LARGEST_CHANCE:
            expected[f"m{material}", f"t{type_}"] = chance
    assert {pair.labels for pair in found} == expected.keys()
    for pair in found:
        assert pair.chance == pytest.approx(expected[pair.labels], rel=1e-6)
    assert [pair.chance for pair in found] == sorted(pair.chance for pair in found)
