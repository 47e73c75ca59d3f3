"""The settings of the whole experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.settings import AtLeastOne, Parsed, Settings, find_recipe

PAPER_NETWORKS = ("xception", "inception_v3", "resnet50", "vgg19")
FUTURE_NETWORKS = ("densenet121",)
PAPER_RECIPE = Path("paper")
"""The paper's text, a recipe of the package."""


@dataclass(frozen=True)
class ReproduceSettings(Settings):
    """Run the experiment of the paper and its future work on two collections, and print its tables.

    The same command resumes an experiment that was interrupted.
    """

    source: Annotated[Path | None, tyro.conf.arg(aliases=["--rijksmuseum"])] = None
    """Shards of the collection of the first part, whose weights serve the second: the paper's Rijksmuseum."""
    target: Annotated[Path | None, tyro.conf.arg(aliases=["--antwerp"])] = None
    """Shards of the collection of the second part: the paper's Antwerp, or your own."""
    also: tuple[str, ...] = ()
    """Further small collections, NAME=DIR, that take the second part as well."""
    out: Path = Path("runs/reproduction")
    """Folder of all runs and the report."""
    source_tasks: tuple[str, ...] = ()
    """Tasks of the first part; by default all that its shards have."""
    target_tasks: tuple[str, ...] = ()
    """Tasks of the second part; by default all that its shards have."""
    pair: tuple[str, ...] = ()
    """SOURCE_TASK:TARGET_TASK: the task of the first part that a task of the second takes its weights from. By default
    the task of the same name, else the first; the paper's repository always took artist."""
    backbones: tuple[str, ...] = (*PAPER_NETWORKS, *FUTURE_NETWORKS)
    """The networks."""
    scratch: str | None = None
    """The network that is also trained from random weights. By default inception_v3, or the first of --backbones."""
    weights: tuple[str, ...] = ()
    """NETWORK=WHERE: first weights of a network, as for training (imagenet, packaged, a file or a folder); by default
    imagenet, timm's download."""
    recipe: Path = PAPER_RECIPE
    """Recipe of the fine-tuning: the name of a packaged one, or a YAML file. paper follows the paper's text."""
    input_size: AtLeastOne | None = None
    """Side of every network's input in pixels. By default the weights' own."""
    epochs: AtLeastOne | None = None
    """Most epochs of a fine-tuning. By default the recipe's."""
    seeds: AtLeastOne = 1
    """Number of trainings of each cell, with seeds from 0."""
    classes: Annotated[str, Parsed(ClassRule.parse)] = "all-splits"
    """Class rule; the paper's is all-splits."""
    quick: bool = False
    """The entire matrix on at most 300 training pictures of each collection, at 64 pixels for one epoch: to see that
    all of it runs, not for its figures. It needs another --out than the experiment itself."""
    panels: str = "*"
    """Pattern of the object numbers, such as MET.*, whose test pictures the report may show, with VisualBackProp over
    them; none with ''. For pictures that may not be passed on."""
    dry_run: bool = False
    """Print the plan, with an estimate of time and disk, and train nothing."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if not self.backbones:
            raise ArttlError("name at least one network with --backbones")
        if len(set(self.backbones)) != len(self.backbones):
            raise ArttlError(f"--backbones names a network twice: {' '.join(self.backbones)}")
        if self.scratch is not None and self.scratch not in self.backbones:
            raise ArttlError(f"--scratch {self.scratch} is not among --backbones {' '.join(self.backbones)}")
        find_recipe(self.recipe)
        self.first_weights()
        self.pairs()
        self.further()

    @property
    def scratch_network(self) -> str:
        """The network of the cells from scratch."""
        return self.scratch or ("inception_v3" if "inception_v3" in self.backbones else self.backbones[0])

    def first_weights(self) -> dict[str, str]:
        """Network to the source of its first weights.

        Raises:
            ArttlError: for an item of another form, or of a network that is not among `backbones`.
        """
        given = _mapping("--weights", self.weights, "=", "NETWORK=WHERE")
        for network, source in given.items():
            if network not in self.backbones:
                raise ArttlError(
                    f"--weights {network}={source}: it is not among --backbones {' '.join(self.backbones)}"
                )
        return dict.fromkeys(self.backbones, "imagenet") | given

    def pairs(self) -> dict[str, str]:
        """Target task to source task."""
        return _mapping("--pair", self.pair, ":", "SOURCE_TASK:TARGET_TASK", key=1)

    def further(self) -> dict[str, Path]:
        """Name to shards of the further collections."""
        folders = _mapping("--also", self.also, "=", "NAME=DIR")
        for name in folders:
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ArttlError(f"--also {name}: a name may have letters, digits, - and _")
        return {name: Path(folder) for name, folder in folders.items()}


def _mapping(flag: str, items: tuple[str, ...], separator: str, form: str, key: int = 0) -> dict[str, str]:
    """Items of two parts as a mapping, from the first part to the second, or with `key` 1 the other way round."""
    mapping = {}
    for item in items:
        parts = item.partition(separator)[::2]
        if not all(parts):
            raise ArttlError(f"{flag} {item} is not of the form {form}")
        mapping[parts[key]] = parts[1 - key]
    if len(mapping) != len(items):
        raise ArttlError(f"{flag} says the same thing twice: {' '.join(items)}")
    return mapping
