"""The settings of `arttl predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arttl.errors import ArttlError
from arttl.loading.settings import EngineSettings
from arttl.settings import AtLeastOne, BetweenZeroAndOne, OutputFile
from arttl.sources.settings import MetadataSettings, SourceSettings

FORMATS = (".csv", ".parquet", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class PredictSettings(MetadataSettings, EngineSettings):
    """Suggest labels for the pictures of a folder, of a museum's metadata or of shards, with what is promised of them.

    A suggestion is right at least as often as --precision says, with 90% confidence; the other predictions are unsure.
    The promise holds for pictures like those that the model was validated on. An interrupted run is resumed when the
    command is given again.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    out: OutputFile
    """Table to write: .csv for a spreadsheet, .parquet or .jsonl with all ranked labels."""
    overwrite: bool = False
    """Replace a table that --out already names, or an unfinished one of other settings."""
    images: Path | None = None
    """Folder of pictures, read with all folders in it; with --metadata those that the metadata name."""
    tasks: tuple[str, ...] = ()
    """Columns or fields of --metadata in which the catalogue has labels already, as for arttl shards; they are shown
    beside the suggestions. What is predicted, the model decides."""
    shards: Path | None = None
    """Folder of shards, in place of --images."""
    split: str = "all"
    """Split of --shards."""
    precision: BetweenZeroAndOne = 0.9
    """Least share of suggestions that are right."""
    sets: BetweenZeroAndOne | None = None
    """Share of objects whose set of candidates holds the right label; sets are written where it is given."""
    top: AtLeastOne = 1
    """Labels per task, likeliest first."""
    vocabulary: Path | None = None
    """Table of the identifiers of labels, as arttl vocabulary makes it; those of the suggested labels are written."""
    per_object: bool = False
    """Write one row per object in place of one per photograph, from the mean log-probability of its photographs."""
    neighbours: Path | None = None
    """Folder of shards, or of features, whose photographs nearest to each picture are named with their labels."""
    nearest: AtLeastOne = 3
    """How many objects of --neighbours."""
    batch_size: AtLeastOne = 64
    """Pictures per step and process."""
    mixed_precision: Literal["no", "fp16", "bf16", "auto"] | None = None
    """Precision of the network's computation. By default as `accelerate launch --mixed_precision` says, else no; auto
    measures which of no and bf16 is faster on this machine, once, and keeps that in the cache."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if (self.images is None) == (self.shards is None):
            raise ArttlError("name the pictures with --images or with --shards, one of them")
        if self.out.suffix not in FORMATS:
            raise ArttlError(f"--out {self.out} must end in .csv, .parquet or .jsonl")
        if self.metadata is None and self.source != "table":
            raise ArttlError(f"--source {self.source} needs --metadata")
        if self.metadata is not None and self.shards is not None:
            raise ArttlError("--metadata is for --images: shards have their metadata inside")

    def of_source(self) -> CatalogueSettings:
        """What is read of the metadata."""
        return CatalogueSettings.of(
            images=self.images,
            **{name: value for name, value in self.flat().items() if name in _OF_METADATA},
        )


class CatalogueSettings(SourceSettings):
    """Metadata of which only the pictures are needed; labels are read where there are some."""

    labels_are_optional = True


_OF_METADATA = MetadataSettings.__dataclass_fields__
