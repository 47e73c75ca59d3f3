"""The whole experiment by one command: the plan, the runs, the report."""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter, defaultdict
from pathlib import Path

from accelerate import PartialState
from rich import box
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError, counted
from arttl.experiment_report.contents import Contents
from arttl.experiment_report.tables import ReportTable
from arttl.experiment_report.writing import write_report
from arttl.reproduction.cells import IMAGENET, Matrix, Run
from arttl.reproduction.claims import examine_claims, examine_claims_of_networks
from arttl.reproduction.costs import Cost, estimate, measure_cost, measure_rates
from arttl.reproduction.experiment import Plan, plan_experiment
from arttl.reproduction.fusion import fusion_tables, layer_tables, run_fusions
from arttl.reproduction.joint import joint_table, networks_table
from arttl.reproduction.panels import draw_panels
from arttl.reproduction.paper_tables import dataset_table, further_table, later_table, table_one, table_two
from arttl.reproduction.report import report_contents
from arttl.reproduction.results import Results
from arttl.reproduction.running import run_matrix
from arttl.reproduction.settings import ReproduceSettings
from arttl.reproduction.side_by_side import run_side_by_side, workers_by_default
from arttl.reproduction.summary import pairs_table
from arttl.reproduction.tonkes2022 import network_tables, plan_tonkes2022, samples_table

__all__ = ["ReproduceSettings", "run"]

# Beginnings of names; the first two are printed when they are measured.
_NOT_PRINTED = ("fusion-", "layers-", "later-", "claims")


def run(settings: ReproduceSettings) -> None:
    """Plan, train what is not trained yet, and report; or only plan.

    Raises:
        ArttlError: for input that cannot be used; and, when the report is written, if a run failed. It stops no other.
    """
    main = PartialState().is_main_process
    reporter = Reporter(main)
    workers = workers_by_default(settings.side_by_side, PartialState().num_processes)
    of_paper = settings.protocol == "sabatelli2018"
    plan = plan_experiment(settings) if of_paper else plan_tonkes2022(settings)
    reporter.show(_matrix_table(plan.matrix))
    if settings.dry_run:
        if main:
            if not of_paper:
                _print(reporter, samples_table(plan))
            _show_runs(reporter, plan)
        return

    def rule(text: str) -> None:
        reporter.console.rule(f"[bold]{text}", align="left")

    def on_end(run: Run, seconds: float, error: str | None) -> None:
        reporter.say(f"failed after {seconds:.0f} s: {error}" if error else f"done after {seconds:.0f} s")

    if workers > 1:
        run_side_by_side(plan, workers, reporter.say)
    else:
        run_matrix(
            plan.experiment,
            plan.matrix,
            on_begin=lambda run, done, total: rule(f"run {done + 1} of {total}: {run.name}"),
            on_end=on_end,
        )
    results = Results(plan)
    if of_paper:
        run_fusions(results, on_begin=rule)
    if not main:
        return
    contents = contents_of(results)
    page = write_report(contents, settings.out)
    for table in contents.tables:
        if table.rows and not table.name.startswith(_NOT_PRINTED):
            _print(reporter, table)
    for claim in contents.claims:
        reporter.say(f"{claim.verdict}: {claim.text} {claim.note}")
    reporter.say(f"report     {page}")
    if failed := len(contents.failed):
        raise ArttlError(
            f"{counted(failed, 'run')} failed, as the report says; the same command tries them again"
        )


def contents_of(results: Results) -> Contents:
    """All that the report shows of what has been run so far; the speed of the networks is measured for it.

    Raises:
        ArttlError: for a run folder that cannot be read.
    """
    if results.plan.settings.protocol == "sabatelli2018":
        claims = examine_claims(results, results.plan.source.name)
        tables = _tables(results)
    else:
        claims = examine_claims_of_networks(results)
        tables = _tables_of_networks(results)
    return report_contents(results, [*tables, pairs_table(claims)], claims, draw_panels(results))


def _tables(results: Results) -> list[ReportTable]:
    """Every table of the report, in its order."""
    plan = results.plan
    costs = _measure_costs(plan)
    return [
        dataset_table(plan),
        networks_table(plan.settings.networks, costs),
        table_one(results),
        *(table_two(results, name) for name in plan.collections if name != plan.source.name),
        further_table(results),
        joint_table(results, costs),
        *fusion_tables(plan),
        *layer_tables(plan),
        later_table("sabatelli2018"),
    ]


def _tables_of_networks(results: Results) -> list[ReportTable]:
    """Every table of the report on convolutional networks and transformers, in its order."""
    plan = results.plan
    return [
        samples_table(plan),
        networks_table(plan.settings.networks, _measure_costs(plan)),
        *network_tables(results),
        later_table("tonkes2022"),
    ]


def _print(reporter: Reporter, table: ReportTable) -> None:
    reporter.console.print(*table.to_rich(reporter.console.width), sep="\n")


def _measure_costs(plan: Plan) -> dict[str, Cost]:
    """Network to its cost, for the networks that have a run."""
    base = plan.experiment.fine_tuning
    return {
        name: measure_cost(name, base.model.input_size, base.optimisation.batch_size)
        for name in dict.fromkeys(run.backbone for run in plan.matrix.runs)
    }


def _matrix_table(matrix: Matrix) -> Table:
    """The number of cells and runs of each kind, and what prevents some of them."""
    table = _table("Cells", "part", "collection", "mode", "weights", "cells>", "runs>")
    table.add_column("not run")
    groups = defaultdict(list)
    for cell in matrix.cells:
        groups[cell.part, cell.collection, cell.mode, cell.weights].append(cell)
    for group, cells in groups.items():
        problems = Counter(cell.problem for cell in cells if cell.problem)
        runs = {cell.run for cell in cells if cell.run}
        reasons = ", ".join(f"{count}: {problem}" for problem, count in problems.items())
        table.add_row(*group, str(len(cells)), str(len(runs)), reasons)
    return table


def _show_runs(reporter: Reporter, plan: Plan) -> None:
    """The runs in order, and an estimate of time and disk."""
    settings, experiment, runs = plan.settings, plan.experiment, plan.matrix.runs
    todo = [run for run in runs if experiment.state(run) != "done"]
    started = time.perf_counter()
    rates = measure_rates(plan, todo)
    measured = time.perf_counter() - started
    seconds, disk = 0.0, 0
    numbers = {run.name: str(number) for number, run in enumerate(runs, start=1)}
    for collection, of_collection in itertools.groupby(todo, key=lambda run: run.collection):
        table = _table(f"Runs on {collection}, in order", "run>")
        for column in ("network", "tasks", "mode", "weights"):
            table.add_column(column, overflow="fold")
        table.add_column("at most", justify="right", no_wrap=True)
        for run in of_collection:
            of_run, size = estimate(run, plan, rates)
            seconds, disk = seconds + of_run, disk + size
            mode = run.mode + (", common" if run.common else "")
            if settings.trainings > 1:
                mode += f", seed {run.seed}"
            weights = "none" if run.mode == "scratch" else IMAGENET
            if run.donor:
                weights = f"of run {numbers[run.donor]}"
            tasks = ", ".join(run.tasks)
            table.add_row(numbers[run.name], run.backbone, tasks, mode, weights, _duration(of_run))
        reporter.show(table)
    free = shutil.disk_usage(_existing(settings.out)).free
    without = "; fused models and the report not counted" if settings.protocol == "sabatelli2018" else ""
    reporter.say(
        f"{counted(len(plan.matrix.cells), 'cell')} from {counted(len(runs), 'run')}, {len(todo)} to do: at most"
        f" {_duration(seconds)} on this machine (measured in {measured:.0f} s; most trainings stop early{without}),"
        f" {disk / 1e9:.1f} GB for models ({free / 1e9:.0f} GB free)"
    )
    if disk > free:
        raise ArttlError(f"--out {settings.out} has not enough room: {disk / 1e9:.1f} GB are needed")


def _table(title: str, *columns: str) -> Table:
    """A table that leaves room for long names on eighty columns; a column with > at its end holds numbers."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column in columns:
        table.add_column(
            column.rstrip(">"), justify="right" if column.endswith(">") else "left", no_wrap=True
        )
    return table


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
