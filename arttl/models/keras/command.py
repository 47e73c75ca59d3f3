"""`arttl import-keras`: weights that Keras saved, as a model of arttl."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from arttl.errors import ArttlError
from arttl.keras_files.weights import open_keras
from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.checks import check_finite, check_input_size
from arttl.models.folders import Provenance
from arttl.models.keras.layers import Era, Network, era_of, load_layers, read_head
from arttl.models.keras.networks import CAFFE_MEAN, CAFFE_STD
from arttl.models.multitask import MultiTaskModel
from arttl.settings import AtLeastOne, Settings
from arttl.tasks import Task, TaskSet, Vocabulary

# Networks whose Keras scaling is `caffe` (blue, green, red; the mean subtracted); the others have `tf` (-1 to 1).
_CAFFE = ("resnet50", "vgg19")


@dataclass(frozen=True, kw_only=True)
class ImportKerasSettings(Settings):
    """Turn weights that Keras saved (.keras, or .h5 in the legacy layout) into a model folder.

    With --classes the softmax layer becomes the model's one task; without, the folder holds the network alone, as first
    weights for training.
    """

    file: tyro.conf.Positional[Path]
    """The weights, such as creator_ResNet_weights.h5 or model.keras."""
    backbone: Network
    """The network that they belong to."""
    out: Path
    """Model folder to make."""
    classes: Path | None = None
    """Text file with the names of the classes, one per line, in the order of the softmax layer's outputs."""
    task: str = "label"
    """Name of the task, with --classes."""
    keras_era: Era | None = None
    """Which Keras made a resnet50: early 2018's (BatchNorm epsilon 1e-3, max-pool without padding) or 3. By default
    recognised by the names of its layers; of no effect on the other networks."""
    size: AtLeastOne | None = None
    """Side of the input in pixels. By default Keras's, 224 or 299."""


def import_keras(settings: ImportKerasSettings) -> MultiTaskModel:
    """Read a Keras file and save it as a model.

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
    network = settings.backbone
    caffe = network in _CAFFE
    file = open_keras(settings.file)
    era = settings.keras_era or (era_of(file) if network == "resnet50" else "3")
    backbone = Backbone(_form(network, era))
    if settings.size is not None:
        check_input_size(backbone, settings.size, "--size")
    softmax = load_layers(file, network, backbone, swap_channels=caffe)
    # Keras's load_img has only this way: both sides are resized, taking the nearest pixel.
    preprocess = replace(
        default_preprocess(backbone, settings.size),
        mean=CAFFE_MEAN if caffe else (0.5,) * 3,
        std=CAFFE_STD if caffe else (0.5,) * 3,
        crop_pct=1.0,
        fit="squash",
        filter="nearest",
    )
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
    check_finite(model, f"the weights in {settings.file}")
    model.save(settings.out)
    return model.eval()


def run(settings: ImportKerasSettings) -> None:
    """Import, and print how to use the folder."""
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
    # Keras's file does not record how often a class was seen; a count of 0 stands for unknown.
    return Task(name, "single-label", Vocabulary(classes, (0,) * len(classes), (0,)))


def _read_classes(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ArttlError(f"--classes {path} cannot be read: {reason}") from error
    while lines and not lines[-1]:
        lines.pop()
    repeated = [name for name, count in Counter(lines).items() if count > 1]
    if not lines or repeated:
        reason = f"names {repeated[0]!r} twice" if repeated else "is empty"
        raise ArttlError(f"--classes {path} {reason}: write every class once, one per line")
    return tuple(lines)
