"""Whether the audit finds wrong labels: planted errors, beside cleanlab's scores of the same probabilities.

    arttl features shards/gallery --backbone tf_efficientnet_lite0 --weights packaged --out features/gallery
    python benchmarks/audit.py features/gallery --tasks type subject --json gallery.json

A share of the objects gets a wrong label, drawn at random from the other classes, or from those that the class is
confused with (with the mean probabilities that clean out-of-fold heads give the other classes). The rest is what
`arttl audit` does: folds of the labels as they now are, out-of-fold probabilities, scores. Precision at k is the share
of the first k objects of a list whose label was planted, with k the number planted, and 20; recall by the size of the
class that the planted label names is that of the first list. What was wrong in the collection before counts as a
mistake of every method.

The lists: ours; all objects by cleanlab's quality scores, self-confidence and normalised margin; what
`cleanlab.filter.find_label_issues` returns by default, ranked by each of the two.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from arttl.auditing.doubts import Judgement
from arttl.auditing.objects import AuditedObjects, JudgedTask, judge
from arttl.auditing.out_of_fold import FOLDS, OutOfFold, out_of_fold
from arttl.evaluation.classes import FEW, MANY
from arttl.frozen.store import FeatureStore
from arttl.models.stages import LAST_LAYER

SHARES, KINDS, SEEDS = (0.05, 0.1), ("at random", "confusable"), range(5)
BANDS = {
    "many": (f"over {MANY}", range(MANY + 1, 1 << 30)),
    "medium": (f"{FEW} to {MANY}", range(FEW, MANY + 1)),
    "few": (f"under {FEW}", range(FEW)),
}
Numbers = npt.NDArray[np.int64]


def judged_out_of_fold(
    objects: AuditedObjects, task: str, features: list[torch.Tensor], seed: int
) -> tuple[JudgedTask, OutOfFold]:
    """The task as the audit judges it, and its probabilities."""
    judged, _ = judge(objects, task, multi_label=False, least=FOLDS, seed=seed)
    assert judged is not None
    values = [each[torch.from_numpy(judged.items)] for each in features]
    return judged, out_of_fold(judged.task, values, judged.targets, judged.folds)[0]


def plant(
    objects: AuditedObjects,
    clean: JudgedTask,
    probabilities: npt.NDArray[Any],
    share: float,
    kind: str,
    seed: int,
) -> tuple[AuditedObjects, set[int]]:
    """The objects with wrong labels of a task, and which ones these are."""
    random = np.random.default_rng([seed, round(100 * share), KINDS.index(kind)])
    names, targets = clean.task.vocabulary.classes, clean.targets.numpy()
    chosen = random.choice(len(targets), round(share * len(targets)), replace=False)
    labels = list(objects.labels[clean.task.name])
    for index in chosen.tolist():
        own = targets[index]
        weights = np.ones(len(names)) if kind == "at random" else probabilities[targets == own].mean(0)
        weights[own] = 0
        labels[clean.items[index]] = (names[random.choice(len(names), p=weights / weights.sum())],)
    return replace(objects, labels={clean.task.name: labels}), set(clean.items[chosen].tolist())


def lists(judged: JudgedTask, found: OutOfFold) -> dict[str, list[int]]:
    """Each method's objects, the most doubtful first."""
    given, values = judged.targets.numpy(), found.probabilities
    ranked = {"arttl": [doubt.item for doubt in Judgement(judged, found, {"": found}).doubts]}
    for name in ("self_confidence", "normalized_margin"):
        order = np.argsort(get_label_quality_scores(given, values, method=name), kind="stable")
        ranked[f"cleanlab: {name}"] = judged.items[order].tolist()
        issues = find_label_issues(given, values, return_indices_ranked_by=name, n_jobs=1)
        ranked[f"cleanlab: issues by {name}"] = judged.items[issues].tolist()
    return ranked


def measure(
    objects: AuditedObjects, judged: JudgedTask, ranked: list[int], planted: set[int]
) -> dict[str, Any]:
    """Precision at k, and how many planted objects of each size of class are in the first k."""
    task, first = judged.task, set(ranked[: len(planted)])
    sizes = dict(zip(task.vocabulary.classes, task.vocabulary.counts, strict=True))
    bands = {}
    for band, (_, counts) in BANDS.items():
        own = [item for item in planted if sizes.get(objects.labels[task.name][item][0], 0) in counts]
        if own:
            bands[band] = [sum(item in first for item in own), len(own)]
    return {
        "at_planted": len(first & planted) / len(planted),
        "at_20": len(set(ranked[:20]) & planted) / 20,
        "rows": len(ranked),
        "bands": bands,
    }


def tables(results: list[dict[str, Any]]) -> str:
    """Precision at the number planted and at 20, and recall by size of the classes: a row per task, share and kind."""
    methods = list(dict.fromkeys(each["method"] for each in results))
    parts = []
    for name, heading in (("at_planted", "at the number planted"), ("at_20", "at 20")):
        lines = _heading((f"precision {heading}: task", "planted"), methods)
        for (task, share, kind), own in _conditions(results):
            cells = []
            for method in methods:
                values = [100 * each[name] for each in own if each["method"] == method]
                cells.append(f"{np.mean(values):.1f} ({min(values):.0f} to {max(values):.0f})")
            lines.append(_row((task, f"{100 * share:.0f}% {kind}"), cells))
        parts.append("\n".join(lines))
    lines = _heading(("recall in the first list: task", "planted", "class", "planted in all"), methods)
    for (task, share, kind), own in _conditions(results):
        for band, words in BANDS.items():
            sums = {
                method: np.sum(
                    [each["bands"].get(band, [0, 0]) for each in own if each["method"] == method], 0
                )
                for method in methods
            }
            total = sums[methods[0]][1]
            if total:
                cells = [f"{100 * hits / total:.0f}" for hits, _ in sums.values()]
                lines.append(_row((task, f"{100 * share:.0f}% {kind}", words[0], str(total)), cells))
    parts.append("\n".join(lines))
    return "\n\n".join(parts)


def gains(results: list[dict[str, Any]]) -> str:
    """How much higher the precision of ours is than that of each other list, over all that was planted."""
    values: dict[str, dict[tuple[Any, ...], Mapping[str, float]]] = {}
    for each in results:
        values.setdefault(each["method"], {})[each["task"], each["share"], each["kind"], each["seed"]] = each
    lines = _heading(
        ("arttl over", "at the number planted", "higher, the same, lower", "at 20", "likewise"), ()
    )
    for method, of_method in values.items():
        if method == "arttl":
            continue
        cells = []
        for name in ("at_planted", "at_20"):
            gain = np.array([100 * (values["arttl"][key][name] - of_method[key][name]) for key in of_method])
            counts = [(gain > 1e-9).sum(), (abs(gain) <= 1e-9).sum(), (gain < -1e-9).sum()]
            cells += [f"{gain.mean():+.1f}", ", ".join(map(str, counts))]
        lines.append(_row((method,), cells))
    return "\n".join(lines)


def _conditions(
    results: list[dict[str, Any]],
) -> Iterator[tuple[tuple[str, float, str], list[dict[str, Any]]]]:
    keys = dict.fromkeys((each["task"], each["share"], each["kind"]) for each in results)
    for key in keys:
        yield key, [each for each in results if (each["task"], each["share"], each["kind"]) == key]


def _heading(names: Sequence[str], figures: Sequence[str]) -> list[str]:
    return [_row(names, figures), "|" + "---|" * (len(names) + len(figures))]


def _row(names: Sequence[str], figures: Sequence[str]) -> str:
    return f"| {' | '.join((*names, *figures))} |"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("features", type=Path, nargs="+")
    parser.add_argument("--tasks", nargs="+", required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    stores = [FeatureStore.open(path) for path in options.features]
    results = []
    for task in options.tasks:
        objects = AuditedObjects.of(stores[0].manifest, [task])
        features = [objects.objects.mean(store.values(LAST_LAYER)) for store in stores]
        started = time.perf_counter()
        clean, of_clean = judged_out_of_fold(objects, task, features, 0)
        accuracy = (of_clean.probabilities.argmax(1) == clean.targets.numpy()).mean()
        print(
            f"{task}: {len(clean.items)} objects, accuracy {accuracy:.3f}, {time.perf_counter() - started:.1f} s"
        )
        for share in SHARES:
            for kind in KINDS:
                for seed in SEEDS:
                    changed, planted = plant(objects, clean, of_clean.probabilities, share, kind, seed)
                    judged, found = judged_out_of_fold(changed, task, features, seed)
                    for method, ranked in lists(judged, found).items():
                        figures = measure(changed, judged, ranked, planted)
                        key = {"task": task, "share": share, "kind": kind, "seed": seed, "method": method}
                        results.append(key | figures)
    print(tables(results), gains(results), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
