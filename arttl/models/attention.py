"""What a timm transformer attends to: the attention of its blocks and of a pooling head, while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

_SOFTMAX = (torch.Tensor.softmax, torch.softmax, F.softmax)


class _Softmaxes(TorchFunctionMode):
    """Keeps what every softmax over matrices of attention gives."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[torch.Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in _SOFTMAX and result.ndim == 4:
            self.kept.append(result)
        return result


@contextlib.contextmanager
def attention_of(network: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collect the attention of a network's layers while it runs in the block.

    The fused kernels, which never have the matrices in memory, are off inside and as they were afterwards.

    Args:
        network: one of timm's.

    Yields:
        A list that grows in the order of the layers: [B, heads, queries, keys], each row adding up to one; parts of the
        graph of the outputs where gradients are on.
    """
    fused: list[Any] = [module for module in network.modules() if getattr(module, "fused_attn", False)]
    for module in fused:
        module.fused_attn = False
    try:
        with _Softmaxes() as softmaxes:
            yield softmaxes.kept
    finally:
        for module in fused:
            module.fused_attn = True


def last_attention_input(network: nn.Module) -> nn.Module | None:
    """The module whose output, tokens [B, N, D], the last block attends over; None for networks without such blocks."""
    blocks = getattr(network, "blocks", None)
    if not isinstance(blocks, (nn.Sequential, nn.ModuleList)) or not len(blocks):
        return None
    norm = getattr(blocks[-1], "norm1", None)
    return norm if isinstance(norm, nn.Module) and hasattr(blocks[-1], "attn") else None
