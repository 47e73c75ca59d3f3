"""`arttl explain score`: how faithful a model's maps are, beside maps that know nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from arttl.cpu import prepare_cpu_for_inference
from arttl.errors import ArttlError
from arttl.explain import faithfulness
from arttl.explain.attribution import Method, attribute
from arttl.explain.overlay import Picture
from arttl.explain.views import views_of_shards
from arttl.explain.visual_backprop import visual_backprop
from arttl.files import write_json
from arttl.inference.labels import probabilities
from arttl.models import MultiTaskModel, load_model
from arttl.sources.synthetic import drawn_objects
from arttl.tasks import SPLITS

_OF_A_TASK: tuple[Method, ...] = ("grad-cam", "integrated-gradients", "gradients")
_OF_THE_TRUNK = ("visual-backprop", "visual-backprop, sabatelli")
_KNOW_NOTHING = ("centre prior", "noise")
METHODS = (*_OF_THE_TRUNK, *_OF_A_TASK, *_KNOW_NOTHING)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the layers, from the head down, that the randomisation check gives new weights; 0 is the head alone."""
_BATCH = 8
_RANDOMISED = 4  # pictures of the randomisation check, which makes every map five times over


@dataclass(frozen=True)
class ScoreSettings:
    """Measure whether a model's maps show what its predictions rest on.

    Deletion and insertion curves on a split of shards, the share of the map on objects with a known place, and whether
    the map changes when the weights are randomised. Needs captum for all methods but VisualBackProp.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    shards: Path
    """Folder of shards, for the pictures."""
    split: str = "test"
    """Split of --shards."""
    count: int = 24
    """How many pictures of the split."""
    steps: int = 20
    """Steps of the deletion and insertion curves."""
    drawn: int = 24
    """How many drawn objects with a known place; 0 for none."""
    seed: int = 0
    """Of the noise, the drawn objects and the random weights."""
    json: Path | None = None
    """File for the figures, as JSON."""

    def __post_init__(self) -> None:
        for flag, value, least in (
            ("--count", self.count, 1),
            ("--steps", self.steps, 1),
            ("--drawn", self.drawn, 0),
        ):
            if value < least:
                raise ArttlError(f"{flag} must be at least {least}, not {value}")
        if self.split not in SPLITS:
            raise ArttlError(f"--split {self.split!r} is none of {', '.join(SPLITS)}")


def score(settings: ScoreSettings, on_stage: Callable[[str], None] = lambda stage: None) -> dict[str, Any]:
    """Measure every method of `METHODS`.

    Args:
        settings: which model, and on what.
        on_stage: called with a few words at the beginning of each of the stages, which may take minutes.

    Returns:
        `curves`: method to {"deletion", "insertion"}, mean areas over pictures and tasks, in [0, 1];
        `pointing`: method to {"mass_inside", "peak_inside"} on drawn objects, and under "area" the share of the
        picture that their boxes cover, which an even map gets; `randomised`: method to the mean rank correlation with
        the trained model's map for each of `SHARES`; `pictures` and `drawn`: how many. All JSON-ready.

    Raises:
        ArttlError: if the model or the shards cannot be read, the model has no task with classes, or captum is not
            installed.
    """
    model = load_model(settings.model)
    if not _scored(model):
        raise ArttlError(f"{settings.model} has no task with classes: score the maps of a model that has one")
    prepare_cpu_for_inference()
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    views = views_of_shards(settings.shards, settings.split, settings.count, [model.preprocess])
    if not views:
        raise ArttlError(
            f"{settings.shards} has no pictures in its {settings.split} split: choose another --split"
        )
    images = torch.stack([view.tensors[0] for view in views])
    on_stage(f"maps of {len(views)} pictures")
    maps = _all_maps(model, images, settings.seed)
    scores: dict[str, Any] = {"pictures": len(views), "drawn": settings.drawn}
    on_stage("deletion and insertion")
    scores["curves"] = _curves(model, images, maps, settings.steps)
    if settings.drawn:
        on_stage(f"maps of {settings.drawn} drawn objects")
        scores["pointing"] = _pointing(model, settings)
    on_stage("randomised weights")
    scores["randomised"] = _randomised(model, images, maps, settings.seed)
    return scores


def run(settings: ScoreSettings) -> None:
    """Measure, print the tables and write the JSON."""
    console = Console(highlight=False)
    started = time.perf_counter()

    def on_stage(stage: str) -> None:
        console.print(f"{time.perf_counter() - started:6.0f} s  {stage}", markup=False)

    scores = score(settings, on_stage)
    table = _table(f"{scores['pictures']} pictures of {settings.shards.name}, {settings.split} split")
    for title in ("deletion\n(low is good)", "insertion\n(high is good)"):
        table.add_column(title, justify="right")
    for method, areas in scores["curves"].items():
        table.add_row(method, f"{areas['deletion']:.3f}", f"{areas['insertion']:.3f}")
    console.print(table)
    if settings.drawn:
        area = scores["pointing"]["area"]
        table = _table(
            f"{scores['drawn']} drawn objects, somewhere in the picture, of which they cover {100 * area:.0f}%"
        )
        for title in ("map inside the box", "peak inside the box"):
            table.add_column(title, justify="right")
        for method in METHODS:
            shares = scores["pointing"][method]
            table.add_row(
                method, f"{100 * shares['mass_inside']:.0f}%", f"{100 * shares['peak_inside']:.0f}%"
            )
        console.print(table)
    table = _table("Rank correlation with the trained model's map, weights random")
    for share in SHARES:
        table.add_column(f"top {100 * share:.0f}%" if share else "heads", justify="right")
    for method, values in scores["randomised"].items():
        table.add_row(method, *(f"{value:.2f}" for value in values))
    console.print(table)
    console.print("near 1: the map does not depend on those weights")
    if settings.json is not None:
        write_json(settings.json, scores)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", no_wrap=True)
    return table


def _scored(model: MultiTaskModel) -> list[str]:
    """The tasks that predict classes; a number has no probability that could fall."""
    return [task.name for task in model.tasks if task.kind != "number"]


def _all_maps(model: MultiTaskModel, images: Tensor, seed: int) -> dict[str, Tensor]:
    """Method to maps [T, B, H, W] on the CPU, T the tasks with classes."""
    count, (height, width) = len(images), images.shape[2:]
    noise = torch.rand((count, height, width), generator=torch.Generator().manual_seed(seed))
    nothing = {"centre prior": faithfulness.centre_prior(height, width).expand(count, -1, -1), "noise": noise}
    return _network_maps(model, images, _likeliest(model, images)) | {
        name: heat.expand(len(_scored(model)), -1, -1, -1) for name, heat in nothing.items()
    }


def _network_maps(model: MultiTaskModel, images: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """As `_all_maps`, of the methods that look at the network; of the given classes [T, B]."""
    device = next(model.parameters()).device
    parts: dict[str, list[Tensor]] = {}
    for batch, of_batch in zip(images.split(_BATCH), classes.to(device).split(_BATCH, dim=1), strict=True):
        for name, mode in zip(_OF_THE_TRUNK, ("bojarski", "sabatelli"), strict=True):
            heat = visual_backprop(model, batch, mode).cpu()  # type: ignore[arg-type]
            parts.setdefault(name, []).append(heat.expand(len(_scored(model)), -1, -1, -1))
        for method in _OF_A_TASK:
            of_tasks = [
                attribute(model, batch, method, task, of_task).cpu()
                for task, of_task in zip(_scored(model), of_batch, strict=True)
            ]
            parts.setdefault(method, []).append(torch.stack(of_tasks))
    return {name: torch.cat(heat, dim=1) for name, heat in parts.items()}


def _curves(
    model: MultiTaskModel, images: Tensor, maps: dict[str, Tensor], steps: int
) -> dict[str, dict[str, float]]:
    """Mean areas: pixels are deleted into the mean colour and inserted into the blurred picture, as in the source."""
    classes = _likeliest(model, images)  # [T, B]
    blurred = _blurred(model, images)
    grey = torch.zeros_like(images[0])
    means = {}
    for name in METHODS:
        areas = np.zeros((2, len(images), len(_scored(model))))
        for index, image in enumerate(images):
            for number, task in enumerate(_scored(model)):
                scores = _probability(model, task, int(classes[number, index]))
                for insert, filler in ((False, grey), (True, blurred[index])):
                    area = faithfulness.area_under_curve(
                        scores, image, filler, maps[name][number, index], insert=insert, steps=steps
                    )
                    areas[int(insert), index, number] = area
        means[name] = {"deletion": float(areas[0].mean()), "insertion": float(areas[1].mean())}
    return means


@torch.no_grad()
def _likeliest(model: MultiTaskModel, images: Tensor) -> Tensor:
    """[T, B], the class with the highest logit."""
    device = next(model.parameters()).device
    parts = [model(batch.to(device)) for batch in images.split(_BATCH)]
    return torch.stack([torch.cat([part[name].argmax(1) for part in parts]) for name in _scored(model)]).cpu()


def _probability(model: MultiTaskModel, name: str, index: int) -> faithfulness.Scores:
    """The probability of one class, [B], of the network as it is: without its temperature."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def scores(images: Tensor) -> Tensor:
        logits = torch.cat([model(batch.to(device))[name] for batch in images.split(_BATCH)])
        return torch.from_numpy(probabilities(model.tasks[name], logits.cpu().numpy())[:, index]).float()

    return scores


def _blurred(model: MultiTaskModel, images: Tensor) -> Tensor:
    """The pictures without detail: a Gaussian of 1/22 of the side, about the source's 11 pixels of 224."""
    radius = images.shape[2] / 22
    pictures = [
        Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))
        for picture in model.preprocess.denormalise(images)
    ]
    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (model.preprocess.mean, model.preprocess.std)
    )
    values = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
    return (values / 255 - mean) / std


def _pointing(model: MultiTaskModel, settings: ScoreSettings) -> dict[str, Any]:
    """Shares of the maps on drawn objects."""
    images, inside = [], []
    random = np.random.default_rng(settings.seed)
    for drawn in drawn_objects(settings.drawn, settings.seed):
        left, top, right, bottom = drawn.photograph.box
        picture = np.array(drawn.photograph.picture)
        box = np.zeros_like(picture)
        box[top:bottom, left:right] = 255
        picture, box = _anywhere([picture, box], random)
        images.append(model.preprocess.apply(picture))
        # The box goes the way of the picture: the same resize and crop.
        inside.append(
            torch.from_numpy(
                model.preprocess.denormalise(model.preprocess.apply(box)[None])[0, :, :, 0] > 127
            )
        )
    maps = _all_maps(model, torch.stack(images), settings.seed)
    shares: dict[str, Any] = {"area": float(torch.stack(inside).double().mean())}
    for name, of_tasks in maps.items():
        masses = [
            faithfulness.mass_inside(heat, box)
            for of_task in of_tasks
            for heat, box in zip(of_task, inside, strict=True)
        ]
        hits = [
            bool(box.flatten()[heat.argmax()])
            for of_task in of_tasks
            for heat, box in zip(of_task, inside, strict=True)
        ]
        shares[name] = {"mass_inside": _mean(masses), "peak_inside": _mean(hits)}
    return shares


def _anywhere(pictures: Sequence[Picture], random: np.random.Generator) -> list[Picture]:
    """Pictures of one size, all at the same position of a ground twice as high and wide that continues their edges.

    As drawn, objects fill most of the picture and stand in its middle, where any map has most of its mass.
    """
    height, width = pictures[0].shape[:2]
    top, left = random.integers(height + 1), random.integers(width + 1)
    margins = ((top, height - top), (left, width - left), (0, 0))
    return [np.pad(picture, margins, mode="edge") for picture in pictures]


def _randomised(
    model: MultiTaskModel, images: Tensor, maps: dict[str, Tensor], seed: int
) -> dict[str, list[float]]:
    """Method to the mean rank correlation for each of `SHARES`; each map of the same class as before."""
    images = images[:_RANDOMISED]
    classes = _likeliest(model, images)
    correlations: dict[str, list[float]] = {name: [] for name in METHODS if name not in _KNOW_NOTHING}
    heads = len(model.tasks)
    layers = sum(hasattr(layer, "reset_parameters") for layer in model.modules())
    for share in SHARES:
        random = faithfulness.randomised_from_the_top(model, max(share, heads / layers), seed)
        assert isinstance(random, MultiTaskModel)
        for name, changed in _network_maps(random, images, classes).items():
            pairs = zip(changed.flatten(0, 1), maps[name][:, : len(images)].flatten(0, 1), strict=True)
            correlations[name].append(
                _mean([faithfulness.rank_correlation(one, other) for one, other in pairs])
            )
    return correlations


def _mean(values: Sequence[float]) -> float:
    """The mean of those that are numbers: a map of zeros has no share and no rank."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
