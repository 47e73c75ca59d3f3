"""The commands on finished shards: `arttl shards info`, `verify`, `leaks`, `merge`, `relabel` and `adopt`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional

from arttl.console import Console
from arttl.errors import ArttlError, counted
from arttl.labelling.printing import print_suspects
from arttl.packing.command import print_sentences
from arttl.packing.command import run as pack
from arttl.packing.leaks import find_leaks
from arttl.packing.merge import MergeSettings, merge
from arttl.packing.relabel import RelabelSettings, relabel
from arttl.packing.settings import FolderSettings, PackSettings, WorkerSettings
from arttl.packing.summary import Summary
from arttl.packing.tables import class_tables, packing_tables
from arttl.packing.verify import verified
from arttl.settings import Bound, Parsed
from arttl.shards.manifest import Manifest
from arttl.sources.settings import leaf_pattern


@dataclass(frozen=True, kw_only=True)
class InfoSettings(FolderSettings):
    """What a folder of shards holds: samples, labels, a bar for each class."""

    classes: Annotated[int, Bound("0 or more", lambda value: value >= 0)] = 20
    """Classes per task that get a line and a bar of their own; the others are summed up by size. 0: all."""


@dataclass(frozen=True, kw_only=True)
class VerifySettings(WorkerSettings, FolderSettings):
    """Whether a folder of shards is as it was written: every digest, index, key, row and picture."""


@dataclass(frozen=True, kw_only=True)
class LeaksSettings(FolderSettings):
    """Whether an object, a series or a picture is in more than one split."""

    leaf: Annotated[str | None, Parsed(leaf_pattern)] = None
    """Regular expression for the end of an object number that tells the leaves of one object apart. Those that the
    shards were packed with are checked in any case, as series. A pattern in the shards themselves is never used."""


@dataclass(frozen=True, kw_only=True)
class AdoptSettings(PackSettings):
    """WebDataset tars made by others to checked shards with manifest, indexes and splits."""

    source: str = "webdataset"
    """Kind of input: `webdataset`."""

    images: Positional[Path] = field()
    """The folder of tars."""

    split: str = "official"
    """How samples are divided: `official` (train, val and test by the names of the tars or of the folders above them),
    or as for packing `paper`, `grouped`, `stratified` or `column=NAME` (a field of the JSON)."""

    def check(self) -> None:
        """Check the source too.

        Raises:
            ArttlError: for one that is not `webdataset`.
        """
        super().check()
        if self.source != "webdataset":
            raise ArttlError(f"--source {self.source}: arttl shards adopt reads tars; leave --source out")


def info(settings: InfoSettings) -> None:
    """Print the tables of a folder of shards."""
    manifest = Manifest.read(settings.folder)
    manifest.require("files", "made_by", "digest", "rejected", "unlabelled")
    summary = Summary.of_manifest(manifest)
    dataset = manifest.dataset
    size = sum(file["bytes"] for file in dataset["files"].values())
    print_sentences(
        f"{manifest.directory}: {counted(len(manifest), 'sample')}, {size / 1e6:,.1f} MB, made by {dataset['made_by']}",
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
    check = find_leaks(manifest, leaf_pattern(settings.leaf))
    print_sentences(*check.sentences())
    if check.leaks:
        kinds = " and ".join(leak.kind for leak in check.leaks)
        raise ArttlError(
            f"{kinds} of {settings.folder} are in more than one split; pack it with --split grouped or stratified"
        )


def run_merge(settings: MergeSettings) -> None:
    """Merge folders of shards, and print the tables of the result."""
    _finished(merge(settings, progress=True))


def run_relabel(settings: RelabelSettings) -> None:
    """Relabel a folder of shards, and print the tables of the result."""
    manifest, notes = relabel(settings, progress=True)
    print_sentences(*notes)
    _finished(manifest)
    summary = Summary.of_manifest(manifest)
    print_suspects(summary.tasks, summary.institutions, settings)


def run_verify(settings: VerifySettings) -> None:
    """Verify a folder of shards."""
    print_sentences(verified(settings.folder, settings.workers))


def _finished(manifest: Manifest) -> None:
    Console().print(packing_tables(Summary.of_manifest(manifest)))
    print_sentences(
        *find_leaks(manifest).sentences(), f"{counted(len(manifest), 'sample')} in {manifest.directory}"
    )


COMMANDS: dict[str, tuple[type[Any], Callable[[Any], None], str]] = {
    "info": (InfoSettings, info, "print what shards hold"),
    "verify": (VerifySettings, run_verify, "check every digest, index, key and picture"),
    "leaks": (LeaksSettings, leaks, "look for objects and pictures in more than one split"),
    "merge": (MergeSettings, run_merge, "merge several folders of shards"),
    "relabel": (RelabelSettings, run_relabel, "write the same pictures with new metadata"),
    "adopt": (AdoptSettings, pack, "WebDataset tars made by others to shards"),
}
