"""The splits of a training run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from accelerate import Accelerator

from arttl.loading import Augment, Loader, Preprocess, open_loader
from arttl.loading.views import Views
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet
from arttl.training.settings import DataSettings


@dataclass(frozen=True)
class Splits:
    """The splits of a run, opened alike on every rank."""

    data: DataSettings
    batch_size: int
    seed: int
    manifest: Manifest
    tasks: TaskSet
    preprocesses: Sequence[Preprocess]
    accelerator: Accelerator

    def open(
        self,
        split: str,
        *,
        preprocesses: Sequence[Preprocess] = (),
        augment: Augment | None = None,
        shuffle: bool = False,
        sampling: str = "uniform",
        rows: npt.NDArray[np.int64] | None = None,
        labelled: bool = True,
    ) -> Views:
        """A split on this rank, for each input of a model.

        Args:
            split: `train`, `val` or `test`.
            preprocesses: per input; by default those of the run's own model.
            augment: random crops, in place of the evaluation transform.
            shuffle: in another order each epoch.
            sampling: which samples an epoch has, see `open_loader`.
            rows: of the manifest; None: all of the split.
            labelled: leave out rows whose labels are no classes; else batches have no targets.
        """

        def loader(preprocess: Preprocess) -> Loader:
            return open_loader(
                self.manifest,
                split,
                self.tasks,
                preprocess=preprocess,
                batch_size=self.batch_size,
                engine=self.data.engine,
                rank=self.accelerator.process_index,
                world_size=self.accelerator.num_processes,
                seed=self.seed,
                shuffle=shuffle,
                sampling=sampling,
                rows=rows,
                labelled=labelled,
                on_bad_sample=self.data.on_bad_sample,
                threads=self.data.threads,
                device=self.accelerator.device,
            )

        inputs = preprocesses or self.preprocesses
        return Views.open([dataclasses.replace(each, augment=augment) for each in inputs], loader)
