"""What an engine reads, the remaining batches of an epoch on this rank, and what it yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError
from arttl.loading.color import COLOR_UNIFORMS, ColorChange
from arttl.loading.geometry import UNIFORMS, Geometry, uniform_numbers
from arttl.loading.preprocess import Preprocess
from arttl.loading.shard_files import ShardFiles

OnBadSample = Literal["raise", "skip"]


class BadSampleError(ArttlError):
    """A sample whose picture cannot be decoded, although its shard can be read."""


@dataclass(frozen=True)
class Reading:
    """The argument of both engines' `read`, which yields the `Pictures` of each batch.

    Attributes:
        files: the shards.
        sizes: [manifest rows, 2] int32, height and width of each stored picture.
        rows: [num_batches, B] int64, the rows of the manifest to read, in this order.
        visits: [num_batches, B] int64, how often the epoch visited the row before.
        preprocess: what happens to the pictures.
        seed, epoch: of the random crops and colours.
        threads: decoding threads.
        device: of the images.
        dtype: of the images.
        on_bad_sample: whether a picture that cannot be decoded ends the reading, or is skipped.
    """

    files: ShardFiles
    sizes: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    visits: npt.NDArray[np.int64]
    preprocess: Preprocess
    seed: int
    epoch: int
    threads: int
    device: torch.device
    dtype: torch.dtype
    on_bad_sample: OnBadSample

    def geometry(self, batch: int) -> Geometry:
        """How the squares of one batch are cut."""
        uniforms = self._uniforms(batch, UNIFORMS) if self.preprocess.augment else None
        return self.preprocess.geometry(self.sizes[self.rows[batch]], uniforms)

    def color_change(self, batch: int) -> ColorChange | None:
        """How the colours of one batch are changed; None: they stay as they are."""
        if not self.preprocess.varies_color:
            return None
        return self.preprocess.color_change(self._uniforms(batch, UNIFORMS + COLOR_UNIFORMS)[:, UNIFORMS:])

    def _uniforms(self, batch: int, count: int) -> npt.NDArray[np.float64]:
        # A row that an epoch visits again gets another crop and other colours.
        visit = self.rows[batch] + (self.visits[batch] << 40)
        return uniform_numbers(self.seed, self.epoch, visit, count)


@dataclass(frozen=True)
class Pictures:
    """The pictures of one batch.

    Attributes:
        images: [B, 3, size, size] of the dtype, channels last, on the device; zeros for a bad sample.
        bad: index in the batch to a sentence, of each sample that was skipped.
        instead: index in the batch to a sentence, of each sample that the CPU engine read instead of DALI.
    """

    images: torch.Tensor
    bad: dict[int, str]
    instead: dict[int, str] = field(default_factory=dict)
