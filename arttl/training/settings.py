"""The settings of a training run: the flags of `arttl train` and the keys of a recipe, in groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from arttl.errors import ArttlError
from arttl.loading import Augment, Preprocess
from arttl.loading.settings import DecodingSettings, TaskSettings
from arttl.models.adaptation import Adaptation
from arttl.models.heads import check_head
from arttl.models.settings import NetworkSettings
from arttl.settings import (
    AtLeastOne,
    BetweenZeroAndOne,
    NotNegative,
    Parsed,
    Positive,
    Removed,
    RunSettings,
    Setting,
    Settings,
    Share,
    ShareBelowOne,
    settings_of,
)

Mode = Literal["off-the-shelf", "fine-tune", "scratch"]
BatchNorm = Literal["batch", "frozen", "synchronised"]

MAY_CHANGE_ON_RESUME = (
    "shards",
    "out",
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
    "scratch": {
        "epochs": 40,
        "learning_rate": 2e-3,
        "head_learning_rate": 2e-3,
        "optimizer": "adamw",
        "weights": "none",
    },
    "probe": {"epochs": 100, "head_learning_rate": 1e-3, "optimizer": "rmsprop"},
}


@dataclass(frozen=True)
class Needs:
    """Annotates a setting that means something only in some ways of training.

    Attributes:
        backbone: only where the network's own weights learn; else wherever anything learns by epochs.
    """

    backbone: bool


BY_EPOCHS = Needs(backbone=False)
BACKBONE_LEARNS = Needs(backbone=True)


@dataclass(frozen=True, kw_only=True)
class _Shards(Settings):
    # A base class, so that it is the first of its group.
    shards: Path | None = None
    """Folder of shards, made with arttl shards. Without it a small collection is generated and trained on."""


@dataclass(frozen=True, kw_only=True)
class DataSettings(DecodingSettings, TaskSettings, _Shards):
    """What is trained on: the shards, the tasks, and how the pictures are read."""

    sampling: Annotated[str, BY_EPOCHS] = "uniform"
    """Which samples an epoch has: uniform (each once), balanced:TASK or sqrt:TASK, see docs/loading.md."""


@dataclass(frozen=True, kw_only=True)
class _Mode(Settings):
    # A base class, as above.
    mode: Mode = "fine-tune"
    """What learns: with off-the-shelf only the heads (logistic regression on frozen features), with fine-tune
    everything, with scratch everything from random weights."""


@dataclass(frozen=True, kw_only=True)
class ModelSettings(NetworkSettings, _Mode):
    """The network, where it starts from, and what it sees."""

    weights: str = "imagenet"
    """First weights: imagenet (download), packaged, none, a file, or the folder of a model or run. A fused model (of
    arttl fuse) brings its own networks, and --backbone has no effect."""
    adapt: Annotated[str, BACKBONE_LEARNS, Parsed(Adaptation.of)] = "full"
    """What of the network learns in fine-tuning: full (all of it), last-K (its last K blocks and what follows them) or
    lora (changes of rank 8 of the attention's matrices, or lora-RANK, merged into the saved weights; needs peft)."""
    head: Annotated[str, BY_EPOCHS] = "linear"
    """The head of each task: linear, or mlp (one hidden layer of 512 units)."""
    batchnorm: Annotated[BatchNorm, BACKBONE_LEARNS] = "batch"
    """Statistics of batch normalisation in training: batch, frozen (those of the first weights) or synchronised (of
    all ranks' batches; needs a GPU)."""
    fit: Literal["crop", "squash"] | None = None
    """How a picture fits the network's square: crop keeps its proportions and cuts out the middle, squash distorts it.
    By default as for the weights, which is crop."""
    filter: Literal["bilinear", "bicubic", "nearest"] | None = None
    """How pixels are interpolated. By default as for the weights."""
    scaling: Literal["weights", "unit"] = "weights"
    """Scaling of the pixels: that of the weights, or 0 to 1."""
    frozen_batchnorm: Literal["running-statistics", "batch-statistics"] = "running-statistics"
    """Off-the-shelf only: with batch-statistics the heads learn by epochs over a frozen network that still normalises
    with each batch's statistics in training, as Keras did in 2018. Slow and worse; it is there to reproduce."""

    @property
    def by_epochs(self) -> bool:
        """Whether it trains epoch by epoch, and does not solve for the heads on features computed once."""
        return self.mode != "off-the-shelf" or self.frozen_batchnorm == "batch-statistics"

    def preprocess(self, of_weights: Preprocess) -> Preprocess:
        """The evaluation transform of a run: that of its first weights, but for what the settings say."""
        changes: dict[str, Any] = {}
        if self.input_size is not None:
            changes["size"] = self.input_size
        if self.fit is not None:
            changes["fit"] = self.fit
            if self.fit == "squash":
                changes["crop_pct"] = 1.0  # nothing is lost at the edges, so there is no middle to cut out
        if self.filter is not None:
            changes["filter"] = self.filter
        if self.scaling == "unit":
            changes |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        return replace(of_weights, **changes)

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        check_head(self.head)
        if self.mode == "scratch" and self.weights not in ("none", "imagenet"):
            raise ArttlError(f"--mode scratch starts from random weights, but --weights is {self.weights}")
        if self.mode == "scratch" and self.adapt != "full":
            raise ArttlError(f"--adapt {self.adapt} is for --mode fine-tune, and --mode is scratch")
        if self.mode == "off-the-shelf" and self.weights == "none":
            raise ArttlError(
                "--mode off-the-shelf with --weights none would freeze random weights; give --weights"
            )
        if self.mode != "off-the-shelf" and self.frozen_batchnorm != "running-statistics":
            raise ArttlError(
                f"--frozen-batchnorm {self.frozen_batchnorm} is for --mode off-the-shelf, and --mode is {self.mode}"
            )


@dataclass(frozen=True, kw_only=True)
class OptimisationSettings(Settings):
    """How long and how fast the weights learn, and from which loss."""

    epochs: Annotated[AtLeastOne | None, BY_EPOCHS] = None
    """Most epochs. By default 8 for fine-tune, 40 for scratch and 100 for off-the-shelf by epochs."""
    batch_size: AtLeastOne = 32
    """Samples per batch and process."""
    learning_rate: Annotated[Positive | None, BACKBONE_LEARNS] = None
    """Learning rate of the backbone. By default 3e-4 for fine-tune and 2e-3 for scratch."""
    head_learning_rate: Annotated[Positive | None, BY_EPOCHS] = None
    """Learning rate of the heads. By default 3e-3 for fine-tune, 2e-3 for scratch and 1e-3 for off-the-shelf by
    epochs."""
    patience: AtLeastOne = 7
    """Training stops after this many epochs without a lower validation loss."""
    optimizer: Annotated[Literal["adamw", "sgd", "nesterov", "rmsprop"] | None, BY_EPOCHS] = None
    """The optimizer: adamw, sgd (momentum 0.9), nesterov (the same with Nesterov's momentum) or rmsprop (rho 0.9). By
    default adamw, and rmsprop for off-the-shelf by epochs."""
    weight_decay: NotNegative = 0.05
    """Weight decay of all weight matrices."""
    schedule: Literal["warmup-cosine", "constant"] = "warmup-cosine"
    """Schedule of the learning rate: a rise over a tenth of the steps and half a cosine to 0, or constant."""
    layer_decay: Annotated[Share, BACKBONE_LEARNS] = 1.0
    """Each layer of the backbone learns at this times the rate of the layer above it (1: all alike)."""
    label_smoothing: Annotated[ShareBelowOne, BY_EPOCHS] = 0.0
    """Share of each single-label target that is spread over all classes."""
    logit_adjustment: Annotated[NotNegative, BY_EPOCHS] = 0.0
    """Strength of logit adjustment for rare classes of single-label tasks: 1 aims at balanced accuracy, 0 at
    accuracy."""
    clip_norm: Annotated[Positive | None, BY_EPOCHS] = None
    """Largest norm of the gradient; longer gradients are shortened. By default they are not."""
    ema: Annotated[BetweenZeroAndOne | None, BY_EPOCHS] = None
    """Decay of a moving average of the weights, such as 0.999, which is then validated, tested and saved. By default
    there is none."""
    accumulate: Annotated[AtLeastOne, BY_EPOCHS] = 1
    """Batches per optimizer step; their gradients add up to that of one large batch."""
    inverse_l2: Positive | None = None
    """Off-the-shelf only: C of the logistic regression on the features. By default chosen on the validation split."""
    mixed_precision: Literal["no", "fp16", "bf16", "auto"] | None = None
    """Precision of the computation. By default as `accelerate launch --mixed_precision` says, else no; auto measures
    which of no and bf16 is faster on this machine, once, and keeps that in the cache."""
    compile: Annotated[bool, BY_EPOCHS] = False
    """Compile the network with torch.compile: a minute or more at the start, faster steps afterwards."""


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings(Settings):
    """How training pictures vary."""

    augment: Literal["crop", "none"] = "crop"
    """Training pictures are randomly cropped and flipped (crop), or as in the evaluation (none)."""
    crop_scale: Share = 0.35
    """Smallest share of the picture's area that a random training crop covers."""
    color_jitter: Annotated[NotNegative, BACKBONE_LEARNS] = 0.0
    """How much brightness, contrast and saturation of training pictures vary, such as 0.4: factors of 0.6 to 1.4."""
    mixup: Annotated[NotNegative, BY_EPOCHS] = 0.0
    """Alpha of mixup, such as 0.2: pictures of a batch are blended, and so are their labels (0: no mixup)."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        for name in ("mixup", "color_jitter"):
            if getattr(self, name) and self.augment == "none":
                flag = settings_of(type(self))[name].flag
                raise ArttlError(f"{flag} and --augment none do not go together; leave one out")

    def random_crops(self) -> Augment | None:
        """How training pictures are cropped, flipped and coloured; None: as in the evaluation."""
        if self.augment == "none":
            return None
        jitter = self.color_jitter
        return Augment((self.crop_scale, 1.0), brightness=jitter, contrast=jitter, saturation=jitter)


@dataclass(frozen=True, kw_only=True)
class MultiTaskSettings(Settings):
    """How the tasks of a joint model are weighted against each other."""

    task_weights: Annotated[tuple[str, ...], BY_EPOCHS] = ()
    """Weights of the tasks' losses, such as artist=2. A task without one has weight 1."""
    balancing: Annotated[
        Literal["fixed", "uncertainty"],
        BY_EPOCHS,
        Removed(("random", "famo", "upgrad"), "use fixed (with task_weights) or uncertainty"),
    ] = "fixed"
    """Where the weights come from: fixed (--task-weights) or uncertainty (learnt in training, see docs/training.md)."""
    balancing_rate: Positive = 0.025
    """Learning rate of the weights that --balancing uncertainty learns."""


@dataclass(frozen=True, kw_only=True)
class DistillationSettings(Settings):
    """Trained models whose predictions are learnt beside the labels."""

    teachers: Annotated[tuple[Path, ...], BY_EPOCHS] = ()
    """Folders of the teachers: models or runs. By default there are none."""
    teacher_share: Share = 0.5
    """Share of the loss that compares with the teachers' predictions; the labels have the rest."""
    teacher_temperature: Positive = 2.0
    """Temperature that divides the logits before they are compared with a teacher's."""


@dataclass(frozen=True, kw_only=True)
class TrainRunSettings(RunSettings):
    """The run folder, its checkpoints, and the seed."""

    out: Path = Path("runs/default")
    """Run folder to make."""
    resume: bool = False
    """Resume the run that --out holds from its newest checkpoint; begin it where there is none."""
    checkpoint_every: AtLeastOne | None = None
    """Steps between checkpoints, besides the checkpoint at the end of each epoch. By default there are no others."""
    keep_checkpoints: AtLeastOne = 2
    """How many of the newest checkpoints are kept."""
    maps: int = 3
    """How many test pictures get overlays at the end: of what speaks for each task's label, or of what is looked at."""
    seed: int = 0
    """Seed of the weights, the order and the crops."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if self.overwrite and self.resume:
            raise ArttlError("--overwrite begins anew and --resume continues: give one of the two")


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Train one network on one task (a single-task baseline) or on several (the joint model).

    Without --shards it trains on a small collection that it generates itself.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    run: TrainRunSettings = field(default_factory=TrainRunSettings)
    optimisation: OptimisationSettings = field(default_factory=OptimisationSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    multi_task: MultiTaskSettings = field(default_factory=MultiTaskSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        mode, values = self.model.mode, self.flat()
        for name, setting in _without_effect(self.model):
            if values[name] != setting.default:
                why = "leaves the network as it is" if self.model.by_epochs else "solves for its heads"
                raise ArttlError(f"--mode off-the-shelf {why}, so {setting.flag} does not apply")
        if self.optimisation.inverse_l2 is not None:
            if mode != "off-the-shelf":
                raise ArttlError(f"--inverse-l2 is for --mode off-the-shelf, and --mode is {mode}")
            if self.model.by_epochs:
                raise ArttlError(
                    "--inverse-l2 and --frozen-batchnorm batch-statistics do not go together: there the heads learn"
                    " by epochs"
                )

    def resolved(self) -> TrainSettings:
        """The same settings with each default that depends on the mode filled in."""
        if not self.model.by_epochs:
            return self
        defaults = _DEFAULTS["probe" if self.model.mode == "off-the-shelf" else self.model.mode]
        values = self.flat()
        left_out = {name for name, value in values.items() if value is None or name == "weights"}
        return self.replace(**{name: value for name, value in defaults.items() if name in left_out})

    def off_the_shelf(self, **changes: Any) -> TrainSettings:
        """The same settings for frozen features: those that only mean something in training are at their defaults.

        Args:
            changes: further settings by name.
        """
        frozen = ModelSettings(mode="off-the-shelf")
        reset = {name: setting.default for name, setting in _without_effect(frozen)}
        return self.replace(**{**reset, "mode": "off-the-shelf", **changes})


def _without_effect(model: ModelSettings) -> Iterator[tuple[str, Setting]]:
    """The settings that mean nothing in a way of training."""
    if model.mode == "off-the-shelf":
        for name, setting in settings_of(TrainSettings).items():
            if any(needs.backbone or not model.by_epochs for needs in setting.annotations(Needs)):
                yield name, setting
