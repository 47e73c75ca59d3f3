"""The pictures that a command explains, as each model sees them, from files or from shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch

from arttl.characters import same_text
from arttl.errors import ArttlError
from arttl.explain.overlay import Picture
from arttl.loading import Preprocess, open_loader
from arttl.loading.shard_files import ShardFiles
from arttl.pictures.decoding import decode_picture, read_picture
from arttl.settings import Parsed
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS

PANEL = "panel"
"""Name of the file of all pictures together, which no view has."""
_BATCH = 8  # pictures per batch, to bound the memory
_MOST_DETAIL = 4  # times the network's own input: 300 dots per inch at eight centimetres


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise ArttlError(f"--split {split!r} is none of {', '.join(SPLITS)}")


Split = Annotated[str, Parsed(_check_split)]


@dataclass(frozen=True)
class View:
    """A picture as each network sees it, and what the catalogue says about it."""

    name: str
    """Of the files made of it."""
    catalogued: str
    """Object number and labels in the catalogue, or the file's name."""
    tensors: list[torch.Tensor]
    """[3, H, W], normalised, one per model."""
    pictures: list[Picture]
    """The same views to draw on, [k * H, k * W, 3] uint8, one per model: as sharp as the file, up to k = 4."""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Task name to the catalogue's labels; no entry where unknown."""


def views_of_files(paths: Sequence[Path], preprocesses: Sequence[Preprocess]) -> list[View]:
    """Views of picture files; files of the same name are numbered.

    Args:
        paths: of the files.
        preprocesses: one per model.

    Raises:
        ArttlError: naming the first file that cannot be used.
    """
    views, names = [], UnusedNames(PANEL)
    for path in paths:
        rgb = read_picture(path)
        tensors = [preprocess.apply(rgb) for preprocess in preprocesses]
        views.append(View(names.of(path.stem), path.name, tensors, _in_detail(rgb, preprocesses)))
    return views


class UnusedNames:
    """Gives files names that are not given yet, which are told apart without letter case, as macOS does."""

    def __init__(self, *given: str) -> None:
        self._given = set(map(same_text, given))

    def of(self, name: str) -> str:
        """The name itself, or with the first number from 2 on that makes it unused; it is given now."""
        names = (name if number == 1 else f"{name}-{number}" for number in count(1))
        unused = next(candidate for candidate in names if same_text(candidate) not in self._given)
        self._given.add(same_text(unused))
        return unused


def views_of_shards(
    folder: Path, split: str, count: int, preprocesses: Sequence[Preprocess], *, objects: str = "*"
) -> list[View]:
    """Views of the first samples of a split, which are random ones: samples are shuffled when shards are made.

    The tensors are the loader's own, so that a model predicts the same of them as when the split is evaluated.

    Args:
        folder: of the shards.
        split: `train`, `val` or `test`.
        count: maximum number of samples.
        preprocesses: one per model.
        objects: a shell pattern; only samples whose object number matches it are taken.

    Raises:
        ArttlError: if the shards cannot be read, or no object number matches.
    """
    manifest = Manifest.read(folder)
    rows = rows_of_objects(manifest, split, objects)[:count]
    if not len(rows):
        raise ArttlError(f"--objects {objects}: no object number of {split} in {folder} fits the pattern")
    files = ShardFiles(manifest, rows)
    loaded = [_load(manifest, rows, preprocess) for preprocess in preprocesses]
    labels = {task: manifest.labels(task) for task in manifest.task_names}
    views = []
    for row, *tensors in zip(rows.tolist(), *loaded, strict=True):
        rgb = np.array(decode_picture(files.jpeg(row)).upright_rgb())
        known = {task: of_row for task, of_task in labels.items() if (of_row := of_task[row])}
        catalogued = "; ".join([manifest.object_numbers[row], *map(", ".join, known.values())])
        views.append(View(manifest.keys[row], catalogued, tensors, _in_detail(rgb, preprocesses), known))
    return views


def rows_of_objects(manifest: Manifest, split: str, objects: str) -> npt.NDArray[np.int64]:
    """The rows of a split whose object number matches a shell pattern, ascending."""
    rows = manifest.rows(split)
    return rows[[fnmatchcase(manifest.object_numbers[row], objects) for row in rows.tolist()]]


def _load(manifest: Manifest, rows: npt.NDArray[np.int64], preprocess: Preprocess) -> list[torch.Tensor]:
    """Samples from the loader, [3, H, W] each, on the CPU."""
    loader = open_loader(
        manifest, "all", labelled=False, rows=rows, preprocess=preprocess, batch_size=min(_BATCH, len(rows))
    )
    return [image for batch in loader for image in batch.images[batch.valid].cpu().contiguous()]


def _in_detail(rgb: Picture, preprocesses: Sequence[Preprocess]) -> list[Picture]:
    """A decoded picture cropped as each model sees it, at the file's own resolution."""
    pictures = []
    for preprocess in preprocesses:
        detail = int(min(rgb.shape[:2]) / preprocess.resize_to)
        sharp = replace(preprocess, size=preprocess.size * min(max(detail, 1), _MOST_DETAIL))
        pictures.append(sharp.denormalise(sharp.apply(rgb)[None])[0])
    return pictures
