"""How well pictures from elsewhere are told from those of the collection: our rule beside others.

    arttl features --stages last --backbone tf_efficientnet_lite0 --weights packaged --out features/gallery \
        shards/gallery
    arttl features --stages last --backbone tf_efficientnet_lite0 --weights packaged --out features/paintings \
        shards/paintings
    python benchmarks/outside.py --gallery features/gallery --paintings features/paintings --json outside.json

Each case has objects at home and objects outside. Those at home are divided at random into 60% to train on, 20% to
validate on and 20% to test on, what looks alike together; a logistic regression on the frozen features is fitted as
`arttl train --mode off-the-shelf` does it; and every rule scores the test part and the objects outside. AUROC: how
probable it is that an object outside scores higher than one at home. FPR: the share of objects outside that are not
called outside where 95% of the validation objects are kept ("FPR at 95% TPR"). Both are means over divisions, with
percentile bootstrap intervals over objects: each replicate draws objects at home and outside anew, in all divisions
alike.

The rules: the distance to the nearest and to the tenth nearest training picture (Sun et al. 2022), the largest logit
(Hendrycks et al. 2022), energy (Liu et al. 2020), softmax (Hendrycks and Gimpel 2017), Mahalanobis (Lee et al. 2018);
`either`: the tenth nearest or the largest logit, each beyond 97.5% of the validation objects; and `together`, which is
`arttl.inference.outside`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf

from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.store import FeatureStore
from arttl.frozen.tokens import labelled_samples, standardise
from arttl.inference.candidate_sets import conformal_limit
from arttl.inference.neighbours import nearest, unit_length
from arttl.inference.outside import KEPT, surprise, surprise_at_evidence
from arttl.models.stages import LAST_LAYER
from arttl.splits.redraw import SplitAssignment, object_groups
from arttl.tasks import TaskSet, is_labelled

Floats = npt.NDArray[np.float64]
REPLICATES = 500
_PLURAL = {"sketch": "sketches", "cartoon": "cartoons", "painting": "paintings"}


Scored = tuple[dict[str, tuple[Floats, ...]], npt.NDArray[np.int64]]
"""Of each rule the scores of validation, test and outside objects, high for outside; and the rows tested."""


@dataclass(frozen=True)
class Case:
    """Objects at home and outside.

    Attributes:
        name: of the case.
        task: that is predicted at home.
        store: the features of the collection at home.
        home: [rows] bool.
        outside: [M, D] features.
    """

    name: str
    task: str
    store: FeatureStore
    home: npt.NDArray[np.bool_]
    outside: torch.Tensor


def cases(gallery: FeatureStore, paintings: FeatureStore, division: int) -> Iterator[Case]:
    """All cases; the artists that are left out differ from division to division."""
    of_gallery, of_paintings = gallery.values(LAST_LAYER), paintings.values(LAST_LAYER)
    everything = np.ones(len(of_gallery), dtype=bool)
    yield Case("gallery; paintings outside", "type", gallery, everything, of_paintings)
    yield Case("gallery; paintings outside", "subject", gallery, everything, of_paintings)
    all_paintings = np.ones(len(of_paintings), dtype=bool)
    yield Case("paintings; gallery outside", "artist", paintings, all_paintings, of_gallery)
    artist = np.array([labels[0] if labels else "" for labels in paintings.manifest.labels("artist")])
    names = np.unique(artist)
    left_out = np.isin(artist, np.random.default_rng(division).permutation(names)[: len(names) // 2])
    yield Case(
        "paintings; half of the artists outside", "artist", paintings, ~left_out, of_paintings[left_out]
    )
    kind = np.array([labels[0] if labels else "" for labels in gallery.manifest.labels("type")])
    for other in _PLURAL:
        yield Case(
            f"photographs; {other} outside", "subject", gallery, kind == "photo", of_gallery[kind == other]
        )


def divide(case: Case, division: int) -> SplitAssignment:
    """Train, val and test at home; rows outside are in no part."""
    groups = object_groups(case.store.manifest)
    order = np.random.default_rng(division).permutation(groups.max() + 1)
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) / len(order)
    part = np.array(["train", "val", "test"], dtype=object)[
        np.searchsorted([0.6, 0.8], rank[groups], side="right")
    ]
    part[~case.home] = "none"
    return SplitAssignment(case.store.manifest, part.tolist())


def scores(case: Case, division: int) -> Scored:
    """What every rule says of a case under one division."""
    split = divide(case, division)
    features = case.store.values(LAST_LAYER)
    vocabulary = SplitAssignment(
        split.manifest, ["train" if part == "none" else part for part in split.splits]
    )
    vocabulary = SplitAssignment(
        split.manifest,
        [part if home else "test" for part, home in zip(vocabulary.splits, case.home, strict=True)],
    )
    (task,) = TaskSet.from_manifest(vocabulary, [case.task])
    samples, mean, std = standardise(labelled_samples(split, task, [features], torch.device("cpu")))
    probe = fit_probe(task, samples["train"], samples["val"])
    labelled = is_labelled(task.targets(split.labels(task.name)))
    rows = {part: split.rows(part) for part in ("train", "val", "test")}
    train = torch.from_numpy(rows["train"][labelled[rows["train"]]])
    parts = [features[rows["val"]], features[rows["test"]], case.outside]

    def logits(values: torch.Tensor) -> Floats:
        return (((values - mean) / std) @ probe.weight.T + probe.bias).double().numpy()

    def distance(count: int) -> Callable[[torch.Tensor], Floats]:
        references = unit_length(features[rows["train"]])

        def of(values: torch.Tensor) -> Floats:
            similarity, _ = nearest(unit_length(values), references, count)
            return (2 - 2 * similarity[:, -1]).clamp_min(0).sqrt().double().numpy()

        return of

    mahalanobis = _mahalanobis(features[train].double().numpy(), samples["train"].targets.numpy())
    rules: dict[str, Callable[[torch.Tensor], Floats]] = {
        "nearest": distance(1),
        "tenth nearest": distance(10),
        "max logit": lambda values: -logits(values).max(1),
        "energy": lambda values: -logsumexp(logits(values), axis=1),
        "softmax": lambda values: -np.exp(logits(values).max(1) - logsumexp(logits(values), axis=1)),
        "Mahalanobis": lambda values: mahalanobis(values.double().numpy()),
    }
    scored: dict[str, tuple[Floats, ...]] = {name: tuple(map(rule, parts)) for name, rule in rules.items()}
    # The more extreme of two scores, each measured by the share of validation objects beyond it.
    scored["either"] = tuple(
        np.maximum(_rank(scored["tenth nearest"][0], one), _rank(scored["max logit"][0], two))
        for one, two in zip(scored["tenth nearest"], scored["max logit"], strict=True)
    )
    evidence = scored["nearest"][0], scored["max logit"][0]
    scored["together"] = (
        surprise_at_evidence(evidence),
        *(surprise((scored["nearest"][part], scored["max logit"][part]), evidence) for part in (1, 2)),
    )
    return scored, rows["test"]


def _rank(validation: Floats, values: Floats) -> Floats:
    """The share of validation objects with a lower score, with the score itself to break ties beyond the last."""
    return np.searchsorted(np.sort(validation), values, side="left") / len(validation) + 1e-9 * np.tanh(
        values
    )


def _mahalanobis(features: Floats, classes: npt.NDArray[np.int64]) -> Callable[[Floats], Floats]:
    """Lee et al. 2018: the distance to the nearest class mean, with one covariance (Ledoit and Wolf's)."""
    present = np.unique(classes)
    means = np.stack([features[classes == index].mean(0) for index in present])
    centred = features - means[np.searchsorted(present, classes)]
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    whiten = np.linalg.cholesky(np.linalg.inv(covariance))
    white_means = means @ whiten

    def distance(values: Floats) -> Floats:
        white = values @ whiten
        squared = (white**2).sum(1)[:, None] - 2 * white @ white_means.T + (white_means**2).sum(1)
        return squared.min(1)

    return distance


def limit_of(name: str, validation: Floats) -> float:
    """What 95% of validation objects keep to; for `either` each score has 97.5%."""
    if name == "either":
        rank = np.ceil((len(validation) + 1) * (1 + KEPT) / 2 - 1e-9)
        return float((rank - 0.5) / len(validation)) if rank <= len(validation) else np.inf
    return conformal_limit(validation, KEPT)


def measure(
    per_division: list[Scored],
) -> dict[str, object]:
    """AUROC, FPR and the share kept at home of every rule, with intervals."""
    random = np.random.default_rng(0)
    rows = max(int(tested.max()) for _, tested in per_division) + 1
    figures: dict[str, object] = {}
    home_weights = random.multinomial(rows, np.full(rows, 1 / rows), REPLICATES).astype(np.float64)
    home_weights = np.concatenate([np.ones((1, rows)), home_weights])
    for name in per_division[0][0]:
        totals = {"auroc": 0.0, "fpr": 0.0, "kept": 0.0}
        for scored, tested in per_division:
            validation, test, outside = scored[name]
            draws = np.random.default_rng(1).multinomial(
                len(outside), np.full(len(outside), 1 / len(outside)), REPLICATES
            )
            away = np.concatenate([np.ones((1, len(outside))), draws])
            home = home_weights[:, tested]
            greater = (outside[None, :] > test[:, None]) + 0.5 * (outside[None, :] == test[:, None])
            beyond = limit_of(name, validation)
            totals["auroc"] = totals["auroc"] + ((home @ greater) * away).sum(1) / home.sum(1) / away.sum(1)
            totals["fpr"] = totals["fpr"] + away @ (outside <= beyond) / away.sum(1)
            totals["kept"] = totals["kept"] + home @ (test <= beyond) / home.sum(1)
        figures[name] = {
            measure: [float(each) for each in (of[0], *np.quantile(of[1:], [0.025, 0.975]))]
            for measure, of in ((key, total / len(per_division)) for key, total in totals.items())
        }
    return figures


def main() -> None:
    """Score and print all cases."""
    parser = argparse.ArgumentParser(description="Pictures from elsewhere")
    parser.add_argument("--gallery", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--divisions", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    gallery, paintings = FeatureStore.open(arguments.gallery), FeatureStore.open(arguments.paintings)
    collected: dict[str, list[Scored]] = {}
    for division in range(arguments.divisions):
        for case in cases(gallery, paintings, division):
            collected.setdefault(f"{case.name} ({case.task})", []).append(scores(case, division))
    results = {name: measure(each) for name, each in collected.items()}
    for name, of_case in results.items():
        print(name)
        for rule, figures in of_case.items():
            print(
                f"  {rule:26}",
                "  ".join(
                    f"{key} {100 * value:5.1f} ({100 * low:.1f} to {100 * high:.1f})"
                    for key, (value, low, high) in figures.items()
                ),
            )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
