"""What an engine is asked to read: the batches of an epoch that are left on this rank; and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
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
    """The argument of both engines' `read`, which yields for each batch its `Pictures`.

    Attributes:
        files: the shards.
        sizes: [manifest rows, 2] int32, height and width of each stored picture.
        rows: [num_batches, B] int64, what to read, in this order.
        visits: [num_batches, B] int64, how often the row came before in the epoch.
        preprocess: how.
        seed, epoch: of the random crops and colours.
        threads: decoding threads.
        device: where the images go.
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
        """How the colours of one batch are changed; None: they are not."""
        if not self.preprocess.varies_color:
            return None
        return self.preprocess.color_change(self._uniforms(batch, UNIFORMS + COLOR_UNIFORMS)[:, UNIFORMS:])

    def _uniforms(self, batch: int, count: int) -> npt.NDArray[np.float64]:
        # A row that comes again is changed anew each time.
        visit = self.rows[batch] + (self.visits[batch] << 40)
        return uniform_numbers(self.seed, self.epoch, visit, count)


@dataclass(frozen=True)
class Pictures:
    """The pictures of one batch.

    Attributes:
        images: [B, 3, size, size] of the dtype, channels last, on the device; a bad sample's are zeros.
        bad: place in the batch to a sentence, of each sample that was skipped.
    """

    images: torch.Tensor
    bad: dict[int, str]
