"""A loader for Accelerate, for training loops of your own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from accelerate.data_loader import DataLoaderStateMixin
from accelerate.state import GradientState

from arttl.loading.batch import Batch
from arttl.loading.loader import Loader


class AcceleratedLoader(DataLoaderStateMixin):
    """A `Loader` that reports the end of an epoch to Accelerate.

    `Accelerator.prepare` silently returns loaders that are not torch's unchanged: gradient accumulation would carry
    gradients over the end of an epoch, and `gather_for_metrics` would count padding. With this class,
    `Accelerator.accumulate` steps at the end of the epoch, and `gather_for_metrics` returns each sample once: padding
    ends the last global batch, in the order in which ranks are gathered. Samples that were skipped as bad are marked
    by `Batch.valid` only.

    Attributes:
        loader: the loader; its batches are on its device already.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.gradient_state = GradientState()
        # Accelerate reads these attributes.
        self._drop_last = False
        self.total_batch_size = loader.batch_size * loader.world_size

    @property
    def dataset(self) -> npt.NDArray[np.int64]:
        """The samples of an epoch over all ranks; Accelerate reads their number."""
        return self.loader.rows

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the current epoch."""
        self.begin()
        try:
            for batch in self.loader:
                self.end_of_dataloader = self.loader.at_the_end
                yield batch
        finally:
            self.end()

    def set_epoch(self, epoch: int) -> None:
        """As `Loader.set_epoch`."""
        self.loader.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """As `Loader.state_dict`; the same on every rank, so that the main process may save it for all."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `Loader.load_state_dict`."""
        self.loader.load_state_dict(state)
