"""A model's predictions of a whole split: logits gathered over ranks, each sample once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from arttl.inference.calibration import calibrate
from arttl.inference.labels import Prediction, predict_labels
from arttl.inference.saved import SavedPredictions, write_predictions
from arttl.loading import Batch
from arttl.models import TrainedModel
from arttl.models.calibration import Calibration
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskSet, is_labelled

_BATCH = 8  # single pictures at a time, to bound the memory


@dataclass(frozen=True)
class Predictions:
    """What a model predicted of a split.

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

    def calibrate(self, split: str = "val") -> Calibration:
        """The temperatures that suit these logits, which are of the split of that name."""
        return calibrate(self.tasks, self.logits, self.targets, split)

    def labelled(self, task: Task) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The samples that carry a label: their rows [M], logits [M, Q] and targets [M] or [M, Q]."""
        known = torch.from_numpy(is_labelled(self.targets[task.name].numpy()))
        return self.rows[known], self.logits[task.name][known], self.targets[task.name][known]

    def write(self, path: Path, manifest: Manifest, calibration: Calibration | None = None) -> None:
        """Write a Parquet table of them, see `arttl.inference.saved`; it appears whole.

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
                logits={name: logits.numpy() for name, logits in self.logits.items()},
                temperatures=calibration.temperatures if calibration else {},
            ),
        )


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
    rows, logits, targets = gather_logits(module, views, gather, on_batch)
    return Predictions(
        tasks,
        rows,
        {name: logits[name] for name in tasks.names},
        {name: targets[name] for name in tasks.names},
    )


@torch.inference_mode()
def gather_logits(
    module: nn.Module,
    views: Iterable[Sequence[Batch]],
    gather: Callable[[torch.Tensor], torch.Tensor],
    on_batch: Callable[[], None],
) -> tuple[torch.Tensor, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Run a model as `predict` does, whatever tasks the model and the batches are of.

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
        # Padding is known by the mask, not by position: every rank pads its own batches.
        real = gather(batch.valid).cpu()
        rows.append(gather(batch.rows.to(batch.valid.device)).cpu()[real])
        for name, of_task in module(*[view.images for view in batches]).items():
            logits.setdefault(name, []).append(gather(of_task.float()).cpu()[real])
        for name, of_task in batch.targets.items():
            targets.setdefault(name, []).append(gather(of_task).cpu()[real])
        on_batch()
    all_rows = torch.cat(rows)
    order = all_rows.argsort(stable=True)
    return (
        all_rows[order],
        {name: torch.cat(parts)[order] for name, parts in logits.items()},
        {name: torch.cat(parts)[order] for name, parts in targets.items()},
    )


@torch.inference_mode()
def predict_pictures(
    model: TrainedModel, inputs: Sequence[Sequence[torch.Tensor]], top: int = 1
) -> list[dict[str, Prediction]]:
    """What a model says of single pictures, calibrated where it is.

    Args:
        model: in evaluation mode; left on its device.
        inputs: for each of its `preprocesses`, the pictures [3, H, W].
        top: see `predict_labels`.

    Returns:
        Per picture, task name to prediction; of a model without tasks nothing.
    """
    device = next(model.parameters()).device
    temperatures = model.calibration.temperatures if model.calibration else {}
    predictions: list[dict[str, Prediction]] = [{} for _ in inputs[0]]
    for start in range(0, len(predictions), _BATCH):
        images = [torch.stack(list(pictures[start : start + _BATCH])).to(device) for pictures in inputs]
        logits = model(*images)
        for task in model.tasks:
            scores = logits[task.name].float().cpu().numpy()
            labels = predict_labels(task, scores, temperatures.get(task.name, 1.0), top)
            for picture, prediction in zip(predictions[start:], labels, strict=False):
                picture[task.name] = prediction
    return predictions
