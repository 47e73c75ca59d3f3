"""A batch of stored pictures, filled by compiled code: read, decoded in part, cut and normalised without Python."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.compiled import kernels
from arttl.loading.resample import Cuts, SquareWriter
from arttl.loading.shard_files import Members
from arttl.pictures.jpeg import DEFAULT_MAX_PIXELS, MOST_SCANS


class StoredBatch:
    """The pictures of a batch, which any number of threads fill, each by one call without the interpreter lock."""

    def __init__(
        self,
        members: Members,
        sizes: npt.NDArray[np.int32],
        reduction: npt.NDArray[np.int64],
        cuts: Cuts,
        writer: SquareWriter,
        address: int,
    ) -> None:
        """A batch of N pictures.

        Args:
            members: their JPEGs.
            sizes: [N, 2], their heights and widths.
            reduction: [N], 1, 2, 4 or 8: each is decoded at 1/reduction of its size.
            cuts: their squares.
            writer: of the squares.
            address: of [N, size, size, 3] in the writer's type, contiguous; receives the squares.
        """
        arrays = (
            (members.shard, np.int64),
            (members.span, np.int64),
            (sizes, np.int32),
            (reduction, np.int64),
            (cuts.part, np.int64),
            (cuts.start, np.float64),
            (cuts.step, np.float64),
            (cuts.flip, np.bool_),
            (cuts.color, np.float32),
        )
        # The compiled batch reads these while it exists.
        self._arrays: list[npt.NDArray[Any]] = [np.ascontiguousarray(array, kind) for array, kind in arrays]
        addresses = [array.__array_interface__["data"][0] if array.size else 0 for array in self._arrays]
        module = kernels()
        settings = module.BatchSettings(*writer.settings, DEFAULT_MAX_PIXELS, MOST_SCANS)
        self._batch = module.PictureBatch(
            members.paths, members.names, module.BatchArrays(*addresses, address), settings
        )

    def fill(self) -> int:
        """Fill pictures until none is left.

        Returns:
            -1; or, before that, the index of a picture that cannot be read or decoded so, of which nothing is written.
        """
        return int(self._batch.fill())

    def stop(self) -> None:
        """Let `fill` end after its current picture."""
        self._batch.stop()


class UnreadBatch:
    """As `StoredBatch`, of pictures of which none can be read by compiled code: shards that are fetched."""

    def __init__(self, count: int) -> None:
        """A batch of `count` pictures."""
        self._left = deque(range(count))

    def fill(self) -> int:
        """The next picture, or -1."""
        try:
            return self._left.popleft()
        except IndexError:
            return -1

    def stop(self) -> None:
        """Let there be no next picture."""
        self._left.clear()
