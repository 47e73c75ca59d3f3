"""Tables of what the networks cost, and of the joint network beside one network per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arttl.evaluation.bootstrap import Difference
from arttl.evaluation.compare import compare_means
from arttl.evaluation.report import interval_text, measure_text
from arttl.experiment_report.tables import ReportTable
from arttl.inference.predictions import Predictions
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.costs import Cost, network_size
from arttl.reproduction.results import Result, Results, compare_task


def networks_table(backbones: Sequence[str], costs: Mapping[str, Cost]) -> ReportTable:
    """Parameters, width and speed.

    Args:
        backbones: the networks, one per row.
        costs: network to its cost on this machine; a network without one has no speed in the table.
    """
    rows = []
    for backbone in backbones:
        parameters, width = network_size(backbone)
        cost = costs.get(backbone)
        speeds = ("", "", "") if cost is None else (f"{cost.size}", _speed(cost.forward), _speed(cost.step))
        rows.append((backbone, f"{parameters / 1e6:.1f}", f"{width:,}", *speeds))
    device = next((cost.device for cost in costs.values()), "")
    return ReportTable(
        "networks",
        "The networks",
        ("network", "params, millions", "X", "input, pixels", "pictures/s", "pictures/s in training"),
        rows,
        (
            "Params: without heads; X: width of the features."
            + (f" Speed: measured on this machine ({device}), decoding left out." if device else ""),
        ),
    )


def _speed(seconds: float) -> str:
    return f"{1 / seconds:,.0f}" if seconds < 0.1 else f"{1 / seconds:.1f}"


def joint_table(results: Results, costs: Mapping[str, Cost]) -> ReportTable:
    """One network for all tasks against the sum of one per task: accuracy per task, parameters and speed together."""
    rows: list[tuple[str, ...]] = []
    groups = dict.fromkeys(
        (cell.collection, cell.backbone) for cell in results.cells(mode="joint") if cell.run is not None
    )
    for collection, backbone in groups:
        compared = 0
        of_all_tasks: list[tuple[Predictions, Predictions]] = []
        for cell in results.cells(mode="joint", collection=collection, backbone=backbone, seed=0):
            single = results.cells(**{**cell.figure, "mode": "fine-tune", "weights": IMAGENET})
            joint = results.cells(**cell.figure)
            both = (results.result(single), results.result(joint))
            compared += not any(isinstance(result, str) for result in both)
            change = ("", "")
            if pairs := _pairs(results, single, joint):
                of_task = compare_task(pairs, cell.task)
                change = change_texts(of_task.measure, of_task.difference, of_task.p)
                of_all_tasks += pairs
            rows.append((collection, backbone, cell.task, *map(_accuracy, both), *change))
        for mean in compare_means(of_all_tasks) if of_all_tasks else ():
            means = (mean.difference.first, mean.difference.second)
            texts = [measure_text(mean.measure, value) for value in means]
            change = change_texts(mean.measure, mean.difference, mean.difference.p)
            rows.append((collection, backbone, "mean of the tasks", *texts, *change))
        if compared:
            millions = network_size(backbone)[0] / 1e6
            sizes = (f"{millions * compared:.1f}", f"{millions:.1f}")
            rows.append((collection, backbone, "params, millions", *sizes, "", ""))
            if backbone in costs:
                # A picture passes through every single-task network.
                speed = 1 / costs[backbone].forward
                speeds = (f"{speed / compared:.1f}", f"{speed:.1f}")
                rows.append((collection, backbone, "pictures/s, all tasks", *speeds, "", ""))
    return ReportTable(
        "joint",
        "One joint network beside one per task, test accuracy in per cent",
        ("collection", "network", "task", "one per task", "joint", "difference", "p"),
        rows,
        (
            "Means over seeds. Difference: joint minus single, points, with the 95% interval of a paired bootstrap over"
            " test samples; p by McNemar's exact test for one seed, else by the bootstrap.",
        ),
        names=3,
    )


def _accuracy(result: Result | str) -> str:
    return result if isinstance(result, str) else result.figure(f"{100 * result.accuracy:.1f}")


def _pairs(
    results: Results, single: Sequence[Cell], joint: Sequence[Cell]
) -> list[tuple[Predictions, Predictions]]:
    """The predictions of both, for each seed that is done."""
    return [
        (results.predictions(alone), results.predictions(together))
        for alone in single
        for together in joint
        if alone.seed == together.seed and results.is_done(alone) and results.is_done(together)
    ]


def change_texts(measure: str, difference: Difference, p: float) -> tuple[str, str]:
    """A difference with its interval, and its p-value."""
    interval = interval_text(measure, difference.low, difference.high, "+")
    return f"{measure_text(measure, difference.value, '+')} ({interval})", f"{p:.3f}"
