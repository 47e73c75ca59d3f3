"""Backbones: any timm network, cut to its pooled features."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import timm
import torch
from timm.data import resolve_data_config
from timm.layers import convert_sync_batchnorm
from torch import nn

import arttl.models.keras.networks  # noqa: F401 - registers Keras's forms with timm
from arttl.cpu import available_memory
from arttl.errors import ArttlError, did_you_mean
from arttl.loading.preprocess import Preprocess
from arttl.meta_device import without_memory
from arttl.models.attention import attention_of, last_attention_input
from arttl.models.networks import (
    Stage,
    build_network,
    check_pooling,
    has_tokens,
    is_channels_last,
    own_pooling,
    pooled_tokens,
    prefix_tokens,
    stages_of,
    trunk_of,
)
from arttl.models.settings import Pooling

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


def _check_memory(name: str) -> None:
    """Refuse a network before it takes more memory than there is, which would end the process without a word."""
    size, free = _bytes_of_weights(name), available_memory()
    if free is not None and size > free:
        raise ArttlError(
            f"--backbone {name} has weights of {size / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of memory are free:"
            " choose a smaller network"
        )


@cache
def _bytes_of_weights(name: str) -> int:
    """Of a network, built without memory; 0 for the few that compute with numbers while they are built."""
    try:
        with without_memory():
            network = timm.create_model(name, pretrained=False, num_classes=0)
    except Exception:  # whatever an operation without numbers leads to
        return 0
    return sum(tensor.nbytes for tensor in network.state_dict().values())


class Backbone(nn.Module):
    """A timm network that ends in its pooled features; all that other modules need of the network.

    Pooling is the network's own unless another is asked for; for every network of the paper it is global average
    pooling. timm's VGG keeps two fully connected layers of 4096 before its classifier; the paper's VGG19 does not, so
    they are left out and the features are the 512 of its last convolution, at any input size.

    Attributes:
        name: as timm knows it.
        network: timm's module.
        pooling: of a transformer's tokens; None: the network's own.
        is_cut: whether layers of timm's network are left out.
    """

    def __init__(self, name: str, pooling: Pooling | None = None) -> None:
        """Build the network with random weights.

        Args:
            name: a timm name or one of `ALIASES`.
            pooling: of a transformer's tokens; None: the network's own.

        Raises:
            ArttlError: for an unknown name, a pooling that the network has no tokens for, or a network whose weights do
                not fit into the memory that is free.
        """
        super().__init__()
        self.name = timm_name(name)
        if torch.get_default_device().type != "meta":
            _check_memory(self.name)
        self.network: Any = build_network(self.name)
        self.pooling = pooling
        if pooling is not None:
            check_pooling(self.network, self.name, pooling)
        self.is_cut = isinstance(self.network, timm.models.VGG)
        if self.is_cut:
            self.network.pre_logits = nn.Identity()
            self.network.head_hidden_size = self.network.num_features

    @property
    def num_features(self) -> int:
        """D, the width of the pooled features."""
        return 2 * self.own_width if self.pooling == "both" else self.own_width

    @property
    def own_width(self) -> int:
        """The width of the features as the network itself pools them."""
        # MobileNetV3 and its kin widen the features after pooling.
        return int(getattr(self.network, "head_hidden_size", None) or self.network.num_features)

    @property
    def pools(self) -> Pooling | Literal["attention"] | None:
        """What the pooled features of a transformer are made of; None for other networks, and rarer ways."""
        return self.pooling or own_pooling(self.network)

    @property
    def has_tokens(self) -> bool:
        """Whether the network is a vision transformer, which ends in tokens of the picture's patches."""
        return has_tokens(self.network)

    @property
    def prefix_tokens(self) -> int:
        """How many class and register tokens come before those of a transformer's patches."""
        return prefix_tokens(self.network)

    @property
    def last_attention_input(self) -> nn.Module | None:
        """The module whose output, tokens [B, N, D], the last block attends over; None for networks without such."""
        return last_attention_input(self.network)

    def attention(self) -> AbstractContextManager[list[torch.Tensor]]:
        """Collect the attention of all layers while the network runs in the block, see `attention_of`."""
        return attention_of(self.network)

    @property
    def pretrained_config(self) -> Mapping[str, Any]:
        """Timm's description of the network's pretrained weights: where they are, their input size and scaling."""
        return dict(self.network.pretrained_cfg)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that timm describes, in order of depth; empty for a network without a description."""
        return stages_of(self.network)

    def feature_maps(self, images: torch.Tensor) -> torch.Tensor:
        """The unpooled maps.

        Args:
            images: [B, 3, H, W], normalised.

        Returns:
            [B, C, h, w]; of a transformer without maps its tokens, [B, N, C], or a list of them per branch.
        """
        maps: torch.Tensor = trunk_of(self.network)(images)
        return maps.permute(0, 3, 1, 2) if self._has_channels_last(maps) else maps

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """The pooled features [B, D], D = `num_features`, of `feature_maps`."""
        if self.pooling is not None:
            return pooled_tokens(self.network, maps, self.pooling)
        if self._has_channels_last(maps):
            maps = maps.permute(0, 2, 3, 1)
        features: torch.Tensor = self.network.forward_head(maps, pre_logits=True)
        return features.mean((2, 3)) if features.ndim == 4 else features

    def _has_channels_last(self, maps: object) -> bool:
        # CoaT and CrossViT have several branches, whose tokens are a list.
        return isinstance(maps, torch.Tensor) and maps.ndim == 4 and is_channels_last(self.network)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pooled features.

        Args:
            images: [B, 3, H, W], normalised.

        Returns:
            [B, D] features, D = `num_features`.
        """
        return self.pooled(self.feature_maps(images))

    def parameter_groups(
        self, rate: float, weight_decay: float, layer_decay: float = 1.0
    ) -> list[dict[str, Any]]:
        """Groups for an optimizer, over the parameters that learn.

        Args:
            rate: the learning rate, of the last layers.
            weight_decay: of matrices; biases and normalisation have none.
            layer_decay: what each of timm's layer groups multiplies the rate of the group above it by (BEiT).
        """
        if layer_decay == 1:
            return parameter_groups(self, rate, weight_decay)
        from timm.optim import param_groups_layer_decay  # imports all optimizers, which take a second

        groups = param_groups_layer_decay(self.network, weight_decay=weight_decay, layer_decay=layer_decay)
        return [{**group, "lr": rate * group.pop("lr_scale")} for group in groups]

    def synchronise_batchnorm(self) -> None:
        """Make batch normalisation use the statistics of all ranks' batches together."""
        self.network = convert_sync_batchnorm(self.network)


def parameter_groups(module: nn.Module, rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Groups for an optimizer: the parameters that learn, with weight decay (matrices) and without (biases, norms)."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {
            "params": [matrix for matrix in learning if matrix.ndim > 1],
            "lr": rate,
            "weight_decay": weight_decay,
        },
        {"params": [vector for vector in learning if vector.ndim <= 1], "lr": rate, "weight_decay": 0.0},
    ]


def default_preprocess(backbone: Backbone, size: int | None = None) -> Preprocess:
    """The evaluation transform that the network's pretrained weights were made for.

    Args:
        backbone: the network.
        size: another input size, in pixels.
    """
    config = resolve_data_config({}, pretrained_cfg=backbone.pretrained_config)
    return Preprocess(
        size=size or int(config["input_size"][-1]),
        crop_pct=min(float(config["crop_pct"]), 1.0),  # above 1, as VOLO's at 448 px, a black frame is added
        filter="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        mean=_three(config["mean"]),
        std=_three(config["std"]),
    )


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
