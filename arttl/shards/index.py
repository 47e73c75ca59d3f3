"""DALI's index beside each tar: written as its tool `wds2idx` writes it, and read by everything that opens shards.

Version 1.2 of the format: a line `v1.2 <samples>`, then for each sample a line of its components, each as extension,
offset of the data, size and member name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.documents import LARGEST
from arttl.errors import ArttlError, counted
from arttl.shards.manifest import Manifest
from arttl.shards.sample import EXTENSIONS

COPY_AGAIN = "copy it again from where it was packed, or pack the collection anew with arttl shards"
_ROW_BYTES = 8
_LARGEST_FILE = 1 << 62  # bytes; sums of two stay below 2**63


def index_line(key: str, components: Iterable[tuple[str, int, int]]) -> str:
    """The line of one sample.

    Args:
        key: of the sample.
        components: extension, and offset and size of the data in bytes, of each member.
    """
    return " ".join(
        f"{extension} {offset} {size} {key}.{extension}" for extension, offset, size in components
    )


def index_text(lines: Sequence[str]) -> str:
    """The whole file from the lines of its samples."""
    return "\n".join([f"v1.2 {len(lines)}", *lines, ""])


def read_index(path: Path, keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """Read the index of a shard and compare it with the manifest.

    Args:
        path: the `.idx` file.
        keys: of the samples that the manifest has in the shard, in order.

    Returns:
        [N, 3, 2] offset and size in bytes of each sample's members, in the order of `EXTENSIONS`.

    Raises:
        ArttlError: naming the file, and the line that is not as it was written.
    """
    try:
        head, *lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError as error:
        raise ArttlError(f"{path} is missing; {COPY_AGAIN}") from error
    except (OSError, ValueError) as error:
        raise ArttlError(f"{path} cannot be read as an index of a shard; {COPY_AGAIN}") from error
    if head != f"v1.2 {len(keys)}" or len(lines) != len(keys):
        raise ArttlError(
            f"{path} does not list the {counted(len(keys), 'sample')} that the manifest has in {path.stem}.tar;"
            f" {COPY_AGAIN}"
        )
    spans = []
    for number, (key, line) in enumerate(zip(keys, lines, strict=True), start=2):
        words = line.split(" ")
        try:
            offsets, sizes = map(int, words[1::4]), map(int, words[2::4])
            of_sample = list(zip(offsets, sizes, strict=True))
            well_formed = len(words) == 4 * len(EXTENSIONS) and words[::4] == list(EXTENSIONS)
            if not well_formed or of_sample[-1][1] != _ROW_BYTES or not _fit_a_file(of_sample):
                raise ValueError(line)
        except ValueError as error:
            raise ArttlError(
                f"{path}, line {number}: not a sample with the components {', '.join(EXTENSIONS)}; {COPY_AGAIN}"
            ) from error
        for extension, name in zip(EXTENSIONS, words[3::4], strict=True):
            if name != f"{key}.{extension}":
                raise ArttlError(
                    f"{path}, line {number}: {name} is listed where the manifest has {key!r}; {COPY_AGAIN}"
                )
        spans.append(of_sample)
    return np.array(spans, dtype=np.int64).reshape(-1, len(EXTENSIONS), 2)


def _fit_a_file(spans: Sequence[tuple[int, int]]) -> bool:
    return all(0 <= offset < _LARGEST_FILE and 0 <= size < _LARGEST_FILE for offset, size in spans)


@dataclass(frozen=True, slots=True)
class Members:
    """The three members of a sample in their tar.

    Attributes:
        tar: the shard.
        key: the sample's name.
        spans: offset and size in bytes of each, in the order of `EXTENSIONS`.
    """

    tar: Path
    key: str
    spans: tuple[tuple[int, int], ...]

    @property
    def file(self) -> str:
        """The sample, for messages."""
        return f"{self.key}.jpg in {self.tar}"

    def read(self) -> tuple[bytes, bytes, bytes]:
        """The contents of the members.

        Raises:
            ArttlError: if the tar cannot be read, or ends before.
        """
        jpeg, metadata, row = self._contents(self.spans)
        return jpeg, metadata, row

    def read_json(self) -> bytes:
        """The JSON alone, of at most 64 MiB.

        Raises:
            ArttlError: as for `read`, and if it is larger.
        """
        span = self.spans[EXTENSIONS.index("json")]
        if span[1] > LARGEST:
            raise ArttlError(f"{self.key}.json in {self.tar} has more than {LARGEST / 2**20:g} MiB")
        return self._contents([span])[0]

    def _contents(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        contents = []
        try:
            with self.tar.open("rb", buffering=0) as file:
                length = os.fstat(file.fileno()).st_size
                for offset, size in spans:
                    file.seek(offset)
                    # A damaged index may ask for more than there is memory.
                    contents.append(file.read(min(size, max(0, length - offset))))
        except OSError as error:
            raise ArttlError(f"{self.tar} cannot be read: {error.strerror or error}") from error
        if [len(data) for data in contents] != [size for _, size in spans]:
            raise ArttlError(f"{self.tar} ends before {self.key}; run arttl shards verify")
        return contents


class ShardRows:
    """The samples of a folder of shards by their row in the manifest; each index is read when it is first needed."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._shards = manifest.shard_rows()
        self._firsts = np.array([rows.start for _, rows in self._shards])
        self._spans: dict[int, npt.NDArray[np.int64]] = {}

    def members(self, row: int) -> Members:
        """The members of a row's sample.

        Raises:
            ArttlError: if a shard's index is not well-formed, or not the one that the manifest describes.
        """
        shard = int(np.searchsorted(self._firsts, row, "right")) - 1
        tar, rows = self._shards[shard]
        if shard not in self._spans:
            keys = self._manifest.keys[rows.start : rows.stop]
            self._spans[shard] = read_index(tar.with_suffix(".idx"), keys)
        spans = self._spans[shard][row - rows.start].tolist()
        return Members(tar, self._manifest.keys[row], tuple((offset, size) for offset, size in spans))
