"""The embedded default: a small collection that the package draws, and the settings that suit it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from accelerate import PartialState

from arttl.training.settings import TrainSettings

EMBEDDED_SETTINGS = TrainSettings.of(
    shards=Path("shards/synthetic"),
    tasks=("material", "type", "artist"),
    multi_label=("material",),
    backbone="resnet10t",
    weights="none",
    mode="scratch",
    input_size=64,
    epochs=12,
    overwrite=True,
)
"""What `arttl train` does without --shards: a small network from scratch, in about a minute on two cores."""


def embedded_defaults(given: TrainSettings) -> TrainSettings | None:
    """The settings that flags without --shards are given over."""
    return EMBEDDED_SETTINGS if given.data.shards is None else None


def pack_embedded_collection(shards: Path) -> None:
    """Draw the collection and pack it as any other, unless that is done already; one process of a machine does it."""
    from arttl.packing.pack import pack
    from arttl.packing.settings import PackSettings
    from arttl.sources.synthetic import synthetic_artworks

    with PartialState().local_main_process_first():
        if (shards / "dataset.json").is_file():
            return
        with tempfile.TemporaryDirectory(prefix="arttl-") as folder:
            print(f"Generating a small collection and packing it into {shards}", flush=True)
            artworks = list(synthetic_artworks(Path(folder)))
            pack(
                artworks, PackSettings(out=shards, tasks=EMBEDDED_SETTINGS.data.tasks, workers=1, resume=True)
            )
