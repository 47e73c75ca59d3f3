"""`arttl fetch iiif` without pauses, and what it leaves in its folder."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from arttl.fetching.http import PoliteClient
from arttl.fetching.iiif import FetchedPictures, IiifSettings, fetch_iiif


def fetch(out: Path, *addresses: str, **settings: Any) -> FetchedPictures:
    """Download what these addresses name."""
    client = settings.pop("client", None) or PoliteClient(rate=1e6, retries=3, pause=0.0, seconds=5.0)
    return fetch_iiif(IiifSettings(addresses, out, **settings), console=Console(quiet=True), client=client)


def failures(out: Path) -> dict[str, str]:
    """Path of an address to the reason."""
    with (out / "failures.csv").open(newline="") as file:
        return {
            row["address"].partition("1:")[2].partition("/")[2]: row["reason"] for row in csv.DictReader(file)
        }


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size
