"""What an engine is asked to read: the batches of an epoch that are left on this rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from arttl.loading.geometry import UNIFORMS, Geometry, uniform_numbers
from arttl.loading.preprocess import Preprocess
from arttl.loading.shard_files import ShardFiles


@dataclass(frozen=True)
class Reading:
    """The argument of both engines' `read`, which yields for each batch its images.

    Attributes:
        files: the shards.
        sizes: [manifest rows, 2] int32, height and width of each stored picture.
        rows: [num_batches, B] int64, what to read, in this order.
        preprocess: how.
        seed, epoch: of the random crops.
        threads: decoding threads.
        device: where the images go.
    """

    files: ShardFiles
    sizes: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    preprocess: Preprocess
    seed: int
    epoch: int
    threads: int
    device: torch.device

    def geometry(self, batch: int) -> Geometry:
        """How the squares of one batch are cut."""
        rows = self.rows[batch]
        uniforms = uniform_numbers(self.seed, self.epoch, rows, UNIFORMS) if self.preprocess.augment else None
        return self.preprocess.geometry(self.sizes[rows], uniforms)
