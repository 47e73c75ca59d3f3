"""How a timm network is built, and what it declares of itself; no module outside `arttl.models` reads its attributes.

Functions of a network take any torch module: one that declares nothing has no stages, is all trunk, and has channels
first.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import Any, Literal, get_args

import timm
import torch
import torch.nn.functional as F
from timm.models import is_model_in_modules
from torch import nn

from arttl.errors import ArttlError
from arttl.models.settings import Pooling

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

_MODULES_OF_ANY_SIZE = ("vision_transformer", "deit", "eva")
# Their authors resample the positions without antialiasing, and timm with it; those with registers, alike.
_NOT_ANTIALIASED = frozenset(f"vit_{size}_patch14_dinov2" for size in ("small", "base", "large", "giant"))


@dataclass(frozen=True)
class Stage:
    """The last layer at one resolution of a network, or one block of a transformer."""

    name: str
    """Of the module, as `named_modules()` has it."""
    module: nn.Module
    width: int
    """D, the channels of its output."""


def build_network(name: str) -> nn.Module:
    """One of timm's networks with random weights, without a classifier.

    Its vision transformers take pictures of any multiple of their patches: the learnt positions are resampled to the
    picture's grid in each forward pass. With DINOv2's weights that is done as its authors do it, bicubically without
    antialiasing, since the antialiasing that timm adds changes features by a tenth of their spread.

    Args:
        name: as timm knows it, with or without a tag.
    """
    architecture = name.partition(".")[0]
    create = partial(timm.create_model, name, pretrained=False, num_classes=0)
    if not is_model_in_modules(architecture, _MODULES_OF_ANY_SIZE):
        network: nn.Module = create()
        return network
    network = create(dynamic_img_size=True)
    if any(map(operator.mod, network.patch_embed.img_size, network.patch_embed.patch_size)):  # type: ignore
        return (
            create()
        )  # its own pictures are no multiple of its patches: SigLIP's 384 pixels of patches of 14
    if architecture in _NOT_ANTIALIASED:
        network._pos_embed = MethodType(_dinov2_tokens, network)  # type: ignore[assignment]
    return network


def _dinov2_tokens(network: Any, patches: torch.Tensor) -> torch.Tensor:
    """The tokens [B, 1 + h * w, D] of embedded patches [B, h, w, D]: a class token before them, positions added."""
    rows, columns = network.patch_embed.grid_size
    positions = network.pos_embed
    if patches.shape[1:3] != (rows, columns):
        grid = positions[:, 1:].transpose(1, 2).unflatten(2, (rows, columns))
        grid = F.interpolate(grid, tuple(patches.shape[1:3]), mode="bicubic")
        positions = torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
    tokens = torch.cat([network.cls_token.expand(patches.shape[0], -1, -1), patches.flatten(1, 2)], dim=1)
    embedded: torch.Tensor = network.pos_drop(tokens + positions)
    return embedded


def patch_side(network: nn.Module) -> int | None:
    """The side in pixels of the patches of a network that takes any multiple of them; None for other networks."""
    if not getattr(network, "dynamic_img_size", False):
        return None
    return max(network.patch_embed.patch_size)  # type: ignore[union-attr, arg-type]


def check_pooling(network: nn.Module, name: str, pooling: Pooling) -> None:
    """Refuse a pooling that a network has no tokens for.

    Args:
        network: one of timm's.
        name: of the network, for the message.
        pooling: that is asked for.

    Raises:
        ArttlError: if so.
    """
    if not has_tokens(network):
        raise ArttlError(
            f"--pooling {pooling} is for vision transformers, and {name} has no tokens: leave it out"
        )
    if pooling != "patch-mean" and getattr(network, "cls_token", None) is None:
        raise ArttlError(
            f"--pooling {pooling} needs a class token, and {name} has none: give --pooling patch-mean, or leave it out"
        )


def has_tokens(network: nn.Module) -> bool:
    """Whether a network is a vision transformer, which ends in tokens of the picture's patches and not in maps."""
    return hasattr(network, "num_prefix_tokens") and not is_channels_last(network)


def own_pooling(network: nn.Module) -> Pooling | Literal["attention"] | None:
    """How a transformer pools its tokens by itself; None for networks without tokens, and rarer ways."""
    if getattr(network, "attn_pool", None) is not None:
        return "attention"
    ways: dict[str, Pooling] = {"token": "class-token", "avg": "patch-mean"}
    return ways.get(str(getattr(network, "global_pool", ""))) if has_tokens(network) else None


def pooled_tokens(network: nn.Module, tokens: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Pooled features [B, D], or [B, 2 D] for `both`, of a transformer's last tokens [B, N, D]."""
    parts = []
    if pooling != "patch-mean":
        parts.append(tokens[:, 0])
    if pooling != "class-token":
        parts.append(tokens[:, prefix_tokens(network) :].mean(1))
    # Of networks that normalise behind their own pooling; an identity in all others.
    norm = getattr(network, "fc_norm", None) or nn.Identity()
    return torch.cat([norm(part) for part in parts], dim=1)


def has_stages(module: nn.Module) -> bool:
    """Whether a module is a network that describes its stages."""
    return bool(getattr(module, "feature_info", None))


def stages_of(network: nn.Module) -> tuple[Stage, ...]:
    """The stages in order of depth; empty for a network that does not describe them."""
    description: Any = getattr(network, "feature_info", None) or []
    stages = {}
    for entry in getattr(description, "info", description):
        # Some of timm's networks list stages under names that none of their modules has.
        with contextlib.suppress(AttributeError):
            name = entry["module"]
            if not name:  # of the network itself
                continue
            stages[name] = Stage(name, network.get_submodule(name), int(entry["num_chs"]))
    return tuple(stages.values())


def trunk_of(network: nn.Module) -> Callable[..., Any]:
    """The network up to its unpooled maps where it separates them from its head, else all of it."""
    trunk: Callable[..., Any] = getattr(network, "forward_features", network)
    return trunk


def is_channels_last(network: nn.Module) -> bool:
    """Whether the maps are [B, H, W, D], as Swin's are, and not [B, D, H, W]."""
    return str(getattr(network, "output_fmt", "NCHW")) == "NHWC"


def prefix_tokens(network: nn.Module) -> int:
    """How many tokens come before those of the picture's patches: class and register tokens."""
    return int(getattr(network, "num_prefix_tokens", 0))
