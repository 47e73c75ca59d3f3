"""Every kind of damage to finished shards is found, and named with its file."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.finish import digest_of_all
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.packing.verify import verified, verify
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.shards.writer import FileDigest


@pytest.fixture
def shards(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> Path:
    out = tmp_path / "out"
    pack(make_artworks(24), PackSettings(out=out, images=tmp_path / "images", workers=1, shard_size=8))
    return out


def _overwrite(path: Path, at: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)


def _settle_digests(folder: Path) -> None:
    """Make `dataset.json` agree with what lies there, so that only what the files say can show the damage."""
    dataset = json.loads((folder / "dataset.json").read_text())
    for name in dataset["files"]:
        data = (folder / name).read_bytes()
        dataset["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    dataset["digest"] = digest_of_all(FileDigest(name, **file) for name, file in dataset["files"].items())
    (folder / "dataset.json").write_text(json.dumps(dataset))


@pytest.mark.parametrize("workers", [1, 2])
def test_good_shards(shards: Path, workers: int) -> None:
    assert list(verify(shards, workers=workers)) == []
    assert verified(shards, workers).startswith("verified: 24 samples in 13 files")


def test_a_flipped_byte(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Manifest.read(shards)
    _, rows = manifest.shard_rows()[1]
    members = ShardRows(manifest).members(rows[2])
    assert members.tar.name == "train-00001.tar"
    offset, size = members.spans[0]
    _overwrite(shards / "train-00001.tar", offset + size * 9 // 10, b"\xff\xd9" * 4)
    problems = list(verify(shards))
    assert problems[0] == "train-00001.tar: its SHA-256 is not the one in dataset.json"
    assert f"train-00001.tar: {members.key}.jpg: its SHA-256 is not the manifest's" in problems
    assert any(f"{members.key}.jpg: cannot be decoded" in problem for problem in problems)
    with pytest.raises(ArttlError, match=rf"{len(problems)} things in .* are not as they were written"):
        verified(shards, 1)
    assert capsys.readouterr().out.splitlines() == problems


def test_files_that_are_missing_cut_or_too_many(shards: Path) -> None:
    (shards / "val-00000.tar").unlink()
    (shards / "train-00000.idx").write_bytes(b"v1.2 0\n")
    (shards / "train-00009.tar").write_bytes(b"")
    (shards / ".unfinished").mkdir()
    problems = list(verify(shards))
    assert "val-00000.tar: missing" in problems
    assert any(problem.startswith("train-00000.idx: 7 bytes instead of") for problem in problems)
    assert "train-00000.idx: it is not the index of its tar" in problems
    assert "train-00009.tar: not a part of these shards" in problems
    assert any(problem.startswith(".unfinished: left by") for problem in problems)


def _rewrite(shards: Path, change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]) -> None:
    """Write the members of a tar again, and settle digests and index."""
    path = shards / "train-00000.tar"
    with tarfile.open(path) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    lines = []
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in change(members):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            lines.append((name.split(".", 1)[1], tar.offset + 512, len(data), name))
            tar.addfile(member, io.BytesIO(data))
    rows = [lines[place : place + 3] for place in range(0, len(lines), 3)]
    text = "".join(" ".join(f"{e} {o} {s} {n}" for e, o, s, n in row) + "\n" for row in rows)
    path.with_suffix(".idx").write_text(f"v1.2 {len(rows)}\n{text}")
    _settle_digests(shards)


def test_two_samples_exchanged(shards: Path) -> None:
    _rewrite(shards, lambda members: [*members[3:6], *members[:3], *members[6:]])
    assert [problem for problem in verify(shards) if "sample 0 is not" in problem]


def test_a_sample_lost_and_one_too_many(shards: Path) -> None:
    whole = (shards / "train-00000.tar").read_bytes(), (shards / "train-00000.idx").read_bytes()
    _rewrite(shards, lambda members: members[:-3])
    assert [problem for problem in verify(shards) if "sample 7 is not" in problem]
    (shards / "train-00000.tar").write_bytes(whole[0])
    _rewrite(shards, lambda members: [*members, ("x.jpg", b""), ("x.json", b""), ("x.row", b"")])
    assert "train-00000.tar: it holds more than the manifest says" in list(verify(shards))


@pytest.mark.parametrize(
    ("extension", "data", "problem"),
    [
        ("row", b"\0" * 8, "it is not row 1"),
        ("row", b"", "it is not row 1"),
        ("json", b"{}", "it is not the JSON of a sample"),
        ("json", b"[" * 100_000, "it is not the JSON of a sample"),
        ("jpg", b"", "its SHA-256 is not the manifest's"),
    ],
)
def test_a_member_that_is_another(shards: Path, extension: str, data: bytes, problem: str) -> None:
    place = ("jpg", "json", "row").index(extension) + 3
    _rewrite(shards, lambda members: [*members[:place], (members[place][0], data), *members[place + 1 :]])
    key = Manifest.read(shards).keys[1]
    assert f"train-00000.tar: {key}.{extension}: {problem}" in list(verify(shards))


def test_labels_that_differ_from_the_manifest(shards: Path) -> None:
    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        name, text = members[1]
        sample = json.loads(text)
        sample["labels"]["type"] = ["forged"]
        return [members[0], (name, json.dumps(sample).encode()), *members[2:]]

    _rewrite(shards, change)
    key = Manifest.read(shards).keys[0]
    assert list(verify(shards)) == [f"train-00000.tar: {key}.json: it differs from the manifest"]


def test_a_manifest_that_is_another(shards: Path) -> None:
    table = pq.read_table(shards / "manifest.parquet")
    keys = table["key"].to_pylist()
    keys[1] = keys[0]
    pq.write_table(table.set_column(0, "key", pa.array([keys]).flatten()), shards / "manifest.parquet")
    _settle_digests(shards)
    problems = list(verify(shards))
    assert f"manifest.parquet: the key {keys[0]} occurs more than once" in problems
    pq.write_table(table.slice(0, 23), shards / "manifest.parquet")
    _settle_digests(shards)
    assert any("dataset.json says" in problem for problem in verify(shards))


def test_a_digest_of_all_that_is_another(shards: Path) -> None:
    dataset = json.loads((shards / "dataset.json").read_text())
    dataset["digest"] = "0" * 64
    (shards / "dataset.json").write_text(json.dumps(dataset))
    assert list(verify(shards)) == [
        "dataset.json: its digest of all files is not that of the digests it lists"
    ]
    (shards / "dataset.json").unlink()
    with pytest.raises(ArttlError, match=r"dataset\.json is missing"):
        list(verify(shards))
