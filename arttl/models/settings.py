"""The group of settings that the commands which begin with a network share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from arttl.settings import AtLeastOne, Settings

Pooling = Literal["class-token", "patch-mean", "both"]
"""What a transformer's pooled features are made of: its class token, the mean of its patches' tokens, or one behind the
other, as in DINOv2's linear evaluation (Oquab et al. 2024)."""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """A network and its first weights."""

    backbone: str = "resnet50"
    """Any network of timm."""
    weights: str = "imagenet"
    """First weights: imagenet (download), packaged, none, a file, or the folder of a model or run."""
    pooling: Pooling | None = None
    """What a transformer's features are made of: class-token, patch-mean (of the patches' tokens) or both, one behind
    the other. By default as in the folder of --weights, else the network's own."""
    input_size: AtLeastOne | None = None
    """Side of the network's input in pixels. By default the weights' own."""
