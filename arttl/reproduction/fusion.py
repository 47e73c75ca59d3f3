"""One network that combines the best of each, the paper's future work, on cached features; and what layers know."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from filelock import FileLock

from arttl.errors import ArttlError
from arttl.files import make_folder
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.fuse import FuseSettings, fuse
from arttl.frozen.layers import LayerSettings, layers
from arttl.reproduction.cells import IMAGENET
from arttl.reproduction.experiment import Plan
from arttl.reproduction.results import Results
from arttl.reproduction.tables import ReportTable
from arttl.runs import RunFolder


def fused_name(collection: str) -> str:
    """The name of a collection's fused run."""
    return f"{collection}/fused"


def carry_out_fusions(
    laid: Plan, results: Results, seeds: int, on_begin: Callable[[str], None] = lambda name: None
) -> None:
    """On each collection: the features of every network whose weights are here, the fused models, the layers.

    What is done already is left; a collection that fails is noted in its folder, and tried again by the next call.

    Args:
        laid, results: of the experiment.
        seeds: splits that the fusion is measured on, the collection's own and others drawn anew.
        on_begin: called with the name of each fused run that is begun.
    """
    experiment, state = laid.experiment, PartialState()
    for name in laid.collections:
        networks = _networks(results, name)
        if len(networks) < 2 or experiment.state(fused_name(name)) == "done":
            continue
        on_begin(fused_name(name))
        try:
            stores = []
            for network in networks:
                base = experiment.fine_tuning
                out = experiment.out / "features" / name / network
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
                stores.append(out)
            if state.is_main_process:
                _fuse(laid, name, tuple(stores), seeds)
        except ArttlError as error:
            if state.is_main_process:
                RunFolder(experiment.folder(fused_name(name))).fail(str(error))
        state.wait_for_everyone()


def _networks(results: Results, collection: str) -> list[str]:
    """Those with a finished frozen run from ImageNet's weights."""
    cells = results.cells(collection=collection, mode="off-the-shelf", weights=IMAGENET)
    return list(dict.fromkeys(cell.backbone for cell in cells if results.is_done(cell)))


def _fuse(laid: Plan, name: str, stores: tuple[Path, ...], seeds: int) -> None:
    experiment, tasks = laid.experiment, laid.collections[name].usable
    folder = experiment.folder(fused_name(name))
    with FileLock(folder.with_name(folder.name + ".lock")):
        if experiment.state(fused_name(name)) == "done":  # by another process
            return
        classes = experiment.fine_tuning.data.classes
        layers(
            LayerSettings(features=stores, out=_layers(laid, name), tasks=tasks, classes=classes, seeds=seeds)
        )
        fuse(FuseSettings(features=stores, out=folder, tasks=tasks, classes=classes, seeds=seeds))


def _layers(laid: Plan, name: str) -> Path:
    return laid.experiment.out / "layers" / name


def fusion_tables(laid: Plan) -> list[ReportTable]:
    """For every collection with a fused run: a row per method, a column per task."""
    tables = []
    for name, collection in laid.collections.items():
        if laid.experiment.state(fused_name(name)) != "done":
            continue
        lines = RunFolder(laid.experiment.folder(fused_name(name))).metrics()
        splits = 1 + max(line["seed"] for line in lines)
        rows = []
        for method in dict.fromkeys(line["method"] for line in lines):
            of_method = [line for line in lines if line["method"] == method]
            cells = [
                _mean([line for line in of_method if line["task"] == task]) for task in collection.usable
            ]
            rows.append((method, *cells))
        note = (
            "Heads fitted to convergence on frozen features with ImageNet's weights, in the networks' own"
            " preprocessing. Gates and attention weight all stages of all networks; without: the gates but for that"
            " network. Best on validation: of each task and split the method over several networks with the lowest"
            " validation loss."
        )
        tables.append(
            ReportTable(
                f"fusion-{name}",
                f"The best of each network: {name}, test accuracy in per cent",
                ("method", *collection.usable),
                tuple(rows),
                (note + (f" Means over {splits} splits." if splits > 1 else ""),),
            )
        )
    return tables


def _mean(lines: Sequence[dict[str, Any]]) -> str:
    return f"{100 * statistics.fmean(line['test']['accuracy'] for line in lines):.1f}"


def layer_tables(laid: Plan) -> list[ReportTable]:
    """For every collection: a row per stage, what a linear probe reaches there, and its share in gates over all."""
    tables = []
    for name, collection in laid.collections.items():
        path = _layers(laid, name) / "layers.json"
        if not path.is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = []
        for network, stage in dict.fromkeys((one["backbone"], one["stage"]) for one in found):
            of_stage = {
                one["task"]: one for one in found if (one["backbone"], one["stage"]) == (network, stage)
            }
            cells = [text for task in collection.usable for text in _probe_and_share(of_stage[task])]
            rows.append((network, stage, *cells))
        headings = (f"{task}: {what}" for task in collection.usable for what in ("probe", "share"))
        tables.append(
            ReportTable(
                f"layers-{name}",
                f"Which layers know what: {name}, a linear probe at every stage, test accuracy in per cent",
                ("network", "stage", *headings),
                tuple(rows),
                ("Share: of the stage, in gates over all stages of all networks together, per cent.",),
                names=2,
            )
        )
    return tables


def _probe_and_share(found: dict[str, Any]) -> tuple[str, str]:
    return f"{100 * statistics.fmean(found['values']):.1f}", f"{100 * statistics.fmean(found['shares']):.0f}"
