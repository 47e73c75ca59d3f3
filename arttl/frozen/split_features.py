"""Frozen features, computed once: what the off-the-shelf mode trains its heads on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from arttl.loading import Loader


@dataclass(frozen=True)
class Features:
    """The pooled features of a split, with its targets.

    Attributes:
        rows: [N] int64, ascending rows of the manifest.
        values: [N, D] float32.
        targets: task name to [N] int64 or [N, Q] float32.
    """

    rows: torch.Tensor
    values: torch.Tensor
    targets: dict[str, torch.Tensor]

    def standardised(self, mean: torch.Tensor, std: torch.Tensor, device: torch.device) -> Features:
        """The features less `mean` [D], divided by `std` [D], on a device."""
        targets = {name: found.to(device) for name, found in self.targets.items()}
        return Features(self.rows.to(device), ((self.values - mean) / std).to(device), targets)


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
    """
    backbone.eval()
    rows, values = [], []
    targets: dict[str, list[torch.Tensor]] = {}
    with torch.inference_mode():
        for batch in loader:
            real = gather(batch.valid).cpu()
            rows.append(gather(batch.rows.to(batch.valid.device)).cpu()[real])
            values.append(gather(backbone(batch.images).float()).cpu()[real])
            for name, found in batch.targets.items():
                targets.setdefault(name, []).append(gather(found).cpu()[real])
            on_batch()
    order = torch.cat(rows).argsort(stable=True)
    return Features(
        torch.cat(rows)[order],
        torch.cat(values)[order],
        {name: torch.cat(found)[order] for name, found in targets.items()},
    )
