"""The settings of the whole experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.training.settings import TrainSettings

PAPER_NETWORKS = ("xception", "inception_v3", "resnet50", "vgg19")
FUTURE_NETWORKS = ("densenet121",)
PAPER_FINE_TUNING = TrainSettings(
    classes="all-splits",
    epochs=100,
    patience=7,
    batch_size=32,
    optimizer="nesterov",
    learning_rate=1e-3,
    head_learning_rate=1e-3,
    weight_decay=0.0,
    schedule="constant",
    augment="none",
    fit="squash",
    scaling="unit",
)
"""The paper's text, as recipes/paper.yaml."""


@dataclass(frozen=True)
class ReproduceSettings:
    """Run the experiment of the paper and its future work on two collections, and print its tables.

    Everything is resumable: the same command goes on where it was interrupted.
    """

    source: Annotated[Path | None, tyro.conf.arg(aliases=["--rijksmuseum"])] = None
    """Shards of the collection of the first part, whose weights serve the second: the paper's Rijksmuseum."""
    target: Annotated[Path | None, tyro.conf.arg(aliases=["--antwerp"])] = None
    """Shards of the collection of the second part: the paper's Antwerp, or your own."""
    also: tuple[str, ...] = ()
    """Further small collections, NAME=DIR, that take the second part too."""
    out: Path = Path("runs/reproduction")
    """Folder of all runs and the report."""
    source_tasks: tuple[str, ...] = ()
    """Tasks of the first part; by default all that the shards have."""
    target_tasks: tuple[str, ...] = ()
    """Tasks of the second part; by default all that its shards have."""
    pair: tuple[str, ...] = ()
    """SOURCE_TASK:TARGET_TASK: whose weights serve which task of the second part. By default the task of the same
    name, else the first; the paper's repository always took artist."""
    backbones: tuple[str, ...] = (*PAPER_NETWORKS, *FUTURE_NETWORKS)
    """The networks."""
    scratch: str | None = None
    """The network that is also trained from random weights; by default inception_v3, or the first of --backbones."""
    weights: tuple[str, ...] = ()
    """NETWORK=WHERE: first weights of a network, as for training (imagenet, packaged, a file or a folder); by default
    imagenet, timm's download."""
    recipe: Path | None = None
    """Recipe of the fine-tuning; by default the paper's text."""
    input_size: int | None = None
    """Side of every network's input in pixels; by default the weights' own."""
    epochs: int | None = None
    """Most epochs of a fine-tuning; by default the recipe's."""
    seeds: int = 1
    """How often each cell is trained, with seeds from 0."""
    classes: str = "all-splits"
    """Class rule; the paper's is all-splits."""
    quick: bool = False
    """The entire matrix on at most 300 training pictures of each collection, at 64 pixels for one epoch: to see that
    all of it runs, not for figures. Give it another --out than the experiment itself."""
    panels: str = "*"
    """Pattern of the object numbers, such as MET.*, whose test pictures the report may show, with VisualBackProp over
    them; none with ''. For pictures that may not be passed on."""
    dry_run: bool = False
    """Print the plan, with an estimate of time and disk, and train nothing."""

    def __post_init__(self) -> None:
        ClassRule.parse(self.classes)
        if not self.backbones:
            raise ArttlError("name at least one network with --backbones")
        if len(set(self.backbones)) != len(self.backbones):
            raise ArttlError(f"--backbones names a network twice: {' '.join(self.backbones)}")
        for flag, value in (
            ("--seeds", self.seeds),
            ("--epochs", self.epochs),
            ("--input-size", self.input_size),
        ):
            if value is not None and value < 1:
                raise ArttlError(f"{flag} must be at least 1, not {value}")
        if self.scratch is not None and self.scratch not in self.backbones:
            raise ArttlError(f"--scratch {self.scratch} is not among --backbones {' '.join(self.backbones)}")
        self.first_weights()
        self.pairs()
        self.further()

    @property
    def scratch_network(self) -> str:
        """The network of the cells from scratch."""
        return self.scratch or ("inception_v3" if "inception_v3" in self.backbones else self.backbones[0])

    def first_weights(self) -> dict[str, str]:
        """Network to where its first weights come from.

        Raises:
            ArttlError: for an item of another form, or of a network that is not among `backbones`.
        """
        found = dict.fromkeys(self.backbones, "imagenet")
        for network, where in _items("--weights", self.weights, "=", "NETWORK=WHERE"):
            if network not in found:
                raise ArttlError(
                    f"--weights {network}={where}: it is not among --backbones {' '.join(found)}"
                )
            found[network] = where
        return found

    def pairs(self) -> dict[str, str]:
        """Target task to source task."""
        return {
            target: source for source, target in _items("--pair", self.pair, ":", "SOURCE_TASK:TARGET_TASK")
        }

    def further(self) -> dict[str, Path]:
        """Name to shards of the further collections."""
        found = {name: Path(folder) for name, folder in _items("--also", self.also, "=", "NAME=DIR")}
        for name in found:
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ArttlError(f"--also {name}: a name may have letters, digits, - and _")
        return found


def _items(flag: str, items: tuple[str, ...], separator: str, form: str) -> list[tuple[str, str]]:
    found = []
    for item in items:
        left, _, right = item.partition(separator)
        if not left or not right:
            raise ArttlError(f"{flag} {item} is not of the form {form}")
        found.append((left, right))
    if len({left if separator == "=" else right for left, right in found}) != len(found):
        raise ArttlError(f"{flag} says the same thing twice: {' '.join(items)}")
    return found
