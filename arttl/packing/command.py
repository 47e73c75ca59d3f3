"""The packing command: a source, the packing, and the tables at the end."""

from __future__ import annotations

import dataclasses
import time

from rich.console import Console
from rich.text import Text

from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.packing.tables import packing_tables
from arttl.sources.registry import SOURCES, open_source

__all__ = ["PackSettings", "run"]


def run(settings: PackSettings) -> None:
    """Pack the collection that `settings` describe, and print what became of it.

    Raises:
        ArttlError: for everything that the user can mend.
    """
    started = time.monotonic()
    artworks, rules = open_source(settings)
    settings = dataclasses.replace(settings, tasks=settings.tasks or SOURCES[settings.source].tasks)
    manifest = pack(artworks, settings, progress=True)
    console = Console()
    for note in rules.notes():
        console.print(Text(note))
    if unlabelled := manifest.dataset["unlabelled"]:
        console.print(
            Text(f"{unlabelled:,} artwork(s) left out: no label for {', '.join(manifest.task_names)}")
        )
    console.print(packing_tables(manifest))
    seconds = time.monotonic() - started
    console.print(Text(f"{len(manifest):,} samples in {settings.out} after {seconds:.1f} s"))
