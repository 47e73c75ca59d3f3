"""Checks before work: that a network takes its input, and that its weights are numbers.

What a network takes is found out by one forward pass on torch's meta device, where tensors have shapes and no memory.
"""

from __future__ import annotations

from functools import cache, lru_cache

import torch
from torch import nn

from arttl.errors import ArttlError, one_line
from arttl.meta_device import without_memory
from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.networks import patch_side

_STEP = 32  # pixels: most networks halve their maps five times
_LARGEST_SUGGESTION = 1024


def check_finite(network: nn.Module, subject: str) -> None:
    """Refuse weights that hold NaN or infinity, of which no figure means anything.

    Args:
        network: with its weights.
        subject: what they are called in the message, in the plural.

    Raises:
        ArttlError: naming the first such tensor.
    """
    state = network.state_dict()
    broken = [
        name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()
    ]
    if broken:
        raise ArttlError(
            f"{subject} hold NaN or infinity in {len(broken)} of {len(state)} tensors, {broken[0]!r} first: use other"
            " weights"
        )


def check_input_size(backbone: Backbone, size: int, flag: str = "--input-size") -> None:
    """Refuse an input size that a network cannot take, and a network that gives no features at all.

    Args:
        backbone: the network, on the CPU.
        size: side of its input in pixels.
        flag: that gives the size.

    Raises:
        ArttlError: naming the nearest size that it takes, of its own and the multiples of 32, or of its patches.
    """
    name, own = backbone.name, default_preprocess(backbone).size
    training = backbone.training
    try:
        failure = _failure(backbone.eval(), size)
    finally:
        backbone.train(training)
    if failure is None:
        return
    # Only now the meta device, on which one forward pass takes a second: it names the operator that fails, but lacks a
    # few, and in some versions of torch does not compare the sizes of maps and kernels.
    reason = _failure_on_meta(name, size) or failure
    none_at_all = reason if size == own else _failure_on_meta(name, own)
    if none_at_all is not None:
        raise ArttlError(f"{name} gives no features of a picture ({none_at_all}): choose another --backbone")
    step = patch_side(backbone.network) or _STEP
    nearest = sorted(range(step, _LARGEST_SUGGESTION + 1, step), key=lambda each: abs(each - size))
    candidates = (each for each in nearest if abs(each - size) < abs(own - size))
    suggestion = next((each for each in candidates if _failure_on_meta(name, each) is None), own)
    raise ArttlError(f"{name} cannot take pictures of {size} px ({reason}): give {flag} {suggestion}")


def check_batch_of_one(backbone: Backbone, size: int) -> None:
    """Refuse to train on batches of one picture where batch normalisation sees one value per channel.

    It divides by the standard deviation over the batch and the picture: of a single value there is none.

    Args:
        backbone: the network.
        size: side of its input in pixels.

    Raises:
        ArttlError: if so.
    """
    reason = _failure(_on_meta(backbone.name).train(), size)
    if reason is not None and "more than 1 value per channel" in reason:
        raise ArttlError(
            f"batch normalisation in {backbone.name} has one value per channel of a picture of {size} px, and needs"
            " more: give --batch-size 2, or a larger --input-size"
        )


@lru_cache(maxsize=4)
def _on_meta(name: str) -> Backbone:
    with without_memory():
        return Backbone(name)


@cache
def _failure_on_meta(name: str, size: int) -> str | None:
    try:
        network = _on_meta(name).eval()
    except Exception as error:  # of networks that compute with numbers while they are built
        return _reason(error)
    return _failure(network, size)


@torch.no_grad()
def _failure(backbone: Backbone, size: int) -> str | None:
    """What a network says to one picture of a size; None if it takes it."""
    device = next(backbone.parameters()).device
    try:
        with device:
            features = backbone(torch.zeros(1, 3, size, size))
    except Exception as error:  # networks assert, or fail in any operator
        return _reason(error)
    expected = (1, backbone.num_features)
    shape = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
    return None if shape == expected else f"its features are {shape}, not {expected}"


def _reason(error: Exception) -> str:
    return one_line(error)[:120].rstrip(".")
