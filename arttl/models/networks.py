"""What a timm network declares about itself; no module outside `arttl.models` reads timm's attributes.

The functions take any torch module: one that declares nothing has no stages, is all trunk, and has channels first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Stage:
    """The last layer at one resolution of a network, or one block of a transformer."""

    name: str
    """Of the module, as `named_modules()` has it."""
    module: nn.Module
    width: int
    """D, the channels of its output."""


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
