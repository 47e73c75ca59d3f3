"""`arttl layers`: what each layer knows, by a linear probe at every stage and by the shares that gates give them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from arttl.console import Reporter
from arttl.evaluation.measures import MAIN_MEASURE
from arttl.evaluation.report import measure_name, measure_text
from arttl.files import make_folder, write_bytes
from arttl.frozen.mixing import fit_mixing
from arttl.frozen.results import write_figures
from arttl.frozen.study import SplitSettings, Study, StudySettings, majority_values, task_values
from arttl.frozen.tables import add_row, task_tables
from arttl.frozen.tokens import Samples, Tokens
from arttl.loading.settings import TaskSettings
from arttl.models.fusion import TokenHead
from arttl.tasks import Task, TaskSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class LayerSettings(SplitSettings, TaskSettings, StudySettings):
    """Show which layers of a network know most about each task.

    At every stage a linear probe is fitted to its average over the picture, and gates over all stages together say
    which of them a joint head draws on: a stage that knows much may still get a small share, where a later one knows
    the same. The features are made with `--stages all`.
    """

    out: Path = Path("layers")
    """Folder for layers.png, layers.pdf and layers.json."""


@dataclass(frozen=True)
class LayerRow:
    """One stage for one task.

    Attributes:
        backbone: name of the network.
        stage: name of the stage.
        task: name of the task.
        values: for each seed the main measure of a linear probe on the stage, on the test split.
        majority: for each seed that of the majority baseline.
        shares: for each seed the share of the stage in gates over all stages, 0 to 1.
    """

    backbone: str
    stage: str
    task: str
    values: tuple[float, ...]
    majority: tuple[float, ...]
    shares: tuple[float, ...]


def measure_layers(settings: LayerSettings) -> tuple[list[LayerRow], TaskSet]:
    """Probe every stage and fit the gates.

    Returns:
        A row for each task, backbone and stage, in that order; and the tasks of the shards' own split.

    Raises:
        ArttlError: for input that cannot be used.
    """
    study = Study(settings.features, settings)
    measured, tasks = study.measure(
        settings.seeds, lambda split: Tokens(study.stores, split, study.device).samples, _measure
    )
    stages = [
        (name, stage) for name, store in zip(study.names, study.stores, strict=True) for stage in store.stages
    ]
    rows = [
        LayerRow(*name_and_stage, task, *zip(*of_stage, strict=True))
        for task, of_splits in measured.items()
        for name_and_stage, of_stage in zip(stages, zip(*of_splits, strict=True), strict=True)
    ]
    return rows, tasks


def _measure(task: Task, samples: Mapping[str, Samples]) -> list[tuple[float, float, float]]:
    """The probe's main measure, the majority's, and the share, of each token."""
    measure = MAIN_MEASURE[task.kind]
    test = samples["test"]
    majority = majority_values(task, test.targets)[measure]
    gates = fit_mixing(task, samples["train"], samples["val"], "gates").head
    assert isinstance(gates, TokenHead)
    measured = []
    for index, share in enumerate(gates.gates.detach().softmax(0).tolist()):
        train, val = (samples[split].with_tokens([index]) for split in ("train", "val"))
        logits = fit_mixing(task, train, val, "uniform").logits([test.tokens[index]])
        measured.append((task_values(task, logits, test.targets)[measure], majority, share))
    return measured


def layers_tables(rows: Sequence[LayerRow], tasks: TaskSet) -> Iterator[Table]:
    """A row per stage; for each task what a linear probe reaches, and the share of the gates."""
    title = "Linear probe at every stage, and its share of the gates over all stages, per cent"
    for shown, table in task_tables(title, "stage", tasks, share=True):
        of_task = {task.name: [row for row in rows if row.task == task.name] for task in shown}
        cells = {task.name: [_mean_text(task, of_task[task.name][0].majority), ""] for task in shown}
        add_row(table, "majority", shown, cells)
        backbone = ""
        for of_stage in zip(*of_task.values(), strict=True):
            if of_stage[0].backbone != backbone:
                backbone = of_stage[0].backbone
                table.add_section()
                table.add_row(backbone)
            cells = {
                task.name: [_mean_text(task, row.values), f"{100 * np.mean(row.shares):.0f}"]
                for task, row in zip(shown, of_stage, strict=True)
            }
            add_row(table, f"  {of_stage[0].stage}", shown, cells)
        yield table


def _mean_text(task: Task, values: Sequence[float]) -> str:
    return measure_text(MAIN_MEASURE[task.kind], float(np.mean(values)))


def plot_layers(rows: Sequence[LayerRow], tasks: TaskSet) -> Figure:
    """A column per task: above, what a linear probe reaches at each stage; below, the shares of the gates.

    Where there are several seeds, lines and bars are means, and a shade or whisker goes from lowest to highest.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.2 + 3.6 * len(tasks), 5.6), layout="constrained")
    grid = figure.subplots(2, len(tasks), squeeze=False, sharex="col", height_ratios=(3, 2))
    backbones = list(dict.fromkeys(row.backbone for row in rows))
    for column, task in enumerate(tasks):
        probes, shares = grid[0][column], grid[1][column]
        in_per_cent = task.kind != "number"
        factor = 100 if in_per_cent else 1
        of_task = [row for row in rows if row.task == task.name]
        deepest = max((_of(of_task, name) for name in backbones), key=len)
        for number, name in enumerate(backbones):
            _draw_backbone(probes, shares, _of(of_task, name), number, len(backbones), factor)
        majority = factor * float(np.mean(of_task[0].majority))
        probes.axhline(majority, color="0.5", linestyle="--", linewidth=1)
        probes.annotate(
            "majority", (0.02, majority), xycoords=("axes fraction", "data"), va="bottom", color="0.4", size=8
        )
        probes.set_title(task.name)
        if in_per_cent:  # the whole scale, so that one picture more or less looks like what it is
            probes.set_ylim(0, 100)
        shares.set_xticks(range(len(deepest)), _tick_names(backbones, of_task), rotation=45, ha="right")
        shares.set_ylim(bottom=0)
        for axes in (probes, shares):
            axes.grid(axis="y", color="0.9")
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        if column == 0 or MAIN_MEASURE[task.kind] != "accuracy":
            unit = ", %" if in_per_cent else ""
            probes.set_ylabel(f"linear probe,\n{measure_name(MAIN_MEASURE[task.kind])}{unit}")
        if column == 0:
            shares.set_ylabel("share of the gates, %")
    if len(backbones) > 1:
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=min(3, len(backbones)), frameon=False
        )
    return figure


def _of(rows: Sequence[LayerRow], backbone: str) -> list[LayerRow]:
    return [row for row in rows if row.backbone == backbone]


def _draw_backbone(
    probes: Any, shares: Any, rows: Sequence[LayerRow], number: int, count: int, factor: float
) -> None:
    color = f"C{number}"
    values = factor * np.array([row.values for row in rows])
    share = 100 * np.array([row.shares for row in rows])
    x = np.arange(len(rows))
    probes.plot(x, values.mean(1), marker="o", markersize=4, color=color, label=rows[0].backbone)
    probes.fill_between(x, values.min(1), values.max(1), color=color, alpha=0.15, linewidth=0)
    width = 0.8 / count
    mean = share.mean(1)
    whiskers = np.stack([mean - share.min(1), share.max(1) - mean]) if share.shape[1] > 1 else None
    offset = (number - (count - 1) / 2) * width
    shares.bar(x + offset, mean, width, color=color, yerr=whiskers, ecolor="0.4", error_kw={"lw": 0.8})


def _tick_names(backbones: Sequence[str], rows: Sequence[LayerRow]) -> list[str]:
    """The stages' names where all networks have the same, else their numbers."""
    of_each = [[row.stage for row in _of(rows, name)] for name in backbones]
    if all(names == of_each[0] for names in of_each):
        return of_each[0]
    return [f"stage {number + 1}" for number in range(max(map(len, of_each)))]


def layers(settings: LayerSettings) -> list[LayerRow]:
    """Measure, print the tables, and write the plot and the figures behind it.

    Raises:
        ArttlError: if something cannot be used or written.
    """
    rows, tasks = measure_layers(settings)
    reporter = Reporter(True)
    for table in layers_tables(rows, tasks):
        reporter.show(table)
    figure = plot_layers(rows, tasks)
    make_folder(settings.out)
    for kind in ("png", "pdf"):
        buffer = io.BytesIO()  # matplotlib hides the system's errors behind its own
        figure.savefig(buffer, format=kind, dpi=150)
        write_bytes(settings.out / f"layers.{kind}", buffer.getvalue())
    write_figures(settings.out, settings, "layers.json", [asdict(row) for row in rows])
    reporter.say(f"plotted in {settings.out / 'layers.png'} and layers.pdf, the figures in layers.json")
    return rows


def run(settings: LayerSettings) -> None:
    """Measure the layers and report."""
    layers(settings)
