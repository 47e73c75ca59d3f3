"""The splits of a run, opened alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from accelerate import Accelerator

from arttl.loading import Augment, Loader, Preprocess, open_loader
from arttl.loading.views import Views
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings


class Loaders:
    """Opens the splits alike."""

    def __init__(
        self,
        settings: TrainSettings,
        manifest: Manifest,
        tasks: TaskSet,
        preprocesses: Sequence[Preprocess],
        accelerator: Accelerator,
    ) -> None:
        self._settings, self._manifest, self._tasks = settings, manifest, tasks
        self._preprocesses, self._accelerator = preprocesses, accelerator

    def open(
        self,
        split: str,
        *,
        augment: Augment | None = None,
        shuffle: bool = False,
        sampling: str = "uniform",
        preprocesses: Sequence[Preprocess] = (),
    ) -> Views:
        """A split on this rank, for each input of the model.

        Args:
            split: `train`, `val` or `test`.
            augment: random crops, in place of the evaluation transform.
            shuffle: in another order each epoch.
            sampling: which samples an epoch draws, see `open_loader`.
            preprocesses: of each input; by default of the run's own model.
        """
        return Views.open(
            [replace(one, augment=augment) for one in preprocesses or self._preprocesses],
            partial(self._open, split, shuffle=shuffle, sampling=sampling),
        )

    def _open(self, split: str, preprocess: Preprocess, *, shuffle: bool, sampling: str) -> Loader:
        return open_loader(
            self._manifest,
            split,
            self._tasks,
            preprocess=preprocess,
            batch_size=self._settings.batch_size,
            engine=self._settings.engine,
            rank=self._accelerator.process_index,
            world_size=self._accelerator.num_processes,
            seed=self._settings.seed,
            shuffle=shuffle,
            sampling=sampling,
            on_bad_sample=self._settings.on_bad_sample,
            threads=self._settings.threads,
            device=self._accelerator.device,
        )
