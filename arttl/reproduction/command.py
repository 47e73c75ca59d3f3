"""The whole experiment by one command: the plan, the runs, the report."""

from __future__ import annotations

import itertools
import shutil
import time

from accelerate import PartialState
from rich import box
from rich.console import Console
from rich.table import Table

from arttl.errors import ArttlError
from arttl.reproduction.cells import IMAGENET, Matrix, Run
from arttl.reproduction.claims import examine_claims
from arttl.reproduction.costs import Estimate, estimate, measure_cost
from arttl.reproduction.experiment import Plan, plan_experiment
from arttl.reproduction.fusion import carry_out_fusions, fusion_tables, layer_tables
from arttl.reproduction.joint import joint_table, networks_table
from arttl.reproduction.panels import draw_panels
from arttl.reproduction.report import failures, write_report
from arttl.reproduction.results import Results
from arttl.reproduction.running import run_matrix
from arttl.reproduction.settings import ReproduceSettings
from arttl.reproduction.tables import (
    ReportTable,
    dataset_table,
    further_table,
    later_table,
    table_one,
    table_two,
)

__all__ = ["ReproduceSettings", "run"]

_NOT_PRINTED = (
    "fusion-",
    "layers-",
    "later-",
)  # beginnings of names; the first two are when they are measured


def run(settings: ReproduceSettings) -> None:
    """Plan, train what is not trained yet, and report; or only plan.

    Raises:
        ArttlError: for input that cannot be used. A run that fails is reported and stops nothing.
    """
    main = PartialState().is_main_process
    console = Console(highlight=False, quiet=not main)
    laid = plan_experiment(settings)
    if settings.dry_run:
        if main:
            _show_plan(console, laid, settings)
        return
    console.print(_matrix_table(laid.matrix))

    def on_begin(one: Run, done: int, of: int) -> None:
        console.rule(f"[bold]run {done + 1} of {of}: {one.name}", align="left")

    def on_end(one: Run, seconds: float, error: str | None) -> None:
        console.print(
            f"failed after {seconds:.0f} s: {error}" if error else f"done after {seconds:.0f} s", markup=False
        )

    run_matrix(laid.experiment, laid.matrix, on_begin=on_begin, on_end=on_end)
    results = Results(laid.experiment, laid.matrix)
    carry_out_fusions(laid, results, settings.seeds, lambda name: console.rule(f"[bold]{name}", align="left"))
    if not main:
        return
    claims = examine_claims(results, next(iter(laid.collections)))
    tables = _tables(results, laid, settings)
    panels = draw_panels(results, laid, settings.panels)
    page = write_report(settings, laid, results, tables, claims, panels)
    for table in tables:
        if table.rows and not table.name.startswith(_NOT_PRINTED):
            console.print(*table.to_rich(console.width), sep="\n")
    for claim in claims:
        console.print(f"{claim.verdict}: {claim.text} {claim.note}", markup=False)
    failed = len(failures(laid))
    if failed:
        console.print(f"{failed} run(s) failed; the report names them, and the same command tries them again")
    console.print(f"report     {page}", markup=False, soft_wrap=True)


def _tables(results: Results, laid: Plan, settings: ReproduceSettings) -> list[ReportTable]:
    """Every table of the report, in its order."""
    source, *targets = laid.collections.values()
    there = [name for name in settings.backbones if any(one.backbone == name for one in laid.matrix.runs)]
    costs = {name: measure_cost(name, laid.experiment.fine_tuning.model.input_size) for name in there}
    return [
        dataset_table(laid),
        networks_table(settings.backbones, costs),
        table_one(results, source, settings.backbones),
        *(table_two(results, source.name, target, settings.backbones) for target in targets),
        further_table(results, settings.backbones),
        joint_table(results, costs),
        *fusion_tables(laid),
        *layer_tables(laid),
        later_table(),
    ]


def _matrix_table(matrix: Matrix) -> Table:
    """How many cells of which kind, and what keeps some from being."""
    table = _table("Cells")
    for column in ("part", "collection", "mode", "weights"):
        table.add_column(column, no_wrap=True)
    for column in ("cells", "runs"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("cannot be")
    groups = dict.fromkeys((cell.part, cell.collection, cell.mode, cell.weights) for cell in matrix.cells)
    for part, collection, mode, weights in groups:
        cells = [
            cell
            for cell in matrix.cells
            if (cell.part, cell.collection, cell.mode, cell.weights) == (part, collection, mode, weights)
        ]
        problems: dict[str, int] = {}
        for cell in cells:
            if cell.problem:
                problems[cell.problem] = problems.get(cell.problem, 0) + 1
        runs = {cell.run for cell in cells if cell.run}
        why = ", ".join(f"{count}: {problem}" for problem, count in problems.items())
        table.add_row(part, collection, mode, weights, str(len(cells)), str(len(runs)), why)
    return table


def _show_plan(console: Console, laid: Plan, settings: ReproduceSettings) -> None:
    console.print(_matrix_table(laid.matrix))
    todo = [one for one in laid.matrix.runs if laid.experiment.state(one) != "done"]
    started = time.perf_counter()
    backbones = dict.fromkeys(one.backbone for one in todo)
    costs = {name: measure_cost(name, laid.experiment.fine_tuning.model.input_size) for name in backbones}
    measured = time.perf_counter() - started
    total = Estimate(0.0, 0)
    numbers = {one.name: str(number) for number, one in enumerate(laid.matrix.runs, start=1)}
    for collection, runs in itertools.groupby(todo, key=lambda one: one.collection):
        table = _table(f"Runs on {collection}, in order")
        table.add_column("run", justify="right", no_wrap=True)
        for column in ("network", "tasks", "mode", "weights"):
            table.add_column(column, overflow="fold")
        table.add_column("at most", justify="right", no_wrap=True)
        for one in runs:
            found = estimate(one, laid.experiment, laid.manifests[collection], costs)
            total = Estimate(total.seconds + found.seconds, total.disk + found.disk)
            mode = one.mode + (", common" if one.common else "")
            table.add_row(
                numbers[one.name],
                one.backbone,
                ", ".join(one.tasks),
                mode if settings.seeds == 1 else f"{mode}, seed {one.seed}",
                f"of run {numbers[one.donor]}"
                if one.donor
                else "none"
                if one.mode == "scratch"
                else IMAGENET,
                _duration(found.seconds),
            )
        console.print(table)
    free = shutil.disk_usage(_existing(settings)).free
    console.print(
        f"{len(laid.matrix.cells)} cells from {len(laid.matrix.runs)} runs, {len(todo)} to do: at most"
        f" {_duration(total.seconds)} on this machine (a measurement of {measured:.0f} s; decoding not counted, and"
        f" most trainings stop early), {total.disk / 1e9:.1f} GB for models ({free / 1e9:.0f} GB free)",
        markup=False,
        soft_wrap=True,
    )
    if total.disk > free:
        raise ArttlError(f"--out {settings.out} has not enough room: {total.disk / 1e9:.1f} GB are needed")


def _table(title: str) -> Table:
    """An empty one that leaves room for long names on eighty columns."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def _existing(settings: ReproduceSettings) -> str:
    path = settings.out.absolute()
    while not path.exists():
        path = path.parent
    return str(path)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
