"""Logits of a whole split, gathered over ranks, each sample once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from arttl.evaluation.metrics import TaskMetrics, decide_labels, measure_task
from arttl.loading import Batch
from arttl.packing.manifest import Manifest
from arttl.tasks import Task, TaskSet, is_labelled


@dataclass(frozen=True)
class Predictions:
    """What a model said of a split.

    Attributes:
        tasks: what was predicted.
        rows: [N] int64, ascending rows of the manifest.
        logits: task name to [N, Q] float32.
        targets: task name to [N] int64 or [N, Q] float32; -1 or NaN where unknown.
    """

    tasks: TaskSet
    rows: torch.Tensor
    logits: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]

    def measure(self, manifest: Manifest) -> dict[str, TaskMetrics]:
        """The metrics of every task.

        Args:
            manifest: of the shards predicted on; tells the samples that carry a label of no known class.
        """
        found = {}
        for task in self.tasks:
            targets = self.targets[task.name]
            labelled = torch.from_numpy(is_labelled(targets.numpy()))
            labels = manifest.labels(task.name)
            carrying = sum(labels[row] is not None for row in self.rows.tolist())
            found[task.name] = measure_task(
                task, self.logits[task.name][labelled], targets[labelled], carrying - int(labelled.sum())
            )
        return found

    def write(self, path: Path, manifest: Manifest) -> None:
        """Write a Parquet table: a row a sample; per task the catalogue's labels, the predicted ones and how surely."""
        rows = self.rows.tolist()
        columns: dict[str, Any] = {
            "row": self.rows.numpy(),
            "key": [manifest.keys[row] for row in rows],
            "object_number": [manifest.object_numbers[row] for row in rows],
        }
        for task in self.tasks:
            labels = manifest.labels(task.name)
            predicted, probability = _decisions(task, self.logits[task.name])
            columns[f"{task.name}.catalogued"] = pa.array(
                [labels[row] for row in rows], pa.list_(pa.string())
            )
            columns[f"{task.name}.predicted"] = pa.array(predicted, pa.list_(pa.string()))
            columns[f"{task.name}.probability"] = probability
        temporary = path.with_name(path.name + ".unfinished")
        pq.write_table(pa.table(columns), temporary)
        temporary.replace(path)


def _decisions(task: Task, logits: torch.Tensor) -> tuple[list[list[str]], Any]:
    """The predicted labels of each sample, likeliest first, and the probability of the first."""
    classes = task.vocabulary.classes
    if task.kind == "single-label":
        probability, best = logits.double().softmax(1).max(1)
        return [[classes[index]] for index in best.tolist()], probability.numpy()
    predicted = []
    for chosen, row in zip(decide_labels(logits), logits, strict=True):
        order = row.argsort(descending=True)
        predicted.append([classes[index] for index in order[chosen[order]].tolist()])
    return predicted, logits.double().sigmoid().max(1).values.numpy()


def predict(
    module: nn.Module,
    tasks: TaskSet,
    batches: Iterable[Batch],
    gather: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor,
    on_batch: Callable[[], None] = lambda: None,
) -> Predictions:
    """Run a model over batches, in evaluation mode and without gradients.

    Args:
        module: gives task name to logits [B, Q] from `batch.images`.
        tasks: what it predicts.
        batches: of one split.
        gather: concatenates a tensor over ranks (`Accelerator.gather`); every rank must have equal batches.
        on_batch: called after each batch, for a progress bar.
    """
    module.eval()
    rows: list[torch.Tensor] = []
    logits: dict[str, list[torch.Tensor]] = {task.name: [] for task in tasks}
    targets: dict[str, list[torch.Tensor]] = {task.name: [] for task in tasks}
    with torch.inference_mode():
        for batch in batches:
            answer = module(batch.images)
            # Padding is told by the mask, not by position: every rank pads its own batches.
            real = gather(batch.valid).cpu()
            rows.append(gather(batch.rows.to(batch.valid.device)).cpu()[real])
            for name in logits:
                logits[name].append(gather(answer[name].float()).cpu()[real])
                targets[name].append(gather(batch.targets[name]).cpu()[real])
            on_batch()
    all_rows = torch.cat(rows)
    order = torch.from_numpy(np.argsort(all_rows.numpy(), kind="stable"))
    return Predictions(
        tasks,
        all_rows[order],
        {name: torch.cat(found)[order] for name, found in logits.items()},
        {name: torch.cat(found)[order] for name, found in targets.items()},
    )
