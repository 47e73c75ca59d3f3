"""What is read of a table that is recognised by its columns."""

from __future__ import annotations

from pathlib import Path

from arttl.artworks import Artwork
from arttl.sources.registry import open_source
from arttl.sources.settings import SourceSettings
from arttl.sources.table import guess_columns


def read(path: Path, **changes: object) -> tuple[list[Artwork], list[str], list[str]]:
    """Artworks, what was guessed, and the sentences at the end."""
    settings, shown = guess_columns(SourceSettings(metadata=path, dry_run=True, **changes))  # type: ignore[arg-type]
    reading = open_source(settings)
    return [item for item in reading if isinstance(item, Artwork)], shown, reading.sentences()
