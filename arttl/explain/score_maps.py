"""The measurements of `arttl explain score`: every method's maps, and how faithful they are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from arttl.evaluation.bootstrap import bootstrap_intervals
from arttl.explain import faithfulness
from arttl.explain.overlay import Picture
from arttl.inference.labels import probabilities
from arttl.models import MultiTaskModel
from arttl.saliency.attention import AttentionMethod, attention_methods_of
from arttl.saliency.attribution import Method
from arttl.saliency.class_maps import why_no_class_maps
from arttl.saliency.maps import BATCH, TRUNK_METHODS, AnyMethod, maps_of
from arttl.saliency.plan import DEFAULT_MODE, Mode
from arttl.sources.synthetic import drawn_objects

_TRUNK: dict[str, Mode] = {
    "visual-backprop": DEFAULT_MODE,
    "visual-backprop, bojarski": "bojarski",
    "visual-backprop, sabatelli": "sabatelli",
}
PER_TASK: tuple[AnyMethod, ...] = ("class-map", "attention-gradients", *get_args(Method))
"""Methods that explain a class of a task."""
_BASELINES = ("centre prior", "noise")
ATTENTION: tuple[AttentionMethod, ...] = get_args(AttentionMethod)
METHODS = tuple(dict.fromkeys((*PER_TASK, *ATTENTION, *_TRUNK, *_BASELINES)))
"""Of every network, but that some have no class maps, and that vision transformers alone have those of attention."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the layers, from the head down, that the randomisation check gives new weights; 0: the head alone."""


def scored_tasks(model: MultiTaskModel) -> list[str]:
    """The tasks that predict classes; a number has no probability that could fall."""
    return [task.name for task in model.tasks if task.kind != "number"]


def methods_of(model: MultiTaskModel, images: Tensor) -> tuple[str, ...]:
    """Those of `METHODS` that a network has."""
    attention = attention_methods_of(model, images)
    lacking = {str(name) for name in ATTENTION if name not in attention}
    if why_no_class_maps(model, [images]):
        lacking.add("class-map")
    return tuple(name for name in METHODS if name not in lacking)


def method_of(name: str) -> AnyMethod | None:
    """The method of one of `METHODS`; None for the baselines."""
    return (
        "visual-backprop"
        if name in _TRUNK
        else next((method for method in (*PER_TASK, *ATTENTION) if method == name), None)
    )


def all_maps(
    model: MultiTaskModel, images: Tensor, seed: int, names: Sequence[str] = METHODS
) -> dict[str, Tensor]:
    """The maps of the classes with the highest logits.

    Args:
        model: on its device.
        images: [B, 3, H, W].
        seed: of the noise.
        names: of the methods, of `METHODS`.

    Returns:
        Method to maps [T, B, H, W] on the CPU, T the tasks with classes.
    """
    count, _, height, width = images.shape
    noise = torch.rand((count, height, width), generator=torch.Generator().manual_seed(seed))
    prior = faithfulness.centre_prior(height, width).expand(count, -1, -1)
    baselines = dict(zip(_BASELINES, (prior, noise), strict=True))
    return network_maps(model, images, likeliest(model, images), names) | {
        name: heat.expand(len(scored_tasks(model)), -1, -1, -1)
        for name, heat in baselines.items()
        if name in names
    }


def network_maps(
    model: MultiTaskModel,
    images: Tensor,
    classes: Tensor,
    names: Iterable[str],
    tasks: Sequence[str] | None = None,
) -> dict[str, Tensor]:
    """As `all_maps`, without the baselines, of the given classes [T, B] of some tasks."""
    tasks = scored_tasks(model) if tasks is None else tasks
    maps = {}
    for name in names:
        method = method_of(name)
        if method in TRUNK_METHODS:
            heat = maps_of(model, images, method, mode=_TRUNK.get(name, DEFAULT_MODE))
            maps[name] = heat.expand(len(tasks), -1, -1, -1)
        elif method is not None:
            maps[name] = torch.stack(
                [
                    maps_of(model, images, method, task=task, classes=of_task)
                    for task, of_task in zip(tasks, classes, strict=True)
                ]
            )
    return maps


@torch.no_grad()
def logits_of(model: MultiTaskModel, images: Tensor) -> dict[str, Tensor]:
    """Task name to logits [B, Q] on the CPU."""
    device = next(model.parameters()).device
    parts = [model(batch.to(device)) for batch in images.split(BATCH)]
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in model.tasks.names}


def likeliest(model: MultiTaskModel, images: Tensor) -> Tensor:
    """[T, B], the classes with the highest logits."""
    logits = logits_of(model, images)
    return torch.stack([logits[name].argmax(1) for name in scored_tasks(model)])


def curves(
    model: MultiTaskModel, images: Tensor, maps: dict[str, Tensor], steps: int
) -> dict[str, dict[str, Any]]:
    """Areas under the deletion and insertion curves, as means over pictures and tasks.

    Pixels are deleted into the mean colour and inserted into the blurred picture, as in the source.

    Args:
        model: on its device.
        images: [B, 3, H, W].
        maps: of `all_maps`.
        steps: of the curves.

    Returns:
        Method to {"deletion", "insertion"}, each with its interval, see `measured`.
    """
    classes = likeliest(model, images)  # [T, B]
    fillers = {"deletion": torch.zeros_like(images), "insertion": _blurred(model, images)}
    tasks = scored_tasks(model)
    units = [index for index in range(len(images)) for _ in tasks]
    means: dict[str, dict[str, Any]] = {}
    for method in maps:
        means[method] = {}
        for curve, filler in fillers.items():
            areas = [
                faithfulness.area_under_curve(
                    _probability(model, task, int(classes[number, index])),
                    image,
                    filler[index],
                    maps[method][number, index],
                    insert=curve == "insertion",
                    steps=steps,
                )
                for index, image in enumerate(images)
                for number, task in enumerate(tasks)
            ]
            means[method] |= measured(curve, areas, units)
    return means


def _probability(model: MultiTaskModel, name: str, index: int) -> faithfulness.Scores:
    """The probability of one class, [B], of the uncalibrated network."""

    def scores(images: Tensor) -> Tensor:
        logits = logits_of(model, images)[name].numpy()
        return torch.from_numpy(probabilities(model.tasks[name], logits)[:, index]).float()

    return scores


def _blurred(model: MultiTaskModel, images: Tensor) -> Tensor:
    """The pictures without detail: a Gaussian of 1/22 of the side, about the source's 11 pixels of 224."""
    blur = ImageFilter.GaussianBlur(images.shape[2] / 22)
    pictures = [
        np.asarray(Image.fromarray(picture).filter(blur)) for picture in model.preprocess.denormalise(images)
    ]
    values = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (model.preprocess.mean, model.preprocess.std))
    return (values / 255 - mean) / std


def pointing(model: MultiTaskModel, count: int, seed: int, names: Sequence[str] = METHODS) -> dict[str, Any]:
    """The shares of the maps inside the boxes of drawn objects.

    Args:
        model: on its device.
        count: how many objects to draw.
        seed: of the objects and their positions.
        names: of the methods.

    Returns:
        Method to {"mass_inside", "peak_inside"}, each with its interval, see `measured`, and "area": the mean share of
        the picture that a box covers.
    """
    pictures, boxes = [], []
    random = np.random.default_rng(seed)
    for drawn in drawn_objects(count, seed):
        left, top, right, bottom = drawn.photograph.box
        picture = np.array(drawn.photograph.picture)
        box = np.zeros_like(picture)
        box[top:bottom, left:right] = 255
        # The box is resized and cropped like the picture.
        picture_tensor, box_tensor = map(model.preprocess.apply, _moved([picture, box], random))
        pictures.append(picture_tensor)
        boxes.append(box_tensor)
    inside = torch.from_numpy(model.preprocess.denormalise(torch.stack(boxes))[..., 0] > 127)  # [B, H, W]
    shares: dict[str, Any] = {"area": float(inside.double().mean())}
    for name, maps in all_maps(model, torch.stack(pictures), seed, names).items():
        pairs = [pair for of_task in maps for pair in zip(of_task, inside, strict=True)]
        units = list(range(count)) * len(maps)
        shares[name] = {
            **measured("mass_inside", [faithfulness.mass_inside(heat, box) for heat, box in pairs], units),
            **measured("peak_inside", [bool(box.flatten()[heat.argmax()]) for heat, box in pairs], units),
        }
    return shares


def _moved(pictures: Sequence[Picture], random: np.random.Generator) -> list[Picture]:
    """Pictures of one size at the same random position on a canvas twice as high and wide that continues their edges.

    As drawn, objects fill most of the picture and stand in its middle, where any map has most of its mass.
    """
    height, width = pictures[0].shape[:2]
    top, left = random.integers(height + 1), random.integers(width + 1)
    margins = ((top, height - top), (left, width - left), (0, 0))
    return [np.pad(picture, margins, mode="edge") for picture in pictures]


def randomised(
    model: MultiTaskModel, images: Tensor, maps: dict[str, Tensor], seeds: Iterable[int]
) -> dict[str, list[list[float]]]:
    """Rank correlations with the maps of the trained model, of the same classes, when its weights are randomised.

    A random network's map without any evidence, all zeros, repeats nothing of the trained one's and counts as 0.

    Args:
        model: the trained one.
        images: [B, 3, H, W].
        maps: of `all_maps`, of these images and perhaps more behind them.
        seeds: of the weights.

    Returns:
        Method, except the baselines, to the mean correlation for each of `SHARES` and each seed.
    """
    classes = likeliest(model, images)
    correlations: dict[str, list[list[float]]] = {name: [] for name in maps if name not in _BASELINES}
    layers = sum(hasattr(layer, "reset_parameters") for layer in model.modules())
    for seed, share in itertools.product(seeds, SHARES):
        random = faithfulness.randomised_from_the_top(model, max(share, len(model.tasks) / layers), seed)
        for name, changed in network_maps(random, images, classes, correlations).items():
            trained = maps[name][:, : len(images)]
            pairs = zip(changed.flatten(0, 1), trained.flatten(0, 1), strict=True)
            of_seed = mean_of([correlation_with(*pair) for pair in pairs])
            if share == SHARES[0]:
                correlations[name].append([])
            correlations[name][-1].append(of_seed)
    return {
        name: [list(of_share) for of_share in zip(*of_seeds, strict=True)]
        for name, of_seeds in correlations.items()
    }


def correlation_with(other: Tensor, heat: Tensor) -> float:
    """The rank correlation of another map [H, W] with a map; 0 where the other is constant, NaN where the map is."""
    if heat.amax() > heat.amin() and other.amax() == other.amin():
        return 0.0
    return faithfulness.rank_correlation(other, heat)


def measured(name: str, values: Sequence[float], units: Sequence[int]) -> dict[str, Any]:
    """A figure and its uncertainty, as JSON has them.

    Args:
        name: of the figure.
        values: whose mean it is, but for NaN.
        units: of each value, the picture or the pair of pictures that it is of: these are resampled.

    Returns:
        `name`: the mean, and `name` with `_interval`: low and high of its 95% bootstrap interval; all NaN where there
        is no value.
    """
    numbers = np.array(values, np.float64)
    known = ~np.isnan(numbers)

    def mean(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total = (weights * known).sum(1)
        sums = weights @ np.where(known, numbers, 0)
        return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)

    interval = bootstrap_intervals({name: mean}, len(numbers), groups=np.array(units))[name]
    return {name: mean_of(values), f"{name}_interval": list(interval)}


def mean_of(values: Sequence[float]) -> float:
    """The mean without NaN, which a constant map has for its share and its correlation."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
