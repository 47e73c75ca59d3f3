"""The pooled features of every position of a network's last maps or tokens by itself.

The mean over positions is linear. Layers behind it that are affine, such as batch normalisation, may act on each
position instead, and the mean of the results is the same. So may a layer norm once its statistics, the mean and the
variance over the channels of the pooled vector, are taken as constants of the picture. What is no part of a position,
such as a bias or the class token of `--pooling both`, is shared equally by all.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from arttl.errors import ArttlError
from arttl.models import Backbone
from arttl.saliency.geometry import Size, token_grid

_TOLERANCE = 1e-3  # of the mean of the positions' features and the pooled ones, beside the size of the former
_ROUNDINGS = 8


def position_features(backbone: Backbone, last: Any, image: Size) -> Tensor:
    """The pooled features of each position, whose mean over positions are those of the picture.

    Args:
        backbone: in evaluation mode.
        last: of `Backbone.feature_maps`, of B pictures.
        image: height and width of the pictures.

    Returns:
        [B, D, h, w], D = `num_features`, with gradients off.

    Raises:
        ArttlError: for a network that pools otherwise than by a mean over positions and affine layers behind it.
    """
    if backbone.pools == "class-token":
        raise _no_mean(
            backbone,
            "predicts from its class token",
            "attention-gradients or grad-cam, or train it with --pooling both",
        )
    if backbone.pools == "attention":
        raise _no_mean(
            backbone, "pools its tokens by attention", "attention-pool, attention-gradients or grad-cam"
        )
    if not isinstance(last, Tensor) or last.dim() not in (3, 4):
        raise _no_mean(backbone, "ends in several tensors")
    pictures = len(last)
    if last.dim() == 4 and _are_pooled_alone(backbone, last):
        return last.detach()
    if last.dim() == 4:
        grid = (last.shape[2], last.shape[3])
        alone = last.permute(0, 2, 3, 1).reshape(-1, last.shape[1], 1, 1)  # [B * P, C, 1, 1]
    else:
        prefix, patches = last[:, : backbone.prefix_tokens], last[:, backbone.prefix_tokens :]
        try:
            grid = token_grid(patches.shape[1], image)
        except ArttlError as error:
            raise _no_mean(backbone, "ends in tokens that are no grid of patches") from error
        beside = prefix.repeat_interleave(patches.shape[1], 0)
        alone = torch.cat([beside, patches.reshape(-1, 1, patches.shape[2])], 1)  # [B * P, 1 + prefix, C]
    norms = _PictureNorms(pictures)
    with torch.no_grad(), norms:
        pooled = backbone.pooled(last)  # [B, D]
        norms.replays = True
        features = backbone.pooled(alone)  # [B * P, D]
    features = features.unflatten(0, (pictures, *grid)).movedim(3, 1)  # [B, D, h, w]
    scale = features.abs().mean((2, 3))
    tolerance = max(_TOLERANCE, _ROUNDINGS * torch.finfo(features.dtype).eps)
    # Not finite in both is equal: such features have maps that are not finite either.
    if bool(((features.mean((2, 3)) - pooled).abs() > tolerance * scale + 1e-6).any()):
        raise _no_mean(backbone, "has layers behind the average that are not linear")
    return features


@torch.no_grad()
def _are_pooled_alone(backbone: Backbone, last: Tensor) -> bool:
    """Whether the pooled features are the means over positions of the last maps [B, C, h, w], and nothing more."""
    pooled, means = backbone.pooled(last), last.mean((2, 3))
    if torch.equal(pooled, means):
        return True
    if pooled.shape != means.shape:
        return False
    rounding = _ROUNDINGS * torch.finfo(last.dtype).eps
    return bool(((means - pooled).abs().amax(1) <= rounding * means.abs().amax(1)).all())


class _PictureNorms(TorchFunctionMode):
    """Keeps the statistics of the layer norms of pooled vectors and, with `replays`, computes with them again.

    Norms of every token by itself, from before the mean, are not changed: they act on each position anyway.
    """

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.replays = False
        self._pictures = pictures
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._replayed = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.layer_norm:
            return self._layer_norm(*args, **kwargs)
        if func is F.rms_norm:
            return self._rms_norm(*args, **kwargs)
        return func(*args, **kwargs)

    def _layer_norm(
        self,
        input: Tensor,
        normalized_shape: Any,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor:
        dims = tuple(range(-len(normalized_shape), 0))
        variance, mean = torch.var_mean(input, dims, correction=0, keepdim=True)
        frozen = self._frozen(input, mean, (variance + eps).rsqrt())
        if frozen is None:
            return F.layer_norm(input, normalized_shape, weight, bias, eps)
        return _affine(frozen, weight, bias)

    def _rms_norm(
        self, input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
    ) -> Tensor:
        dims = tuple(range(-len(normalized_shape), 0))
        square = input.square().mean(dims, keepdim=True)
        added = torch.finfo(input.dtype).eps if eps is None else eps
        frozen = self._frozen(input, torch.zeros_like(square), (square + added).rsqrt())
        if frozen is None:
            return F.rms_norm(input, normalized_shape, weight, eps)
        return _affine(frozen, weight, None)

    def _frozen(self, values: Tensor, mean: Tensor, scale: Tensor) -> Tensor | None:
        """The values normalised by the picture's statistics; None: by their own."""
        if not self.replays:
            self._kept.append((mean, scale))
            return None
        mean, scale = self._kept[self._replayed]
        self._replayed += 1
        if mean.numel() != self._pictures:
            return None
        positions = len(values) // self._pictures
        mean, scale = (each.repeat_interleave(positions, 0) for each in (mean, scale))
        return (values - mean) * scale


def _affine(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = values if weight is None else values * weight
    return scaled if bias is None else scaled + bias


def _no_mean(
    backbone: Backbone, reason: str, otherwise: str = "grad-cam, integrated-gradients or visual-backprop"
) -> ArttlError:
    return ArttlError(
        "class maps need a network that ends in global average pooling, of maps or of a transformer's patches, and"
        f" {backbone.name} {reason}: use {otherwise}"
    )
