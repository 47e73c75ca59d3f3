"""The tars of a split, and the position of each sample in them from the checked indexes beside them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.loading.remote import RemoteShards
from arttl.shards.index import COPY_AGAIN, read_index
from arttl.shards.manifest import Manifest
from arttl.shards.sample import EXTENSIONS

_HEADER, _NAME = 512, 100  # bytes of a member's header in a tar, and of the name that it begins with
_REFETCHES = 3


class ShardFiles:
    """The shards that hold some rows of a manifest.

    Opening them compares every index with the manifest and with the size of its tar, so that a missing, truncated or
    replaced file is reported before training starts. No tar is read. Tars at an address are fetched when they are
    needed.

    Attributes:
        directory: the folder of the shards, or their folder in the cache.
        shard_of_row: [manifest rows] int64, the number of each row's shard.
        remote: fetches the shards; None where they are in the folder.
    """

    def __init__(self, manifest: Manifest, rows: npt.NDArray[np.int64]) -> None:
        """Open the shards of `rows`.

        Raises:
            ArttlError: naming the first tar or index that is missing or does not fit.
        """
        self.directory = manifest.directory
        self.remote = RemoteShards.of(manifest)
        self._names, self.shard_of_row = np.unique(np.asarray(manifest.shards), return_inverse=True)
        self._keys = manifest.keys
        self._digests = manifest.table.column("stored_sha256")
        # [manifest rows, 2]: offset and size of each JPEG in bytes.
        self._spans = np.zeros((len(manifest), 2), dtype=np.int64)
        ends = np.cumsum(np.bincount(self.shard_of_row))
        rows_by_shard = np.split(np.argsort(self.shard_of_row, kind="stable"), ends[:-1])
        for shard in np.unique(self.shard_of_row[rows]):
            tar, inside = manifest.tar(str(self._names[shard])), rows_by_shard[shard]
            spans = read_index(tar.with_suffix(".idx"), [self._keys[row] for row in inside])
            if self.remote is None:
                _check_size(tar, int(spans.sum(axis=2).max()), manifest)
            self._spans[inside] = spans[:, EXTENSIONS.index("jpg")]
        self._paths = [str(self.directory / str(name)) for name in self._names]

    def describe(self, row: int) -> str:
        """A sample's shard and key, for messages."""
        return f"{self._paths[self.shard_of_row[row]]}: sample {self._keys[row]!r} (row {row})"

    def jpeg(self, row: int) -> bytes:
        """The stored JPEG of one row; may be called from many threads.

        Raises:
            ArttlError: if the shard has vanished, shrunk or been replaced since it was opened, or cannot be fetched.
        """
        path = self._paths[self.shard_of_row[row]]
        offset, size = self._spans[row].tolist()
        try:
            with self._open(row, path) as file:
                file.seek(offset - _HEADER)
                header, data = file.read(_HEADER), file.read(size)
        except OSError as error:
            raise ArttlError(f"{path} cannot be read ({error.strerror}); {COPY_AGAIN}") from error
        if len(data) != size:
            raise ArttlError(f"{path} became shorter while it was read; {COPY_AGAIN}")
        name = header[:_NAME].rstrip(b"\0").decode("ascii", "replace")
        if name != f"{self._keys[row]}.jpg":
            raise ArttlError(
                f"{path} holds {name!r} where the manifest has {self._keys[row]!r}: it was replaced; {COPY_AGAIN}"
            )
        return data

    def is_as_packed(self, row: int, jpeg: bytes) -> bool:
        """Whether the bytes of a row's JPEG have the digest in the manifest."""
        return bool(hashlib.sha256(jpeg).hexdigest() == self._digests[row].as_py())

    def _open(self, row: int, path: str) -> io.FileIO:
        if self.remote is None:
            return io.FileIO(path)
        for _ in range(_REFETCHES):
            self.remote.ensure(str(self._names[self.shard_of_row[row]]))
            with contextlib.suppress(FileNotFoundError):  # another process made room in the cache
                return io.FileIO(path)
        raise ArttlError(f"{path} is deleted as fast as it is fetched: raise $ARTTL_CACHE_GIB")

    def ahead(self, rows: npt.NDArray[np.int64]) -> AbstractContextManager[None]:
        """A context in which the tars of these rows are fetched, in this order, ahead of the reading."""
        if self.remote is None:
            return nullcontext()
        return self.remote.fetching_ahead(self._names[self.shard_of_row[rows.ravel()]].tolist())


def _check_size(tar: Path, end: int, manifest: Manifest) -> None:
    """Compare a tar's size with its index and with the size that was packed."""
    try:
        length = tar.stat().st_size
    except FileNotFoundError as error:
        raise ArttlError(f"{tar} is missing; {COPY_AGAIN}") from error
    if length < end:
        raise ArttlError(f"{tar} is truncated: {length} bytes of at least {end}; {COPY_AGAIN}")
    files = manifest.dataset.get("files")
    packed = files.get(tar.name, {}).get("bytes", length) if isinstance(files, dict) else length
    if length != packed:
        raise ArttlError(f"{tar} was replaced: {length} bytes, and {packed} were packed; {COPY_AGAIN}")
