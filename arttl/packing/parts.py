"""The finished shards of an unfinished run: a small file for each, from which the run is resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from arttl.documents import structured
from arttl.errors import ArttlError, one_line
from arttl.files import write_json
from arttl.shards.rejects import Reject
from arttl.shards.sample import SampleRecord
from arttl.shards.writer import FileDigest

SCRATCH = ".unfinished"


@dataclass
class Part:
    """One shard's share of a split.

    Attributes:
        end: index in the split's order after the last artwork that was processed.
        records: the manifest rows of its samples, in order.
        rejects: the pictures left out on the way.
        files: the shard's tar and index; none where every picture was left out.
    """

    end: int = 0
    records: list[SampleRecord] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    files: list[FileDigest] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    """How far a split is: finished parts, the samples in them, artworks processed."""

    parts: int
    samples: int
    end: int


class Parts:
    """The part files of a folder of shards."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scratch = directory / SCRATCH

    def save(self, split: str, number: int, part: Part) -> None:
        """Record a finished part; its shard must exist already."""
        write_json(self._path(split, number), asdict(part), self.scratch, indent=None)

    def load(self, split: str) -> Iterator[Part]:
        """The finished parts of a split in order, up to the first that is missing or whose shard is.

        Raises:
            ArttlError: if one was not written by `save`.
        """
        number = 0
        while (path := self._path(split, number)).is_file():
            part = _read(path)
            if not all(self._is_whole(file) for file in part.files):
                return
            yield part
            number += 1

    def done(self, split: str) -> Done:
        """How far a split is."""
        parts = samples = end = 0
        for part in self.load(split):
            parts, samples, end = parts + 1, samples + len(part.records), part.end
        return Done(parts, samples, end)

    def _is_whole(self, file: FileDigest) -> bool:
        path = self.directory / file.name
        return path.is_file() and path.stat().st_size == file.bytes

    def _path(self, split: str, number: int) -> Path:
        return self.scratch / f"{split}-{number:05d}.json"


def _read(path: Path) -> Part:
    try:
        # As large as --shard-size makes it, and with hashes of 64 bits: `read_json` would refuse it.
        part = structured(json.loads(path.read_bytes()), Part, path)
        if part.end < 1:
            raise ValueError("it ends before the first artwork")
        return part
    except (ValueError, RecursionError, OSError) as error:
        reason = f"{path} cannot be read: {one_line(error)}"
    except ArttlError as error:
        reason = str(error)
    raise ArttlError(f"--resume: {reason}; delete that file, and its shard is made again")
