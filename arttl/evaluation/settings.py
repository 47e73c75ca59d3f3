"""The settings of `arttl evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from arttl.loading.settings import DecodingSettings
from arttl.settings import AtLeastOne, BetweenZeroAndOne, OutputFile, Settings


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Settings):
    """Measure a saved model on a split of any shards."""

    model: Path
    """Folder of a model, or of the run that made it."""
    shards: Path
    """Folder of shards."""
    split: str = "test"
    """Split to measure on."""
    group_by: str | None = None
    """Resample whole groups for the intervals: object_number, or a task, whose samples of one label belong together."""
    json: OutputFile | None = None
    """File for the figures, as JSON."""
    classes_csv: OutputFile | None = None
    """File for the table of classes, as CSV: precision, recall, and what a class is most often mistaken for."""
    predictions: OutputFile | None = None
    """Parquet file for what was predicted of each sample; `arttl compare` reads it."""
    precision: BetweenZeroAndOne = 0.9
    """Share of suggestions that the model promises to be right, to see whether they are."""
    sets: BetweenZeroAndOne = 0.9
    """Share of objects whose set of candidates is promised to hold the right label, likewise."""
    per_object: bool = False
    """See what becomes of the promises of objects with several photographs, as `arttl predict --per-object` makes them,
    in place of those of single photographs."""
    batch_size: AtLeastOne = 64
    """Samples per step."""
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
