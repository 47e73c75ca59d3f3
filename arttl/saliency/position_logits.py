"""The logits of every position of a network's last maps or tokens, whose mean is that of the picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arttl.errors import ArttlError
from arttl.models import Backbone, FusedModel, MultiTaskModel
from arttl.models.fusion import TokenHead
from arttl.models.stages import LAST_LAYER, PooledStages
from arttl.saliency import ops
from arttl.saliency.geometry import Size
from arttl.saliency.plan import plan_of
from arttl.saliency.positions import position_features
from arttl.saliency.taps import Tap
from arttl.saliency.visual_backprop import as_maps, channel_means, enlarged, evaluating, on_device_of


@dataclass(frozen=True)
class NetworkLogits:
    """What maps of classes are made of, for one network."""

    size: Size
    """Height and width of the pictures."""
    shallower: list[Tensor]
    """[B, h_i, w_i], the channel means of all taps but the deepest, from the image on."""
    steps: list[int]
    """Of `ops.backproject`, overlap-normalised, from the deepest tap to the image; none for a transformer of one
    resolution, which has no shallower maps."""
    logits: dict[str, Tensor]
    """Task name to [B, Q, h, w], at least float32, at the positions of the deepest tap."""
    predicted: dict[str, Tensor]
    """Task name to [B, Q], the logits of the picture."""

    def at_pixels(self, evidence: Tensor) -> Tensor:
        """A map [B, h, w] float32 at the positions of the deepest tap, at those of the picture: [B, H, W] in [0, 1].

        It is backprojected through the channel means or, where there are none, enlarged bilinearly.
        """
        if not self.steps:
            return enlarged(evidence, self.size)
        return ops.run_backproject([*self.shallower, evidence], self.steps)


Contribute = Callable[[Tensor], Tensor]
"""Maps [B, C, h, w] to what they contribute to the logits, [B, rows, h, w]."""


def read_network(model: MultiTaskModel, images: Tensor, tasks: Sequence[str]) -> NetworkLogits:
    """The logits of a model of one network, see `NetworkLogits`.

    Args:
        model: whose heads are linear layers on the average of the last maps or patches.
        images: [B, 3, H, W].
        tasks: to explain.

    Raises:
        ArttlError: for another model.
    """
    heads = []
    for name in tasks:
        head = model.head_of(name)
        if not isinstance(head, nn.Linear):
            kind = model.heads.specification["kind"]
            raise ArttlError(
                f"class maps need linear heads, and those of this model are of kind {kind!r}: use grad-cam or"
                " visual-backprop"
            )
        heads.append(head)
    weight, bias = (torch.cat([_wide(getattr(head, key)) for head in heads]) for key in ("weight", "bias"))
    traced = _trace(model.backbone, images, {LAST_LAYER: partial(_weighted, weight=weight)})
    local = traced.contributions[LAST_LAYER] + bias[:, None, None]  # [B, all Q, h, w]
    parts = local.split([head.out_features for head in heads], dim=1)
    logits = {name: part.contiguous() for name, part in zip(tasks, parts, strict=True)}
    predicted = {name: part.mean((2, 3)) for name, part in logits.items()}
    on_grid = {name: _on_grid(part, traced.grid) for name, part in logits.items()}
    return NetworkLogits(traced.size, traced.shallower, traced.steps, on_grid, predicted)


def read_fused(model: FusedModel, inputs: Sequence[Tensor], tasks: Sequence[str]) -> list[NetworkLogits]:
    """The logits of a fused model, for each of its networks.

    A head adds up what each pooled stage contributes, weighed by its share, so that the contributions of the positions
    of a stage are known at the stage's own maps. They are averaged over the part of the picture that a position of the
    network's last maps covers; what the other networks contribute is the same at every position.

    Args:
        model: whose last stages, where it mixes them, are averages of the last maps or patches.
        inputs: [B, 3, H, W] per network.
        tasks: to explain.

    Raises:
        ArttlError: as `position_features`.
    """
    heads = {name: model.head_of(name) for name in tasks}
    token_heads = {name: head for name, head in heads.items() if isinstance(head, TokenHead)}
    # Rows per task: Q logits, and with attention one for the score of the token, which is linear as well.
    rows = {
        name: head.weight if head.attention is None else torch.cat([head.weight, head.attention])
        for name, head in token_heads.items()
    }
    counts = [len(weight) for weight in rows.values()]
    widths = token_heads[tasks[0]].widths
    weights = torch.cat([_wide(weight) for weight in rows.values()]).split(list(widths), dim=1)
    means, scales = model.mean.split(list(widths)), model.scale.split(list(widths))
    traces = []
    for index, (stages, images) in enumerate(zip(model.backbones, inputs, strict=True)):
        assert isinstance(stages, PooledStages)
        contribute: dict[str, Contribute] = {}
        for token, weight, mean, scale in zip(model.tokens, weights, means, scales, strict=True):
            if token.backbone == index:
                scaled = weight * scale  # of (stage - mean) * scale
                contribute[token.stage] = partial(_weighted, weight=scaled, offset=-(scaled @ mean))
        traces.append(_trace(stages.backbone, images, contribute, stages.widths))
    contributions = [traces[token.backbone].contributions[token.stage] for token in model.tokens]
    read = [NetworkLogits(trace.size, trace.shallower, trace.steps, {}, {}) for trace in traces]
    by_task = [
        contribution.split(counts, dim=1) for contribution in contributions
    ]  # [T][task] of [B, rows, h, w]
    for number, (name, head) in enumerate(token_heads.items()):
        own = [parts[number] for parts in by_task]
        outputs = len(head.bias)
        scores = _wide(head.gates)[None]  # [1, T]
        if head.attention is not None:
            scores = scores + torch.stack([part[:, outputs].mean((1, 2)) for part in own], dim=1)
        shares = (scores.log_softmax(1) / 2).exp()  # their square roots, [1 or B, T]
        mixed = [part[:, :outputs] * shares[:, t, None, None, None] for t, part in enumerate(own)]
        pooled = [part.mean((2, 3)) for part in mixed]  # T of [B, Q]
        predicted = torch.stack(pooled).sum(0) + _wide(head.bias)
        for index, (network, trace) in enumerate(zip(read, traces, strict=True)):
            mine = [t for t, token in enumerate(model.tokens) if token.backbone == index]
            elsewhere = predicted - torch.stack([pooled[t] for t in mine]).sum(0)
            local = torch.stack([_on_grid(mixed[t], trace.grid) for t in mine]).sum(0)
            network.logits[name] = local + elsewhere[:, :, None, None]
            network.predicted[name] = predicted
    return read


@dataclass(frozen=True)
class _Trace:
    size: Size
    shallower: list[Tensor]
    steps: list[int]
    grid: Size
    contributions: dict[str, Tensor]


def _trace(
    backbone: Backbone,
    images: Tensor,
    contribute: dict[str, Contribute],
    widths: dict[str, int] | None = None,
) -> _Trace:
    """Run a backbone once, and keep its channel means and what its stages contribute."""
    network, modules, plan = plan_of(backbone)
    images = on_device_of(network, images)
    size = (images.shape[2], images.shape[3])
    with (
        evaluating(modules),
        _stages_hooked(backbone, network, size, contribute, widths or {}) as contributions,
    ):
        means, last = channel_means(network, plan, images, backbone.feature_maps, rectify_all=True)
        if LAST_LAYER in contribute:
            features = position_features(backbone, last, size)
            contributions[LAST_LAYER] = contribute[LAST_LAYER](_wide(features))
    sizes = [(mean.shape[1], mean.shape[2]) for mean in means]
    if isinstance(last, Tensor) and last.dim() == 3 and len(set(sizes)) == 1:
        return _Trace(size, [], [], sizes[-1], contributions)
    steps = plan.backprojection(network, "overlap-normalised", size, sizes)
    return _Trace(size, means[:-1], steps, sizes[-1], contributions)


@contextlib.contextmanager
def _stages_hooked(
    backbone: Backbone,
    network: nn.Module,
    size: Size,
    contribute: dict[str, Contribute],
    widths: dict[str, int],
) -> Iterator[dict[str, Tensor]]:
    """Collect the contributions of stages, before a later layer changes their output in place."""
    contributions: dict[str, Tensor] = {}

    def keep(tap: Tap, module: nn.Module, inputs: Any, output: Any) -> None:
        maps = _wide(as_maps(tap, output, network, size))
        if isinstance(output, Tensor) and output.dim() == 3:
            maps = _with_prefix(maps, _wide(output))
        contributions[tap.module] = contribute[tap.module](maps)

    with contextlib.ExitStack() as hooks:
        for stage in backbone.stages:
            if stage.name in contribute:
                tap = Tap(stage.name, channels=widths[stage.name])
                hooks.callback(stage.module.register_forward_hook(partial(keep, tap)).remove)
        yield contributions


def _weighted(maps: Tensor, weight: Tensor, offset: Tensor | None = None) -> Tensor:
    """[B, rows, h, w] of maps [B, C, h, w] and weights [rows, C]."""
    # A matrix product, since torch lets convolutions round to TensorFloat-32 on a card.
    local = torch.matmul(weight, maps.flatten(2)).unflatten(2, maps.shape[2:])
    return local if offset is None else local + offset[:, None, None]


def _on_grid(local: Tensor, size: Size) -> Tensor:
    """Logits [B, Q, *] at another number of positions, with the same mean where one is a multiple of the other.

    Where there are fewer of them (VGG's, which are pooled once more than its last tap), each is repeated: interpolated
    logits may give the class less than half of the probability everywhere, where one position by itself gives it more.
    """
    if local.shape[2:] == size:
        return local
    if local.shape[2] >= size[0] and local.shape[3] >= size[1]:
        return F.adaptive_avg_pool2d(local, size)
    return F.interpolate(local, size, mode="nearest-exact")


def _with_prefix(maps: Tensor, tokens: Tensor) -> Tensor:
    """Maps [B, C, h, w] of patches, whose mean is that of all tokens [B, N, C]: others are shared equally."""
    patches, count = maps.shape[2] * maps.shape[3], tokens.shape[1]
    beside = (tokens.sum(1) - maps.sum((2, 3))) / count  # [B, C]
    return maps * (patches / count) + beside[:, :, None, None]


def _wide(values: Tensor) -> Tensor:
    """Values in float32, unless they have more digits."""
    return values if values.dtype == torch.float64 else values.float()
