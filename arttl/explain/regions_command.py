"""`arttl explain regions`: where the maps of suggestions are strongest, as a table for annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from arttl.console import Reporter
from arttl.errors import ArttlError, counted
from arttl.exchange.predictions import PictureSuggestions, read_object_numbers, read_predictions
from arttl.exchange.targets import Targets
from arttl.exchange.values import Target
from arttl.explain.regions import region_on, same_proportions, strongest_box
from arttl.files import write_bytes
from arttl.models import MultiTaskModel, load_model
from arttl.pictures.decoding import BadPicture
from arttl.saliency.maps import BATCH, TRUNK_METHODS, AnyMethod, form_of, maps_of, to_device
from arttl.settings import BetweenZeroAndOne, OutputFile, Settings
from arttl.suggesting.pictures import PredictedPictures, open_pictures
from arttl.tasks import Task


@dataclass(frozen=True, kw_only=True)
class RegionsSettings(Settings):
    """Write which part of each picture a model's map marks, as --targets of arttl convert.

    Of the map, smoothed over a fiftieth of its side, the strongest pixels are taken that together hold --mass of its
    sum; the region is the box around the connected part of these with the largest sum.
    """

    model: Path
    """Folder of the model that suggested, or of its run."""
    predictions: Path
    """Suggestions of arttl predict, .parquet or .jsonl."""
    images: Path | None = None
    """Folder of the pictures that were predicted."""
    shards: Path | None = None
    """Folder of the shards that were predicted, in place of --images."""
    targets: Path
    """Where pictures can be seen: target (address of an image or of a IIIF canvas), picture or object_number, and
    optionally width and height, without which regions are in pixels of the original picture."""
    method: AnyMethod = "visual-backprop"
    """How the map is made; visual-backprop, attention-rollout and attention-pool are the same for every task, the
    others explain the first suggested label of each, class-map that of every task but numbers; grad-cam,
    integrated-gradients and gradients need captum."""
    mass: BetweenZeroAndOne = 0.5
    """Share of the map that the strongest pixels hold."""
    out: OutputFile
    """Table to write: that of --targets, with a row for each region; .csv."""
    overwrite: bool = False
    """Replace a file that --out already names."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if self.out.exists() and not self.overwrite:
            raise ArttlError(f"--out {self.out} exists already; choose another name, or pass --overwrite")
        if self.out.suffix != ".csv":
            raise ArttlError(f"--out {self.out} must end in .csv")


@dataclass(frozen=True)
class _Mapped:
    """A picture that is to be mapped.

    Attributes:
        name: that the table of targets has for it.
        size: width and height of the picture as it is read.
        image: [3, H, W], preprocessed.
        targets: task name to its target, with a size.
        labels: task name to the first suggested label.
    """

    name: str
    size: tuple[int, int]
    image: torch.Tensor
    targets: dict[str, Target]
    labels: dict[str, str]


class RegionFinder:
    """The regions of a file of suggestions.

    Attributes:
        left_out: why pictures have no region, with counts.
        unreadable: the first that cannot be read, and why; empty: none.
        pictures: how many have one.
    """

    def __init__(self, settings: RegionsSettings, model: MultiTaskModel, targets: Targets) -> None:
        """Prepare.

        Args:
            settings: of the command.
            model: that suggested.
            targets: without regions.

        Raises:
            ArttlError: if the pictures or the predictions cannot be read.
        """
        self.left_out: Counter[str] = Counter()
        self.pictures, self.unreadable = 0, ""
        self._settings, self._model, self._targets = settings, to_device(model), targets
        self._pictures: PredictedPictures = open_pictures(settings.images, settings.shards)
        self._of_object = Counter(read_object_numbers(settings.predictions))

    def regions(self, reporter: Reporter) -> dict[tuple[str, str], Target]:
        """Name in the table of targets, and task, to the target with its region.

        Raises:
            ArttlError: if the predictions cannot be read, or are not of the model.
        """
        regions: dict[tuple[str, str], Target] = {}
        batch: list[_Mapped] = []
        with reporter.progress("pictures", sum(self._of_object.values())) as bar:
            for suggestions in read_predictions(self._settings.predictions):
                bar.advance()
                mapped = self._prepared(suggestions)
                if isinstance(mapped, str):
                    self.left_out[mapped] += 1
                else:
                    batch.append(mapped)
                if len(batch) == BATCH:
                    regions.update(self._of_batch(batch))
                    batch = []
            if batch:
                regions.update(self._of_batch(batch))
        return regions

    def _prepared(self, suggestions: PictureSuggestions) -> _Mapped | str:
        """The picture, or why it has no region."""
        tasks = [name for name in self._model.tasks.names if name in suggestions.tasks]
        if not suggestions.tasks:
            return "could not be read when they were predicted"
        if not tasks:
            raise ArttlError(
                f"--predictions {self._settings.predictions} has no task of --model {self._settings.model}; give the"
                " model that suggested"
            )
        for name in suggestions.tasks:
            if name not in tasks:
                self.left_out[f"whose {name} --model {self._settings.model} does not predict"] += 1
        number, picture = suggestions.object_number, suggestions.picture
        of = self._targets.of
        targets = {task: target for task in tasks if (target := of(number, picture, task)) is not None}
        if not targets:
            return "without a target"
        by_object = self._targets.named == "object_number"
        if by_object and self._of_object[number] > 1:
            return "of objects with several pictures, which --targets must name by the column picture"
        try:
            read = self._pictures.read(picture)
        except BadPicture as error:
            self.unreadable = self.unreadable or f"{picture!r} ({error.reason}: {error.detail})"
            return "that cannot be read"
        sized = {
            task: target
            if target.width is not None
            else replace(target, width=read.width, height=read.height)
            for task, target in targets.items()
        }
        if not all(same_proportions((read.width, read.height), _size(target)) for target in sized.values()):
            return "whose target has other proportions, so that it does not show the same"
        return _Mapped(
            number if by_object else picture,
            read.rgb.size,
            self._model.preprocess.apply(np.array(read.rgb)),
            sized,
            {task: suggestions.tasks[task].labels[0] for task in tasks if suggestions.tasks[task].labels},
        )

    def _of_batch(self, batch: Sequence[_Mapped]) -> Iterator[tuple[tuple[str, str], Target]]:
        images = torch.stack([mapped.image for mapped in batch])
        shared = self._settings.method in TRUNK_METHODS
        of_trunk = list(enumerate(maps_of(self._model, images, self._settings.method))) if shared else []
        with_region: set[int] = set()
        constant: list[tuple[str, int]] = []
        for task in self._model.tasks:
            for index, heat in of_trunk if shared else self._maps_of_task(task, batch, images):
                box = strongest_box(heat.numpy(), self._settings.mass)
                target = batch[index].targets.get(task.name)
                if target is None:
                    continue
                if box is None:
                    constant.append((task.name, index))
                    continue
                region = region_on(_size(target), batch[index].size, self._model.preprocess, heat.shape, box)
                with_region.add(index)
                yield (batch[index].name, task.name), replace(target, region=region)
        self.pictures += len(with_region)
        if without := len(batch) - len(with_region):
            self.left_out["whose map is the same everywhere"] += without
        for name, index in constant:
            if index in with_region:
                self.left_out[f"whose map for {name} is the same everywhere"] += 1

    def _maps_of_task(
        self, task: Task, batch: Sequence[_Mapped], images: torch.Tensor
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Index in the batch, and map [H, W], of the pictures that have a label for a task."""
        if task.kind == "number" and self._settings.method == "class-map":
            return
        labelled = [index for index, mapped in enumerate(batch) if task.name in mapped.labels]
        if labelled:
            classes = torch.tensor([self._class(task, batch[index].labels[task.name]) for index in labelled])
            maps = maps_of(
                self._model, images[labelled], self._settings.method, task=task.name, classes=classes
            )
            yield from zip(labelled, maps, strict=True)

    def _class(self, task: Task, label: str) -> int:
        """The index of a label's class; a number has one output."""
        if task.kind == "number":
            return 0
        if label not in task.vocabulary.classes:
            raise ArttlError(
                f"--predictions {self._settings.predictions} suggests {label!r} for {task.name}, which is no class of"
                f" --model {self._settings.model}; give the model that suggested"
            )
        return task.vocabulary.classes.index(label)


def _size(target: Target) -> tuple[int, int]:
    assert target.width is not None and target.height is not None
    return target.width, target.height


def run(settings: RegionsSettings) -> None:
    """Write the table, and print how many regions there are and what has none.

    Raises:
        ArttlError: for everything that the user can mend.
    """
    targets = Targets.read(settings.targets)
    if any(target.region is not None for target in targets):
        raise ArttlError(f"--targets {settings.targets} has regions already; give a table without")
    model = load_model(settings.model)
    finder = RegionFinder(settings, model, targets)
    reporter = Reporter(True)
    regions = finder.regions(reporter)
    reasons = [f"{counted(count, 'picture')} {reason}" for reason, count in finder.left_out.items()]
    if finder.unreadable:
        reasons.append(f"the first that cannot be read is {finder.unreadable}")
    if not regions:
        raise ArttlError(f"no picture has a region: {'; '.join(reasons)}")
    write_bytes(settings.out, targets.with_regions(regions).chunks())
    form = form_of(model.backbone, settings.method)
    if form != settings.method:
        reporter.say(f"maps       {form}")
    for reason in reasons:
        reporter.say(f"no region  {reason}")
    reporter.say(
        f"table      {settings.out}: {counted(len(regions), 'region')} of {counted(finder.pictures, 'picture')}"
    )
    reporter.say(
        f"next       arttl convert --predictions {settings.predictions} --to web-annotation --targets {settings.out}"
        " --out annotations.json"
    )
