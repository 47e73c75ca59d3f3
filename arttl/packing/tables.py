"""What was packed, as tables for a person."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arttl.packing.manifest import Manifest
from arttl.tasks import SPLITS


def packing_tables(manifest: Manifest) -> RenderableType:
    """Samples a split, labels a task, and rejects by reason, where there are any."""
    tables: list[RenderableType] = [_samples(manifest), _tasks(manifest)]
    if manifest.dataset["rejected"]:
        tables.append(_rejects(manifest))
    return Group(*(line for table in tables for line in ("", table)), "")


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
        min_width=len(title),
    )
    table.add_column(first, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _samples(manifest: Manifest) -> Table:
    shards = Counter(split for split, _ in set(zip(manifest.splits, manifest.shards, strict=True)))
    samples = Counter(manifest.splits)
    table = _table("Samples", "split", "samples", "share", "shards")
    for split in SPLITS:
        share = f"{samples[split] / len(manifest):.1%}"
        table.add_row(split, f"{samples[split]:,}", share, f"{shards[split]:,}")
    table.add_row("all", f"{len(manifest):,}", "", f"{shards.total():,}")
    return table


def _tasks(manifest: Manifest) -> Table:
    table = _table("Labels", "task", "labelled", "missing", "classes", "in all\nsplits", "only\nonce")
    table.add_column("largest class", overflow="fold")
    table.add_column("its\nshare", justify="right", no_wrap=True)
    for task in manifest.task_names:
        labels = manifest.labels(task)
        labelled = sum(found is not None for found in labels)
        counts: Counter[str] = Counter(label for found in labels for label in found or ())
        present = [
            {
                label
                for found, of in zip(labels, manifest.splits, strict=True)
                if of == split
                for label in found or ()
            }
            for split in SPLITS
        ]
        largest, samples = counts.most_common(1)[0] if counts else ("none", 0)
        table.add_row(
            task,
            f"{labelled:,}",
            f"{len(manifest) - labelled:,}",
            f"{len(counts):,}",
            f"{len(set.intersection(*present)):,}",
            f"{sum(count == 1 for count in counts.values()):,}",
            Text(largest),
            f"{samples / labelled:.1%}" if labelled else "",
        )
    return table


def _rejects(manifest: Manifest) -> Table:
    table = _table("Left out (rejects.csv)", "reason", "rows")
    for reason, count in sorted(manifest.dataset["rejected"].items(), key=lambda item: (-item[1], item[0])):
        table.add_row(reason, f"{count:,}")
    return table
