"""`arttl audit`: the objects whose catalogue labels the pictures contradict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from arttl.auditing.doubts import Doubt, Judgement, pair_doubts
from arttl.auditing.features import open_features
from arttl.auditing.objects import AuditedObjects, JudgedTask, NotJudged, judge
from arttl.auditing.out_of_fold import FOLDS, OutOfFold, out_of_fold
from arttl.auditing.settings import AuditSettings
from arttl.auditing.tables import AuditTable
from arttl.console import Reporter, command_line
from arttl.errors import ArttlError, counted
from arttl.evaluation.measures import MAIN_MEASURE
from arttl.evaluation.report import measure_name, measure_text
from arttl.files import whole_folder, write_json
from arttl.frozen.store import FeatureStore
from arttl.frozen.study import majority_values, task_values
from arttl.frozen.tables import figures_table
from arttl.frozen.tokens import store_names
from arttl.inference.calibration import calibration_error
from arttl.inference.neighbours import unit_length
from arttl.models.stages import LAST_LAYER
from arttl.runs import RunFolder, flat_settings
from arttl.suggesting.neighbours import Neighbour, Neighbours
from arttl.version import __version__
from arttl.vocabularies.table import Vocabularies

FORMAT_VERSION = 1
_DONE = "audit.json"
_SHOWN = 10  # rows of the table in the terminal
_EXAMPLES = 3
_QUERIES = 1024  # rows whose neighbours are searched in one step


@dataclass(frozen=True)
class TaskFigures:
    """What was measured of a task, on objects whose labels the heads had not seen.

    Attributes:
        kind: single-label or multi-label.
        labelled, judged: objects with a label, and with a label of a class that is judged.
        classes: that are judged.
        not_judged: labels that are not.
        contradicted, confident: rows of the audit, and those that meet the rule of confident learning.
        values, majority: measure name to value, of all networks together and of always giving the most frequent class.
        networks: network to measure name to value, of each by itself.
        calibration_error: expected, 0 to 1.
        temperatures: of the folds.
        inverse_l2: network to the strength of its penalty in each fold.
    """

    kind: str
    labelled: int
    judged: int
    classes: int
    not_judged: int
    contradicted: int
    confident: int
    values: dict[str, float]
    majority: dict[str, float]
    networks: dict[str, dict[str, float]]
    calibration_error: float
    temperatures: tuple[float, ...]
    inverse_l2: dict[str, tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class AuditResult:
    """An audit.

    Attributes:
        out: its folder.
        objects: of the collection.
        doubts: its rows, by task, kind and rank.
        neighbours: of each row, the nearest other objects.
        tasks: task name to figures, of the tasks that are judged.
        not_judged: the labels that are not judged, with their sizes.
    """

    out: Path
    objects: AuditedObjects
    doubts: tuple[Doubt, ...]
    neighbours: tuple[tuple[Neighbour, ...], ...]
    tasks: dict[str, TaskFigures]
    not_judged: tuple[NotJudged, ...]


def audit(settings: AuditSettings) -> AuditResult:
    """Judge the labels of a collection, and write the folder of the audit.

    Raises:
        ArttlError: for everything that the user can mend; no folder is written then.
    """
    reporter = Reporter(True)
    started = time.perf_counter()
    _check_out(settings)
    vocabularies = None if settings.vocabulary is None else Vocabularies.read(settings.vocabulary)
    stores, sentences = open_features(settings)
    manifest = stores[0].manifest
    tasks = settings.tasks or manifest.task_names
    settings.check_tasks(manifest.task_names)
    objects = AuditedObjects.of(manifest, tasks)
    if vocabularies is not None:
        sentences += vocabularies.sentences()
    for sentence in (*objects.sentences(), *sentences):
        reporter.say(sentence)
    judged, not_judged = _judge(settings, objects, tasks)
    judgements = _judgements(judged, objects, stores, reporter)
    of_labels = [doubt for judgement in judgements.values() for doubt in judgement.doubts]
    doubts = [*of_labels, *pair_doubts(objects, judgements)]
    doubts.sort(key=lambda doubt: (tasks.index(doubt.task), doubt.kind, doubt.rank))
    result = AuditResult(
        out=settings.out,
        objects=objects,
        doubts=tuple(doubts),
        neighbours=tuple(_neighbours(stores, objects, doubts, settings.nearest)),
        tasks={name: _figures(judgement, not_judged) for name, judgement in judgements.items()},
        not_judged=tuple(not_judged),
    )
    table = AuditTable(objects, result.doubts, result.neighbours, settings.nearest, vocabularies)
    with whole_folder(settings.out) as folder:
        table.write(folder)
        write_json(folder / _DONE, _record(settings, stores, result, time.perf_counter() - started))
    for shown in _tables(result):
        reporter.show(shown)
    for sentence in _closing_sentences(result, _shards_of(stores[0]), time.perf_counter() - started):
        reporter.say(sentence)
    return result


def _check_out(settings: AuditSettings) -> None:
    """Find out early that the folder may not be replaced."""
    out = settings.out
    if out.name in ("", ".."):
        raise ArttlError(f"--out {out} has no name of its own; name a folder to be made")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / _DONE).is_file():
        raise ArttlError(f"--out {out} is not the folder of an audit; choose another")
    if not settings.overwrite:
        raise ArttlError(f"--out {out} already holds an audit; choose another, or pass --overwrite")


def _judge(
    settings: AuditSettings, objects: AuditedObjects, tasks: Sequence[str]
) -> tuple[list[JudgedTask], list[NotJudged]]:
    judged, not_judged = [], []
    for name in tasks:
        of_task, small = judge(
            objects,
            name,
            multi_label=name in settings.multi_label,
            least=settings.least,
            seed=settings.seed,
        )
        not_judged += small
        if of_task is not None:
            judged.append(of_task)
    if not judged:
        largest = max(not_judged, key=lambda each: each.objects, default=None)
        most = "no label at all" if largest is None else f"the most, {largest.objects}, {largest.label!r} has"
        raise ArttlError(
            f"no task of {', '.join(tasks)} has two classes with at least {settings.least} objects each ({most}):"
            " nothing can be judged; choose other --tasks"
        )
    return judged, not_judged


def _judgements(
    judged: Sequence[JudgedTask], objects: AuditedObjects, stores: Sequence[FeatureStore], reporter: Reporter
) -> dict[str, Judgement]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    features = [objects.objects.mean(store.values(LAST_LAYER)).to(device) for store in stores]
    judgements = {}
    with reporter.progress("heads", len(judged) * len(stores)) as bar:
        for of_task in judged:
            items = torch.from_numpy(of_task.items)
            together, alone = out_of_fold(
                of_task.task,
                [values[items.to(device)] for values in features],
                of_task.targets.to(device),
                of_task.folds,
                bar.advance,
            )
            names = dict(zip(store_names(stores), alone, strict=True))
            judgements[of_task.task.name] = Judgement(of_task, together, names)
    return judgements


def _neighbours(
    stores: Sequence[FeatureStore], objects: AuditedObjects, doubts: Sequence[Doubt], count: int
) -> list[tuple[Neighbour, ...]]:
    """The nearest photographs of other objects: by the mean of the cosines of all networks."""
    features = torch.cat([unit_length(store.values(LAST_LAYER)) for store in stores], 1)
    neighbours = Neighbours(objects.manifest, features)
    of_objects = objects.objects.mean(unit_length(features))
    chosen = [objects.objects.chosen[doubt.item] for doubt in doubts]
    numbers, institutions = objects.manifest.object_numbers, objects.manifest.institutions
    found: list[tuple[Neighbour, ...]] = []
    for start in range(0, len(doubts), _QUERIES):
        part = slice(start, start + _QUERIES)
        items = torch.tensor([doubt.item for doubt in doubts[part]])
        own = [(numbers[row], institutions[row] or "") for row in chosen[part]]
        found += neighbours.of(of_objects[items], own, count)
    return found


def _figures(judgement: Judgement, not_judged: Sequence[NotJudged]) -> TaskFigures:
    judged, doubts = judgement.judged, judgement.doubts
    task, targets = judged.task, judged.targets

    def values(of: OutOfFold) -> dict[str, float]:
        return task_values(task, torch.from_numpy(of.logits), targets)

    return TaskFigures(
        kind=task.kind,
        labelled=judged.labelled,
        judged=len(judged.items),
        classes=task.outputs,
        not_judged=sum(each.task == task.name for each in not_judged),
        contradicted=len(doubts),
        confident=sum(doubt.confident for doubt in doubts),
        values=values(judgement.together),
        majority=majority_values(task, targets),
        networks={name: values(of_network) for name, of_network in judgement.alone.items()},
        calibration_error=calibration_error(task, judgement.together.logits, targets.numpy()),
        temperatures=judgement.together.temperatures,
        inverse_l2={name: of_network.inverse_l2 for name, of_network in judgement.alone.items()},
    )


def _record(
    settings: AuditSettings, stores: Sequence[FeatureStore], result: AuditResult, seconds: float
) -> dict[str, Any]:
    splits = result.objects.manifest.splits
    counts = Counter((doubt.task, doubt.kind) for doubt in result.doubts)
    of_splits = Counter(splits[result.objects.photographs[doubt.item][0]] for doubt in result.doubts)
    return {
        "format_version": FORMAT_VERSION,
        "made_by": f"arttl {__version__}",
        "rows": [{"task": task, "kind": kind, "count": count} for (task, kind), count in counts.items()],
        "rows_of_splits": dict(of_splits),
        "photographs": len(result.objects.manifest),
        "objects": len(result.objects),
        "folds": FOLDS,
        "features": [
            {
                "network": name,
                "folder": str(store.directory),
                "key": store.recipe.key,
                "backbone": store.backbone_name,
                "weights": store.recipe.weights,
                "shards_sha256": store.recipe.shards_sha256,
            }
            for name, store in zip(store_names(stores), stores, strict=True)
        ],
        "tasks": {name: asdict(figures) for name, figures in result.tasks.items()},
        "not_judged": [asdict(each) for each in result.not_judged],
        "settings": flat_settings(settings),
        "seconds": round(seconds, 1),
    }


def _tables(result: AuditResult) -> list[Table]:
    tasks = figures_table("Labels judged by heads that had not seen them")
    for heading in ("task", "measure"):
        tasks.add_column(heading, overflow="fold")
    for heading in ("%", "majority", "objects", "classes", "contradicted", "confident"):
        tasks.add_column(heading, justify="right", no_wrap=True)
    for name, figures in result.tasks.items():
        measure = MAIN_MEASURE[figures.kind]
        tasks.add_row(
            name,
            measure_name(measure),
            measure_text(measure, figures.values[measure]),
            measure_text(measure, figures.majority[measure]),
            *(
                f"{count:,}"
                for count in (figures.judged, figures.classes, figures.contradicted, figures.confident)
            ),
        )
    shown = [doubt for doubt in result.doubts if doubt.kind == "label"]
    shown = sorted(shown, key=lambda doubt: -doubt.score)[:_SHOWN]
    if not shown:
        return [tasks]
    rows = figures_table(f"The {counted(len(shown), 'label')} that the pictures contradict most")
    for heading in ("task", "object", "catalogued", "suggested"):
        rows.add_column(heading, overflow="fold")
    rows.add_column("score", justify="right", no_wrap=True)
    for doubt in shown:
        number = result.objects.manifest.object_numbers[result.objects.photographs[doubt.item][0]]
        rows.add_row(
            doubt.task,
            number,
            _with_probability(doubt.label, doubt.label_probability),
            _with_probability(doubt.suggested, doubt.suggested_probability),
            f"{doubt.score:.2f}",
        )
    return [tasks, rows]


def _with_probability(label: str | None, probability: float | None) -> str:
    return "–" if label is None or probability is None else f"{label} {100 * probability:.0f}%"


def _closing_sentences(result: AuditResult, shards: str, seconds: float) -> list[str]:
    sentences = []
    for task in dict.fromkeys(each.task for each in result.not_judged):
        of_task = [each for each in result.not_judged if each.task == task]
        examples = ", ".join(f"{each.label} ({each.objects})" for each in of_task[:_EXAMPLES])
        more = ", ..." if len(of_task) > _EXAMPLES else ""
        sentences.append(
            f"not judged {task}: {counted(len(of_task), 'label')} with too few objects, listed in {_DONE}:"
            f" {examples}{more}"
        )
    pairs = sum(doubt.kind == "pair" for doubt in result.doubts)
    if pairs:
        sentences.append(
            f"pairs      {counted(pairs, 'object has', 'objects have')} two labels that occur together nowhere else"
        )
    sentences.append(f"audit      {result.out}: {counted(len(result.doubts), 'row')} in {seconds:.1f} s")
    if result.doubts:
        common = ("--audit", result.out, "--shards", shards)
        out = result.out.with_name(f"{result.out.name}.html")
        sentences += [
            f"next       {command_line('review', *common)}",
            f"or         {command_line('report', *common, '--out', out)}",
            f"or         look at {result.out / 'audit.csv'}, the highest scores first",
        ]
    return sentences


def _shards_of(store: FeatureStore) -> str:
    """The folder of the shards, as the folder of their features names it."""
    try:
        return str(RunFolder(store.directory).settings()["shards"])
    except (ArttlError, KeyError):  # a folder that was copied in part
        return "SHARDS"


def run(settings: AuditSettings) -> None:
    """Judge the labels and report."""
    audit(settings)
