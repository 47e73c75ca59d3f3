r"""What the size of stored pictures and of a network's input means for a task: accuracy with heads on frozen features.

    python benchmarks/resolution.py --metadata objects.csv --images images --object-number object_number --image file \
        --tasks artist material --mapping artist=synonyms.csv --classes min-count=9 --work resolution

Every collection is packed once for each `--max-sides` (0: no cap), and its features are computed once for each
`--input-sizes`. Heads are fitted on the same five splits of the same objects: a linear head on the last layer, and one
on all stages. The table has the mean accuracy over the splits (lowest to highest); the differences are to the reference
(the largest stored side at `--reference` pixels), by a paired bootstrap that draws a picture with all the splits in
which it is tested.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.cli import run_command
from arttl.evaluation.bootstrap import Difference, paired_bootstrap
from arttl.evaluation.measures import Statistic, mean_of
from arttl.frozen.mixing import fit_mixing
from arttl.frozen.study import Study
from arttl.frozen.tokens import Tokens
from arttl.loading.settings import ClassSettings

HEADS = ("last layer", "all stages")


@dataclass(frozen=True)
class Outcome:
    """Test predictions of one head on all splits.

    Attributes:
        accuracies: of each split.
        correct: [N] over the splits, one after the other.
        rows: [N] of the manifest.
    """

    accuracies: list[float]
    correct: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]

    @property
    def statistic(self) -> Statistic:
        """The accuracy under weights."""
        return mean_of(self.correct)


def make_shards(options: argparse.Namespace, max_side: int) -> Path:
    """Shards with stored pictures of at most `max_side` pixels, unless they are there."""
    shards: Path = options.work / f"shards-{max_side or 'uncapped'}"
    if not (shards / "dataset.json").exists():
        arguments = ["--metadata", str(options.metadata), "--images", str(options.images)]
        arguments += ["--object-number", options.object_number, "--image", options.image]
        arguments += [
            "--tasks",
            *options.tasks,
            "--out",
            str(shards),
            "--max-side",
            str(max_side),
            "--seed",
            "0",
        ]
        arguments += ["--split", "stratified", "--near-duplicates", "off"]  # or the splits would differ
        arguments += ["--mapping", *options.mapping] if options.mapping else []
        if run_command("shards", arguments):
            raise SystemExit(f"{shards} could not be packed")
    return shards


def make_features(options: argparse.Namespace, shards: Path, input_size: int) -> Path:
    """Features at one input size, unless they are there."""
    features: Path = options.work / f"features-{shards.name.removeprefix('shards-')}-{input_size}"
    arguments = [
        str(shards),
        "--backbone",
        options.backbone,
        "--weights",
        options.weights,
        "--out",
        str(features),
    ]
    if run_command("features", [*arguments, "--input-size", str(input_size)]):
        raise SystemExit(f"{features} could not be computed")
    return features


def measure(features: Path, options: argparse.Namespace) -> dict[tuple[str, str], Outcome]:
    """Task and head to the predictions on all splits."""
    study = Study([features], ClassSettings(tasks=tuple(options.tasks), classes=options.classes))
    parts: dict[tuple[str, str], list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]]] = {}
    for split, tasks in study.splits(options.splits):
        tokens = Tokens(study.stores, split, study.device)
        last = [len(tokens.names) - 1]
        for task in tasks:
            samples = tokens.samples(task)
            for head, chosen in zip(HEADS, (last, range(len(tokens.names))), strict=True):
                train, val, test = (
                    samples[part].with_tokens(list(chosen)) for part in ("train", "val", "test")
                )
                logits = fit_mixing(task, train, val, "uniform").logits(test.tokens)
                correct = (logits.argmax(1) == test.targets).cpu().numpy()
                parts.setdefault((task.name, head), []).append((correct, test.rows.cpu().numpy()))
    return {
        name: Outcome(
            [float(correct.mean()) for correct, _ in of_splits],
            np.concatenate([correct for correct, _ in of_splits]),
            np.concatenate([rows for _, rows in of_splits]),
        )
        for name, of_splits in parts.items()
    }


def difference(reference: Outcome, other: Outcome) -> Difference:
    """Of the accuracies, on the same test pictures."""
    if not np.array_equal(reference.rows, other.rows):
        raise SystemExit("the splits differ")
    return paired_bootstrap(reference.statistic, other.statistic, len(other.rows), groups=other.rows)


def main() -> None:
    """Pack, compute, fit, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metadata", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--object-number", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--tasks", nargs="+", required=True)
    parser.add_argument("--mapping", nargs="+")
    parser.add_argument("--classes", default="train", help="the class rule")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", default="packaged")
    parser.add_argument("--max-sides", nargs="+", type=int, default=[128, 256, 0])
    parser.add_argument("--input-sizes", nargs="+", type=int, default=[128, 224, 320])
    parser.add_argument(
        "--reference", type=int, default=224, help="input size that the others are compared with"
    )
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--work", type=Path, required=True, help="folder for shards and features; kept")
    options = parser.parse_args()
    outcomes = {}
    for max_side in options.max_sides:
        shards = make_shards(options, max_side)
        for input_size in options.input_sizes:
            outcomes[max_side, input_size] = measure(make_features(options, shards, input_size), options)
    reference = outcomes[options.max_sides[-1], options.reference]
    figures = []
    for task, head in reference:
        print(
            f"\n{task}, {head}: {len(reference[task, head].rows)} test pictures over {options.splits} splits\n"
        )
        print("| stored side | input | accuracy | difference |\n|---|---|---|---|")
        for (max_side, input_size), of_tasks in outcomes.items():
            outcome = of_tasks[task, head]
            compared = difference(reference[task, head], outcome)
            accuracies = 100 * np.array(outcome.accuracies)
            spread = f"{accuracies.mean():.1f} ({accuracies.min():.0f}–{accuracies.max():.0f})"
            points = f"{100 * compared.value:+.1f} ({100 * compared.low:.1f} to {100 * compared.high:.1f})"
            same = outcome is reference[task, head]
            print(
                f"| {max_side or 'uncapped'} | {input_size} | {spread} | {'reference' if same else points} |"
            )
            row = {"task": task, "head": head, "max_side": max_side, "input_size": input_size}
            figures.append({**row, "accuracies": outcome.accuracies, **compared.to_dict()})
    (options.work / "resolution.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
