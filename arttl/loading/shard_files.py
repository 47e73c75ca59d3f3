"""The tars of a split and where each sample lies in them, taken from the `.idx` files and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.packing.manifest import Manifest

_SHARD_NAME = re.compile(r"[a-z]+-[0-9]{5,}\.tar")
_AGAIN = "copy it again from where it was packed, or pack the collection anew with scripts/make_shards.py"


class ShardFiles:
    """The shards that hold some rows of a manifest.

    Opening them reads every index and compares it with the manifest and with the size of its tar, so that a
    missing, truncated or replaced file shows before training starts. No tar is read.

    Attributes:
        directory: where they are.
        shard_of_row: [manifest rows] int64, a number for each row's shard.
    """

    def __init__(self, manifest: Manifest, rows: npt.NDArray[np.int64]) -> None:
        """Find the samples of `rows`.

        Raises:
            ArttlError: naming the first tar or index that is missing or does not fit.
        """
        self.directory = manifest.directory
        self._names, self.shard_of_row = np.unique(np.asarray(manifest.shards), return_inverse=True)
        self._keys = manifest.keys
        # Of each manifest row, in bytes: where the JPEG starts, how long it is, where the row number starts.
        self._places = np.zeros((len(manifest), 3), dtype=np.int64)
        ends = np.cumsum(np.bincount(self.shard_of_row))
        rows_by_shard = np.split(np.argsort(self.shard_of_row, kind="stable"), ends[:-1])
        for shard in np.unique(self.shard_of_row[rows]):
            name, inside = str(self._names[shard]), rows_by_shard[shard]
            if not _SHARD_NAME.fullmatch(name):  # it becomes a path
                raise ArttlError(
                    f"{self.directory / 'manifest.parquet'} names a shard {name!r}, which is no shard's name;"
                    " pack the collection anew with scripts/make_shards.py"
                )
            self._places[inside] = _read_index(self.directory / name, [self._keys[row] for row in inside])

    def describe(self, row: int) -> str:
        """A sample's shard and key, for messages."""
        return f"{self._path(row)}: sample {self._keys[row]!r} (row {row})"

    def jpeg(self, row: int) -> bytes:
        """The stored JPEG of one row; may be called from many threads.

        Raises:
            ArttlError: if the shard has vanished or shrunk since it was opened.
        """
        offset, size, _ = self._places[row].tolist()
        path = self._path(row)
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise ArttlError(f"{path} cannot be read ({error.strerror}); {_AGAIN}") from error
        if len(data) != size:
            raise ArttlError(f"{path} became shorter while it was read; {_AGAIN}")
        return data

    def runs(self, rows: npt.NDArray[np.int64]) -> Iterator[tuple[Path, str]]:
        """A sequence of rows as DALI's webdataset reader can follow it.

        Args:
            rows: [N] int64, in any order, repeats included.

        Yields:
            For each stretch of rows in one shard, the tar and the text of an index (version 1.2) that lists
            just these, with the components jpg and row.
        """
        for _, stretch in groupby(rows.tolist(), key=lambda row: int(self.shard_of_row[row])):
            lines = []
            for row in stretch:
                offset, size, row_offset = self._places[row].tolist()
                key = self._keys[row]
                lines.append(f"jpg {offset} {size} {key}.jpg row {row_offset} 8 {key}.row")
            yield self._path(row), "\n".join([f"v1.2 {len(lines)}", *lines, ""])

    def _path(self, row: int) -> Path:
        return self.directory / str(self._names[self.shard_of_row[row]])


def _read_index(tar: Path, keys: list[str]) -> list[tuple[int, int, int]]:
    """Where each sample of a shard lies.

    Args:
        tar: the shard; the index is beside it.
        keys: of the shard's rows in the manifest, in order.

    Returns:
        For each sample the offset and size of its JPEG and the offset of its row number, in bytes.
    """
    index = tar.with_suffix(".idx")
    try:
        length = tar.stat().st_size
        first, *lines = index.read_text(encoding="ascii").splitlines()
    except FileNotFoundError as error:
        raise ArttlError(f"{error.filename} is missing; {_AGAIN}") from error
    except (OSError, ValueError) as error:
        raise ArttlError(f"{index} cannot be read as an index of a shard; {_AGAIN}") from error
    if first != f"v1.2 {len(keys)}" or len(lines) != len(keys):
        raise ArttlError(
            f"{index} does not list the {len(keys)} samples that the manifest has in {tar.name}; {_AGAIN}"
        )
    places = []
    end = 0
    for number, (key, line) in enumerate(zip(keys, lines, strict=True), start=2):
        words = line.split(" ")
        try:
            components = {words[i]: (int(words[i + 1]), int(words[i + 2])) for i in range(0, len(words), 4)}
            (jpeg, size), (row, row_size) = components["jpg"], components["row"]
            named = words[3::4][list(components).index("jpg")]
            if row_size != 8 or min(min(place) for place in components.values()) < 0:
                raise ValueError(line)
        except (IndexError, KeyError, ValueError) as error:
            raise ArttlError(
                f"{index}, line {number}: not a sample with the components jpg and row; {_AGAIN}"
            ) from error
        if named != f"{key}.jpg":
            raise ArttlError(
                f"{index}, line {number}: {named} stands where the manifest has {key!r}; {_AGAIN}"
            )
        places.append((jpeg, size, row))
        end = max(end, *(offset + bytes_ for offset, bytes_ in components.values()))
    if length < end:
        raise ArttlError(f"{tar} is truncated: {length} bytes of at least {end}; {_AGAIN}")
    return places
