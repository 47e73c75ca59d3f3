"""The same pictures for each input of a model: a fused model's networks may differ in size and normalisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.documents import structured
from arttl.errors import ArttlError
from arttl.loading.batch import Batch
from arttl.loading.loader import Loader
from arttl.loading.preprocess import Preprocess


class Views:
    """Loaders of one split in step: the same samples in the same order, cropped and coloured alike.

    Attributes:
        loaders: one per preprocessing; they differ in nothing else.
    """

    def __init__(self, loaders: Sequence[Loader], inputs: Sequence[int]) -> None:
        """Join loaders.

        Args:
            loaders: at least one.
            inputs: for each input of the model, the index of its loader.
        """
        self.loaders, self._inputs = tuple(loaders), tuple(inputs)

    @classmethod
    def open(cls, preprocesses: Sequence[Preprocess], open_loader: Callable[[Preprocess], Loader]) -> Views:
        """Open one loader per distinct preprocessing: most fused models use the same picture for all their networks.

        Args:
            preprocesses: of each input of the model.
            open_loader: opens a loader with a preprocessing; all its other settings are the same each time.
        """
        distinct = list(dict.fromkeys(preprocesses))
        return cls([open_loader(each) for each in distinct], [distinct.index(each) for each in preprocesses])

    @property
    def first(self) -> Loader:
        """One of the loaders, for what they have in common."""
        return self.loaders[0]

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return len(self.first)

    def __iter__(self) -> Iterator[tuple[Batch, ...]]:
        """Batches of the current epoch: one per input of the model, of the same samples."""
        for batches in zip(*self.loaders, strict=True):
            yield tuple(batches[index] for index in self._inputs)

    def of_rows(self, rows: npt.NDArray[np.int64]) -> Views:
        """The same views of some of the rows, see `Loader.of_rows`."""
        return Views([loader.of_rows(rows) for loader in self.loaders], self._inputs)

    def set_epoch(self, epoch: int) -> None:
        """Make an epoch the current one, see `Loader.set_epoch`."""
        for loader in self.loaders:
            loader.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The loaders' positions, JSON-ready and the same on every rank."""
        return {"views": [loader.state_dict() for loader in self.loaders]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`; see `Loader.load_state_dict` for what it raises."""
        states = structured(dict(state), dict[str, list[dict[str, Any]]], "the loaders' saved position")
        if len(views := states.get("views", [])) != len(self.loaders):
            raise ArttlError(
                f"the loaders' saved position is of {len(views)} sizes of picture, and the model has"
                f" {len(self.loaders)}: start the run anew"
            )
        for loader, own in zip(self.loaders, views, strict=True):
            loader.load_state_dict(own)
