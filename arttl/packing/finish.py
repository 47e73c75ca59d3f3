"""The files beside the shards: manifest, rejects, and at the very end the description of the whole."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError
from arttl.files import commit, digest_of_file, write_bytes, write_json
from arttl.packing.parts import Part, Parts
from arttl.packing.writing import Planned
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE, near_duplicates, near_duplicates_csv
from arttl.shards.manifest import FORMAT_VERSION, manifest_schema
from arttl.shards.rejects import Reject, rejects_csv
from arttl.shards.writer import FileDigest
from arttl.tasks import SPLITS
from arttl.version import __version__


def finish(directory: Path, plan: Planned, parts: Parts, settings: dict[str, Any]) -> None:
    """Write `manifest.parquet`, `rejects.csv` and, last, `dataset.json`, by which a folder counts as finished.

    Args:
        directory: of the shards.
        plan: the samples.
        parts: the finished shards.
        settings: recorded in `dataset.json`.

    Raises:
        ArttlError: if no picture at all could be used.
    """
    files: list[FileDigest] = []
    samples: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    labelled: dict[str, Counter[str]] = {task: Counter() for task in plan.tasks}
    near_hashes = array("Q")
    remarks: dict[str, dict[str, Any]] = {}
    manifest = parts.scratch / "manifest.parquet.part"
    schema = manifest_schema(plan.tasks)
    with pq.ParquetWriter(manifest, schema) as writer:
        for split, part in _all_parts(parts):
            files += part.files
            samples[split] += len(part.records)
            near_hashes.extend(record.near_hash for record in part.records if record.near_hash is not None)
            for remark, file in chain.from_iterable(record.remarks.items() for record in part.records):
                remarks.setdefault(remark, {"pictures": 0, "example": file})["pictures"] += 1
            for task in plan.tasks:
                labelled[task][split] += sum(task in record.labels for record in part.records)
            if part.records:
                writer.write_table(_table(part, split, plan.tasks, schema))

    def rejects() -> Iterator[Reject]:
        for reject in chain(plan.rejects, *(part.rejects for _, part in _all_parts(parts))):
            rejected[reject.reason] += 1
            yield reject

    write_bytes(directory / "rejects.csv", rejects_csv(rejects()), parts.scratch)
    if not files:
        raise ArttlError(
            f"no picture could be used ({sum(map(len, plan.jobs.values())):,} in all);"
            f" {directory / 'rejects.csv'} says why"
        )
    commit(manifest, directory / "manifest.parquet")
    files += [_digest(directory / name) for name in ("manifest.parquet", "rejects.csv")]
    if near_hashes:
        _write_near_duplicates(directory, np.array(near_hashes, dtype=np.uint64), parts.scratch)
        files.append(_digest(directory / NEAR_DUPLICATES_FILE))
    description = {
        "format_version": FORMAT_VERSION,
        "made_by": f"arttl {__version__}",
        "tasks": list(plan.tasks),
        "samples": {split: samples[split] for split in SPLITS},
        "labelled": {task: {split: counts[split] for split in SPLITS} for task, counts in labelled.items()},
        "unlabelled": plan.unlabelled,
        "rejected": dict(sorted(rejected.items())),
        **({"remarks": dict(sorted(remarks.items()))} if remarks else {}),
        "settings": settings,
        "plan_sha256": plan.digest,
        "files": {file.name: {"bytes": file.bytes, "sha256": file.sha256} for file in files},
        "digest": digest_of_all(files),
    }
    write_json(directory / "dataset.json", description, parts.scratch)


def digest_of_all(files: Iterable[FileDigest]) -> str:
    """SHA-256 over the lines that `sha256sum` prints for the files, sorted by name."""
    lines = (f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda file: file.name))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _all_parts(parts: Parts) -> Iterator[tuple[str, Part]]:
    for split in SPLITS:
        for part in parts.load(split):
            yield split, part


def _write_near_duplicates(directory: Path, hashes: npt.NDArray[np.uint64], scratch: Path) -> None:
    table = pq.read_table(directory / "manifest.parquet", columns=["key", "object_number", "split"])

    def columns(rows: npt.NDArray[np.int64]) -> dict[str, list[str]]:
        strings: dict[str, list[str]] = table.take(pa.array(rows)).to_pydict()
        return strings

    write_bytes(
        directory / NEAR_DUPLICATES_FILE, near_duplicates_csv(near_duplicates(hashes), columns), scratch
    )


def _table(part: Part, split: str, tasks: tuple[str, ...], schema: pa.Schema) -> pa.Table:
    shard = part.files[0].name
    rows = [record.to_columns(split, shard, tasks) for record in part.records]
    return pa.Table.from_pylist(rows, schema=schema)


def _digest(path: Path) -> FileDigest:
    return FileDigest(path.name, path.stat().st_size, digest_of_file(path))
