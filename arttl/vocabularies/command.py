"""`arttl vocabulary`: the identifiers that shards carry from the data, as a table for a person to review."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.files import write_bytes
from arttl.settings import OutputFile, Settings
from arttl.shards.csv_files import csv_chunks
from arttl.shards.manifest import Manifest
from arttl.vocabularies.collect import REVIEW_COLUMNS, Collected, counts_by_task, review_rows


@dataclass(frozen=True, kw_only=True)
class VocabularySettings(Settings):
    """Collect the identifiers of labels that shards carry from the data, as a table for a person to review.

    Identifiers come from the metadata that was packed and from nowhere else: none is looked up or made of a label. A
    label with several concepts of one vocabulary has a row for each, marked in the column `remark`; `--vocabulary` of
    other commands refuses the table until all but one are deleted. A label without an identifier has a row to fill in.
    """

    shards: tuple[Path, ...]
    """Folders of shards."""
    out: OutputFile
    """Table to write, a new .csv."""
    tasks: tuple[str, ...] = ()
    """Tasks whose labels are written; by default all."""

    def check(self) -> None:
        """See `Settings.check`; the table must not replace one that may have been reviewed."""
        super().check()
        if not self.shards:
            raise ArttlError("--shards names no folder")
        if self.out.suffix != ".csv":
            raise ArttlError(f"--out {self.out} must end in .csv")
        if self.out.exists():
            raise ArttlError(
                f"--out {self.out} exists, and may have been reviewed; name another, or remove it first"
            )


def run(settings: VocabularySettings) -> None:
    """Write the table, and print what was found of each task and what conflicts."""
    reporter = Reporter(True)
    manifests = [Manifest.read(folder) for folder in settings.shards]
    known = dict.fromkeys(task for manifest in manifests for task in manifest.task_names)
    for task in settings.tasks:
        if task not in known:
            raise ArttlError(
                f"--tasks {task}: the shards have no task {task!r}{did_you_mean(task, known)}; they have:"
                f" {', '.join(known)}"
            )
    collected = Collected(settings.tasks)
    for manifest in manifests:
        with reporter.progress("samples", len(manifest)) as bar:
            for _ in collected.add(manifest):
                bar.advance()
    conflicts: Counter[str] = Counter()
    write_bytes(settings.out, csv_chunks(REVIEW_COLUMNS, review_rows(collected.labels(), conflicts)))
    reporter.show(_table(collected))
    for sentence in collected.sentences():
        reporter.say(sentence)
    for scheme, labels in sorted(conflicts.items()):
        reporter.say(
            f"{counted(labels, 'label has', 'labels have')} several concepts of {scheme}: delete all rows but one of"
            " each, marked in the column 'remark'"
        )
    reporter.say(f"table      {settings.out}, from {counted(collected.samples, 'sample')}")


def _table(collected: Collected) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title="Labels")
    table.add_column("task")
    for heading in ("labels", "with an identifier", "with a conflict"):
        table.add_column(heading, justify="right")
    for task, count in counts_by_task(collected.labels()).items():
        table.add_row(task, *(f"{count[name]:,}" for name in ("labels", "identified", "conflicts")))
    return table
