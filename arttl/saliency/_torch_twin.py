"""The kernels of `csrc/` in plain torch: the same names, arguments and results, on any device.

The tests compare the compiled kernels with these, which also run on devices that the compiled module does not support.
Everything is computed in float32, whatever autocast is set to.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MULTIPLIES, AVERAGES = 1, 2
"""The flags of a step of `backproject`, which add up."""


def channel_mean(x: Tensor, rectify: bool) -> Tensor:
    """Mean over the channels in float32, of `max(x, 0)` with `rectify`.

    Args:
        x: [N, C, H, W], float.
        rectify: whether negative values count as zero.

    Returns:
        [N, H, W] float32.
    """
    values = x.float()
    return (values.clamp(min=0) if rectify else values).mean(dim=1)


def upsample_multiply(
    deep: Tensor,
    deep_peak: Tensor | None,
    shallow: Tensor | None,
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    average: bool = False,
) -> tuple[Tensor, Tensor]:
    """One step of the backprojection: the all-ones transposed convolution of `deep`, times `shallow`.

    Output position y sums the deep positions i with `0 <= y + padding - i * stride < kernel`, on each axis.

    Args:
        deep: [N, h, w] float32.
        deep_peak: [N] float32, the largest magnitude of each deep map, which is brought to [1, 2) by a power of two
            so that a long product neither overflows nor vanishes; None for no rescaling.
        shallow: [N, *size] float32; None for ones.
        size: of the output (H, W).
        kernel, stride, padding: of the transposed convolution, vertical and horizontal.
        average: whether each sum is divided by the number of deep positions in it, so that a map of ones stays ones
            wherever a window reaches, whatever the kernel, the stride and the edge.

    Returns:
        The product [N, *size] float32 and its largest magnitude [N] float32.
    """
    product = _upsampled(deep, size, kernel, stride, padding)  # [N, H, W]
    if average:
        counts = _upsampled(torch.ones_like(deep[:1]), size, kernel, stride, padding)
        product = product / counts.clamp(min=1)
    if deep_peak is not None:
        exponent = torch.frexp(deep_peak).exponent.clamp(-125, 127) - 1
        product = product * torch.exp2(-exponent.float()).view(-1, 1, 1)
    product = product.contiguous() if shallow is None else product * shallow
    return product, product.abs().amax(dim=(1, 2))


def _upsampled(
    deep: Tensor, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """The all-ones transposed convolution of maps [N, h, w] to [N, *size]."""
    box = deep
    for axis in (1, 2):
        box = _window_sums(box, axis, kernel[axis - 1], stride[axis - 1])
    bottom, right = padding[0] + size[0], padding[1] + size[1]
    box = F.pad(box, (0, max(0, right - box.shape[2]), 0, max(0, bottom - box.shape[1])))
    return box[:, padding[0] : bottom, padding[1] : right]


def _window_sums(maps: Tensor, axis: int, kernel: int, stride: int) -> Tensor:
    """The all-ones transposed convolution along one axis, [N, h, w] to (h - 1) * stride + kernel there.

    `conv_transpose2d` would round to TensorFloat-32 on a card, as torch allows cuDNN by default.
    """
    size = list(maps.shape)
    size[axis] = (size[axis] - 1) * stride + 2 * kernel - 1
    spaced = maps.new_zeros(size)  # the maps with stride - 1 zeros between them, and kernel - 1 at both ends
    spaced.narrow(axis, kernel - 1, size[axis] - 2 * (kernel - 1)).movedim(axis, 0)[::stride] = maps.movedim(
        axis, 0
    )
    return spaced.unfold(axis, kernel, 1).sum(dim=-1)


def minmax_normalise(maps: Tensor, epsilon: float) -> Tensor:
    """Rescale each map by its own minimum and maximum: `(m - min) / (max - min + epsilon)`, a constant one to zeros.

    Args:
        maps: [N, H, W] float32.
        epsilon: added to the denominator.

    Returns:
        [N, H, W] float32.
    """
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)  # [N, 1, 1]
    span = high - low + epsilon
    return torch.where(span == 0, torch.zeros_like(maps), (maps - low) / span)


def backproject(means: Sequence[Tensor], steps: Sequence[int], epsilon: float | None = None) -> Tensor:
    """All steps of the backprojection, from the deepest map to the image, and the min-max of the result.

    Args:
        means: n maps [N, h, w] float32, from the image on.
        steps: nine numbers per step, the deepest first: `MULTIPLIES` where the next shallower map is multiplied in,
            plus `AVERAGES` with `average`; then `size`, `kernel`, `stride` and `padding` of `upsample_multiply`, two
            each.
        epsilon: of `minmax_normalise`, which each mean goes through first; None to take the means as they are.

    Returns:
        [N, *size of the last step] float32 in [0, 1]; a constant map gives zeros.
    """
    if epsilon is not None:
        means = [minmax_normalise(mean, epsilon) for mean in means]
    running, peak = means[-1], None
    shallower = list(means[:-1])
    for row in rows_of(steps):
        shallow = shallower.pop() if row[0] & MULTIPLIES else None
        window = (row[1:3], row[3:5], row[5:7], row[7:9])
        running, peak = upsample_multiply(running, peak, shallow, *window, bool(row[0] & AVERAGES))
    return minmax_normalise(running, 0.0)


def rows_of(steps: Sequence[int]) -> list[list[int]]:
    """The nine numbers of each step of `backproject`."""
    return [list(steps[i : i + 9]) for i in range(0, len(steps), 9)]


def class_evidence(logits: Tensor, classes: Tensor, against: Tensor | None) -> Tensor:
    """What speaks for a class at each position: its log-odds where they are positive, else zero.

    With l the logits of a position, c the class and a the one it is compared with, `max(0, l_c - l_a)`; without a, the
    log-odds of c against all other outputs together, `max(0, l_c - log sum_{b != c} exp l_b)`: positive where the
    position by itself gives the class more than half of the probability. A single output is that of a yes or no, whose
    log-odds are the logit.

    Args:
        logits: [N, Q, P] float32, of P positions.
        classes: [N] int64, below Q.
        against: [N] int64, below Q; None for all other outputs.

    Returns:
        [N, P] float32.
    """
    own = _of_class(logits, classes)
    if against is not None:
        rival = _of_class(logits, against)
    elif logits.shape[1] == 1:
        rival = torch.zeros_like(own)
    else:
        is_own = torch.arange(logits.shape[1], device=logits.device) == classes[:, None]  # [N, Q]
        rival = logits.masked_fill(is_own[:, :, None], -torch.inf).logsumexp(1)
    return (own - rival).clamp(min=0)


def _of_class(logits: Tensor, classes: Tensor) -> Tensor:
    """[N, P], the logits of one class per map."""
    return logits.gather(1, classes[:, None, None].expand(-1, 1, logits.shape[2]))[:, 0]
