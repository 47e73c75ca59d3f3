"""What the loader yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from arttl.tasks import is_labelled


@dataclass(frozen=True)
class Batch:
    """Pictures and what is known of them; B is the same for all batches.

    Attributes:
        images: [B, 3, size, size] float32 (or bfloat16, where asked), normalised, channels last in memory, on the
            device.
        targets: for each task [B] int64, -1 where unknown, or (multi-label) [B, Q] float32, a row of NaN
            where unknown; on the device.
        valid: [B] bool, False for padding and for skipped bad samples; on the device.
        rows: [B] int64, rows of the manifest; on the CPU.
        real: [V] int64, the places in the batch where `valid` is set; on the device. How many there are its shape
            tells, without waiting for the device.
        labelled: for each task [N] int64, those of them that carry a label of it; likewise.
    """

    images: torch.Tensor
    targets: dict[str, torch.Tensor]
    valid: torch.Tensor
    rows: torch.Tensor
    real: torch.Tensor
    labelled: dict[str, torch.Tensor]

    @classmethod
    def of(
        cls,
        images: torch.Tensor,
        targets: Mapping[str, torch.Tensor],
        valid: torch.Tensor,
        rows: torch.Tensor,
    ) -> Batch:
        """A batch on the device of its images.

        Args:
            images: see `Batch`.
            targets, valid, rows: likewise, but all on the CPU, where what is known is looked up.
        """
        labelled = {
            name: (torch.from_numpy(is_labelled(found.numpy())) & valid).nonzero().flatten()
            for name, found in targets.items()
        }

        def moved(found: torch.Tensor) -> torch.Tensor:
            # From ordinary memory, which the driver has read when the call returns: nothing waits for the device.
            return found.to(images.device, non_blocking=True)

        return cls(
            images=images,
            targets={name: moved(found) for name, found in targets.items()},
            valid=moved(valid),
            rows=rows,
            real=moved(valid.nonzero().flatten()),
            labelled={name: moved(places) for name, places in labelled.items()},
        )
