"""`arttl import-keras`: weights that Keras saved, as a model of ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from arttl.errors import ArttlError
from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.keras.archive import open_keras
from arttl.models.keras.layers import Network, era_of, load_layers, read_head
from arttl.models.keras.networks import CAFFE_MEAN, CAFFE_STD
from arttl.models.multitask import MultiTaskModel, Provenance
from arttl.tasks import Task, TaskSet, Vocabulary

# Networks whose Keras scaling is `caffe` (blue, green, red; the mean subtracted); the others have `tf` (-1 to 1).
_CAFFE = ("resnet50", "vgg19")


@dataclass(frozen=True)
class ImportKerasSettings:
    """Turn weights that Keras saved (.keras, or .h5 in the legacy layout) into a model folder.

    With --classes the softmax layer becomes the model's one task; without, the folder holds the network alone, as first
    weights for training.
    """

    file: tyro.conf.Positional[Path]
    """The weights, such as creator_ResNet_weights.h5 or model.keras."""
    backbone: Literal["resnet50", "vgg19", "inception_v3", "xception"]
    """Whose they are."""
    out: Path
    """Model folder to make."""
    classes: Path | None = None
    """Text file with the names of the classes, one per line, in the order of the softmax layer's outputs."""
    task: str = "label"
    """Name of the task, with --classes."""
    keras_era: Literal["2018", "3"] | None = None
    """Which Keras made a resnet50: early 2018's (BatchNorm epsilon 1e-3, max-pool without padding) or 3. By default
    seen from the names of its layers; of no effect on the other networks."""
    size: int | None = None
    """Side of the input in pixels; by default Keras's, 224 or 299."""


def import_keras(settings: ImportKerasSettings) -> MultiTaskModel:
    """Read a file of Keras's and save it as a model.

    Args:
        settings: of the command.

    Returns:
        The model as saved, in evaluation mode; without tasks where no class list was given.

    Raises:
        ArttlError: if the file does not fit the network or the class list, or `out` exists.
    """
    if settings.out.exists():
        raise ArttlError(f"--out {settings.out} exists already: name a folder to be made")
    classes = None if settings.classes is None else _read_classes(settings.classes)
    network: Network = settings.backbone
    caffe = network in _CAFFE
    with open_keras(settings.file) as file:
        backbone = Backbone(
            _form(network, settings.keras_era or (era_of(file) if network == "resnet50" else "3"))
        )
        softmax = load_layers(file, network, backbone, swap_channels=caffe)
        preprocess = default_preprocess(backbone, settings.size)
        if caffe:
            preprocess = replace(preprocess, mean=CAFFE_MEAN, std=CAFFE_STD)
        else:
            preprocess = replace(preprocess, mean=(0.5,) * 3, std=(0.5,) * 3)
        # Keras's load_img, which has no other way: both sides are resized, taking the nearest pixel.
        preprocess = replace(preprocess, crop_pct=1.0, fit="squash", filter="nearest")
        model = MultiTaskModel(
            backbone,
            TaskSet([] if classes is None else [_task(settings.task, classes)]),
            preprocess,
            Provenance("fine-tune" if classes else "untrained", f"Keras weights {settings.file.name}"),
        )
        if classes is not None:
            if softmax is None:
                raise ArttlError(
                    f"{settings.file} has no single softmax layer after the network's features: leave out --classes"
                )
            (head,) = model.heads.linear_layers()
            outputs = file.shape(softmax, 0)[1]
            if outputs != len(classes):
                raise ArttlError(
                    f"--classes {settings.classes} names {len(classes)} classes, and layer {softmax!r} of"
                    f" {settings.file} has {outputs} outputs"
                )
            read_head(file, softmax, head)
    model.save(settings.out)
    return model.eval()


def run(settings: ImportKerasSettings) -> None:
    """Import, and say what the folder is good for."""
    model = import_keras(settings)
    name = model.backbone.name
    print(f"{settings.file.name} is now {settings.out}, a {name} with {model.preprocess.size} px input")
    for task in model.tasks:
        print(f"task {task.name}: {task.outputs} classes")
    print(
        f"train from it: arttl train --backbone {name} --weights {settings.out} --fit squash --filter nearest ..."
    )


def _form(network: Network, era: str) -> str:
    """Name of Keras's form of a network."""
    if network == "vgg19":
        return "vgg19"
    return f"keras2018_{network}" if era == "2018" and network == "resnet50" else f"keras_{network}"


def _task(name: str, classes: tuple[str, ...]) -> Task:
    # Keras's file does not say how often a class was seen; a count of 0 stands for unknown.
    return Task(name, "single-label", Vocabulary(classes, (0,) * len(classes), (0,)))


def _read_classes(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ArttlError(f"--classes {path} cannot be read: {reason}") from error
    while lines and not lines[-1]:
        lines.pop()
    repeated = next((name for i, name in enumerate(lines) if name in lines[:i]), None)
    if not lines or repeated is not None:
        what = "is empty" if not lines else f"names {repeated!r} twice"
        raise ArttlError(f"--classes {path} {what}: write every class once, one per line")
    return tuple(lines)
