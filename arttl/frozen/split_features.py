"""Frozen features of one split, computed once: what the off-the-shelf mode trains its heads on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.frozen.store import LARGEST_FEATURE, unusable_rows
from arttl.frozen.tokens import Samples
from arttl.loading import Loader
from arttl.tasks import Task, is_labelled


@dataclass(frozen=True)
class Features:
    """The pooled features of a split, with its targets.

    Attributes:
        rows: [N] int64, ascending rows of the manifest.
        values: [N, D] float32.
        targets: task name to [N] int64 or [N, Q] float32, unknown ones included.
    """

    rows: torch.Tensor
    values: torch.Tensor
    targets: dict[str, torch.Tensor]

    def samples(self, task: Task, device: torch.device) -> Samples:
        """The samples that carry a label of the task, on a device."""
        targets = self.targets[task.name]
        labelled = torch.from_numpy(is_labelled(targets.numpy()))
        values = self.values[labelled].to(device)
        return Samples(self.rows[labelled], (values,), targets[labelled].to(device))


def extract_features(
    backbone: nn.Module,
    loader: Loader,
    gather: Callable[[torch.Tensor], torch.Tensor],
    on_batch: Callable[[], None] = lambda: None,
) -> Features:
    """One forward pass over a split.

    Args:
        backbone: gives features [B, D]; used in evaluation mode, so that batch normalisation keeps the statistics of
            its first training.
        loader: of the split.
        gather: concatenates a tensor over ranks.
        on_batch: called after each batch, for a progress bar.

    Returns:
        The same on every rank, on the CPU.

    Raises:
        ArttlError: for features that are not finite or too large, on which heads would learn nothing.
    """
    backbone.eval()
    rows, values = [], []
    targets: dict[str, list[torch.Tensor]] = {}
    with torch.inference_mode():
        for batch in loader:
            valid = gather(batch.valid).cpu()
            rows.append(gather(batch.rows.to(batch.valid.device)).cpu()[valid])
            values.append(gather(backbone(batch.images).float()).cpu()[valid])
            for name, of_task in batch.targets.items():
                targets.setdefault(name, []).append(gather(of_task).cpu()[valid])
            on_batch()
    order = torch.cat(rows).argsort(stable=True)
    all_rows, features = torch.cat(rows)[order], torch.cat(values)[order]
    if broken := unusable_rows(features):
        raise ArttlError(
            f"the features of {len(broken)} of {len(all_rows)} samples are not finite or above {LARGEST_FEATURE:g}, of"
            f" {loader.manifest.keys[int(all_rows[broken[0]])]} first: use other weights or --mixed-precision no"
        )
    return Features(
        all_rows,
        features,
        {name: torch.cat(parts)[order] for name, parts in targets.items()},
    )
