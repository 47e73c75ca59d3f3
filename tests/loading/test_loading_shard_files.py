from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.loading.shard_files import ShardFiles
from arttl.shards.manifest import Manifest


@pytest.fixture
def copied(painted_collection: Manifest, tmp_path: Path) -> Manifest:
    """A collection to damage."""
    shutil.copytree(painted_collection.directory, tmp_path / "shards")
    return Manifest.read(tmp_path / "shards")


def test_every_jpeg_is_the_members_bytes(painted_collection: Manifest) -> None:
    files = ShardFiles(painted_collection, np.arange(len(painted_collection)))
    for row, (key, shard) in enumerate(zip(painted_collection.keys, painted_collection.shards, strict=True)):
        with tarfile.open(painted_collection.directory / shard) as tar:
            member = tar.extractfile(f"{key}.jpg")
            assert member is not None and files.jpeg(row) == member.read()
        assert shard in files.describe(row) and key in files.describe(row)


def test_shards_of_other_splits_are_not_needed(copied: Manifest) -> None:
    (copied.directory / "train-00000.tar").unlink()
    files = ShardFiles(copied, copied.rows("val"))
    assert files.jpeg(int(copied.rows("val")[0])).startswith(b"\xff\xd8")


def replace_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "train-00002.tar").unlink(), "train-00002.tar is missing"),
        (lambda folder: (folder / "train-00002.idx").unlink(), "train-00002.idx is missing"),
        (lambda folder: cut(folder / "train-00001.tar", 9000), "train-00001.tar is truncated: 9000 bytes"),
        (lambda folder: cut(folder / "train-00001.idx", 300), "train-00001.idx does not list the 10 samples"),
        (lambda folder: cut(folder / "train-00001.idx", 0), "train-00001.idx cannot be read"),
        (
            lambda folder: (folder / "train-00001.idx").write_bytes(b"\xff\xfe\x00"),
            "train-00001.idx cannot be read",
        ),
        (
            lambda folder: replace_text(folder / "train-00001.idx", "v1.2", "v9.9"),
            "train-00001.idx does not list the 10 samples",
        ),
        (
            lambda folder: replace_text(folder / "train-00001.idx", "jpg ", "jpg -"),
            "train-00001.idx, line 2: not a sample",
        ),
        (
            lambda folder: replace_text(folder / "train-00001.idx", "row ", "now "),
            "train-00001.idx, line 2: not a sample",
        ),
        (
            lambda folder: shutil.copy(folder / "train-00000.idx", folder / "train-00001.idx"),
            "train-00001.idx, line 2: n",
        ),
    ],
)
def test_damage_is_named_before_anything_is_read(copied: Manifest, damage, message: str) -> None:
    damage(copied.directory)
    with pytest.raises(ArttlError) as caught:
        ShardFiles(copied, copied.rows("train"))
    assert message in str(caught.value) and "arttl shards" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_cannot_point_outside_its_folder(copied: Manifest) -> None:
    table = copied.table
    column = table.column_names.index("shard")
    elsewhere = ["../../secrets-00000.tar"] * len(copied)
    pq.write_table(table.set_column(column, "shard", [elsewhere]), copied.directory / "manifest.parquet")
    with pytest.raises(ArttlError, match=r"names a shard '\.\./\.\./secrets-00000\.tar'"):
        ShardFiles(Manifest.read(copied.directory), copied.rows("train"))


def test_a_shard_that_vanishes_or_shrinks_later_is_named(copied: Manifest) -> None:
    rows = copied.rows("train")
    files = ShardFiles(copied, rows)
    last = int(max(np.flatnonzero(np.array(copied.shards) == "train-00000.tar")))
    cut(copied.directory / "train-00000.tar", 2000)
    with pytest.raises(ArttlError, match=r"train-00000\.tar became shorter"):
        files.jpeg(last)
    (copied.directory / "train-00000.tar").unlink()
    with pytest.raises(ArttlError, match=r"train-00000\.tar cannot be read \(No such file"):
        files.jpeg(last)


words = st.sampled_from(
    ["v1.2", "10", "1", "jpg", "row", "json", "-5", "8", "512", "9" * 30, "n1.jpg", "", "é"]
)
lines = st.lists(words | st.text(max_size=5), max_size=9).map(" ".join)


@given(lines=st.lists(lines, max_size=12))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_for_an_index_ends_in_our_own_error(copied: Manifest, lines: list[str]) -> None:
    (copied.directory / "train-00001.idx").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ArttlError):
        ShardFiles(copied, copied.rows("train"))
    valid = "\n".join(["v1.2 10", *(lines * 10)[:10]])
    (copied.directory / "train-00001.idx").write_text(valid, encoding="utf-8")
    with pytest.raises(ArttlError):
        ShardFiles(copied, copied.rows("train"))
