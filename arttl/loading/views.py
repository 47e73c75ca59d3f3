"""The same pictures for each input of a model: a fused model's networks may want other sizes and other scalings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from arttl.loading.batch import Batch
from arttl.loading.loader import Loader
from arttl.loading.preprocess import Preprocess


class Views:
    """Loaders of one split that move together: the same samples in the same order, cut and coloured alike.

    Attributes:
        loaders: one for each preprocessing, which differ in nothing else.
    """

    def __init__(self, loaders: Sequence[Loader], places: Sequence[int]) -> None:
        """Join loaders.

        Args:
            loaders: at least one.
            places: for each input of the model, which of them.
        """
        self.loaders, self._places = tuple(loaders), tuple(places)

    @classmethod
    def open(cls, preprocesses: Sequence[Preprocess], open_one: Callable[[Preprocess], Loader]) -> Views:
        """Open a loader for each distinct preprocessing: most fused models want one picture for all their networks.

        Args:
            preprocesses: of each input of the model.
            open_one: opens a loader, the same each time but for its preprocessing.
        """
        distinct = list(dict.fromkeys(preprocesses))
        return cls([open_one(one) for one in distinct], [distinct.index(one) for one in preprocesses])

    @property
    def first(self) -> Loader:
        """Any of the loaders, for what they have in common."""
        return self.loaders[0]

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return len(self.first)

    def __iter__(self) -> Iterator[tuple[Batch, ...]]:
        """Batches of the current epoch: for each input of the model one, of the same samples."""
        for batches in zip(*self.loaders, strict=True):
            yield tuple(batches[place] for place in self._places)

    def set_epoch(self, epoch: int) -> None:
        """Make an epoch the current one, see `Loader.set_epoch`."""
        for loader in self.loaders:
            loader.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where the loaders stand, JSON-ready and the same on every rank."""
        return {"views": [loader.state_dict() for loader in self.loaders]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`; see `Loader.load_state_dict` for what it raises."""
        for loader, own in zip(self.loaders, state["views"], strict=True):
            loader.load_state_dict(own)
