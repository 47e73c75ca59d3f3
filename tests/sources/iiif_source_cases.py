"""What the source yields for IIIF documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject
from arttl.sources.iiif import read_iiif
from arttl.sources.remarks import Note
from arttl.sources.settings import SourceSettings


def read(tmp_path: Path, *documents: Any, **settings: Any) -> list[Any]:
    """Everything that the source yields for documents saved one per file."""
    folder = tmp_path / "manifests"
    folder.mkdir(exist_ok=True)
    for index, document in enumerate(documents):
        (folder / f"{index:04}.json").write_text(json.dumps(document), encoding="utf-8")
    return list(read_iiif(SourceSettings(source="iiif", metadata=folder, **{"dry_run": True, **settings})))


def artworks_of(items: list[Any]) -> list[Artwork]:
    """The artworks among what the source yields."""
    return [item for item in items if isinstance(item, Artwork)]


def rejects_of(items: list[Any]) -> list[tuple[str, str, str]]:
    """Object number, reason and detail of the rejects."""
    return [(item.object_number, item.reason, item.detail) for item in items if isinstance(item, Reject)]


def notes_of(items: list[Any]) -> list[str]:
    """The sentences among what the source yields."""
    return [item.text for item in items if isinstance(item, Note)]
