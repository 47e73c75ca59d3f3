"""A batch of pictures and targets, as the loader yields it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from arttl.tasks import is_labelled


@dataclass(frozen=True)
class Batch:
    """Pictures and their targets; B is the same for all batches.

    Attributes:
        images: [B, 3, size, size] float32 (or bfloat16, on request), normalised, channels last in memory, on the
            device.
        targets: task name to [B] int64, -1 where unknown, to [B, Q] float32 (multi-label), a row of NaN where
            unknown, or to [B] float32 (number), NaN where unknown; on the device.
        valid: [B] bool, False for padding and for skipped bad samples; on the device.
        rows: [B] int64, rows of the manifest; on the CPU.
        real: [V] int64, the indices in the batch where `valid` is set; on the device. Its shape gives their number
            without waiting for the device.
        labelled: task name to [N] int64, those of `real` with a label of the task; likewise.
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
            targets, valid, rows: see `Batch`, but all on the CPU, where the labelled samples are looked up.
        """

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            # From pageable memory, which the driver has read when the call returns: nothing waits for the device.
            return tensor.to(images.device, non_blocking=True)

        def indices(mask: torch.Tensor) -> torch.Tensor:
            return moved(mask.nonzero().flatten())

        return cls(
            images=images,
            targets={name: moved(target) for name, target in targets.items()},
            valid=moved(valid),
            rows=rows,
            real=indices(valid),
            labelled={
                name: indices(torch.from_numpy(is_labelled(target.numpy())) & valid)
                for name, target in targets.items()
            },
        )
