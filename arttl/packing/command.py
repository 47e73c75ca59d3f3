"""The packing command: a source, the packing, the tables and the leak check at the end; or a dry run."""

from __future__ import annotations

import time

from rich.text import Text

from arttl.console import Console
from arttl.errors import ArttlError, counted
from arttl.labelling.printing import print_suspects
from arttl.packing.leaks import find_leaks
from arttl.packing.pack import pack
from arttl.packing.plan import Plan, make_plan
from arttl.packing.settings import PackSettings
from arttl.packing.summary import Summary
from arttl.packing.tables import class_tables, packing_tables, paper_table
from arttl.pictures.remarks import sentences
from arttl.shards.manifest import Manifest
from arttl.sources.registry import SOURCES, Reading, guess_settings, open_source
from arttl.sources.rijks2014 import PAPER_FIGURES

__all__ = ["PackSettings", "run"]

_MOST_CLASSES = 12  # that get a line of their own in a dry run


def run(settings: PackSettings) -> None:
    """Pack the collection that `settings` describe, or with `dry_run` only report what would be packed.

    Raises:
        ArttlError: for everything that the user can mend.
    """
    started = time.monotonic()
    console = Console()
    tasks_are_named = bool(settings.tasks)
    settings, guessed = guess_settings(settings)
    print_sentences(*guessed)
    artworks = open_source(settings)
    settings = settings.replace(tasks=settings.tasks or SOURCES[settings.source].tasks)
    try:
        summary, manifest = _plan_or_pack(artworks, settings, tasks_are_named, console)
    except ArttlError:
        print_sentences(*artworks.remarks())  # which often say why
        raise
    print_suspects(summary.tasks, summary.institutions, settings)
    if settings.source == "rijks2014":
        console.print(paper_table(summary, PAPER_FIGURES))
    if manifest is None:
        print_sentences("dry run: nothing was written")
        return
    print_sentences(*find_leaks(manifest, settings.leaf_pattern()).sentences())
    seconds = time.monotonic() - started
    print_sentences(f"{counted(len(manifest), 'sample')} in {settings.out} after {seconds:.1f} s")


def _plan_or_pack(
    artworks: Reading, settings: PackSettings, tasks_are_named: bool, console: Console
) -> tuple[Summary, Manifest | None]:
    """Pack, or in a dry run only plan, and print the tables.

    Args:
        artworks: of the source.
        settings: of the command.
        tasks_are_named: by the user; others may turn out to have no labels.
        console: for the tables.

    Returns:
        The collection in numbers, and where it was packed its manifest.
    """
    if settings.dry_run:
        plan = make_plan(artworks, settings, optional_tasks=not tasks_are_named)
        summary = Summary.of_plan(plan, settings.shard_size)
        print_sentences(*artworks.sentences(), *plan.warnings, *_dry_notes(plan, settings))
        console.print(packing_tables(summary, left_out="Would be left out"))
        console.print(class_tables(summary, _MOST_CLASSES))
        return summary, None
    manifest = pack(
        artworks,
        settings,
        progress=True,
        optional_tasks=not tasks_are_named,
        on_plan=lambda plan: print_sentences(*plan.warnings),
    )
    summary = Summary.of_manifest(manifest)
    print_sentences(*artworks.sentences())
    if summary.unlabelled:
        print_sentences(_left_out(summary.unlabelled, manifest.task_names))
    console.print(packing_tables(summary))
    print_sentences(
        *_scaled_down(summary, settings.max_side), *sentences(manifest.dataset.get("remarks", {}))
    )
    return summary, manifest


def print_sentences(*sentences: str) -> None:
    """Print each on lines of its own, whatever marks it holds."""
    console = Console()
    for sentence in sentences:
        console.print(Text(sentence))


def _left_out(unlabelled: int, tasks: tuple[str, ...]) -> str:
    return f"{counted(unlabelled, 'artwork')} left out: no label for {', '.join(tasks)}"


def _scaled_down(summary: Summary, max_side: int) -> list[str]:
    """How much smaller pictures became, since details such as a craquelure or a weave may tell the material."""
    if summary.scaled_down is None or not summary.scaled_down[0]:
        return []
    count, factor = summary.scaled_down
    share = count / summary.samples.sum()
    return [
        f"--max-side {max_side}: {counted(count, 'picture')} ({share:.1%}) {'was' if count == 1 else 'were'} scaled"
        f" down, half of them to {1 / factor:.0%} of their size or less; fine structure that tells materials apart may"
        " be lost (recipes/resolution.md)"
    ]


def _dry_notes(plan: Plan, settings: PackSettings) -> list[str]:
    notes = []
    if plan.unlabelled:
        notes.append(_left_out(plan.unlabelled, plan.tasks))
    if settings.images is None:
        notes.append("without --images every picture is assumed to be present and distinct")
    elif settings.source == "table" and settings.image is None:
        notes.append(
            "no picture was looked for, since no --image COLUMN is named (that of the object number, if pictures are"
            " named after it)"
        )
    else:
        rejected = sum(reject.reason == "missing" for reject in plan.rejects)
        lost = sum(not plan.has_image(row) for split in plan.jobs.values() for row in split.rows.tolist())
        notes.append(
            f"{lost + rejected:,} of {counted(plan.total + rejected, 'image file')} missing; whether the others can be"
            " used, packing will say"
        )
    # A dry run writes no rejects.csv, so that the first of each reason is all that there is to see.
    first_of = {reject.reason: reject for reject in reversed(plan.rejects)}
    for reason in sorted(first_of):
        reject = first_of[reason]
        file = f" ({reject.file})" if reject.file else ""
        notes.append(f"{reason}, such as object {reject.object_number!r}{file}: {reject.detail}")
    if settings.near_duplicates == "together":
        notes.append(
            "--near-duplicates together needs the pictures themselves: the splits will differ a little"
        )
    return notes
