from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE
from arttl.shards.manifest import Manifest
from arttl.splits.redraw import object_groups, redraw_split
from arttl.tasks import SPLITS, TaskSet


@dataclass(frozen=True)
class Listed:
    """As much of a manifest as grouping looks at."""

    directory: Path
    object_numbers: list[str]
    keys: list[str]
    groups: list[str | None]

    def __len__(self) -> int:
        return len(self.keys)


def test_seed_0_is_the_shards_own_split(small_shards: Path) -> None:
    manifest = Manifest.read(small_shards)
    draw = redraw_split(manifest, manifest.task_names, 0)
    assert list(draw.splits) == manifest.splits
    for split in SPLITS:
        assert (draw.rows(split) == manifest.rows(split)).all()


def test_other_seeds_draw_other_splits_of_the_same_rows(small_shards: Path) -> None:
    manifest = Manifest.read(small_shards)
    draws = [redraw_split(manifest, ("type",), seed) for seed in (0, 1, 2, 1)]
    assert draws[1].splits == draws[3].splits != draws[2].splits != draws[0].splits
    groups = object_groups(manifest)
    for draw in draws[1:]:
        rows = np.concatenate([draw.rows(split) for split in SPLITS])
        assert sorted(rows.tolist()) == list(range(len(manifest)))
        assert abs(len(draw.rows("test")) - len(manifest) / 10) <= 4
        for group in np.unique(groups):
            assert len({draw.splits[row] for row in np.flatnonzero(groups == group)}) == 1
    tasks = TaskSet.from_manifest(draws[1], ("type",))
    counts = tasks["type"].vocabulary.counts
    labels = manifest.labels("type")
    trained = [labels[row] for row in draws[1].rows("train")]
    assert sum(counts) == sum(found is not None for found in trained)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([None, None, "a", "s", "t"])),
        min_size=1,
        max_size=24,
    ),
    near=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), max_size=12),
)
def test_groups_are_the_connected_components(tmp_path_factory, rows, near) -> None:
    numbers, series = zip(*rows, strict=True)
    folder = tmp_path_factory.mktemp("listed")
    keys = [f"k{row}" for row in range(len(numbers))]
    lines = [f"{group},k{row},n,train,0" for group, row in near]
    (folder / NEAR_DUPLICATES_FILE).write_text(
        "\n".join(["group,key,object_number,split,distance", *lines]) + "\n"
    )
    found = object_groups(Listed(folder, list(numbers), keys, list(series)))  # type: ignore[arg-type]
    # The transitive closure of "one object, one series or near duplicates", by repeated squaring of the relation.
    together = np.array([[a == b or (c is not None and c == d) for b, d in rows] for a, c in rows])
    for first, row in near:
        for second, other in near:
            if first == second and row < len(keys) and other < len(keys):
                together[row, other] = True
    for _ in range(6):
        together = (together.astype(int) @ together.astype(int)) > 0
    assert ((found[:, None] == found[None]) == together).all()


def test_a_broken_table_of_near_duplicates_is_named(tmp_path: Path) -> None:
    (tmp_path / NEAR_DUPLICATES_FILE).write_text("a,b\n1,2\n")
    with pytest.raises(ArttlError, match=r"near-duplicates\.csv cannot be read"):
        object_groups(Listed(tmp_path, ["a"], ["k"], [None]))  # type: ignore[arg-type]
