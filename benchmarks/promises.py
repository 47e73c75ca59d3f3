"""Whether promises hold on real pictures: collections divided anew, heads fitted and promises measured, many times.

    arttl features --stages last --backbone tf_efficientnet_lite0 --weights packaged --out features/gallery \
        shards/gallery
    python benchmarks/promises.py features/gallery --tasks type subject --shares 0.4 0.1 0.4 --json gallery.json
    python benchmarks/promises.py features/gallery --tasks subject --elsewhere type --divisions 20

Each time the objects are divided at random into four parts: to train on, for the evidence (val), to test on, and to
choose on; what looks alike stays together. A logistic regression on frozen features is fitted for each task, promises
are made and measured on the test part, in ways that differ in one thing only:

- `reused`, as `arttl train --mode off-the-shelf` does it: the strength of the penalty and the temperature are chosen on
  val, and the promises made from it too;
- `apart`: both are chosen on the part that is there for it, so that the promises of precision and coverage hold by
  theorem;
- `grid`, as `arttl probe`: the best of 32 heads by their loss on val, each at its best epoch on val;
- `listed`: as `reused`, but without the validation objects whose label is no class of the model, as an earlier version
  made its promises.

A promise is broken when less than the promised share of the suggestions for the test part is right. That counts chance
in the test part against the promise, so it is broken more often than a user would see it in the long run.

With --elsewhere each institution (or each label of a task that stands for one) is left out in turn: 80% of the other
objects train, 10% are for the evidence, and promises are measured on the last 10%, at home, and on all of the
institution.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arttl.evaluation.kept_promises import KeptPromises, Share, measure_promises
from arttl.frozen.grid import train_grid
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.store import FeatureStore
from arttl.frozen.tokens import labelled_samples, standardise
from arttl.inference.labels import probabilities
from arttl.inference.predictions import Predictions
from arttl.inference.promises import fit_promises
from arttl.inference.suggestions import Suggester
from arttl.models.losses import summed_loss
from arttl.models.stages import LAST_LAYER
from arttl.shards.manifest import Manifest
from arttl.splits.redraw import SplitAssignment, object_groups
from arttl.tasks import Task, TaskSet, is_labelled

RATES, DECAYS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (0.0, 0.1, 1.0)
PARTS = ("train", "val", "test", "choose")


def divide(manifest: Manifest, shares: tuple[float, ...], seed: int) -> list[str]:
    """The part of each row: whole groups in a random order."""
    groups = object_groups(manifest)
    order = np.random.default_rng(seed).permutation(groups.max() + 1)
    sizes = np.bincount(groups)[order].cumsum() / len(groups)
    part = np.searchsorted(np.cumsum(shares) - 1e-9, sizes).clip(max=len(PARTS) - 1)
    of_group = np.empty(len(order), dtype=np.int64)
    of_group[order] = part
    return [PARTS[index] for index in of_group[groups]]


def logits_of(
    task: Task, split: SplitAssignment, features: torch.Tensor, chosen_on: str, grid: bool
) -> torch.Tensor:
    """Logits [rows, Q] of every row, from a head whose strength was chosen on one part."""
    if chosen_on == "choose":
        swap = {"choose": "val", "val": "choose"}
        split = SplitAssignment(split.manifest, [swap.get(part, part) for part in split.splits])
    samples = labelled_samples(split, task, [features], torch.device("cpu"))
    scaled, mean, std = standardise(samples)
    probe = fit_probe(task, scaled["train"], scaled["val"])
    weight, bias, loss = probe.weight / std, probe.bias - probe.weight @ (mean / std), probe.val_loss
    if grid:
        heads = train_grid(
            task,
            samples["train"],
            samples["val"],
            mean=mean,
            std=std,
            learning_rates=RATES,
            weight_decays=DECAYS,
        )
        best = min(heads, key=lambda head: head.val_loss)
        (values,) = samples["val"].tokens
        best_loss = float(
            summed_loss(task, values @ best.weight.T + best.bias, samples["val"].targets)
        ) / len(values)
        if best_loss < loss:
            weight, bias = best.weight, best.bias
    return features @ weight.T + bias


def predictions_of(
    part: str,
    split: SplitAssignment,
    tasks: TaskSet,
    logits: Mapping[str, torch.Tensor],
    *,
    listed: bool = False,
) -> Predictions:
    """Those of the rows of one part that carry a catalogued label; with `listed` one of the model's classes."""
    rows = split.rows(part)
    labels = [split.labels(name) for name in tasks.names]
    if listed:
        known = [is_labelled(task.targets(of_task)) for task, of_task in zip(tasks, labels, strict=True)]
        labels = [
            [row if is_known else None for row, is_known in zip(*of_task, strict=True)]
            for of_task in zip(labels, known, strict=True)
        ]
    rows = np.array([row for row in rows.tolist() if any(of_task[row] is not None for of_task in labels)])
    return Predictions.of_rows(
        tasks,
        split.manifest,
        rows,
        {name: of_task[torch.from_numpy(rows)].numpy() for name, of_task in logits.items()},
    )


def measure(
    split: SplitAssignment,
    tasks: TaskSet,
    features: torch.Tensor,
    way: str,
    precisions: Sequence[float],
    coverage: float,
    institutions: Sequence[str] = (),
) -> dict[float, tuple[dict[str, KeptPromises], dict[str, dict[str, Share]]]]:
    """Fit the heads of one division, make promises and measure them on its test part."""
    chosen_on = "choose" if way == "apart" else "val"
    logits = {task.name: logits_of(task, split, features, chosen_on, way == "grid") for task in tasks}
    calibration = predictions_of(chosen_on, split, tasks, logits).calibrate()
    validation, test = (
        predictions_of(part, split, tasks, logits, listed=way == "listed" and part == "val").calibrated(
            calibration
        )
        for part in ("val", "test")
    )
    references = torch.from_numpy(split.rows("train"))
    promises = fit_promises(validation, features[torch.from_numpy(validation.rows)], features[references])
    kept = {}
    for precision in precisions:
        suggester = Suggester(
            tasks, calibration.temperatures, promises, precision=precision, coverage=coverage
        )
        of_test = [institutions[row] for row in test.rows.tolist()] if institutions else ()
        kept[precision] = measure_promises(test, features[torch.from_numpy(test.rows)], suggester, of_test)
    by_class: dict[str, dict[str, Share]] = {}
    for task in tasks:
        sets = promises.sets(task, coverage)
        if sets.own:
            members = sets.members(
                task, probabilities(task, test.logits[task.name], calibration.temperatures[task.name])
            )
            targets = test.targets[task.name]
            by_class[task.name] = {
                task.vocabulary.classes[index]: Share(
                    int(members[targets == index, index].sum()), int((targets == index).sum())
                )
                for index in sets.own
            }
    return {precision: (of_tasks, by_class) for precision, of_tasks in kept.items()}


def summary(
    kept: Sequence[KeptPromises], by_class: Sequence[Mapping[str, Share]], precision: float
) -> dict[str, Any]:
    """The figures of one task over all divisions."""
    made = [each.right for each in kept if each.right.of]
    broken = Share(sum(each.value < precision for each in made), len(kept))
    return {
        "divisions": len(kept),
        "promised": len(made),
        "broken": broken.to_dict(),
        "precision": _spread([each.value for each in made]) if made else None,
        "suggested": _spread([each.suggested.value for each in kept]),
        "coverage": _spread([each.in_sets.value for each in kept]),
        "set_size": _spread([each.set_size for each in kept if math.isfinite(each.set_size)] or [math.inf]),
        "outside": _spread([each.outside.value for each in kept]),
        "calibration_error": _spread([each.calibration_error or 0.0 for each in kept]),
        "by_class": _pooled(by_class),
        "mistakes": [[each.of - each.count, each.of] for each in made],
    }


def _spread(values: Sequence[float]) -> list[float]:
    """The mean, and its standard error."""
    return [float(np.mean(values)), float(np.std(values) / math.sqrt(len(values)))]


def _pooled(by_class: Sequence[Mapping[str, Share]]) -> dict[str, float]:
    """The coverage of each class over all divisions in which it had a limit of its own."""
    pooled: dict[str, list[int]] = {}
    for of_division in by_class:
        for name, share in of_division.items():
            counts = pooled.setdefault(name, [0, 0])
            counts[0] += share.count
            counts[1] += share.of
    return {name: count / of for name, (count, of) in sorted(pooled.items()) if of}


def measure_elsewhere(
    store: FeatureStore, arguments: argparse.Namespace, features: torch.Tensor
) -> list[dict[str, Any]]:
    """Leave each institution out in turn, and print what becomes of promises at home and there."""
    manifest = store.manifest
    if arguments.elsewhere == "institution":
        names = [name or "unknown" for name in manifest.institutions]
    else:
        names = [labels[0] if labels else "unknown" for labels in manifest.labels(arguments.elsewhere)]
    figures = []
    for left_out in sorted(set(names)):
        kept: dict[tuple[str, str], list[KeptPromises]] = {}
        for seed in range(arguments.divisions):
            parts = divide(manifest, (0.8, 0.1, 0.1), seed)
            parts = [
                "test" if name == left_out or part == "choose" else part
                for name, part in zip(names, parts, strict=True)
            ]
            split = SplitAssignment(manifest, parts)
            tasks = TaskSet.from_manifest(split, arguments.tasks, classes=arguments.classes)
            where = [left_out if name == left_out else "home" for name in names]
            (precision,) = arguments.precision
            ((of_tasks, _),) = measure(
                split, tasks, features, "reused", [precision], arguments.coverage, where
            ).values()
            for name, each in of_tasks.items():
                for place in ("home", left_out):
                    if place in each.institutions:
                        kept.setdefault((name, place), []).append(each.institutions[place])
        for (name, place), of_place in kept.items():
            shares = {
                key: Share(
                    sum(getattr(each, key).count for each in of_place),
                    sum(getattr(each, key).of for each in of_place),
                ).value
                for key in ("suggested", "right", "in_sets", "outside")
            }
            shares["calibration_error"] = float(np.mean([each.calibration_error or 0 for each in of_place]))
            figures.append({"left_out": left_out, "task": name, "place": place, **shares})
            print(
                f"{left_out:10} {name:10} {place:10}",
                {key: round(100 * value, 1) for key, value in shares.items()},
            )
    return figures


def main() -> None:
    """Divide, fit, promise and measure, and print a row per task and way."""
    parser = argparse.ArgumentParser(description="Promises on collections that are divided anew")
    parser.add_argument("features", type=Path, help="made with arttl features --stages last")
    parser.add_argument("--tasks", nargs="+", required=True)
    parser.add_argument("--number", nargs="*", default=[], help="of the tasks")
    parser.add_argument("--classes", default="train", help="class rule")
    parser.add_argument(
        "--shares", type=float, nargs=3, default=(0.4, 0.1, 0.4), help="of train, val and test"
    )
    parser.add_argument("--divisions", type=int, default=200)
    parser.add_argument("--precision", type=float, nargs="+", default=[0.9])
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument(
        "--ways", nargs="+", default=["reused", "apart"], choices=["reused", "apart", "grid", "listed"]
    )
    parser.add_argument("--elsewhere", help="institution, or a task whose labels stand for institutions")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    store = FeatureStore.open(arguments.features)
    features = store.values(LAST_LAYER)
    if arguments.elsewhere is not None:
        figures = measure_elsewhere(store, arguments, features)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(figures) + "\n")
        return
    kept: dict[tuple[str, str, float], list[KeptPromises]] = {}
    by_class: dict[tuple[str, str, float], list[Mapping[str, Share]]] = {}
    for seed in range(arguments.divisions):
        split = SplitAssignment(store.manifest, divide(store.manifest, tuple(arguments.shares), seed))
        three = SplitAssignment(
            split.manifest, ["test" if part == "choose" else part for part in split.splits]
        )
        tasks = TaskSet.from_manifest(
            three, arguments.tasks, classes=arguments.classes, number=arguments.number
        )
        for way in arguments.ways:
            for precision, (of_tasks, of_classes) in measure(
                split, tasks, features, way, arguments.precision, arguments.coverage
            ).items():
                for name, each in of_tasks.items():
                    kept.setdefault((name, way, precision), []).append(each)
                    by_class.setdefault((name, way, precision), []).append(of_classes.get(name, {}))
        if seed % 10 == 9:
            print(f"{seed + 1} divisions", flush=True)
    figures = []
    for (name, way, precision), of_key in kept.items():
        of_task = summary(of_key, by_class[name, way, precision], precision)
        figures.append({"task": name, "way": way, "precision_promised": precision, **of_task})
        low, high = of_task["broken"].get("interval", (math.nan, math.nan))
        print(
            f"{name:10} {way:7} {precision:.2f}: promised {of_task['promised']:3}, broken"
            f" {100 * of_task['broken']['value']:4.1f}% ({100 * low:.1f} to {100 * high:.1f}), precision"
            f" {_text(of_task['precision'])}, suggested {_text(of_task['suggested'])}, coverage"
            f" {_text(of_task['coverage'])}, by class at least"
            f" {100 * min(of_task['by_class'].values(), default=math.nan):.1f}, set"
            f" {of_task['set_size'][0]:.2f}, outside {_text(of_task['outside'])}"
        )
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps({"arguments": vars(arguments), "figures": figures}, default=str) + "\n"
        )


def _text(spread: Sequence[float] | None) -> str:
    return "–" if spread is None else f"{100 * spread[0]:.1f} ± {100 * spread[1]:.1f}"


if __name__ == "__main__":
    main()
