"""`arttl layers`: which layers know what, by a linear probe at every stage and by the shares gates give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import tyro
from rich import box
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.measures import MAIN_MEASURE
from arttl.evaluation.report import measure_name, measure_text
from arttl.files import make_folder, whole_file, write_json
from arttl.frozen.measuring import majority_values, task_values
from arttl.frozen.mixing import fit_mixing
from arttl.frozen.store import FeatureStore
from arttl.frozen.tables import in_tables
from arttl.frozen.task_choice import TaskChoice
from arttl.frozen.tokens import Samples, Tokens, same_collection, store_names
from arttl.models.fusion import TokenHead
from arttl.splits.redraw import draw_splits
from arttl.tasks import Task, TaskSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LayerSettings(TaskChoice):
    """Show which layers of a network know most about each task.

    At every stage a linear probe is fitted to its average over the picture, and gates over all stages together say
    which of them a joint head draws on: a stage that knows much may still get a small share, where a later one knows
    the same.
    """

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders made with `arttl features --stages all`, of the same shards."""
    out: Path = Path("layers")
    """Folder for layers.png, layers.pdf and layers.json."""
    seeds: int = 1
    """How many splits: the shards' own and others drawn anew."""

    def __post_init__(self) -> None:
        if not self.features:
            raise ArttlError("name at least one folder of features, made with `arttl features`")
        if self.seeds < 1:
            raise ArttlError(f"--seeds must be at least 1, not {self.seeds}")


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
    stores = [FeatureStore.open(path) for path in settings.features]
    same_collection(stores)
    names = store_names(stores)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    manifest = stores[0].manifest
    wanted = settings.tasks or manifest.task_names
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    tasks = TaskSet([])
    tokens: Tokens | None = None
    with Reporter(True).progress("probes", settings.seeds * len(wanted)) as bar:
        for seed in range(settings.seeds):
            draw = draw_splits(manifest, wanted, seed)
            of_draw = settings.choose(draw)
            tasks = tasks if len(tasks) else of_draw
            tokens = Tokens(stores, draw, device)
            for task in of_draw:
                for place, measured in enumerate(_measure(task, tokens.samples(task))):
                    found.setdefault((task.name, place), []).append(measured)
                bar.advance()
    assert tokens is not None
    rows = []
    for (task_name, place), over_seeds in found.items():
        owner, stage = tokens.names[place]
        values, majority, shares = (tuple(one[part] for one in over_seeds) for part in range(3))
        rows.append(LayerRow(names[owner], stage, task_name, values, majority, shares))
    return rows, tasks


def _measure(task: Task, samples: Mapping[str, Samples]) -> list[tuple[float, float, float]]:
    """Of each token the probe's main measure, the majority's, and the token's share."""
    measure = MAIN_MEASURE[task.kind]
    test = samples["test"]
    majority = majority_values(task, test.targets)[measure]
    gates = fit_mixing(task, samples["train"], samples["val"], "gates").head
    assert isinstance(gates, TokenHead)
    found = []
    for place, share in enumerate(gates.gates.detach().softmax(0).tolist()):
        probe = fit_mixing(task, samples["train"].only([place]), samples["val"].only([place]), "uniform")
        values = task_values(task, probe.logits([test.tokens[place]]), test.targets)
        found.append((values[measure], majority, share))
    return found


def layers_table(rows: Sequence[LayerRow], tasks: TaskSet) -> Table:
    """A row a stage; for each task what a linear probe reaches, and the share of the gates."""
    table = Table(
        title="Linear probe at every stage, and its share of the gates over all stages, per cent",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("stage", no_wrap=True)
    for task in tasks:
        table.add_column(
            f"{task.name}\n{measure_name(MAIN_MEASURE[task.kind])}", justify="right", no_wrap=True
        )
        table.add_column("\nshare", justify="right", no_wrap=True)
    by_task = {task.name: [row for row in rows if row.task == task.name] for task in tasks}
    majority: list[str] = []
    for task in tasks:
        value = float(np.mean(by_task[task.name][0].majority))
        majority += [measure_text(MAIN_MEASURE[task.kind], value), ""]
    table.add_row("majority", *majority, end_section=True)
    shown = ""
    for place, first in enumerate(by_task[next(iter(tasks)).name]):
        if first.backbone != shown:
            if shown:
                table.add_section()
            shown = first.backbone
            table.add_row(shown)
        cells: list[str] = []
        for task in tasks:
            row = by_task[task.name][place]
            cells += [
                measure_text(MAIN_MEASURE[task.kind], float(np.mean(row.values))),
                f"{100 * np.mean(row.shares):.0f}",
            ]
        table.add_row(f"  {first.stage}", *cells)
    return table


def plot_layers(rows: Sequence[LayerRow], tasks: TaskSet) -> Figure:
    """A column a task: above, what a linear probe reaches at each stage; below, the shares of the gates.

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
        for place, name in enumerate(backbones):
            _draw_backbone(probes, shares, _of(of_task, name), place, len(backbones), factor)
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
    probes: Any, shares: Any, rows: Sequence[LayerRow], place: int, count: int, factor: float
) -> None:
    color = f"C{place}"
    values = factor * np.array([row.values for row in rows])
    found = 100 * np.array([row.shares for row in rows])
    where = np.arange(len(rows))
    probes.plot(where, values.mean(1), marker="o", markersize=4, color=color, label=rows[0].backbone)
    probes.fill_between(where, values.min(1), values.max(1), color=color, alpha=0.15, linewidth=0)
    width = 0.8 / count
    mean = found.mean(1)
    whiskers = np.stack([mean - found.min(1), found.max(1) - mean]) if found.shape[1] > 1 else None
    offset = (place - (count - 1) / 2) * width
    shares.bar(where + offset, mean, width, color=color, yerr=whiskers, ecolor="0.4", error_kw={"lw": 0.8})


def _tick_names(backbones: Sequence[str], rows: Sequence[LayerRow]) -> list[str]:
    """The stages' names where all networks have the same, else their numbers."""
    of_each = [[row.stage for row in _of(rows, name)] for name in backbones]
    if all(names == of_each[0] for names in of_each):
        return of_each[0]
    return [f"stage {number + 1}" for number in range(max(map(len, of_each)))]


def run(settings: LayerSettings) -> None:
    """Measure, print the table, and write the plot and the figures behind it.

    Raises:
        ArttlError: if something cannot be used or written.
    """
    rows, tasks = measure_layers(settings)
    reporter = Reporter(True)
    for some in in_tables(tasks):
        reporter.console.print(layers_table(rows, some))
    figure = plot_layers(rows, tasks)
    make_folder(settings.out)
    for kind in ("png", "pdf"):
        with whole_file(settings.out / f"layers.{kind}") as temporary:
            figure.savefig(temporary, format=kind, dpi=150)
    write_json(settings.out / "layers.json", [asdict(row) for row in rows])
    reporter.say(f"drawn in {settings.out / 'layers.png'} and layers.pdf, the figures in layers.json")
