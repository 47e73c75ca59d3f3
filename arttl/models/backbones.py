"""Backbones: any timm network, cut to its pooled features."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

import arttl.models.keras.networks  # noqa: F401 - tells timm of Keras's forms
from arttl.errors import ArttlError, did_you_mean
from arttl.loading.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The paper's names, where timm's differ.
ALIASES = {"xception": "legacy_xception", "inceptionv3": "inception_v3"}


def timm_name(name: str) -> str:
    """The name of a network as timm knows it, a tag such as `.tv_in1k` kept.

    Raises:
        ArttlError: for a name timm does not know, or one that points at a hub or a folder.
    """
    name = ALIASES.get(name, name)
    architecture = name.partition(".")[0]
    if not re.fullmatch(r"[A-Za-z0-9_.\-]+", name) or not timm.is_model(architecture):
        raise ArttlError(
            f"--backbone {name!r} is not a network of timm {timm.__version__}"
            f"{did_you_mean(architecture, timm.list_models())}"
        )
    if name != architecture and name not in timm.list_pretrained(architecture + "*"):
        tags = ", ".join(timm.list_pretrained(architecture + ".*")) or "none"
        raise ArttlError(f"--backbone {name!r}: timm has no such weights of {architecture}; it has: {tags}")
    return name


class Backbone(nn.Module):
    """A timm network that ends in its pooled features.

    Pooling is the network's own, which for every network of the paper is global average pooling. timm's VGG keeps
    two fully connected layers of 4096 before its classifier; the paper's VGG19 does not, so they are left out and
    the features are the 512 of its last convolution, at any input size.
    """

    def __init__(self, name: str) -> None:
        """Build the network with random weights.

        Args:
            name: a timm name or one of `ALIASES`.

        Raises:
            ArttlError: for an unknown name.
        """
        super().__init__()
        self.name = timm_name(name)
        self.network = timm.create_model(self.name, pretrained=False, num_classes=0)
        if isinstance(self.network, timm.models.VGG):
            self.network.pre_logits = nn.Identity()
            self.network.head_hidden_size = self.network.num_features

    @property
    def num_features(self) -> int:
        """Width of the pooled features, found from timm's own count."""
        # MobileNetV3 and its kin widen the features after pooling.
        return int(getattr(self.network, "head_hidden_size", None) or self.network.num_features)

    @property
    def pretrained_config(self) -> Mapping[str, Any]:
        """Timm's description of the network's pretrained weights: where they are, their input size and scaling."""
        return dict(self.network.pretrained_cfg)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pooled features.

        Args:
            images: [B, 3, H, W], normalised.

        Returns:
            [B, D] features, D = `num_features`.
        """
        features = self.network.forward_head(self.network.forward_features(images), pre_logits=True)
        return features.mean((2, 3)) if features.ndim == 4 else features


def default_preprocess(backbone: Backbone, size: int | None = None) -> Preprocess:
    """The evaluation transform that the network's pretrained weights were made for.

    Args:
        backbone: the network.
        size: another input size, in pixels.
    """
    config = resolve_data_config({}, pretrained_cfg=backbone.pretrained_config)
    return Preprocess(
        size=size or int(config["input_size"][-1]),
        crop_pct=float(config["crop_pct"]),
        filter="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        mean=_three(config["mean"]),
        std=_three(config["std"]),
    )


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
