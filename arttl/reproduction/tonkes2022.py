"""The experiment of Tonkes and Sabatelli 2022: convolutional networks and transformers on one collection.

Each task has its own sample of the collection, see `sample_task`, every network is frozen and fine-tuned on it, and
balanced accuracy stands beside accuracy.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from arttl.errors import ArttlError
from arttl.experiment_report.tables import ReportTable
from arttl.packing.excerpt import first_rows
from arttl.reproduction.cells import IMAGENET, Cell, Collection, build_matrix_of_networks
from arttl.reproduction.experiment import (
    QUICK_SAMPLES,
    Plan,
    check_networks,
    classes_of_tasks,
    excerpt_folder,
    fine_tuning,
    write_excerpts,
)
from arttl.reproduction.paper_tables import MISSING, ours, theirs_text
from arttl.reproduction.published import published
from arttl.reproduction.results import ACCURACY, BALANCED, Results
from arttl.reproduction.running import Experiment
from arttl.reproduction.sampling import CLASSES, OBJECTS_PER_CLASS, Sample, sample_task
from arttl.reproduction.settings import ReproduceSettings
from arttl.shards.manifest import Manifest

_RULE = "all-splits"  # of the samples, whose classes are chosen already
_MODES = ("off-the-shelf", "fine-tune")
_COMPARED = ("theirs", "ours", "difference")


def plan_tonkes2022(settings: ReproduceSettings) -> Plan:
    """Sample the collection for each task and plan the runs; the samples are written unless it is a dry run.

    Args:
        settings: `source` is required.

    Raises:
        ArttlError: if the collection is missing or cannot be read, or a network cannot be used.
    """
    if settings.source is None:
        raise ArttlError("name the collection: --source DIR, a folder of shards made with arttl shards")
    manifest = Manifest.read(settings.source)
    samples: dict[str, Sample] = {}
    collections: dict[str, Collection] = {}
    for task in settings.source_tasks or manifest.task_names:
        classes: int | str = "no labels"
        if task in manifest.task_names:
            sample = sample_task(manifest, task, settings.classes)
            if settings.quick:
                sample = Sample(manifest, first_rows(sample.chosen, QUICK_SAMPLES))
            of_task = classes_of_tasks(sample, (task,), _RULE)[task]
            classes = of_task if isinstance(of_task, str) else len(of_task)
            if not isinstance(classes, str):
                samples[task] = sample
        collections[task] = Collection(task, {task: classes})
    experiment = Experiment(
        settings.out,
        {task: excerpt_folder(settings.out, task) for task in samples},
        settings.first_weights(),
        fine_tuning(settings).replace(classes=_RULE),
        {},
    )
    matrix = build_matrix_of_networks(
        list(collections.values()),
        settings.networks,
        missing_weights=check_networks(experiment),
        seeds=range(settings.trainings),
    )
    manifests: dict[str, Manifest] = {}
    if not settings.dry_run:
        rows = {task: sample.chosen for task, sample in samples.items()}
        manifests = write_excerpts(settings.out, dict.fromkeys(samples, manifest), rows)
    return Plan(settings, experiment, matrix, collections, samples, manifests)


def samples_table(plan: Plan) -> ReportTable:
    """The sample of each task, beside the publication's."""
    sizes = {
        line.task: f"{line.images:,} / {line.classes:,}"
        for line in published().datasets
        if line.source == "tonkes2022"
    }
    rows = []
    for task, collection in plan.collections.items():
        classes = collection.tasks[task]
        if isinstance(classes, str):
            figures = (MISSING, MISSING if classes == "no labels" else classes)
        else:
            figures = (f"{len(plan.labelled[task].labels(task)):,}", f"{classes:,}")
        rows.append((task, *figures, sizes.get(task, MISSING)))
    return ReportTable(
        "datasets",
        "The samples",
        ("task", "N", "Q", "theirs: N / Q"),
        rows,
        (
            f"N: pictures of objects with one label of the task; Q: classes, at most the {CLASSES} most frequent;"
            f" at most {OBJECTS_PER_CLASS:,} pictures per class; {MISSING}: no such labels.",
        ),
    )


def network_tables(results: Results) -> list[ReportTable]:
    """Every network frozen and fine-tuned, theirs and ours: one table of accuracies, one of balanced accuracies."""
    how = (
        "Ours: the mean over seeds, with the 95% interval over test samples of the first, and the range over seeds"
        " where there are several. Theirs: the publication's, means over five seeds on samples of the Rijksmuseum.",
    )
    tables = []
    for measure, title in ((ACCURACY, "accuracy"), (BALANCED, "balanced accuracy")):
        rows = []
        tasks, networks = results.plan.collections, results.plan.settings.networks
        for task, backbone in itertools.product(tasks, networks):
            figures = [
                text
                for mode in _MODES
                for text in _compared(
                    results,
                    results.cells(task=task, backbone=backbone, weights=IMAGENET, mode=mode),
                    measure,
                    title,
                )
            ]
            rows.append((task, backbone, *figures))
        tables.append(
            ReportTable(
                title.replace(" ", "-"),
                f"Test {title} in per cent",
                (
                    *("task", "network"),
                    *(
                        f"{mode}: {heading}"
                        for mode in ("off-the-shelf", "fine-tuned")
                        for heading in _COMPARED
                    ),
                ),
                rows,
                how,
                names=2,
            )
        )
    return tables


def _compared(
    results: Results, cells: Sequence[Cell], measure: str, published_as: str
) -> tuple[str, str, str]:
    """The texts below `_COMPARED` for the cells of one figure."""
    figure = published().of_network(cells[0], published_as)
    theirs, result = theirs_text(figure), results.result(cells)
    if isinstance(result, str):
        return theirs, result, ""
    value = 100 * result.measured[measure].value
    return theirs, ours(result, measure), "" if figure is None else f"{value - figure.value:+.1f}"
