"""What can be done with finished shards: `arttl shards info`, `verify`, `leaks`, `merge`, `relabel` and `adopt`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional

from arttl.errors import ArttlError
from arttl.packing.command import run as pack
from arttl.packing.leaks import find_leaks
from arttl.packing.merge import MergeSettings, merge
from arttl.packing.relabel import RelabelSettings, relabel
from arttl.packing.settings import PackSettings
from arttl.packing.summary import Summary
from arttl.packing.tables import class_tables, packing_tables
from arttl.packing.verify import verified
from arttl.shards.manifest import Manifest
from arttl.sources.settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class InfoSettings:
    """What a folder of shards holds: samples, labels, a bar for each class."""

    folder: Positional[Path]
    """The folder of shards."""

    classes: int = 20
    """Classes of a task that get a line and a bar of their own; the others are summed up by size. 0: all."""


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """Whether a folder of shards is as it was written: every digest, index, key, row and picture."""

    folder: Positional[Path]
    """The folder of shards."""

    workers: int = 0
    """Processes. 0: one for each core, but only this one for up to 1,000 pictures."""


@dataclass(frozen=True, kw_only=True)
class LeaksSettings:
    """Whether an object, a series or a picture is in more than one split."""

    folder: Positional[Path]
    """The folder of shards."""

    leaf: str | None = None
    """Regular expression for the end of an object number that tells the leaves of one object apart; by default the
    one that the shards were packed with."""


@dataclass(frozen=True, kw_only=True)
class AdoptSettings(PackSettings):
    """WebDataset tars of other people's making to checked shards with manifest, indexes and splits."""

    source: str = "webdataset"
    """Kind of input: `webdataset`."""

    images: Positional[Path] = field()
    """The folder of tars."""

    split: str = "official"
    """How samples are divided: `official` (as the tars' names, or those of the folders above them, say: train, val,
    test), or as for packing `paper`, `grouped`, `stratified` or `column=NAME` (a field of the JSON)."""


def info(settings: InfoSettings) -> None:
    """Print the tables of a folder of shards."""
    manifest = Manifest.read(settings.folder)
    manifest.require("files", "made_by", "digest", "rejected", "unlabelled")
    if settings.classes < 0:
        raise ArttlError(f"--classes {settings.classes} is out of range; give a number from 0")
    summary = Summary.of_manifest(manifest)
    dataset = manifest.dataset
    size = sum(file["bytes"] for file in dataset["files"].values())
    _say(
        f"{manifest.directory}: {len(manifest):,} samples, {size / 1e6:,.1f} MB, made by {dataset['made_by']}",
        f"digest {dataset['digest']}",
    )
    console = Console()
    console.print(packing_tables(summary))
    console.print(class_tables(summary, settings.classes))


def leaks(settings: LeaksSettings) -> None:
    """Print the leak check of a folder of shards.

    Raises:
        ArttlError: if there is a leak.
    """
    manifest = Manifest.read(settings.folder)
    manifest.require("settings")
    leaf = settings.leaf if settings.leaf is not None else manifest.dataset["settings"].get("leaf")
    check = find_leaks(manifest, SourceSettings(leaf=leaf).leaf_pattern())
    _say(*check.sentences())
    if check.leaks:
        kinds = " and ".join(leak.kind for leak in check.leaks)
        raise ArttlError(
            f"{kinds} of {settings.folder} are in more than one split; pack it with --split grouped or stratified"
        )


def run_merge(settings: MergeSettings) -> None:
    """Merge folders of shards, and print what became of them."""
    _finished(merge(settings, progress=True))


def run_relabel(settings: RelabelSettings) -> None:
    """Relabel a folder of shards, and print what became of it."""
    manifest, notes = relabel(settings, progress=True)
    _say(*notes)
    _finished(manifest)


def run_verify(settings: VerifySettings) -> None:
    """Verify a folder of shards."""
    _say(verified(settings.folder, settings.workers))


def adopt(settings: AdoptSettings) -> None:
    """Pack the tars of others."""
    if settings.source != "webdataset":
        raise ArttlError(f"--source {settings.source}: arttl shards adopt reads tars; leave --source out")
    pack(settings)


def _finished(manifest: Manifest) -> None:
    Console().print(packing_tables(Summary.of_manifest(manifest)))
    leaf = SourceSettings(leaf=manifest.dataset["settings"].get("leaf")).leaf_pattern()
    _say(*find_leaks(manifest, leaf).sentences(), f"{len(manifest):,} samples in {manifest.directory}")


def _say(*sentences: str) -> None:
    console = Console()
    for sentence in sentences:
        console.print(Text(sentence))


COMMANDS: dict[str, tuple[type[Any], Callable[[Any], None], str]] = {
    "info": (InfoSettings, info, "print what shards hold"),
    "verify": (VerifySettings, run_verify, "check every digest, index, key and picture"),
    "leaks": (LeaksSettings, leaks, "look for objects and pictures in more than one split"),
    "merge": (MergeSettings, run_merge, "several folders of shards to one"),
    "relabel": (RelabelSettings, run_relabel, "new metadata, the same pictures"),
    "adopt": (AdoptSettings, adopt, "WebDataset tars of other people's making to shards"),
}
