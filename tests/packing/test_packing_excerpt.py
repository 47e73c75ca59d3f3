from __future__ import annotations

from pathlib import Path

import pytest

from arttl.errors import ArttlError
from arttl.packing.excerpt import first_rows, rows_of, write_excerpt
from arttl.packing.verify import verify
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest

MOST = {"train": 7, "val": 2, "test": 10_000}


def test_an_excerpt_is_the_first_samples_of_each_split(small_shards: Path, tmp_path: Path) -> None:
    whole = Manifest.read(small_shards)
    made = write_excerpt(whole, tmp_path / "excerpt", first_rows(rows_of(whole), MOST))
    for split, most in MOST.items():
        before, after = whole.rows(split)[:most], made.rows(split)
        assert [whole.keys[row] for row in before] == [made.keys[row] for row in after]
        for task in whole.task_names:
            labels, kept = whole.labels(task), made.labels(task)
            assert [labels[row] for row in before] == [kept[row] for row in after]
        pictures = [
            [rows.members(int(row)).read()[0] for row in some]
            for rows, some in ((ShardRows(whole), before), (ShardRows(made), after))
        ]
        assert pictures[0] == pictures[1]
    assert not list(verify(tmp_path / "excerpt", workers=1))


def test_an_excerpt_that_is_there_is_left(small_shards: Path, tmp_path: Path) -> None:
    whole = Manifest.read(small_shards)
    write_excerpt(whole, tmp_path / "excerpt", first_rows(rows_of(whole), MOST))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "excerpt").iterdir()}
    write_excerpt(whole, tmp_path / "excerpt", first_rows(rows_of(whole), MOST))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "excerpt").iterdir()} == before
    with pytest.raises(ArttlError, match="begun with"):
        write_excerpt(whole, tmp_path / "excerpt", first_rows(rows_of(whole), MOST | {"val": 3}))
