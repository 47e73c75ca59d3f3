"""Samples of finished shards by row, through the index beside each tar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.shards.manifest import Manifest

EXTENSIONS = ("jpg", "json", "row")


@dataclass(frozen=True, slots=True)
class Components:
    """Where the three members of a sample lie in their tar.

    Attributes:
        tar: the shard.
        key: the sample's name.
        spans: offset and size in bytes of the `.jpg`, the `.json` and the `.row`.
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
        found = []
        try:
            with self.tar.open("rb", buffering=0) as file:
                for offset, size in self.spans:
                    file.seek(offset)
                    found.append(file.read(size))
        except OSError as error:
            raise ArttlError(f"{self.tar} cannot be read: {error.strerror or error}") from error
        if [len(data) for data in found] != [size for _, size in self.spans]:
            raise ArttlError(f"{self.tar} ends before {self.key}; run arttl shards verify")
        return found[0], found[1], found[2]


class ShardRows:
    """The samples of a folder of shards by their row in the manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._shards = np.array(manifest.shards, dtype=object)
        is_first = np.append(True, self._shards[1:] != self._shards[:-1])
        self._edges = np.append(
            np.flatnonzero(is_first), len(self._shards)
        )  # first row of each shard, and the end
        self._spans: dict[int, npt.NDArray[np.int64]] = {}

    def components(self, row: int) -> Components:
        """Where a row's sample lies.

        Raises:
            ArttlError: if a shard's index is not well-formed, or not the one that the manifest describes.
        """
        shard = int(np.searchsorted(self._edges, row, "right")) - 1
        first, end = self._edges[shard : shard + 2].tolist()
        if shard not in self._spans:
            self._spans[shard] = self._load(first, end)
        tar = self._manifest.directory / str(self._shards[row])
        spans = self._spans[shard][row - first]
        return Components(tar, self._manifest.keys[row], tuple((int(at), int(size)) for at, size in spans))

    def _load(self, first: int, end: int) -> npt.NDArray[np.int64]:
        path = (self._manifest.directory / str(self._shards[first])).with_suffix(".idx")
        keys, spans = read_index(path)
        if keys != self._manifest.keys[first:end]:
            raise ArttlError(f"{path} does not hold what manifest.parquet says; run arttl shards verify")
        return spans


def read_index(path: Path) -> tuple[list[str], npt.NDArray[np.int64]]:
    """An index as `ShardWriter` writes it.

    Returns:
        The key of each of N samples, and [N, 3, 2] the offset and size of its three members.

    Raises:
        ArttlError: if it is missing or of another form.
    """
    try:
        head, *lines = path.read_text(encoding="ascii").splitlines()
        words = [line.split() for line in lines]
        keys = [found[3].removesuffix(".jpg") for found in words]
        for key, found in zip(keys, words, strict=True):
            named = [f"{key}.{extension}" for extension in EXTENSIONS]
            if len(found) != 12 or found[::4] != list(EXTENSIONS) or found[3::4] != named:
                raise ValueError(f"sample {key!r}")
        if head != f"v1.2 {len(lines)}":
            raise ValueError("line 1")
        spans = np.array([[found[1::4], found[2::4]] for found in words], dtype=np.int64)
    except (OSError, ValueError, IndexError) as error:
        raise ArttlError(
            f"{path} is no index of shards made by arttl: {' '.join(str(error).split())}"
        ) from error
    return keys, spans.reshape(-1, 2, len(EXTENSIONS)).swapaxes(1, 2)
