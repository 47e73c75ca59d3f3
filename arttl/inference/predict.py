"""Running a model: over a whole split, gathered over ranks with each sample once, or on single pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.inference.labels import Prediction, predict_labels
from arttl.inference.predictions import Predictions
from arttl.loading import Batch
from arttl.models import TrainedModel
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet

_BATCH = 8  # single pictures per step, to bound the memory


def predict(
    module: nn.Module,
    tasks: TaskSet,
    views: Iterable[Sequence[Batch]],
    manifest: Manifest,
    gather: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor,
    on_batch: Callable[[], None] = lambda: None,
) -> Predictions:
    """Run a model over a split, in evaluation mode and without gradients.

    Args:
        module: maps the images of a batch, one tensor per input, to task name and logits [B, Q].
        tasks: what is kept of its predictions.
        views: of one split, batch after batch: one per input, of the same samples.
        manifest: of the shards.
        gather: concatenates a tensor over ranks (`Accelerator.gather`); every rank must have equal batches.
        on_batch: called after each batch, for a progress bar.

    Raises:
        ArttlError: for logits that are not finite.
    """
    return _of_rows(tasks, manifest, *gather_logits(module, views, gather, on_batch))


def predict_with_features(
    model: TrainedModel,
    views: Iterable[Sequence[Batch]],
    manifest: Manifest,
    gather: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor,
    on_batch: Callable[[], None] = lambda: None,
) -> tuple[Predictions, torch.Tensor]:
    """Predict all of a model's tasks as `predict` does, which describes the arguments and errors.

    Returns:
        The predictions, and of the same samples the features [N, D] that the heads see, on the CPU.
    """
    rows, outputs = gather_logits(WithFeatures(model), views, gather, on_batch)
    features = outputs.pop(FEATURES)
    return _of_rows(model.tasks, manifest, rows, outputs), features


FEATURES = ""
"""Name of the features beside the logits of `WithFeatures`; no task has it."""


class WithFeatures(nn.Module):
    """A model that gives its features beside its logits."""

    def __init__(self, model: TrainedModel) -> None:
        """Wrap a model.

        Args:
            model: of which convolutions are laid out channels last, as in training: another layout is slower and gives
                other last bits.
        """
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)

    def forward(self, *images: torch.Tensor) -> dict[str, torch.Tensor]:
        """A call of the model, with its features [B, D] as `FEATURES`, those of all stages side by side."""
        features = self.model.features(*images)
        return {**self.model.logits(features), FEATURES: torch.cat([each.float() for each in features], 1)}


def _of_rows(
    tasks: TaskSet, manifest: Manifest, rows: torch.Tensor, logits: Mapping[str, torch.Tensor]
) -> Predictions:
    return Predictions.of_rows(
        tasks, manifest, rows.numpy(), {name: logits[name].numpy() for name in tasks.names}
    )


@torch.inference_mode()
def gather_logits(
    module: nn.Module,
    views: Iterable[Sequence[Batch]],
    gather: Callable[[torch.Tensor], torch.Tensor],
    on_batch: Callable[[], None],
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Run a model as `predict` does, for all of its tasks.

    Returns:
        Rows of the manifest [N] int64, ascending; and task name to logits [N, Q] float32. All on the CPU.
    """
    module.eval()
    rows: list[torch.Tensor] = []
    logits: dict[str, list[torch.Tensor]] = {}
    for batches in views:
        batch = batches[0]
        # Padding is known by the mask, not by position: every rank pads its own batches.
        real = gather(batch.valid).cpu()
        rows.append(gather(batch.rows.to(batch.valid.device)).cpu()[real])
        for name, of_task in module(*[view.images for view in batches]).items():
            logits.setdefault(name, []).append(gather(of_task.float()).cpu()[real])
        on_batch()
    all_rows = torch.cat(rows)
    order = all_rows.argsort(stable=True)
    return all_rows[order], {name: torch.cat(parts)[order] for name, parts in logits.items()}


@torch.inference_mode()
def predict_pictures(
    model: TrainedModel, inputs: Sequence[Sequence[torch.Tensor]], top: int = 1
) -> list[dict[str, Prediction]]:
    """Predictions for single pictures, calibrated where the model is.

    Args:
        model: in evaluation mode; left on its device.
        inputs: for each of its `preprocesses`, the pictures [3, H, W].
        top: see `predict_labels`.

    Returns:
        Per picture, task name to prediction; empty for a model without tasks.

    Raises:
        ArttlError: for logits that are not finite.
    """
    device = next(model.parameters()).device
    temperatures = model.temperatures
    predictions: list[dict[str, Prediction]] = [{} for _ in inputs[0]]
    for start in range(0, len(predictions), _BATCH):
        images = [torch.stack(list(pictures[start : start + _BATCH])).to(device) for pictures in inputs]
        logits = finite_logits(model(*images))
        for task in model.tasks:
            labels = predict_labels(task, logits[task.name], temperatures.get(task.name, 1.0), top)
            for picture, prediction in zip(predictions[start:], labels, strict=False):
                picture[task.name] = prediction
    return predictions


def finite_logits(logits: Mapping[str, torch.Tensor]) -> dict[str, npt.NDArray[np.float32]]:
    """Logits [B, Q] of pictures by task name, as float32 on the CPU.

    Raises:
        ArttlError: for logits that are not finite.
    """
    arrays = {name: of_task.float().cpu().numpy() for name, of_task in logits.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ArttlError(
                f"the logits of {name} are not finite: the network overflows, train it again or use another model"
            )
    return arrays
