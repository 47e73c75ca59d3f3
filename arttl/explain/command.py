"""`arttl visualize`: what a model looks at, drawn over pictures, for one model or two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from arttl.console import Console
from arttl.errors import ArttlError, counted
from arttl.explain.networks import check_task, networks_side_by_side, predictions_side_by_side, title_of
from arttl.explain.overlay import Heat, Picture, colourise, contour, difference, overlay
from arttl.explain.panel import Legend, PanelRow, panel
from arttl.explain.pictures import Sheet, class_sheets, write_pictures
from arttl.explain.views import PANEL, Split, UnusedNames, View, views_of_files, views_of_shards
from arttl.inference.labels import Prediction
from arttl.models import FusedModel, MultiTaskModel, TrainedModel, load_trained_model
from arttl.saliency.class_maps import class_index, why_no_class_maps
from arttl.saliency.maps import (
    TRUNK_METHODS,
    AnyMethod,
    class_maps_per_network,
    form_of,
    maps_of,
    to_device,
    usual_method,
)
from arttl.saliency.plan import DEFAULT_MODE, Mode
from arttl.saliency.taps import print_taps
from arttl.settings import AtLeastOne, Settings

_STYLES: dict[str, Callable[[Picture, Heat], Picture]] = {
    "overlay": overlay,
    "contour": contour,
    "mask": lambda picture, heat: colourise(heat),
}
_LONGEST_LABEL = 40  # of a title that names two

Heats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VisualizeSettings(Settings):
    """Draw what a model looks at, over pictures from files or from shards.

    Class maps show what speaks for a label, the predicted one or another, and so do the methods that need captum.
    Attention-gradients show which patches a vision transformer predicts a label from, and differ little from label to
    label. VisualBackProp shows the trunk of the network and is the same for every task, and so are attention-rollout
    and attention-pool of a vision transformer.
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
    method: AnyMethod | None = None
    """How the map is made. By default class-map, or attention-gradients of a vision transformer; visual-backprop with
    --compare or --mode, of a fused model, and of a network that has neither. grad-cam, integrated-gradients and
    gradients need captum, those of attention a vision transformer."""
    tasks: tuple[str, ...] = ()
    """Tasks whose predictions a method explains; by default every task of the model that has classes."""
    label: str | None = None
    """Explain this label instead of the predicted one, for the one task of --tasks."""
    against: str | None = None
    """With class-map, explain what speaks for the label rather than for this one; with --label, the reverse as well."""
    mode: Mode = DEFAULT_MODE
    """Which VisualBackProp: without a chequerboard, the original's, or that of the paper's published code."""
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
        folder = next((path for path in self.images if path.is_dir()), None)
        if folder is not None:
            raise ArttlError(f"--images {folder} is a folder: name its pictures, such as {folder / 'a.jpg'}")
        asked = {"--tasks": self.tasks, "--label": self.label, "--against": self.against}
        flag = next((flag for flag, given in asked.items() if given), None)
        if self.method in TRUNK_METHODS and flag is not None:
            raise ArttlError(
                f"{flag} with --method {self.method}: its map is the same for every task; leave {flag} out, or "
                "choose --method class-map, grad-cam, integrated-gradients, gradients or attention-gradients"
            )
        if self.method not in (None, "visual-backprop") and self.mode != DEFAULT_MODE:
            raise ArttlError(
                f"--mode {self.mode} is a mode of --method visual-backprop, not of {self.method}"
            )
        if self.method is None and self.mode != DEFAULT_MODE and flag is not None:
            raise ArttlError(
                f"{flag} with --mode {self.mode}: VisualBackProp's map is the same for every task"
            )
        if self.against is not None and self.method not in (None, "class-map"):
            raise ArttlError(f"--against is for --method class-map, not for {self.method}")
        if self.label is not None and self.label == self.against:
            raise ArttlError(f"--label and --against are both {self.label!r}: name two labels")


@dataclass(frozen=True)
class _Column:
    """A column of the panel: its title, and per view a picture and the text below it."""

    title: str
    pictures: list[Picture]
    notes: list[str]


def visualize(settings: VisualizeSettings, say: Callable[[str], None] = lambda sentence: None) -> list[Path]:
    """Draw each picture's map (one per task, for a method that explains tasks), a panel of all, and sheets.

    Args:
        settings: of the command.
        say: called with a sentence where the method is not the usual one.

    Returns:
        The files written: those of the pictures, then the sheets, and last the panel.

    Raises:
        ArttlError: if the model, a picture or the shards cannot be read, or the folder cannot be written.
    """
    model, networks = _load(settings)
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
    stacked = [torch.stack(tensors) for tensors in inputs]
    explained = _Explained(_method(settings, model, stacked, say), settings, model, networks, stacked)
    subjects = _subjects(settings, explained.method, networks, model)
    by_subject = {each.name: _columns(explained, each, views, predictions) for each in subjects}
    own = {name: columns[len(networks) - 1].pictures for name, columns in by_subject.items()}
    pictures: dict[str, Picture] = {}
    names = UnusedNames(PANEL)
    for index, view in enumerate(views):
        for name, maps in own.items():
            # Two names may meet: the picture "a" of the task "b-c", and "a-b" of "c".
            pictures[names.of(f"{view.name}-{name}" if name else view.name)] = maps[index]
    scale: Legend = "label" if explained.method == "class-map" else "scale"
    legends: list[Legend] = ["contour" if settings.style == "contour" else scale]
    sheets: dict[str, Sheet] = {}
    if settings.sheets is not None:
        shown = own.get(settings.sheets, own[subjects[0].name])
        sheets = class_sheets(settings.sheets, views, predictions[-1], shown, legends)
    if settings.compare is not None:
        legends = [*legends, "difference"]
    columns = [column for of_subject in by_subject.values() for column in of_subject]
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
    console = Console(highlight=False)
    written = visualize(settings, lambda sentence: console.print(sentence, markup=False, soft_wrap=True))
    console.print(
        f"{counted(len(written), 'file')} in {settings.out}, all pictures together in {written[-1].name}",
        soft_wrap=True,
    )


def _load(settings: VisualizeSettings) -> tuple[MultiTaskModel | FusedModel, list[MultiTaskModel]]:
    """The model, and the networks whose maps are shown."""
    model = load_trained_model(settings.model)
    explained_otherwise = settings.method not in (None, "class-map", "visual-backprop")
    for flag, given in (("--compare", settings.compare), ("--method", explained_otherwise)):
        if given and isinstance(model, FusedModel):
            raise ArttlError(
                f"{settings.model} is a fused model, whose networks are shown side by side by VisualBackProp or class"
                f" maps: leave {flag} out, or give a model of one network"
            )
    return model, networks_side_by_side(model, settings.compare)


def _method(
    settings: VisualizeSettings,
    model: MultiTaskModel | FusedModel,
    inputs: Sequence[torch.Tensor],
    say: Callable[[str], None],
) -> AnyMethod:
    """The method of the settings, or the usual one for a model."""
    if settings.method is not None:
        return settings.method
    asked = bool(settings.tasks or settings.label or settings.against)
    shows_networks = settings.compare is not None or isinstance(model, FusedModel)
    if settings.mode != DEFAULT_MODE or (shows_networks and not asked) or not len(model.tasks):
        return "visual-backprop"
    own = inputs[-len(model.networks) :]
    method, reason = usual_method(model, own)
    if settings.against is not None:
        method, reason = "class-map", why_no_class_maps(model, own)
    if reason and asked:
        raise ArttlError(reason)
    if reason:
        say(f"{form_of(model.networks[0], 'visual-backprop')}, the same for every task: {reason}")
    return method


@dataclass(frozen=True)
class _Subject:
    """What a column explains."""

    task: str | None = None
    """None: the trunk, which is the same for all."""
    label: str | None = None
    """None: the predicted one."""
    against: str | None = None
    suffix: str = ""
    """Of the files' names."""

    @property
    def name(self) -> str:
        """Of the files, after that of the picture."""
        return (self.task or "") + self.suffix

    def title(self, form: str) -> str:
        """What follows the title of a network whose maps have a form, see `form_of`."""
        if self.task is None:
            return "" if form == "visual-backprop" else f": {form}"
        if self.label is None and self.against is None:
            return f": {self.task}, {form}"
        label = "the predicted label" if self.label is None else _short(self.label)
        against = "" if self.against is None else f" rather than {_short(self.against)}"
        # That a map is a class map is said by the legend, of this method alone.
        otherwise = "" if form == "class-map" else f", {form}"
        return f": {self.task}, for {label}{against}{otherwise}"

    def nothing(self, predicted: tuple[str, ...]) -> str:
        """What a map of zeros says, of a picture with these predicted labels."""
        if self.label is None and self.against is not None and predicted[:1] == (self.against,):
            return f"{_short(self.against)} is itself the label to compare with"
        label = "it" if self.label is None else _short(self.label)
        if self.against is None:
            return f"no part of the picture by itself speaks for {label}"
        return f"no part of the picture speaks for {label} rather than for {_short(self.against)}"


def _subjects(
    settings: VisualizeSettings, method: AnyMethod, networks: Sequence[MultiTaskModel], model: TrainedModel
) -> list[_Subject]:
    """What is explained, in the order of the columns."""
    if method in TRUNK_METHODS:
        return [_Subject()]
    with_classes = [task.name for task in model.tasks if task.kind != "number" or method != "class-map"]
    names = list(settings.tasks) or with_classes
    explained: Sequence[TrainedModel] = [model] if isinstance(model, FusedModel) else networks
    for network in explained:
        if settings.compare is not None and not len(network.tasks):
            raise ArttlError(
                f"--compare {settings.compare}: weights without heads predict no label that --method {method} could"
                " explain; give --method visual-backprop, or the folder of a model"
            )
        flag = (
            "--tasks" if settings.tasks or settings.compare is None else f"--compare {settings.compare}, task"
        )
        for name in names:
            check_task(network, name, flag)
    for flag, label in (("--label", settings.label), ("--against", settings.against)):
        if label is not None and len(names) != 1:
            raise ArttlError(
                f"{flag} {label} is a label of one task: name it with --tasks, one of {', '.join(names)}"
            )
    label, against = settings.label, settings.against
    subjects = [_Subject(name, label, against) for name in names]
    if label is not None and against is not None:
        subjects.append(_Subject(names[0], against, label, "-reverse"))
    return subjects


@dataclass(frozen=True)
class _Explained:
    """What maps are made of."""

    method: AnyMethod
    settings: VisualizeSettings
    model: MultiTaskModel | FusedModel
    networks: Sequence[MultiTaskModel]
    inputs: Sequence[torch.Tensor]
    """[N, 3, H, W] per network."""

    def heats(self, subject: _Subject) -> list[Heats]:
        """Per network [N, H, W]."""
        task = subject.task or ""
        if self.method == "class-map" and isinstance(self.model, FusedModel):
            labels = self._classes(self.model, subject)
            return [heat.numpy() for heat in class_maps_per_network(self.model, self.inputs, task, *labels)]
        heats = []
        for network, images in zip(self.networks, self.inputs, strict=True):
            classes, against = self._classes(network, subject)
            options: dict[str, Any] = {"task": task, "classes": classes, "against": against}
            heats.append(maps_of(network, images, self.method, mode=self.settings.mode, **options).numpy())
        return heats

    def _classes(
        self, model: MultiTaskModel | FusedModel, subject: _Subject
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The classes [N] of a subject's labels."""
        label, against = (
            None
            if name is None
            else torch.full((len(self.inputs[0]),), class_index(model, subject.task or "", name))
            for name in (subject.label, subject.against)
        )
        return label, against


def _columns(
    explained: _Explained,
    subject: _Subject,
    views: Sequence[View],
    predictions: Sequence[Sequence[Mapping[str, Prediction]]],
) -> list[_Column]:
    """The columns of a subject: one per network and, where two are compared, their difference."""
    heats, networks, settings = explained.heats(subject), explained.networks, explained.settings
    columns = []
    for index, network in enumerate(networks):
        drawn = [
            _STYLES[settings.style](view.pictures[index], heat)
            for view, heat in zip(views, heats[index], strict=True)
        ]
        notes = [_caption(of_picture, subject.task) for of_picture in predictions[index]]
        for number, (of_picture, heat) in enumerate(zip(predictions[index], heats[index], strict=True)):
            if not heat.any():
                nothing = "the map is zero everywhere"
                if explained.method == "class-map":
                    nothing = subject.nothing(_predicted(of_picture, subject))
                notes[number] = f"{notes[number]}\n{nothing}".strip()
        title = subject.title(form_of(network.backbone, explained.method))
        columns.append(_Column(title_of(network) + title, drawn, notes))
    if settings.compare is not None:
        changes = [
            difference(view.pictures[-1], first, second)
            for view, first, second in zip(views, *heats, strict=True)
        ]
        columns.append(_Column("Difference of the two", changes, [""] * len(views)))
    return columns


def _predicted(predictions: Mapping[str, Prediction], subject: _Subject) -> tuple[str, ...]:
    """The predicted labels of a subject's task; none of a network without heads."""
    prediction = predictions.get(subject.task or "")
    return () if prediction is None else prediction.names


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 3].rstrip()}..."


def _caption(predictions: Mapping[str, Prediction], task: str | None) -> str:
    """One line per task, or that of one task."""
    return "\n".join(f"{name}: {labels}" for name, labels in predictions.items() if task in (None, name))
