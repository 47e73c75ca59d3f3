"""The pictures that a command explains, as each model sees them, from files or from shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError
from arttl.explain.overlay import Picture
from arttl.loading import Preprocess, open_loader
from arttl.loading.shard_files import ShardFiles
from arttl.pictures.decoding import decode_picture, read_picture
from arttl.shards.manifest import Manifest

_BATCH = 8  # pictures at a time, to bound the memory
_MOST_DETAIL = 4  # times the network's own input: three hundred dots an inch at eight centimetres


@dataclass(frozen=True)
class View:
    """A picture as a network sees it, and what is known of it."""

    name: str
    """Of the files made of it."""
    catalogued: str
    """What the catalogue, or the file's name, says."""
    tensors: list[torch.Tensor]
    """[3, H, W], normalised, one for each model."""
    pictures: list[Picture]
    """The same views to draw upon, [k * H, k * W, 3] uint8, one for each model: as sharp as the file, up to k = 4."""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Task name to the catalogue's labels; no entry where unknown."""


def views_of_files(
    paths: Sequence[Path], preprocesses: Sequence[Preprocess], taken: Sequence[str] = ()
) -> list[View]:
    """Picture files.

    Args:
        paths: of the files.
        preprocesses: one for each model.
        taken: names that are not to be used; files of one name get numbers.

    Raises:
        ArttlError: naming the first file that cannot be used.
    """
    views = []
    used = set(taken)
    for path in paths:
        rgb = read_picture(path)
        name, number = path.stem, 2
        while name in used:
            name, number = f"{path.stem}-{number}", number + 1
        used.add(name)
        tensors = [preprocess.apply(rgb) for preprocess in preprocesses]
        views.append(View(name, path.name, tensors, _in_detail(rgb, preprocesses)))
    return views


def views_of_shards(
    folder: Path, split: str, count: int, preprocesses: Sequence[Preprocess], *, objects: str = "*"
) -> list[View]:
    """The first samples of a split, which are a random draw: samples are shuffled when shards are made.

    The tensors are the loader's own, so that a model says of them what it says when the split is measured.

    Args:
        folder: of the shards.
        split: `train`, `val` or `test`.
        count: the most to take.
        preprocesses: one for each model.
        objects: a shell pattern; only samples whose object number fits it are taken.

    Raises:
        ArttlError: if the shards cannot be read, or no object number fits.
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
    """The rows of a split whose object number fits a shell pattern, ascending."""
    rows = manifest.rows(split)
    return rows[[fnmatchcase(manifest.object_numbers[row], objects) for row in rows.tolist()]]


def _load(manifest: Manifest, rows: npt.NDArray[np.int64], preprocess: Preprocess) -> list[torch.Tensor]:
    """Samples as the loader gives them, [3, H, W] each, on the CPU."""
    loader = open_loader(
        manifest, "all", labelled=False, rows=rows, preprocess=preprocess, batch_size=min(_BATCH, len(rows))
    )
    return [image for batch in loader for image in batch.images[batch.valid].cpu().contiguous()]


def _in_detail(rgb: Picture, preprocesses: Sequence[Preprocess]) -> list[Picture]:
    """A decoded picture cut as each model sees it, with the file's own detail."""
    pictures = []
    for preprocess in preprocesses:
        detail = int(min(rgb.shape[:2]) / preprocess.resize_to)
        sharp = replace(preprocess, size=preprocess.size * min(max(detail, 1), _MOST_DETAIL))
        pictures.append(sharp.denormalise(sharp.apply(rgb)[None])[0])
    return pictures
