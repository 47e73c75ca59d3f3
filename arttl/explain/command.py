"""`arttl visualize`: what a model looks at, drawn over pictures, for one model or two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from arttl.console import Console
from arttl.errors import ArttlError, counted
from arttl.explain.networks import check_task, networks_side_by_side, predictions_side_by_side, title_of
from arttl.explain.overlay import Heat, Picture, colourise, contour, difference, overlay
from arttl.explain.panel import Legend, PanelRow, panel
from arttl.explain.pictures import Sheet, class_sheets, write_pictures
from arttl.explain.views import PANEL, Split, View, views_of_files, views_of_shards
from arttl.inference.labels import Prediction
from arttl.models import FusedModel, MultiTaskModel, load_trained_model
from arttl.saliency.maps import TRUNK_METHODS, AnyMethod, maps_of, to_device
from arttl.saliency.plan import Mode
from arttl.saliency.taps import print_taps
from arttl.settings import AtLeastOne, Settings

_STYLES: dict[str, Callable[[Picture, Heat], Picture]] = {
    "overlay": overlay,
    "contour": contour,
    "mask": lambda picture, heat: colourise(heat),
}


@dataclass(frozen=True)
class VisualizeSettings(Settings):
    """Draw what a model looks at, over pictures from files or from shards.

    VisualBackProp shows the trunk of the network and is the same for every task, and so do attention-rollout and
    attention-pool of a vision transformer; the other methods explain the prediction of the model for each task.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    images: tuple[Path, ...] = ()
    """Picture files."""
    shards: Path | None = None
    """Take pictures from this folder of shards instead."""
    split: Split = "test"
    """Split of --shards."""
    count: AtLeastOne = 6
    """How many pictures of --shards."""
    objects: str = "*"
    """Only pictures of --shards whose object number matches this pattern, such as MET.*"""
    compare: str | None = None
    """Other weights to set beside the model's: imagenet, packaged, a weights file, or the folder of a model or run."""
    method: AnyMethod = "visual-backprop"
    """How the map is made; grad-cam, integrated-gradients and gradients need captum, and those of attention a vision
    transformer."""
    tasks: tuple[str, ...] = ()
    """Tasks whose predictions a method explains; by default every task of the model."""
    mode: Mode = "bojarski"
    """Which VisualBackProp: the original's, or that of the paper's published code."""
    style: Literal["overlay", "contour", "mask"] = "overlay"
    """Colours over the picture in grey, lines over the picture in colour, or the map alone."""
    sheets: str | None = None
    """Also draw a contact sheet for each class of this task: the labels in --shards or, where there are none, the
    predicted ones."""
    pdf: bool = False
    """Write the panel and the sheets as PDF too."""
    taps: bool = False
    """Print which modules of the model VisualBackProp taps, and stop."""
    out: Path = Path("maps")
    """Folder for the pictures made."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if not self.taps and bool(self.images) == (self.shards is not None):
            raise ArttlError(
                "name pictures with --images or a folder of shards with --shards, one of the two"
            )
        if self.method in TRUNK_METHODS and self.tasks:
            raise ArttlError(
                f"--tasks with --method {self.method}: its map is the same for every task; leave --tasks out, or "
                "choose --method grad-cam, integrated-gradients, gradients or attention-gradients"
            )
        if self.method != "visual-backprop" and self.mode != "bojarski":
            raise ArttlError(
                f"--mode {self.mode} is a mode of --method visual-backprop, not of {self.method}"
            )


@dataclass(frozen=True)
class _Column:
    """A column of the panel: its title, and per view a picture and the text below it."""

    title: str
    pictures: list[Picture]
    notes: list[str]


def visualize(settings: VisualizeSettings) -> list[Path]:
    """Draw each picture's map (one per task, for a method that explains tasks), a panel of all, and sheets.

    Returns:
        The files written: those of the pictures, then the sheets, and last the panel.

    Raises:
        ArttlError: if the model, a picture or the shards cannot be read, or the folder cannot be written.
    """
    model, networks = _load(settings)
    tasks = _tasks_to_explain(settings, networks)
    if settings.sheets is not None:
        check_task(model, settings.sheets, "--sheets")
    preprocesses = [network.preprocess for network in networks]
    if settings.shards:
        views = views_of_shards(
            settings.shards, settings.split, settings.count, preprocesses, objects=settings.objects
        )
    else:
        views = views_of_files(settings.images, preprocesses)
    inputs = [[view.tensors[index] for view in views] for index in range(len(networks))]
    for network in networks:
        to_device(network)
    predictions = predictions_side_by_side(model, networks, inputs)
    by_task = {task: _columns(settings, task, networks, views, inputs, predictions) for task in tasks}
    own = {task: columns[len(networks) - 1].pictures for task, columns in by_task.items()}
    pictures = {
        view.name if task is None else f"{view.name}-{task}": own[task][index]
        for index, view in enumerate(views)
        for task in tasks
    }
    legends: list[Legend] = ["contour" if settings.style == "contour" else "scale"]
    sheets: dict[str, Sheet] = {}
    if settings.sheets is not None:
        shown = own.get(settings.sheets, own[tasks[0]])
        sheets = class_sheets(settings.sheets, views, predictions[-1], shown, legends)
    if settings.compare is not None:
        legends = [*legends, "difference"]
    columns = [column for of_task in by_task.values() for column in of_task]
    rows = [
        PanelRow(
            view.pictures[-1],
            [column.pictures[index] for column in columns],
            view.catalogued,
            [column.notes[index] for column in columns],
        )
        for index, view in enumerate(views)
    ]
    titles = [column.title for column in columns]
    sheets[PANEL] = Sheet(partial(panel, rows, titles, legends=legends), 256)
    return write_pictures(settings.out, pictures, sheets, settings.pdf)


def run(settings: VisualizeSettings) -> None:
    """Draw, and print where the pictures are."""
    if settings.taps:
        for network in _load(settings)[1]:
            print_taps(network)
        return
    written = visualize(settings)
    Console(highlight=False).print(
        f"{counted(len(written), 'file')} in {settings.out}, all pictures together in {written[-1].name}",
        soft_wrap=True,
    )


def _load(settings: VisualizeSettings) -> tuple[MultiTaskModel | FusedModel, list[MultiTaskModel]]:
    """The model, and the networks whose maps are shown."""
    model = load_trained_model(settings.model)
    explained_otherwise = settings.method != "visual-backprop"
    for flag, given in (("--compare", settings.compare), ("--method", explained_otherwise)):
        if given and isinstance(model, FusedModel):
            raise ArttlError(
                f"{settings.model} is a fused model, whose networks are shown side by side by VisualBackProp: leave"
                f" {flag} out, or give a model of one network"
            )
    return model, networks_side_by_side(model, settings.compare)


def _tasks_to_explain(settings: VisualizeSettings, networks: Sequence[MultiTaskModel]) -> list[str | None]:
    """The tasks to explain; None for the trunk, which is the same for all."""
    if settings.method in TRUNK_METHODS:
        return [None]
    names = settings.tasks or networks[-1].tasks.names
    for network in networks:
        for name in names:
            check_task(network, name, "--tasks")
    return list(names)


def _columns(
    settings: VisualizeSettings,
    task: str | None,
    networks: Sequence[MultiTaskModel],
    views: Sequence[View],
    inputs: Sequence[list[torch.Tensor]],
    predictions: Sequence[Sequence[Mapping[str, Prediction]]],
) -> list[_Column]:
    """The columns of one task: one per network and, where two are compared, their difference."""
    heats = [
        maps_of(network, torch.stack(tensors), settings.method, mode=settings.mode, task=task or "").numpy()
        for network, tensors in zip(networks, inputs, strict=True)
    ]  # [networks] of [N, H, W]
    explained = ", ".join(
        filter(None, (task, settings.method if settings.method != "visual-backprop" else ""))
    )
    suffix = f": {explained}" if explained else ""
    columns = []
    for index, network in enumerate(networks):
        drawn = [
            _STYLES[settings.style](view.pictures[index], heat)
            for view, heat in zip(views, heats[index], strict=True)
        ]
        notes = [_caption(of_picture, task) for of_picture in predictions[index]]
        columns.append(_Column(title_of(network) + (suffix or _own_form(network)), drawn, notes))
    if settings.compare is not None:
        changes = [
            difference(view.pictures[-1], first, second)
            for view, first, second in zip(views, *heats, strict=True)
        ]
        columns.append(_Column("Difference of the two", changes, [""] * len(views)))
    return columns


def _own_form(network: MultiTaskModel) -> str:
    """What is said of VisualBackProp of a transformer, which has no maps to backproject through layers."""
    return "" if network.backbone.pools is None else ": means of tokens, after VisualBackProp"


def _caption(predictions: Mapping[str, Prediction], task: str | None) -> str:
    """One line per task, or that of one task."""
    return "\n".join(f"{name}: {labels}" for name, labels in predictions.items() if task in (None, name))
