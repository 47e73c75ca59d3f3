"""The runs of the experiment and their settings, which the report's figures lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arttl.experiment_report.contents import RunLine
from arttl.experiment_report.tables import ReportTable
from arttl.export.description import last_part
from arttl.reproduction.cells import Mode, Run
from arttl.reproduction.experiment import Plan
from arttl.reproduction.fusion import fused_name, layers_folder, layers_name
from arttl.runs import flat_settings

# What the list of runs says of each, and what says nothing of how it was trained.
_OF_A_RUN = {"shards", "tasks", "backbone", "weights", "seed", "mode", "out", "overwrite", "resume", "maps"}


def run_lines(plan: Plan) -> list[RunLine]:
    """All runs of the plan, then the fused models and probes of layers that were made of them."""
    return [*(_line(plan, run) for run in plan.matrix.runs), *_of_features(plan)]


def _line(plan: Plan, run: Run) -> RunLine:
    weights = run.donor or ("none" if run.mode == "scratch" else plan.experiment.first_weights[run.backbone])
    return RunLine(
        run.name,
        run.collection,
        ", ".join(run.tasks) + (", classes in common" if run.common else ""),
        run.backbone,
        run.mode,
        weights if run.donor else last_part(weights),
        str(run.seed),
        plan.experiment.state(run),
        plan.experiment.folder(run).relative_to(plan.experiment.out).as_posix(),
        plan.experiment.failure(run),
    )


def _of_features(plan: Plan) -> Iterator[RunLine]:
    experiment = plan.experiment
    for name, collection in plan.collections.items():
        tasks = ", ".join(collection.usable)
        common = {"collection": name, "tasks": tasks, "network": "all", "weights": "", "seed": ""}
        if ((layers := layers_folder(plan, name)) / "layers.json").is_file():
            address = layers.relative_to(experiment.out).as_posix()
            yield RunLine(layers_name(name), mode="layers", state="done", folder=address, **common)
        if (state := experiment.state(fused_name(name))) != "open":
            address = experiment.folder(fused_name(name)).relative_to(experiment.out).as_posix()
            error = experiment.failure(fused_name(name))
            yield RunLine(fused_name(name), mode="fused", state=state, folder=address, error=error, **common)


def settings_table(plan: Plan) -> ReportTable:
    """What the runs of each mode have in common; with its line in the list of runs these are all settings of a run."""
    first: dict[Mode, Run] = {}
    for run in plan.matrix.runs:
        if not run.common:  # their class rule is a file of their own
            first.setdefault(run.mode, run)
    columns = [flat_settings(plan.experiment.settings(run).resolved()) for run in first.values()]
    names = [name for name in (columns[0] if columns else ()) if name not in _OF_A_RUN]
    rows = [(name, *(_text(column[name]) for column in columns)) for name in names]
    return ReportTable(
        "settings",
        "What the runs of each mode have in common",
        ("setting", *first),
        [row for row in rows if any(row[1:])],
        (
            "Empty: as the network and its weights have it, or without effect. docs/training.md says what each means.",
        ),
        names=1,
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else last_part(str(value))
