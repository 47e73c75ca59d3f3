from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.shards.writer import MAX_KEY_LENGTH, ShardWriter, ustar_header

Samples = list[tuple[str, bytes, bytes]]

_KEYS = st.text("abcXYZ019_-", min_size=1, max_size=MAX_KEY_LENGTH)
_SAMPLES = st.lists(
    st.tuples(_KEYS, st.binary(min_size=1, max_size=1500), st.binary(min_size=1, max_size=60)),
    min_size=1,
    max_size=12,
    unique_by=lambda sample: sample[0],
)


def _write(folder: Path, samples: Samples, name: str = "train-00000") -> None:
    (folder / ".scratch").mkdir(exist_ok=True)
    writer = ShardWriter(folder, name, folder / ".scratch")
    for row, (key, jpeg, metadata) in enumerate(samples):
        writer.add(key, jpeg, metadata, row)
    assert not (folder / f"{name}.tar").exists()
    for digest in writer.close():
        data = (folder / digest.name).read_bytes()
        assert (digest.bytes, digest.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def _wds2idx(tar: Path) -> bytes:
    """The index that DALI's own tool makes."""
    index = tar.with_suffix(".check")
    pytest.importorskip("wds2idx")
    subprocess.run([sys.executable, "-m", "wds2idx", tar, index], check=True, capture_output=True)
    return index.read_bytes()


@given(name=st.text("abcXYZ019_-.", min_size=1, max_size=100), size=st.integers(0, (1 << 33) - 1))
def test_a_header_is_that_of_tarfile(name: str, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o444
    assert ustar_header(name, size) == member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


@pytest.mark.parametrize(("name", "size"), [("a" * 101, 1), ("a", 1 << 33), ("é", 1)])
def test_what_no_header_can_hold_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"fit|ascii"):
        ustar_header(name, size)


@settings(max_examples=8, deadline=None)
@given(samples=_SAMPLES)
def test_index_equals_that_of_wds2idx(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> None:
    tmp_path = tmp_path_factory.mktemp("shard")
    _write(tmp_path, samples)
    assert (tmp_path / "train-00000.idx").read_bytes() == _wds2idx(tmp_path / "train-00000.tar")


@settings(max_examples=20, deadline=None)
@given(samples=_SAMPLES)
def test_webdataset_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, samples: Samples
) -> None:
    tmp_path = tmp_path_factory.mktemp("shard")
    _write(tmp_path, samples)
    dataset = webdataset.WebDataset(str(tmp_path / "train-00000.tar"), shardshuffle=False)
    read = [(s["__key__"], s["jpg"], s["json"], struct.unpack("<q", s["row"])[0]) for s in dataset]
    assert read == [(*sample, row) for row, sample in enumerate(samples)]


def test_index_offsets_point_at_the_data(tmp_path: Path) -> None:
    samples = [("one", b"first picture", b"{}"), ("two", b"x" * 600, b'{"a": 1}')]
    _write(tmp_path, samples)
    tar = (tmp_path / "train-00000.tar").read_bytes()
    for line, sample in zip(
        (tmp_path / "train-00000.idx").read_text().splitlines()[1:], samples, strict=True
    ):
        words = line.split()
        for start, data in zip((0, 4), sample[1:], strict=True):
            offset, size = int(words[start + 1]), int(words[start + 2])
            assert tar[offset : offset + size] == data


def test_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    samples = [(f"key-{i}", bytes([i]) * 700, b"{}") for i in range(5)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _write(tmp_path / name, samples)
    first, second = ((tmp_path / name / "train-00000.tar").read_bytes() for name in ("a", "b"))
    assert first == second


def test_an_abandoned_shard_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".scratch").mkdir()
    writer = ShardWriter(tmp_path, "val-00000", tmp_path / ".scratch")
    writer.add("key", b"jpeg", b"{}", 0)
    writer.abandon()
    assert [path.name for path in tmp_path.rglob("*")] == [".scratch"]


@pytest.mark.parametrize("key", ["a.b", "a/b", "k" * (MAX_KEY_LENGTH + 1)])
def test_keys_that_break_an_index_are_refused(tmp_path: Path, key: str) -> None:
    writer = ShardWriter(tmp_path, "train-00000", tmp_path)
    with pytest.raises(ValueError, match="does not fit"):
        writer.add(key, b"jpeg", b"{}", 0)
    writer.abandon()
