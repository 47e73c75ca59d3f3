"""`arttl visualize`: VisualBackProp overlays of pictures, and a panel of them, for one model or two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.console import Console

from arttl.errors import ArttlError
from arttl.evaluation.metrics import decide_labels
from arttl.explain.overlay import overlay
from arttl.explain.panel import PanelRow, panel
from arttl.explain.visual_backprop import visual_backprop
from arttl.loading import Preprocess
from arttl.loading.shard_files import ShardFiles
from arttl.models import Backbone, MultiTaskModel, Provenance, load_model, load_weights
from arttl.packing.manifest import Manifest
from arttl.packing.pictures import decode_picture, read_picture
from arttl.tasks import SPLITS, TaskSet

_BATCH = 8  # pictures at a time, to bound the memory


@dataclass(frozen=True)
class VisualizeSettings:
    """Draw what a model looks at (VisualBackProp), over pictures from files or from shards.

    The map shows the trunk of the network and is the same for every task.
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
    compare: str | None = None
    """Other weights to set beside the model's: imagenet, packaged, a weights file, or the folder of a model or run."""
    mode: Literal["bojarski", "sabatelli"] = "bojarski"
    """Which VisualBackProp: the original's, or that of the paper's published code."""
    out: Path = Path("maps")
    """Folder for the pictures made."""

    def __post_init__(self) -> None:
        if bool(self.images) == (self.shards is not None):
            raise ArttlError(
                "name pictures with --images or a folder of shards with --shards, one of the two"
            )
        if self.count < 1:
            raise ArttlError(f"--count must be at least 1, not {self.count}")
        if self.split not in SPLITS:
            raise ArttlError(f"--split {self.split!r} is none of {', '.join(SPLITS)}")


@dataclass(frozen=True)
class _View:
    """A picture as a network sees it, and what is known of it."""

    name: str
    catalogued: str
    tensors: list[torch.Tensor]
    """[3, H, W], normalised, one for each model."""


def visualize(settings: VisualizeSettings) -> list[Path]:
    """Draw an overlay a picture, and a panel of all.

    Returns:
        The files written: one a picture, then the panel.

    Raises:
        ArttlError: if the model, a picture or the shards cannot be read, or the folder cannot be written.
    """
    model = load_model(settings.model)
    models = [model] if settings.compare is None else [_other(settings.compare, model), model]
    preprocesses = [one.preprocess for one in models]
    views = (
        _views_of_shards(settings, preprocesses)
        if settings.shards
        else _views_of_files(settings, preprocesses)
    )
    inputs = [[view.tensors[place] for view in views] for place in range(len(models))]
    heats = [_maps(one, tensors, settings.mode) for one, tensors in zip(models, inputs, strict=True)]
    notes = [_predictions(one, tensors) for one, tensors in zip(models, inputs, strict=True)]
    rows, written = [], []
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        for index, view in enumerate(views):
            pictures = [
                one.preprocess.denormalise(view.tensors[place][None])[0] for place, one in enumerate(models)
            ]
            overlays = [overlay(picture, heat[index]) for picture, heat in zip(pictures, heats, strict=True)]
            rows.append(PanelRow(pictures[-1], overlays, view.catalogued, [found[index] for found in notes]))
            written.append(settings.out / f"{view.name}.png")
            Image.fromarray(overlays[-1]).save(written[-1])
        written.append(settings.out / "panel.png")
        Image.fromarray(panel(rows, [_column_title(one) for one in models])).save(written[-1])
    except OSError as error:
        raise ArttlError(f"cannot write into --out {settings.out}: {error.strerror or error}") from error
    return written


def run(settings: VisualizeSettings) -> None:
    """Draw and say where the pictures are."""
    written = visualize(settings)
    Console(highlight=False).print(
        f"{len(written) - 1} overlay(s) and {written[-1].name} in {settings.out}", soft_wrap=True
    )


def _other(weights: str, model: MultiTaskModel) -> MultiTaskModel:
    """The network to compare with: a whole model of ours, or the same network with other weights."""
    if Path(weights).is_dir():
        return load_model(weights)
    backbone = Backbone(model.backbone.name)
    loaded = load_weights(backbone, weights, model.preprocess.size)
    preprocess = replace(loaded.preprocess, crop_pct=model.preprocess.crop_pct, fit=model.preprocess.fit)
    return MultiTaskModel(backbone, TaskSet([]), preprocess, Provenance("", loaded.origin)).eval()


def _column_title(model: MultiTaskModel) -> str:
    mode, weights = model.provenance.mode, model.provenance.weights
    short = "ImageNet weights" if weights.startswith("ImageNet") else weights
    return {"": short, "off-the-shelf": short, "fine-tune": "Fine-tuned", "scratch": "From scratch"}.get(
        mode, mode
    )


def _views_of_files(settings: VisualizeSettings, preprocesses: Sequence[Preprocess]) -> list[_View]:
    views = []
    taken: set[str] = {"panel"}
    for path in settings.images:
        rgb = read_picture(path)
        name, number = path.stem, 2
        while name in taken:
            name, number = f"{path.stem}-{number}", number + 1
        taken.add(name)
        views.append(_View(name, path.stem, [preprocess.apply(rgb) for preprocess in preprocesses]))
    return views


def _views_of_shards(settings: VisualizeSettings, preprocesses: Sequence[Preprocess]) -> list[_View]:
    """The first samples of a split, which are a random draw: samples are shuffled when shards are made."""
    assert settings.shards is not None
    manifest = Manifest.read(settings.shards)
    rows = manifest.rows(settings.split)[: settings.count]
    files = ShardFiles(manifest, rows)
    labels = [manifest.labels(task) for task in manifest.task_names]
    views = []
    for row in rows.tolist():
        rgb = np.array(decode_picture(files.jpeg(row)).upright_rgb())
        known = [", ".join(of_task[row] or ()) for of_task in labels]
        catalogued = "; ".join([manifest.object_numbers[row], *(text for text in known if text)])
        views.append(
            _View(manifest.keys[row], catalogued, [preprocess.apply(rgb) for preprocess in preprocesses])
        )
    return views


def _maps(model: MultiTaskModel, tensors: list[torch.Tensor], mode: str) -> list[npt.NDArray[np.float32]]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    found: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(tensors), _BATCH):
        images = torch.stack(tensors[start : start + _BATCH])
        found += list(visual_backprop(model, images, mode).cpu().numpy())  # type: ignore[arg-type]
    return found


@torch.inference_mode()
def _predictions(model: MultiTaskModel, tensors: list[torch.Tensor]) -> list[str]:
    """Per picture, what the model says of each task; nothing where it has no heads."""
    said = []
    device = next(model.parameters()).device
    for tensor in tensors:
        logits = model(tensor[None].to(device))
        answers = []
        for task in model.tasks:
            scores = logits[task.name].double().cpu()
            if task.kind == "single-label":
                probability, best = scores.softmax(1).max(1)
                answer = f"{task.vocabulary.classes[int(best)]} {100 * float(probability):.0f}%"
            else:
                chosen = decide_labels(scores)[0].nonzero()[:, 0].tolist()
                answer = ", ".join(task.vocabulary.classes[index] for index in chosen)
            answers.append(f"{task.name}: {answer}")
        said.append("\n".join(answers))
    return said
