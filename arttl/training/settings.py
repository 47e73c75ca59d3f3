"""The settings of a training run: the flags of `train_multitask.py` and the keys of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import cattrs
import yaml

from arttl.errors import ArttlError, did_you_mean
from arttl.tasks import parse_class_rule

Mode = Literal["off-the-shelf", "fine-tune", "scratch"]
Engine = Literal["auto", "dali-gpu", "dali-cpu", "cpu"]


@dataclass(frozen=True)
class TrainSettings:
    """Train one network on one task (a single-task baseline) or on several (the joint model).

    Without --shards it trains on a small collection that it draws itself.
    """

    shards: Path | None = None
    """Folder of shards, made with make_shards.py."""
    tasks: tuple[str, ...] = ()
    """Tasks to train, in order; by default all that the shards have."""
    multi_label: tuple[str, ...] = ()
    """Tasks of --tasks in which an object keeps all its labels; the others take the first."""
    classes: str = "train"
    """Class rule: train (every class of the training split), all-splits, min-count=N or rijks2014."""
    backbone: str = "resnet50"
    """Any network of timm."""
    weights: str = "imagenet"
    """First weights: imagenet (download), packaged, none, a file, or the folder of a model or run."""
    mode: Mode = "fine-tune"
    """off-the-shelf (logistic regression on frozen features), fine-tune (all learns) or scratch (random weights)."""
    out: Path = Path("runs/default")
    """Run folder to make."""
    overwrite: bool = False
    """Replace the run that --out already holds."""
    resume: bool = False
    """Go on with the run that --out holds from its newest checkpoint; begin it where there is none."""
    checkpoint_every: int | None = None
    """Leave a checkpoint after every so many steps, besides the one at the end of each epoch."""
    keep_checkpoints: int = 2
    """How many of the newest checkpoints are kept."""
    epochs: int | None = None
    """Most epochs. By default 8 for fine-tune and 40 for scratch."""
    patience: int = 7
    """Stop after this many epochs without a lower validation loss."""
    batch_size: int = 32
    """Samples per step and process."""
    learning_rate: float | None = None
    """Of the backbone (AdamW). By default 3e-4 for fine-tune and 2e-3 for scratch."""
    head_learning_rate: float | None = None
    """Of the heads. By default 3e-3 for fine-tune and 2e-3 for scratch."""
    weight_decay: float = 0.05
    """Of all weight matrices (AdamW)."""
    inverse_l2: float | None = None
    """Off-the-shelf: C of the logistic regression on the features; by default chosen on the validation split."""
    input_size: int | None = None
    """Side of the network's input in pixels; by default the weights' own."""
    crop_scale: float = 0.35
    """Smallest share of the picture's area that a random training crop covers."""
    mixed_precision: Literal["no", "fp16", "bf16"] | None = None
    """Unset, `accelerate launch --mixed_precision` decides."""
    engine: Engine = "auto"
    """What decodes the pictures."""
    threads: int | None = None
    """Threads per process, for decoding and on the CPU for computing; by default one a core."""
    maps: int = 3
    """VisualBackProp overlays of test pictures to draw at the end."""
    seed: int = 0
    """Seed of the weights, the order and the crops."""

    def __post_init__(self) -> None:
        parse_class_rule(self.classes)
        for name in (
            "epochs",
            "patience",
            "batch_size",
            "input_size",
            "threads",
            "checkpoint_every",
            "keep_checkpoints",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArttlError(f"{_flag(name)} must be at least 1, not {value}")
        for name in ("learning_rate", "head_learning_rate", "inverse_l2"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ArttlError(f"{_flag(name)} must be above 0, not {value}")
        if not 0 < self.crop_scale <= 1:
            raise ArttlError(f"--crop-scale must be above 0 and at most 1, not {self.crop_scale}")
        if self.overwrite and self.resume:
            raise ArttlError("--overwrite begins anew and --resume goes on: give one of the two")
        if self.mode == "scratch" and self.weights not in ("none", "imagenet"):
            raise ArttlError(f"--mode scratch starts from random weights, but --weights is {self.weights}")
        if self.mode == "off-the-shelf" and self.weights == "none":
            raise ArttlError(
                "--mode off-the-shelf with --weights none would freeze random weights; give --weights"
            )
        for name in ("epochs", "learning_rate", "head_learning_rate"):
            if self.mode == "off-the-shelf" and getattr(self, name) is not None:
                raise ArttlError(
                    f"--mode off-the-shelf solves for its heads, so {_flag(name)} does not apply"
                )
        if self.mode != "off-the-shelf" and self.inverse_l2 is not None:
            raise ArttlError(f"--inverse-l2 is for --mode off-the-shelf, and --mode is {self.mode}")

    def resolved(self) -> TrainSettings:
        """The same settings with each default that depends on the mode filled in."""
        if self.mode == "off-the-shelf":
            return self
        fine_tune = self.mode == "fine-tune"
        return replace(
            self,
            weights=self.weights if fine_tune else "none",
            epochs=self.epochs or (8 if fine_tune else 40),
            learning_rate=self.learning_rate or (3e-4 if fine_tune else 2e-3),
            head_learning_rate=self.head_learning_rate or (3e-3 if fine_tune else 2e-3),
        )

    def to_yaml(self) -> str:
        """The settings as a recipe."""
        return str(yaml.safe_dump(_converter().unstructure(self), sort_keys=False, allow_unicode=True))


def read_recipe(path: Path) -> TrainSettings:
    """Read settings from a YAML recipe.

    Raises:
        ArttlError: if the file is missing, is not YAML, or has a key or value that is no setting.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArttlError(f"cannot read the recipe {path}: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise ArttlError(f"the recipe {path} is not a list of settings, such as 'mode: fine-tune'")
    names = [field.name for field in fields(TrainSettings)]
    for key in data:
        if key not in names:
            raise ArttlError(
                f"the recipe {path} has an unknown setting {key!r}{did_you_mean(str(key), names)}"
            )
    try:
        return _converter().structure(data, TrainSettings)
    except cattrs.ClassValidationError as error:
        found = cattrs.transform_error(error, format_exception=lambda cause, _: str(cause))
        raise ArttlError(
            f"the recipe {path}: {found[0].removesuffix(' @ $').replace(' @ $.', ' in the setting ')}"
        ) from error


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda value, _: Path(str(value)))
    return converter


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
