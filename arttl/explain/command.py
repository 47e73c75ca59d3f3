"""`arttl visualize`: what a model looks at, drawn over pictures, for one model or two side by side."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.console import Console

from arttl.cpu import prepare_cpu_for_inference
from arttl.errors import ArttlError, did_you_mean
from arttl.explain.attribution import attribute
from arttl.explain.overlay import Heat, Picture, colourise, contour, difference, overlay
from arttl.explain.panel import Legend, PanelRow, contact_sheet, panel
from arttl.explain.taps import print_taps
from arttl.explain.views import View, views_of_files, views_of_shards
from arttl.explain.visual_backprop import visual_backprop
from arttl.files import make_folder, write_bytes
from arttl.inference.labels import Prediction
from arttl.inference.predictions import predict_pictures
from arttl.models import (
    Backbone,
    FusedModel,
    MultiTaskModel,
    Provenance,
    load_model,
    load_trained_model,
    load_weights,
)
from arttl.models.stages import PooledStages
from arttl.tasks import SPLITS, TaskSet

_BATCH = 8  # pictures at a time, to bound the memory
_PRINT_SCALE = 3  # of PDFs, beside PNGs
_PRINT_RESOLUTION = 300  # dots an inch
_PRINT_QUALITY = 92  # of the JPEG inside a PDF: letters keep their edges
_Sheet = Callable[[int], Picture]  # drawn at so many times its size on the screen
_DRAW: dict[str, Callable[[Picture, Heat], Picture]] = {
    "overlay": overlay,
    "contour": contour,
    "mask": lambda picture, heat: colourise(heat),
}


@dataclass(frozen=True)
class VisualizeSettings:
    """Draw what a model looks at, over pictures from files or from shards.

    VisualBackProp shows the trunk of the network and is the same for every task; the other methods explain the
    prediction of the model for each task.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    images: tuple[Path, ...] = ()
    """Picture files."""
    shards: Path | None = None
    """Take pictures from this folder of shards instead."""
    split: str = "test"
    """Split of --shards."""
    count: int = 6
    """How many pictures of --shards."""
    objects: str = "*"
    """Only pictures of --shards whose object number fits this pattern, such as MET.*"""
    compare: str | None = None
    """Other weights to set beside the model's: imagenet, packaged, a weights file, or the folder of a model or run."""
    method: Literal["visual-backprop", "grad-cam", "integrated-gradients", "gradients"] = "visual-backprop"
    """How the map is made; all but the first need captum."""
    tasks: tuple[str, ...] = ()
    """Tasks whose predictions the other methods explain; by default every task of the model."""
    mode: Literal["bojarski", "sabatelli"] = "bojarski"
    """Which VisualBackProp: the original's, or that of the paper's published code."""
    style: Literal["overlay", "contour", "mask"] = "overlay"
    """Colours over the picture in grey, lines over the picture in colour, or the map alone."""
    sheets: str | None = None
    """Also draw a contact sheet for each class of this task, of --shards or, for want of labels, as predicted."""
    pdf: bool = False
    """Write the panel and the sheets as PDF too."""
    taps: bool = False
    """Print where VisualBackProp listens in the model, and stop."""
    out: Path = Path("maps")
    """Folder for the pictures made."""

    def __post_init__(self) -> None:
        if not self.taps and bool(self.images) == (self.shards is not None):
            raise ArttlError(
                "name pictures with --images or a folder of shards with --shards, one of the two"
            )
        if self.count < 1:
            raise ArttlError(f"--count must be at least 1, not {self.count}")
        if self.split not in SPLITS:
            raise ArttlError(f"--split {self.split!r} is none of {', '.join(SPLITS)}")
        if self.method == "visual-backprop" and self.tasks:
            raise ArttlError(
                "--tasks with --method visual-backprop: its map is the same for every task; leave --tasks out, or "
                "choose --method grad-cam, integrated-gradients or gradients"
            )
        if self.method != "visual-backprop" and self.mode != "bojarski":
            raise ArttlError(
                f"--mode {self.mode} is a mode of --method visual-backprop, not of {self.method}"
            )


def visualize(settings: VisualizeSettings) -> list[Path]:
    """Draw each picture's map (one for each task, with a method that explains tasks), a panel of all, and sheets.

    Returns:
        The files written: those of the pictures, then the sheets, the last of them the panel.

    Raises:
        ArttlError: if the model, a picture or the shards cannot be read, or the folder cannot be written.
    """
    model, _ = load_trained_model(settings.model)
    models = _columns(settings, model)
    explained = _explained(settings, models)
    if settings.sheets is not None:
        _check_task(model, settings.sheets, "--sheets")
    preprocesses = [column.preprocess for column in models]
    if settings.shards:
        views = views_of_shards(
            settings.shards, settings.split, settings.count, preprocesses, objects=settings.objects
        )
    else:
        views = views_of_files(settings.images, preprocesses, taken=("panel",))
    inputs = [[view.tensors[index] for view in views] for index in range(len(models))]
    heats = [
        [_maps(column, tensors, settings, task) for column, tensors in zip(models, inputs, strict=True)]
        for task in explained
    ]  # [tasks][models][pictures] of [H, W]
    predictions = _predictions(model, models, inputs)
    made: dict[str, Picture] = {}
    rows = []
    for index, view in enumerate(views):
        columns, notes = [], []
        for task, of_task in zip(explained, heats, strict=True):
            drawn = [
                _DRAW[settings.style](picture, heat[index])
                for picture, heat in zip(view.pictures, of_task, strict=True)
            ]
            columns += drawn
            notes += [_caption(of_model[index], task) for of_model in predictions]
            if settings.compare is not None:
                columns.append(difference(view.pictures[-1], of_task[0][index], of_task[1][index]))
                notes.append("")
            made[view.name if task is None else f"{view.name}-{task}"] = drawn[-1]
        rows.append(PanelRow(view.pictures[-1], columns, view.catalogued, notes))
    legends: list[Legend] = ["contour" if settings.style == "contour" else "scale"]
    sheets: dict[str, _Sheet] = {}
    if settings.sheets is not None:
        sheets = _sheets(settings.sheets, explained, views, predictions[-1], made, legends)
    titles = _titles(models, explained, settings)
    compared: list[Legend] = [] if settings.compare is None else ["difference"]
    sheets["panel"] = lambda scale: panel(rows, titles, cell=256 * scale, legends=legends + compared)
    return _write(settings.out, made, sheets, settings.pdf)


def run(settings: VisualizeSettings) -> None:
    """Draw and say where the pictures are."""
    if settings.taps:
        model, _ = load_trained_model(settings.model)
        for column in _columns(settings, model):
            print_taps(column)
        return
    written = visualize(settings)
    Console(highlight=False).print(
        f"{len(written)} files in {settings.out}, all pictures together in {written[-1].name}", soft_wrap=True
    )


def _explained(settings: VisualizeSettings, models: Sequence[MultiTaskModel]) -> list[str | None]:
    """The tasks to explain; None for the trunk, which is the same for all."""
    if settings.method == "visual-backprop":
        return [None]
    names = settings.tasks or tuple(models[-1].tasks.names)
    for model in models:
        for name in names:
            _check_task(model, name, "--tasks")
    return list(names)


def _check_task(model: MultiTaskModel | FusedModel, name: str, flag: str) -> None:
    if name not in model.tasks:
        raise ArttlError(
            f"{flag} {name}: the model ({_column_title(model.provenance)}) has no head for it"
            f"{did_you_mean(name, model.tasks.names)}; it predicts {', '.join(model.tasks.names) or 'nothing'}"
        )


def _titles(
    models: Sequence[MultiTaskModel], explained: Sequence[str | None], settings: VisualizeSettings
) -> list[str]:
    titles = []
    for task in explained:
        suffix = "" if task is None else f": {task}, {settings.method}"
        titles += [_column_title(model.provenance) + suffix for model in models]
        if settings.compare is not None:
            titles.append("Difference of the two")
    return titles


def _sheets(
    task: str,
    explained: Sequence[str | None],
    views: Sequence[View],
    predictions: Sequence[Mapping[str, Prediction]],
    made: dict[str, Picture],
    legends: Sequence[Legend],
) -> dict[str, _Sheet]:
    """A contact sheet for each class of a task, by file name."""
    by_class: dict[str, list[int]] = {}
    for index, view in enumerate(views):
        for label in view.labels.get(task, predictions[index][task].names):
            by_class.setdefault(label, []).append(index)
    shown = task if task in explained else explained[0]
    sheets: dict[str, _Sheet] = {}
    for label, members in sorted(by_class.items()):
        names = [views[i].name if shown is None else f"{views[i].name}-{shown}" for i in members]
        captions = [f"{views[i].catalogued.partition(';')[0]}\n{predictions[i][task]}" for i in members]
        plain = (
            unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
        )  # accents go, letters stay
        stem = name = f"sheet-{re.sub(r'[^A-Za-z0-9_-]+', '_', plain)[:60]}"
        number = 2
        while name in sheets:
            name, number = f"{stem}-{number}", number + 1
        sheets[name] = partial(
            _contact_sheet, [made[n] for n in names], captions, f"{task}: {label}", legends
        )
    return sheets


def _contact_sheet(
    pictures: Sequence[Picture], captions: Sequence[str], title: str, legends: Sequence[Legend], scale: int
) -> Picture:
    return contact_sheet(pictures, captions, title, cell=160 * scale, legends=legends)


def _write(out: Path, pictures: dict[str, Picture], sheets: dict[str, _Sheet], pdf: bool) -> list[Path]:
    """Write all as PNG, the sheets as PDF too, drawn larger for print; each file appears whole."""
    written = []
    make_folder(out)
    for name, picture in pictures.items():
        written.append(_write_picture(out / f"{name}.png", picture))
    for name, sheet in sheets.items():
        if pdf:
            written.append(_write_picture(out / f"{name}.pdf", sheet(_PRINT_SCALE)))
        written.append(_write_picture(out / f"{name}.png", sheet(1)))
    return written


def _write_picture(path: Path, picture: Picture) -> Path:
    buffer = io.BytesIO()  # Pillow writes a file's name into a PDF
    if path.suffix == ".pdf":
        Image.fromarray(picture).save(
            buffer,
            "pdf",
            resolution=_PRINT_RESOLUTION,
            quality=_PRINT_QUALITY,
            creationDate=None,
            modDate=None,
        )
    else:
        Image.fromarray(picture).save(buffer, "png")
    write_bytes(path, buffer.getvalue())
    return path


def _columns(settings: VisualizeSettings, model: MultiTaskModel | FusedModel) -> list[MultiTaskModel]:
    """The networks whose maps stand side by side."""
    if isinstance(model, FusedModel):
        for flag, given in (
            ("--compare", settings.compare),
            ("--method", settings.method != "visual-backprop"),
        ):
            if given:
                raise ArttlError(
                    f"{settings.model} is a fused model, whose networks are shown side by side by VisualBackProp: leave"
                    f" {flag} out, or give a model of one network"
                )
        networks = [stages.backbone for stages in model.backbones if isinstance(stages, PooledStages)]
        return [
            MultiTaskModel(network, TaskSet([]), preprocess, Provenance("", network.name)).eval()
            for network, preprocess in zip(networks, model.preprocesses, strict=True)
        ]
    return [model] if settings.compare is None else [_other(settings.compare, model), model]


def _predictions(
    model: MultiTaskModel | FusedModel, models: Sequence[MultiTaskModel], inputs: Sequence[list[torch.Tensor]]
) -> list[list[dict[str, Prediction]]]:
    """What stands below each column's maps, [models][pictures]; a fused model's below its last network's."""
    if isinstance(model, FusedModel):
        model.to(next(models[-1].parameters()).device)
        predictions = predict_pictures(model, inputs)
        nothing: list[dict[str, Prediction]] = [{} for _ in predictions]
        return [nothing] * (len(models) - 1) + [predictions]
    return [predict_pictures(column, [tensors]) for column, tensors in zip(models, inputs, strict=True)]


def _caption(predictions: Mapping[str, Prediction], task: str | None) -> str:
    """One line per task, or that of one task."""
    return "\n".join(f"{name}: {labels}" for name, labels in predictions.items() if task in (None, name))


def _other(weights: str, model: MultiTaskModel) -> MultiTaskModel:
    """The network to compare with: a whole model of ours, or the same network with other weights."""
    if Path(weights).is_dir():
        return load_model(weights)
    backbone = Backbone(model.backbone.name)
    loaded = load_weights(backbone, weights, model.preprocess.size)
    preprocess = replace(loaded.preprocess, crop_pct=model.preprocess.crop_pct, fit=model.preprocess.fit)
    return MultiTaskModel(backbone, TaskSet([]), preprocess, Provenance("", loaded.origin)).eval()


def _column_title(provenance: Provenance) -> str:
    mode, weights = provenance.mode, provenance.weights
    short = "ImageNet weights" if weights.startswith("ImageNet") else weights
    return {"fine-tune": "Fine-tuned", "scratch": "From scratch"}.get(
        mode, "Untrained" if short == "none" else short
    )


def _maps(
    model: MultiTaskModel, tensors: list[torch.Tensor], settings: VisualizeSettings, task: str | None
) -> list[npt.NDArray[np.float32]]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        prepare_cpu_for_inference()
    model.to(device)
    heats: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(tensors), _BATCH):
        images = torch.stack(tensors[start : start + _BATCH])
        if settings.method == "visual-backprop":
            maps = visual_backprop(model, images, settings.mode)
        else:
            assert task is not None
            maps = attribute(model, images, settings.method, task)
        heats += list(maps.cpu().numpy())
    return heats
