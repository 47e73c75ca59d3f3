"""Whether a folder of shards is unchanged since it was finished: digests, indexes, keys, rows and pictures."""

from __future__ import annotations

import hashlib
import json
import struct
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.compute as pc
import simplejpeg

from arttl.errors import ArttlError, counted, one_line, printable
from arttl.files import digest_of_file
from arttl.packing.finish import digest_of_all
from arttl.packing.parts import SCRATCH
from arttl.packing.pool import default_workers, in_order
from arttl.pictures.jpeg import check_stored
from arttl.shards.index import index_line, index_text
from arttl.shards.manifest import Manifest
from arttl.shards.sample import EXTENSIONS, SampleRecord
from arttl.shards.writer import FileDigest
from arttl.tasks import SPLITS


@dataclass(frozen=True, slots=True)
class _Shard:
    """A shard and the rows of the manifest that must be in it, from `first` on, in order."""

    path: Path
    first: int
    records: list[SampleRecord]

    @property
    def file(self) -> str:
        return str(self.path)


def verify(directory: str | Path, *, workers: int = 0) -> Iterator[str]:
    """Look for all that has changed.

    Compared are: the size and SHA-256 of every file and the digest of all with `dataset.json`; which files are there;
    counts; every index with its tar; every sample's name, row, labels and SHA-256 with the manifest; and every key
    with every other. Every picture is decoded in full, warnings of the decoder counting as errors.

    Args:
        directory: a finished folder of shards.
        workers: processes; 0: one per core, for more than 1,000 samples.

    Yields:
        A sentence for each fault, naming the file.

    Raises:
        ArttlError: if the folder is missing, unfinished, or of another format version.
    """
    manifest = Manifest.read(directory)
    yield from _files(manifest)
    yield from _manifest(manifest)
    shards = list(_shards(manifest))
    processes = workers or default_workers(len(manifest))
    remedy = "if memory ran out, give fewer --workers, and run it again"
    work = in_order(_check_shard, shards, processes, chunk_size=1, remedy=remedy)
    with closing(work) as results:
        for problems in results:
            yield from problems


def _files(manifest: Manifest) -> Iterator[str]:
    files = manifest.dataset.get("files", {})
    digests = [FileDigest(name, file["bytes"], file["sha256"]) for name, file in files.items()]
    if digest_of_all(digests) != manifest.dataset.get("digest"):
        yield "dataset.json: its digest of all files is not that of the digests it lists"
    for file in digests:
        path = manifest.directory / file.name
        if not path.is_file():
            yield f"{file.name}: missing"
        elif path.stat().st_size != file.bytes:
            yield f"{file.name}: {path.stat().st_size:,} bytes instead of {file.bytes:,}"
        elif digest_of_file(path) != file.sha256:
            yield f"{file.name}: its SHA-256 is not the one in dataset.json"
    expected = {*files, "dataset.json"}
    for path in sorted(manifest.directory.iterdir()):
        if path.suffix in (".tar", ".idx") and path.name not in expected:
            yield f"{path.name}: not a part of these shards"
        if path.name == SCRATCH:
            yield f"{SCRATCH}: left by an interrupted run; delete it, or finish with --resume"


def _manifest(manifest: Manifest) -> Iterator[str]:
    repeated = [key for key, count in Counter(manifest.keys).items() if count > 1]
    for key in repeated[:5]:
        yield f"manifest.parquet: the key {key} occurs more than once"
    samples = {split: pc.sum(pc.equal(manifest.table["split"], split)).as_py() or 0 for split in SPLITS}
    if samples != manifest.dataset.get("samples"):
        yield f"manifest.parquet: it has {samples} samples, dataset.json says {manifest.dataset.get('samples')}"
    if list(manifest.task_names) != manifest.dataset.get("tasks"):
        yield "manifest.parquet: its tasks are not those of dataset.json"


def _shards(manifest: Manifest) -> Iterator[_Shard]:
    for path, rows in manifest.shard_rows():
        columns = manifest.table.slice(rows.start, len(rows)).to_pylist()
        yield _Shard(path, rows.start, [SampleRecord.from_columns(row) for row in columns])


def _check_shard(shard: _Shard) -> list[str]:
    problems = []
    index = []
    try:
        with tarfile.open(shard.path, "r:") as tar:
            members = tar.getmembers()
            for number, record in enumerate(shard.records):
                of_sample = members[3 * number : 3 * number + 3]
                names = [f"{record.key}.{extension}" for extension in EXTENSIONS]
                if [member.name for member in of_sample] != names:
                    problems.append(f"{shard.path.name}: sample {number} is not {record.key}")
                    break
                data = [_read(tar, member) for member in of_sample]
                problems += _check_sample(shard.path.name, record, shard.first + number, data)
                offsets = [(member.offset_data, member.size) for member in of_sample]
                components = [(name, *span) for name, span in zip(EXTENSIONS, offsets, strict=True)]
                index.append(index_line(record.key, components))
            if len(members) > 3 * len(shard.records):
                problems.append(f"{shard.path.name}: it holds more than the manifest says")
        written = shard.path.with_suffix(".idx").read_bytes()
        if written != index_text(index).encode():
            problems.append(f"{shard.path.with_suffix('.idx').name}: it is not the index of its tar")
    except FileNotFoundError:
        pass  # reported already
    except (OSError, tarfile.TarError) as error:
        problems.append(f"{shard.path.name}: cannot be read: {one_line(error)}")
    return problems


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isreg() else None
    return file.read() if file else b""


def _check_sample(shard: str, record: SampleRecord, number: int, data: list[bytes]) -> Iterator[str]:
    jpeg, text, row = data
    where = partial("{}: {}.{}: {}".format, shard, record.key)
    if row != struct.pack("<q", number):
        yield where("row", f"it is not row {number}")
    if hashlib.sha256(jpeg).hexdigest() != record.stored_sha256:
        yield where("jpg", "its SHA-256 is not the manifest's")
    try:
        check_stored(jpeg, record.width, record.height)
        simplejpeg.decode_jpeg(jpeg, "RGB", strict=True)
    except (ValueError, MemoryError) as error:
        yield where("jpg", f"cannot be decoded: {one_line(error)}")
    expected = (record.key, record.object_number, record.labels, record.sha256)
    try:
        sample = json.loads(text)
        stored = (
            *(sample[name] for name in ("key", "object_number", "labels")),
            sample["original"]["sha256"],
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        yield where("json", "it is not the JSON of a sample")
    else:
        if stored != expected:
            yield where("json", "it differs from the manifest")


def verified(directory: Path, workers: int) -> str:
    """Verify a folder, printing every fault.

    Returns:
        A sentence on what was compared.

    Raises:
        ArttlError: if anything is wrong.
    """
    count = 0
    for problem in verify(directory, workers=workers):
        print(printable(problem), flush=True)
        count += 1
    if count:
        are = counted(
            count, f"thing in {directory} is not as it was", f"things in {directory} are not as they were"
        )
        raise ArttlError(f"{are} written; pack it again")
    manifest = Manifest.read(directory)
    files = len(manifest.dataset["files"])
    return (
        f"verified: {counted(len(manifest), 'sample')} in {counted(files, 'file')} of {directory}: every digest,"
        " index, key, row and picture"
    )
