"""The settings of the whole experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.settings import AtLeastOne, Parsed, Settings, find_recipe, settings_of

Protocol = Literal["sabatelli2018", "tonkes2022"]
PAPER_NETWORKS = ("xception", "inception_v3", "resnet50", "vgg19")
FUTURE_NETWORKS = ("densenet121",)
CONVOLUTIONAL = ("vgg19", "resnet50", "tf_efficientnetv2_m", "convnext_base")
TRANSFORMERS = (
    "vit_base_patch16_224",
    "swin_base_patch4_window7_224",
    "deit_base_patch16_224",
    "beit_base_patch16_224",
)


@dataclass(frozen=True)
class ProtocolDefaults:
    """What an experiment takes where nothing else is asked for.

    Attributes:
        networks: of the publication, and for the paper's future work.
        recipe: of the fine-tuning, one of the package's.
        seeds: trainings of each cell.
        input_size: side of every network's input in pixels; None: the weights' own.
    """

    networks: tuple[str, ...]
    recipe: Path
    seeds: int
    input_size: int | None


DEFAULTS: dict[Protocol, ProtocolDefaults] = {
    "sabatelli2018": ProtocolDefaults((*PAPER_NETWORKS, *FUTURE_NETWORKS), Path("paper"), 1, None),
    "tonkes2022": ProtocolDefaults((*CONVOLUTIONAL, *TRANSFORMERS), Path("tonkes2022"), 5, 224),
}
# Settings of the second collection and of what is made of it, which the other publication does not have.
_OF_TWO_COLLECTIONS = ("target", "also", "target_tasks", "pair", "scratch")


@dataclass(frozen=True)
class ReproduceSettings(Settings):
    """Run the experiment of the paper and its future work on two collections, and print its tables.

    With --protocol tonkes2022 it is that of Tonkes and Sabatelli 2022, convolutional networks and transformers on one
    collection. The same command resumes an experiment that was interrupted.
    """

    protocol: Protocol = "sabatelli2018"
    """The publication: sabatelli2018 (the paper), or tonkes2022, which needs --source alone: eight networks on at most
    30 classes per task and 1,000 objects per class, five seeds, balanced accuracy."""
    source: Annotated[Path | None, tyro.conf.arg(aliases=["--rijksmuseum"])] = None
    """Shards of the collection of the first part, whose weights serve the second: the paper's Rijksmuseum."""
    target: Annotated[Path | None, tyro.conf.arg(aliases=["--antwerp"])] = None
    """Shards of the collection of the second part: the paper's Antwerp, or your own."""
    also: tuple[str, ...] = ()
    """Further small collections, NAME=DIR, that take the second part as well."""
    out: Path = Path("runs/reproduction")
    """Folder of all runs and the report."""
    source_tasks: tuple[str, ...] = ()
    """Tasks of the first part, or of tonkes2022; by default all that its shards have."""
    target_tasks: tuple[str, ...] = ()
    """Tasks of the second part; by default all that its shards have."""
    pair: tuple[str, ...] = ()
    """SOURCE_TASK:TARGET_TASK: the task of the first part that a task of the second takes its weights from. By default
    the task of the same name, else the first; the paper's repository always took artist."""
    backbones: tuple[str, ...] = ()
    """The networks, any of timm's; by default the publication's."""
    scratch: str | None = None
    """The network that is also trained from random weights. By default inception_v3, or the first of --backbones."""
    weights: tuple[str, ...] = ()
    """NETWORK=WHERE: first weights of a network, as for training (imagenet, packaged, a file or a folder); by default
    imagenet, timm's download."""
    recipe: Path | None = None
    """Recipe of the fine-tuning: the name of a packaged one, or a YAML file. By default paper, which follows the
    paper's text, or tonkes2022."""
    input_size: AtLeastOne | None = None
    """Side of every network's input in pixels. By default the weights' own, and 224 for tonkes2022."""
    epochs: AtLeastOne | None = None
    """Most epochs of a fine-tuning. By default the recipe's."""
    seeds: AtLeastOne | None = None
    """Number of trainings of each cell, with seeds from 0. By default 1, and 5 for tonkes2022, whose frozen cells are
    solved for once."""
    classes: Annotated[str, Parsed(ClassRule.parse)] = "all-splits"
    """Class rule; the paper's is all-splits."""
    quick: bool = False
    """The entire matrix on at most 300 training pictures of each collection, for one epoch, at 64 pixels unless
    --input-size says another: to see that all of it runs, not for its figures. It needs another --out than the
    experiment itself."""
    side_by_side: AtLeastOne | None = None
    """Number of runs that are trained at a time, each in a process with a GPU of its own and its share of the cores. By
    default one per GPU; without a GPU one, whose threads use all cores."""
    panels: str = "*"
    """Pattern of the object numbers, such as MET.*, whose test pictures the report may show, with VisualBackProp over
    them; none with ''. For pictures that may not be passed on."""
    dry_run: bool = False
    """Print the plan, with an estimate of time and disk, and train nothing."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if self.protocol == "tonkes2022":
            for name in _OF_TWO_COLLECTIONS:
                if getattr(self, name):
                    flag = settings_of(type(self))[name].flag
                    raise ArttlError(
                        f"{flag} is for --protocol sabatelli2018: tonkes2022 has one collection, --source"
                    )
        if len(set(self.backbones)) != len(self.backbones):
            raise ArttlError(f"--backbones names a network twice: {' '.join(self.backbones)}")
        if self.scratch is not None and self.scratch not in self.networks:
            raise ArttlError(f"--scratch {self.scratch} is not among --backbones {' '.join(self.networks)}")
        find_recipe(self.chosen_recipe)
        self.first_weights()
        self.pairs()
        self.further()

    @property
    def defaults(self) -> ProtocolDefaults:
        """Of the publication."""
        return DEFAULTS[self.protocol]

    @property
    def networks(self) -> tuple[str, ...]:
        """`backbones`, or the publication's."""
        return self.backbones or self.defaults.networks

    @property
    def chosen_recipe(self) -> Path:
        """`recipe`, or the publication's."""
        return self.recipe or self.defaults.recipe

    @property
    def trainings(self) -> int:
        """`seeds`, or the publication's."""
        return self.seeds or self.defaults.seeds

    @property
    def scratch_network(self) -> str:
        """The network of the cells from scratch."""
        return self.scratch or ("inception_v3" if "inception_v3" in self.networks else self.networks[0])

    def first_weights(self) -> dict[str, str]:
        """Network to the source of its first weights.

        Raises:
            ArttlError: for an item of another form, or of a network that is not among `backbones`.
        """
        given = _mapping("--weights", self.weights, "=", "NETWORK=WHERE")
        for network, source in given.items():
            if network not in self.networks:
                raise ArttlError(
                    f"--weights {network}={source}: it is not among --backbones {' '.join(self.networks)}"
                )
        return dict.fromkeys(self.networks, "imagenet") | given

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
