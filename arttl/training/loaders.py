"""The splits of a run, opened alike."""

from __future__ import annotations

from dataclasses import replace

from accelerate import Accelerator

from arttl.loading import Augment, Loader, Preprocess, open_loader
from arttl.packing.manifest import Manifest
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings


class Loaders:
    """Opens the splits alike."""

    def __init__(
        self,
        settings: TrainSettings,
        manifest: Manifest,
        tasks: TaskSet,
        preprocess: Preprocess,
        accelerator: Accelerator,
    ) -> None:
        self._settings, self._manifest, self._tasks = settings, manifest, tasks
        self._preprocess, self._accelerator = preprocess, accelerator

    def open(
        self,
        split: str,
        *,
        augment: Augment | None = None,
        shuffle: bool = False,
        sampling: str = "uniform",
        preprocess: Preprocess | None = None,
    ) -> Loader:
        """A split on this rank.

        Args:
            split: `train`, `val` or `test`.
            augment: random crops, in place of the evaluation transform.
            shuffle: in another order each epoch.
            sampling: which samples an epoch draws, see `open_loader`.
            preprocess: by default the run's own.
        """
        return open_loader(
            self._manifest,
            split,
            self._tasks,
            preprocess=replace(preprocess or self._preprocess, augment=augment),
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
