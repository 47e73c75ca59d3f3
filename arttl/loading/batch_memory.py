"""Memory for batches that is reused: fresh memory costs as much as the resize that fills it."""

from __future__ import annotations

import math
import weakref
from collections import deque

import torch


class BatchMemory:
    """A pool of equal blocks: a block returns to it when no tensor of the block is left.

    It grows to as many blocks as are in use at once.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, *, pinned: bool) -> None:
        """Blocks of one shape.

        Args:
            shape: of each tensor.
            dtype: of each tensor.
            pinned: whether the memory is page-locked, for asynchronous copies to a GPU.
        """
        self._shape, self._dtype, self._pinned = shape, dtype, pinned
        self._free: deque[torch.Tensor] = deque()

    def take(self) -> torch.Tensor:
        """An uninitialised tensor; its block returns when the tensor and all its views are gone."""
        try:
            block = self._free.popleft()
        except IndexError:
            count = math.prod(self._shape) * self._dtype.itemsize
            block = torch.empty(count, dtype=torch.uint8, pin_memory=self._pinned)
        # The tensor and its views keep the array alive, not the block.
        array = block.numpy()
        weakref.finalize(array, self._free.append, block).atexit = False
        # Where the caller is in inference mode, the threads that write into the tensor are not, and must be allowed to.
        with torch.inference_mode(False):
            return torch.from_numpy(array).view(self._dtype).view(self._shape)
