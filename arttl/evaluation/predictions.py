"""Logits of a whole split, gathered over ranks, each sample once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from arttl.evaluation.bootstrap import REPLICATES
from arttl.evaluation.classes import ClassRow, class_rows
from arttl.evaluation.metrics import TaskMetrics, measure_task
from arttl.evaluation.saved import SavedPredictions, write_predictions
from arttl.inference.calibration import Calibration, calibrate
from arttl.loading import Batch
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskSet, is_labelled


@dataclass(frozen=True)
class Predictions:
    """What a model said of a split.

    Attributes:
        tasks: what was predicted.
        rows: [N] int64, ascending rows of the manifest.
        logits: task name to [N, Q] float32.
        targets: task name to [N] int64, [N, Q] float32 or (a number) [N] float32; -1 or NaN where unknown.
    """

    tasks: TaskSet
    rows: torch.Tensor
    logits: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]

    def measure(
        self,
        manifest: Manifest,
        calibration: Calibration | None = None,
        *,
        groups: npt.NDArray[np.int64] | None = None,
        replicates: int = REPLICATES,
    ) -> dict[str, TaskMetrics]:
        """The metrics of every task.

        Args:
            manifest: of the shards predicted on; tells the samples that carry a label of no known class.
            calibration: of the model.
            groups: of each row of the manifest, equal for samples that belong together, see `bootstrap_intervals`.
            replicates: of the bootstrap; 0: no intervals.
        """
        found = {}
        for task in self.tasks:
            labelled = self._labelled(task)
            labels = manifest.labels(task.name)
            carrying = sum(labels[row] is not None for row in self.rows.tolist())
            found[task.name] = measure_task(
                task,
                self.logits[task.name][labelled],
                self.targets[task.name][labelled],
                carrying - int(labelled.sum()),
                temperature=calibration.temperatures.get(task.name) if calibration else None,
                groups=None if groups is None else groups[self.rows[labelled].numpy()],
                replicates=replicates,
            )
        return found

    def calibrate(self, split: str = "val") -> Calibration:
        """The temperatures that suit these answers, which are of the split of that name."""
        return calibrate(self.tasks, self.logits, self.targets, split)

    def classes(self) -> dict[str, list[ClassRow]]:
        """The table of classes of every task that has classes."""
        found = {}
        for task in self.tasks:
            if task.kind != "number":
                labelled = self._labelled(task)
                logits, targets = self.logits[task.name][labelled], self.targets[task.name][labelled]
                found[task.name] = list(class_rows(task, logits.numpy(), targets.numpy()))
        return found

    def write(self, path: Path, manifest: Manifest, calibration: Calibration | None = None) -> None:
        """Write a Parquet table of them, see `arttl.evaluation.saved`; it appears whole.

        Args:
            path: the file.
            manifest: of the shards predicted on.
            calibration: of the model; the table's probabilities are calibrated by it.
        """
        rows = self.rows.tolist()
        write_predictions(
            path,
            SavedPredictions(
                tasks=self.tasks,
                rows=self.rows.numpy(),
                keys=[manifest.keys[row] for row in rows],
                object_numbers=[manifest.object_numbers[row] for row in rows],
                catalogued={
                    task.name: [labels[row] for row in rows]
                    for task in self.tasks
                    for labels in [manifest.labels(task.name)]
                },
                logits={name: found.numpy() for name, found in self.logits.items()},
                temperatures=calibration.temperatures if calibration else {},
            ),
        )

    def _labelled(self, task: Task) -> torch.Tensor:
        return torch.from_numpy(is_labelled(self.targets[task.name].numpy()))


def predict(
    module: nn.Module,
    tasks: TaskSet,
    views: Iterable[Sequence[Batch]],
    gather: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor,
    on_batch: Callable[[], None] = lambda: None,
) -> Predictions:
    """Run a model over a split, in evaluation mode and without gradients.

    Args:
        module: gives task name to logits [B, Q] from the images of a batch for each of its inputs.
        tasks: what it predicts.
        views: of one split, batch after batch: one for each input, of the same samples.
        gather: concatenates a tensor over ranks (`Accelerator.gather`); every rank must have equal batches.
        on_batch: called after each batch, for a progress bar.
    """
    rows, logits, targets = gather_answers(module, views, gather, on_batch)
    return Predictions(
        tasks,
        rows,
        {name: logits[name] for name in tasks.names},
        {name: targets[name] for name in tasks.names},
    )


@torch.inference_mode()
def gather_answers(
    module: nn.Module,
    views: Iterable[Sequence[Batch]],
    gather: Callable[[torch.Tensor], torch.Tensor],
    on_batch: Callable[[], None],
) -> tuple[torch.Tensor, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """What `predict` finds, whatever tasks the model and the batches are of.

    Returns:
        Rows of the manifest [N] int64, ascending; task name to logits [N, Q] float32, of the model's tasks; and task
        name to targets [N, ...], of the batches' tasks. All on the CPU.
    """
    module.eval()
    rows: list[torch.Tensor] = []
    logits: dict[str, list[torch.Tensor]] = {}
    targets: dict[str, list[torch.Tensor]] = {}
    for batches in views:
        batch = batches[0]
        # Padding is told by the mask, not by position: every rank pads its own batches.
        real = gather(batch.valid).cpu()
        rows.append(gather(batch.rows.to(batch.valid.device)).cpu()[real])
        for name, found in module(*[view.images for view in batches]).items():
            logits.setdefault(name, []).append(gather(found.float()).cpu()[real])
        for name, found in batch.targets.items():
            targets.setdefault(name, []).append(gather(found).cpu()[real])
        on_batch()
    all_rows = torch.cat(rows)
    order = all_rows.argsort(stable=True)
    return (
        all_rows[order],
        {name: torch.cat(found)[order] for name, found in logits.items()},
        {name: torch.cat(found)[order] for name, found in targets.items()},
    )
