"""The settings of a training run: the flags of `train_multitask.py` and the keys of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import cattrs
import yaml

from arttl.errors import ArttlError, did_you_mean
from arttl.training.settings_check import check

Mode = Literal["off-the-shelf", "fine-tune", "scratch"]
Engine = Literal["auto", "dali-gpu", "dali-cpu", "cpu"]
Method = Literal["fixed", "random", "uncertainty", "famo", "upgrad"]
BatchNorm = Literal["batch", "frozen", "synchronised"]

MAY_CHANGE_ON_RESUME = (
    "shards",
    "out",
    "overwrite",
    "resume",
    "checkpoint_every",
    "keep_checkpoints",
    "threads",
    "maps",
    "engine",
    "on_bad_sample",
)
"""Settings that decide nothing of a run's result."""

# Where a setting is left out, by what is trained; "probe" is off-the-shelf by epochs.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "fine-tune": {"epochs": 8, "learning_rate": 3e-4, "head_learning_rate": 3e-3, "optimizer": "adamw"},
    "scratch": {"epochs": 40, "learning_rate": 2e-3, "head_learning_rate": 2e-3, "optimizer": "adamw"},
    "probe": {"epochs": 100, "head_learning_rate": 1e-3, "optimizer": "rmsprop"},
}


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
    number: tuple[str, ...] = ()
    """Tasks of --tasks that are numbers, such as a year."""
    classes: str = "train"
    """Class rule: train (every class of the training split), all-splits (those present in every split), min-count=N,
    rijks2014 or listed=FILE (those that a text file names)."""
    backbone: str = "resnet50"
    """Any network of timm."""
    weights: str = "imagenet"
    """First weights: imagenet (download), packaged, none, a file, or the folder of a model or run. A fused model (of
    arttl fuse) brings its own networks, and --backbone does not matter."""
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
    """Most epochs. By default 8 for fine-tune, 40 for scratch and 100 for off-the-shelf by epochs."""
    patience: int = 7
    """Stop after this many epochs without a lower validation loss."""
    batch_size: int = 32
    """Samples per batch and process."""
    accumulate: int = 1
    """Batches to an optimizer step; their gradients add up to that of one large batch."""
    optimizer: Literal["adamw", "sgd", "nesterov", "rmsprop"] | None = None
    """adamw, sgd (momentum 0.9), nesterov (the same with Nesterov's momentum) or rmsprop (rho 0.9). By default adamw,
    and rmsprop for off-the-shelf by epochs."""
    learning_rate: float | None = None
    """Of the backbone. By default 3e-4 for fine-tune and 2e-3 for scratch."""
    head_learning_rate: float | None = None
    """Of the heads. By default 3e-3 for fine-tune, 2e-3 for scratch and 1e-3 for off-the-shelf by epochs."""
    layer_decay: float = 1.0
    """Each layer of the backbone learns at this times the rate of the one above it (1: all alike)."""
    weight_decay: float = 0.05
    """Of all weight matrices."""
    schedule: Literal["warmup-cosine", "constant"] = "warmup-cosine"
    """Of the learning rate: a rise over a tenth of the steps and half a cosine to 0, or constant."""
    clip_norm: float | None = None
    """Largest norm of the gradient; longer ones are shortened."""
    ema: float | None = None
    """Decay of a moving average of the weights, such as 0.999, which is then what is validated, tested and kept."""
    label_smoothing: float = 0.0
    """Share of each single-label target that goes to all classes alike."""
    logit_adjustment: float = 0.0
    """Strength of logit adjustment for long tails (single-label tasks): 1 aims at balanced accuracy, 0 at accuracy."""
    mixup: float = 0.0
    """Alpha of mixup, such as 0.2: pictures of a batch are blended, and their labels (0: not)."""
    sampling: str = "uniform"
    """Which samples an epoch draws: uniform (each once), balanced:TASK or sqrt:TASK, see docs/loading.md."""
    task_weights: tuple[str, ...] = ()
    """Weights of the tasks' losses, such as artist=2; 1 where none is given."""
    balancing: Method = "fixed"
    """How the tasks are weighed against each other: fixed (by --task-weights), random, uncertainty, famo or upgrad, see
    docs/training.md."""
    balancing_rate: float = 0.025
    """Learning rate of the weights that uncertainty and famo find."""
    teachers: tuple[Path, ...] = ()
    """Models or runs whose answers are learnt beside the labels (distillation)."""
    teacher_share: float = 0.5
    """Share of the loss that the teachers' answers have; the labels have the rest."""
    teacher_temperature: float = 2.0
    """What logits are divided by before they are compared with a teacher's."""
    inverse_l2: float | None = None
    """Off-the-shelf: C of the logistic regression on the features; by default chosen on the validation split."""
    batchnorm: BatchNorm = "batch"
    """Statistics of batch normalisation in training: batch, frozen (those of the first weights) or synchronised (of
    all ranks' batches; needs a GPU)."""
    frozen_batchnorm: Literal["running-statistics", "batch-statistics"] = "running-statistics"
    """Off-the-shelf: with batch-statistics the heads learn by epochs over a frozen network that still normalises with
    each batch's statistics in training, as Keras did in 2018. Slow, and worse: it is there to reproduce."""
    input_size: int | None = None
    """Side of the network's input in pixels; by default the weights' own."""
    fit: Literal["crop", "squash"] | None = None
    """crop keeps the picture's proportions and cuts out the middle, squash makes it square. By default the weights'
    own, which is crop."""
    filter: Literal["bilinear", "bicubic", "nearest"] | None = None
    """How pixels are interpolated; by default as for the weights."""
    scaling: Literal["weights", "unit"] = "weights"
    """Scaling of the pixels: that of the weights, or 0 to 1."""
    augment: Literal["crop", "none"] = "crop"
    """Training pictures: randomly cropped and flipped, or as in the evaluation."""
    crop_scale: float = 0.35
    """Smallest share of the picture's area that a random training crop covers."""
    color_jitter: float = 0.0
    """How much brightness, contrast and saturation of training pictures vary, such as 0.4: factors of 0.6 to 1.4."""
    mixed_precision: Literal["no", "fp16", "bf16"] | None = None
    """Unset, `accelerate launch --mixed_precision` decides."""
    compile: bool = False
    """Compile the network with torch.compile: a minute or more at the start, faster steps afterwards."""
    engine: Engine = "auto"
    """What decodes the pictures."""
    on_bad_sample: Literal["raise", "skip"] = "raise"
    """What a picture in the shards that cannot be decoded does: end the run, or be left out and named."""
    threads: int | None = None
    """Threads per process, for decoding and on the CPU for computing; by default one a core."""
    maps: int = 3
    """VisualBackProp overlays of test pictures to draw at the end."""
    seed: int = 0
    """Seed of the weights, the order and the crops."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def by_epochs(self) -> bool:
        """Whether it trains epoch by epoch, and does not solve for the heads on features computed once."""
        return self.mode != "off-the-shelf" or self.frozen_batchnorm == "batch-statistics"

    def resolved(self) -> TrainSettings:
        """The same settings with each default that depends on the mode filled in."""
        if not self.by_epochs:
            return self
        found = _DEFAULTS["probe" if self.mode == "off-the-shelf" else self.mode]
        filled = {name: value for name, value in found.items() if getattr(self, name) is None}
        if self.mode == "scratch":
            filled["weights"] = "none"
        return replace(self, **filled)


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
    converter.register_structure_hook(Path, lambda value, _: Path(str(value)))
    return converter
