"""The paper's future work on cached features: one network that combines the best of each, and what layers know."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState

from arttl.documents import read_json, structured
from arttl.errors import ArttlError
from arttl.experiment_report.tables import FigureText, ReportTable
from arttl.files import locked, make_folder
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.fuse import FuseSettings, fuse
from arttl.frozen.layers import LayerRow, LayerSettings, layers
from arttl.reproduction.cells import IMAGENET
from arttl.reproduction.experiment import Plan
from arttl.reproduction.results import Figures, Results, reading
from arttl.reproduction.running import Experiment
from arttl.runs import RunFolder


@dataclass(frozen=True)
class _Fitted:
    """A line of a fused run's `metrics.jsonl`."""

    seed: int
    task: str
    method: str
    test: Figures


def fused_name(collection: str) -> str:
    """The name of a collection's fused run."""
    return f"{collection}/fused"


def layers_name(collection: str) -> str:
    """The name of the probes of a collection's layers, where runs have theirs."""
    return f"{collection}/layers"


def run_fusions(results: Results, on_begin: Callable[[str], None] = lambda name: None) -> None:
    """On each collection: the features of every network whose weights are available, the fused models, the layers.

    What is done already is left; a collection that fails is noted in its folder, and tried again by the next call.

    Args:
        results: of the experiment. The fusion is measured on as many splits as it has seeds: the collection's own, and
            others drawn at random.
        on_begin: called with the name of each fused run that begins.
    """
    experiment, state = results.plan.experiment, PartialState()
    for name in results.plan.collections:
        networks = _networks(results, name)
        if len(networks) < 2 or experiment.state(fused_name(name)) == "done":
            continue
        on_begin(fused_name(name))
        try:
            stores = tuple(_compute_features(experiment, name, network) for network in networks)
            if state.is_main_process:
                _fuse(results.plan, name, stores)
        except ArttlError as error:
            if state.is_main_process:
                RunFolder(experiment.folder(fused_name(name))).fail(str(error))
        state.wait_for_everyone()


def _networks(results: Results, collection: str) -> list[str]:
    """Those with a finished frozen run from ImageNet's weights."""
    cells = results.cells(collection=collection, mode="off-the-shelf", weights=IMAGENET)
    return list(dict.fromkeys(cell.backbone for cell in cells if results.is_done(cell)))


def _compute_features(experiment: Experiment, name: str, network: str) -> Path:
    base, out = experiment.fine_tuning, experiment.out / "features" / name / network
    make_folder(out.parent)
    settings = FeatureSettings(
        shards=experiment.shards[name],
        out=out,
        backbone=network,
        weights=experiment.first_weights[network],
        input_size=base.model.input_size,
        engine=base.data.engine,
        threads=base.data.threads,
    )
    compute_features(settings)
    return out


def _fuse(plan: Plan, name: str, stores: tuple[Path, ...]) -> None:
    folder = plan.experiment.folder(fused_name(name))
    with locked(folder.with_name(folder.name + ".lock")):
        if plan.experiment.state(fused_name(name)) == "done":  # by another process
            return
        common: dict[str, Any] = {
            "features": stores,
            "tasks": plan.collections[name].usable,
            "classes": plan.settings.classes,
            "seeds": plan.settings.trainings,
        }
        layers(LayerSettings(**common, out=layers_folder(plan, name)))
        fuse(FuseSettings(**common, out=folder))


def layers_folder(plan: Plan, name: str) -> Path:
    """Where the probes of a collection's layers are."""
    return plan.experiment.out / "layers" / name


def fusion_tables(plan: Plan) -> Iterator[ReportTable]:
    """For every collection with a fused run: one row per method, one column per task."""
    for name, collection in plan.collections.items():
        if plan.experiment.state(fused_name(name)) != "done":
            continue
        accuracies: dict[str, dict[str, list[float]]] = {}
        folder = plan.experiment.folder(fused_name(name))
        with reading(folder):
            path = folder / "metrics.jsonl"
            lines = structured(RunFolder(folder).metrics(), list[_Fitted], path, surplus=True)
            for line in lines:
                of_method = accuracies.setdefault(line.method, defaultdict(list))
                of_method[line.task].append(line.test.accuracy)
            rows = [
                (
                    method,
                    *(
                        FigureText(_percent(of_method[task], path), fused_name(name))
                        for task in collection.usable
                    ),
                )
                for method, of_method in accuracies.items()
            ]
        note = (
            "Heads fitted to convergence on frozen features with ImageNet's weights, in the networks' own"
            " preprocessing. Gates and attention weight all stages of all networks; without: the gates but for that"
            " network. Best on validation: of each task and split the method over several networks with the lowest"
            " validation loss."
        )
        splits = 1 + max((line.seed for line in lines), default=0)
        yield ReportTable(
            f"fusion-{name}",
            f"The best of each network: {name}, test accuracy in per cent",
            ("method", *collection.usable),
            rows,
            (note + (f" Means over {splits} splits." if splits > 1 else ""),),
        )


def layer_tables(plan: Plan) -> Iterator[ReportTable]:
    """For every collection: one row per stage, with the accuracy of a linear probe and its share in gates over all."""
    for name, collection in plan.collections.items():
        path = layers_folder(plan, name) / "layers.json"
        if not path.is_file():
            continue
        stages: dict[tuple[str, str], dict[str, LayerRow]] = {}
        rows: list[tuple[str, ...]] = []
        with reading(path.parent):
            for line in read_json(path, list[LayerRow], surplus=True):
                stages.setdefault((line.backbone, line.stage), {})[line.task] = line
            for stage, of_stage in stages.items():
                figures: list[str] = []
                for task in collection.usable:
                    row = of_stage.get(task)
                    texts = (
                        _percent(row.values if row else (), path),
                        _percent(row.shares if row else (), path, 0),
                    )
                    figures += [FigureText(text, layers_name(name)) for text in texts]
                rows.append((*stage, *figures))
        headings = [f"{task}: {figure}" for task in collection.usable for figure in ("probe", "share")]
        yield ReportTable(
            f"layers-{name}",
            f"Which layers know what: {name}, a linear probe at every stage, test accuracy in per cent",
            ("network", "stage", *headings),
            rows,
            (
                "Share: of the stage, in gates over all stages of all networks together, per cent. Heat map: the"
                " probes, each network's stages from the first to the last.",
            ),
            names=2,
            heat=tuple(f"{task}: probe" for task in collection.usable),
        )


def _percent(values: Sequence[float], path: Path, digits: int = 1) -> str:
    """The mean of shares in per cent.

    Raises:
        ArttlError: if there are none in the file.
    """
    if not values:
        raise ArttlError(f"{path} lacks figures")
    return f"{100 * statistics.fmean(values):.{digits}f}"
