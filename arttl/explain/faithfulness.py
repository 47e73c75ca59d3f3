"""How faithful a map is: deletion and insertion curves, its share inside a known region, and randomised weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

Scores = Callable[[Tensor], Tensor]  # [B, 3, H, W] -> [B], the probability of one class
Model = TypeVar("Model", bound=nn.Module)


def perturbed(image: Tensor, filler: Tensor, heat: Tensor, shares: Tensor, *, insert: bool) -> Tensor:
    """Versions of an image whose pixels with the highest heat are removed, or alone are kept.

    Args:
        image: [3, H, W].
        filler: [3, H, W], which replaces removed pixels.
        heat: [H, W]; equal values are taken in the order of the pixels.
        shares: [S] in [0, 1], of the pixels that are deleted or inserted.
        insert: whether the highest are inserted into the filler, instead of deleted from the image.

    Returns:
        [S, 3, H, W].
    """
    order = heat.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    chosen = rank[None] < (shares.to(rank.device) * len(order)).round()[:, None]  # [S, H * W]
    chosen = chosen.view(len(shares), 1, *heat.shape)
    inside, outside = (image, filler) if insert else (filler, image)
    return torch.where(chosen, inside, outside)


def area_under_curve(
    scores: Scores, image: Tensor, filler: Tensor, heat: Tensor, *, insert: bool, steps: int
) -> float:
    """Area under the deletion or the insertion curve (Petsiuk et al. 2018, arXiv 1806.07421, section 4.1).

    The curve is the probability of a class over the share of the pixels deleted (or inserted), the highest of the map
    first. A map that points at what the prediction rests on has a small area on deletion and a large one on insertion.

    Args:
        scores: the probability of the class.
        image: [3, H, W].
        filler: [3, H, W].
        heat: [H, W].
        insert: whether to insert.
        steps: of the curve, which is integrated by the trapezoidal rule.

    Returns:
        The area, in [0, 1].
    """
    shares = torch.linspace(0, 1, steps + 1)
    curve = scores(perturbed(image, filler, heat, shares, insert=insert))  # [steps + 1]
    return float(torch.trapezoid(curve, dx=1 / steps))


def mass_inside(heat: Tensor, inside: Tensor) -> float:
    """Share of a map's sum inside a region; NaN for a map of zeros.

    Args:
        heat: [H, W], not negative.
        inside: [H, W] bool.
    """
    total = heat.double().sum()
    return float(heat.double()[inside].sum() / total)


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's correlation of two maps [H, W], equal values sharing their mean rank; NaN if a map is constant."""
    ranks = [_ranks(values.flatten()) for values in (first, second)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def _ranks(values: Tensor) -> Tensor:
    _, index, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2).double()[index]


def randomised_from_the_top(model: Model, share: float, seed: int = 0) -> Model:
    """A copy of a model whose last layers have new random weights (Adebayo et al. 2018, arXiv 1810.03292, section 3).

    Args:
        model: its layers are in the order they were registered, the head last.
        share: of the layers with weights, counted from the head, to reinitialise.
        seed: of the weights.

    Returns:
        The copy, in evaluation mode.
    """
    copied = copy.deepcopy(model).eval()
    layers = [layer for layer in copied.modules() if hasattr(layer, "reset_parameters")]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in layers[len(layers) - round(share * len(layers)) :]:
            layer.reset_parameters()  # type: ignore[operator]
    return copied


def centre_prior(height: int, width: int) -> Tensor:
    """A map [H, W] that assumes objects in the middle: a Gaussian with a quarter of each side as standard deviation."""
    y = (torch.arange(height) + 0.5) / height - 0.5
    x = (torch.arange(width) + 0.5) / width - 0.5
    return torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * 0.25**2))
