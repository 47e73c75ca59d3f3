"""Memory for batches that is used again, since fresh memory costs as much as the resize that fills it."""

from __future__ import annotations

import math
import weakref
from collections import deque

import torch


class BatchMemory:
    """A ring of equal blocks: a block comes back when nobody holds a tensor made of it.

    It grows to as many blocks as are held at once.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, *, pinned: bool) -> None:
        """Blocks of one shape.

        Args:
            shape: of each tensor.
            dtype: likewise.
            pinned: whether the memory is page-locked, for copies to a GPU beside other work.
        """
        self._shape, self._dtype, self._pinned = shape, dtype, pinned
        self._free: deque[torch.Tensor] = deque()

    def take(self) -> torch.Tensor:
        """A tensor of any content; its block comes back when it and all its views are gone."""
        try:
            block = self._free.popleft()
        except IndexError:
            count = math.prod(self._shape) * self._dtype.itemsize
            block = torch.empty(count, dtype=torch.uint8, pin_memory=self._pinned)
        # torch keeps the array, not the block, for as long as there is a tensor of it.
        array = block.numpy()
        weakref.finalize(array, self._free.append, block).atexit = False
        return torch.from_numpy(array).view(self._dtype).view(self._shape)
