"""`arttl explain score`: how faithful a model's maps are, compared with maps that ignore the picture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from rich import box
from rich.table import Table

from arttl.console import Console
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.explain.networks import check_task
from arttl.explain.score_classes import other_class, side_by_side
from arttl.explain.score_maps import (
    METHODS,
    SHARES,
    all_maps,
    curves,
    mean_of,
    method_of,
    methods_of,
    pointing,
    randomised,
    scored_tasks,
)
from arttl.explain.views import Split, views_of_shards
from arttl.files import write_json
from arttl.models import MultiTaskModel, load_model
from arttl.saliency.class_maps import why_no_class_maps
from arttl.saliency.maps import form_of, to_device
from arttl.settings import AtLeastOne, Bound, OutputFile, Settings
from arttl.tasks import TaskSet


@dataclass(frozen=True)
class ScoreSettings(Settings):
    """Measure whether a model's maps show what its predictions rest on.

    Deletion and insertion curves on a split of shards, the share of the map on objects at known positions, whether maps
    of two classes differ and point each at its own of two pictures, and whether the map changes when the weights are
    randomised. Needs captum for the methods of gradients.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    shards: Path
    """Folder of shards, for the pictures."""
    split: Split = "test"
    """Split of --shards."""
    count: AtLeastOne = 24
    """How many pictures of the split."""
    steps: AtLeastOne = 20
    """Steps of the deletion and insertion curves."""
    drawn: Annotated[int, Bound("at least 0", lambda value: value >= 0)] = 24
    """How many drawn objects at known positions; 0 for none."""
    randomised: AtLeastOne = 4
    """How many of the pictures are mapped with randomised weights, for each of --seeds and several shares of layers."""
    seeds: AtLeastOne = 1
    """How many times the weights are randomised."""
    seed: int = 0
    """Seed of the noise, the drawn objects and the first random weights."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; by default all that have classes, whose figures are averaged."""
    methods: tuple[str, ...] = ()
    """Only these, such as class-map and grad-cam; integrated gradients take most of the time."""
    json: OutputFile | None = None
    """File for the figures, as JSON."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        for name in self.methods:
            if name not in METHODS:
                raise ArttlError(
                    f"--methods {name!r} is none of {', '.join(map(repr, METHODS))}{did_you_mean(name, METHODS)}"
                )


def score(settings: ScoreSettings, on_stage: Callable[[str], None] = lambda stage: None) -> dict[str, Any]:
    """Measure every method of `score_maps.METHODS` that the network has.

    Args:
        settings: the model, and what to measure it on.
        on_stage: called with a description at the beginning of each stage, which may take minutes.

    Returns:
        `curves`: method to {"deletion", "insertion"}, mean areas over pictures and tasks, in [0, 1];
        `pointing`: method to {"mass_inside", "peak_inside"} on drawn objects, and under "area" the share of the
        picture that their boxes cover, which a uniform map gets; `other_class` and `side_by_side`: see `score_classes`;
        `randomised`: method to the rank correlation with the trained model's map for each of `SHARES`, the mean over
        seeds, and `randomised_deviation` to its standard deviation over seeds, where there are several; `pictures`,
        `drawn` and `tasks`: what was measured; `forms`: method to what its maps are, where its name does not say it
        (`form_of`). Areas, shares of maps inside, peaks inside and correlations with other classes have a 95% interval
        beside them (`score_maps.measured`). A figure that no map has, since all are constant, is NaN.

    Raises:
        ArttlError: if the model or the shards cannot be read, the model has no task with classes, or captum is not
            installed.
    """
    model = to_device(_with_tasks(load_model(settings.model), settings))
    views = views_of_shards(settings.shards, settings.split, settings.count, [model.preprocess])
    images = torch.stack([view.tensors[0] for view in views])
    on_stage(f"maps of {counted(len(views), 'picture')}")
    own = methods_of(model, images)
    if lacking := [name for name in settings.methods if name not in own]:
        reason = f"{model.backbone.name} is no vision transformer with such attention"
        if lacking[0] == "class-map":
            reason = why_no_class_maps(model, [images])
        raise ArttlError(f"--methods {lacking[0]}: {reason}")
    names = [name for name in own if name in (settings.methods or own)]
    maps = all_maps(model, images, settings.seed, names)
    scores: dict[str, Any] = {"pictures": len(views), "drawn": settings.drawn, "tasks": scored_tasks(model)}
    forms = {
        name: form_of(model.backbone, method) for name in names if (method := method_of(name)) is not None
    }
    scores["forms"] = {name: form for name, form in forms.items() if not name.startswith(form)}
    on_stage("deletion and insertion")
    scores["curves"] = curves(model, images, maps, settings.steps)
    if settings.drawn:
        on_stage(f"maps of {counted(settings.drawn, 'drawn object')}")
        scores["pointing"] = pointing(model, settings.drawn, settings.seed, names)
    on_stage("maps of other classes")
    scores["other_class"] = other_class(model, images, maps)
    scores["side_by_side"] = side_by_side(model, images, maps)
    on_stage("randomised weights")
    seeds = range(settings.seed, settings.seed + settings.seeds)
    by_seed = randomised(model, images[: settings.randomised], maps, seeds)
    scores["randomised"] = {name: [*map(mean_of, of_shares)] for name, of_shares in by_seed.items()}
    if settings.seeds > 1:
        scores["randomised_deviation"] = {
            name: np.std(of_shares, axis=1, ddof=1).tolist() for name, of_shares in by_seed.items()
        }
    return scores


def _with_tasks(model: MultiTaskModel, settings: ScoreSettings) -> MultiTaskModel:
    """The model with those tasks alone that are scored."""
    for name in settings.tasks:
        check_task(model, name, "--tasks")
    names = [name for name in scored_tasks(model) if name in (settings.tasks or model.tasks.names)]
    if not names:
        of_tasks = f"--tasks {' '.join(settings.tasks)}" if settings.tasks else f"{settings.model}"
        raise ArttlError(f"{of_tasks} has no task with classes: score the maps of a task that has them")
    tasks = TaskSet([model.tasks[name] for name in names])
    head = model.heads.specification
    scored = MultiTaskModel(model.backbone, tasks, model.preprocess, model.provenance, head)
    scored.heads.layers = torch.nn.ModuleList([model.head_of(name) for name in names])
    return scored.eval()


def run(settings: ScoreSettings) -> None:
    """Measure, print the tables and write the JSON."""
    console = Console(highlight=False)
    started = time.perf_counter()

    def on_stage(stage: str) -> None:
        console.print(f"{time.perf_counter() - started:6.0f} s  {stage}", markup=False)

    scores = score(settings, on_stage)
    if settings.json is not None:
        write_json(settings.json, _strict(scores))  # before the tables, whose reader may go away
    titles = ["deletion\n(low is good)", "insertion\n(high is good)"]
    rows = {
        method: [_with_interval(areas, curve) for curve in ("deletion", "insertion")]
        for method, areas in scores["curves"].items()
    }
    pictures = f"{counted(scores['pictures'], 'picture')} of {settings.shards.name}, {settings.split} split"
    console.print(_table(pictures, titles, rows))
    if settings.drawn:
        shares = scores["pointing"]
        rows = {
            method: [_percent(shares[method][key]) for key in ("mass_inside", "peak_inside")]
            for method in scores["curves"]
        }
        covered = f"{100 * shares['area']:.0f}%"
        drawn = counted(
            scores["drawn"],
            f"drawn object, somewhere in the picture, of which it covers {covered}",
            f"drawn objects, somewhere in the picture, of which they cover {covered}",
        )
        console.print(_table(drawn, ["map inside the box", "peak inside the box"], rows))
    halves = scores["side_by_side"]
    rows = {
        name: [
            _decimal(of_other["correlation"]),
            *_of_halves(halves.get(name)),
            _percent(of_other["empty"]),
        ]
        for name, of_other in scores["other_class"].items()
    }
    titles = [
        "rank correlation with\nthe map of another class",
        f"map on its own half\nof {counted(halves['pairs'], 'pair')}",
        "no map of the half",
        "no map of the other class",
    ]
    console.print(_table("One class from another", titles, rows))
    titles = [f"top {100 * share:.0f}%" if share else "heads" for share in SHARES]
    rows = {name: list(map(_decimal, values)) for name, values in scores["randomised"].items()}
    console.print(_table("Rank correlation with the trained model's map, weights random", titles, rows))
    console.print("near 1: the map does not depend on those weights")
    for name, form in scores["forms"].items():
        console.print(f"{name}: {form}")


def _decimal(value: float) -> str:
    """A figure; a dash where there is none, since all maps are constant."""
    return "–" if math.isnan(value) else f"{value:.2f}"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f}%"


def _strict(value: Any) -> Any:
    """The same as JSON has it, in which NaN is null."""
    if isinstance(value, Mapping):
        return {name: _strict(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _with_interval(figures: Mapping[str, Any], name: str) -> str:
    low, high = figures[f"{name}_interval"]
    return f"{figures[name]:.3f} [{low:.3f}, {high:.3f}]"


def _of_halves(shares: Mapping[str, float] | None) -> list[str]:
    """The share on the own half, and of empty maps."""
    return ["", ""] if shares is None else [_percent(shares[key]) for key in ("own_half", "empty")]


def _table(title: str, columns: list[str], rows: Mapping[str, list[str]]) -> Table:
    """A table with a row per method."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    for method, cells in rows.items():
        table.add_row(method, *cells)
    return table
