"""What a promise of precision is worth: half of a catalogue's labels hidden, suggested, and compared.

    python benchmarks/hidden_half.py --collection paintings --tasks artist material --precision 0.7 --seeds 5

For each seed the labels of a random half of the objects are hidden; the other half is packed, a frozen
EfficientNet-Lite0 gets heads, and `arttl predict` suggests labels for all objects at the promised precision, as
`docs/guide-museum.md` does it. The share of right suggestions is that of the hidden objects, whose labels nothing has
seen; an object whose label is none of the classes counts as a mistake. Intervals are exact binomial ones (Clopper and
Pearson, 95%).

Reads a collection of $ARTTL_REAL_DATA, by default ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from scipy.stats import binomtest

SYNONYMS = {"paintings": ["--mapping", "artist=synonyms.csv"], "gallery": []}


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--collection", choices=SYNONYMS, default="paintings")
    options.add_argument("--tasks", nargs="+", default=["artist", "material"])
    options.add_argument("--precision", type=float, nargs="+", default=[0.7])
    options.add_argument("--val-share", type=float, default=0.3)
    options.add_argument("--classes", default="train")
    options.add_argument("--seeds", type=int, default=5)
    given = options.parse_args()
    data = Path(os.environ.get("ARTTL_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    print("| task | promised | split | suggested | right | share right (95%) | outside |")
    print("|---|---|---|---|---|---|---|")
    totals: dict[tuple[str, float], Counter[str]] = {}
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            for (task, precision), counts in _of_seed(
                Path(folder), data / given.collection, seed, given
            ).items():
                _print(task, precision, str(seed + 1), counts)
                totals.setdefault((task, precision), Counter()).update(counts)
    for (task, precision), counts in totals.items():
        _print(task, precision, "all", counts)


def _print(task: str, precision: float, split: str, counts: Counter[str]) -> None:
    share = ""
    if counts["suggested"]:
        interval = binomtest(counts["right"], counts["suggested"]).proportion_ci()
        share = f"{counts['right'] / counts['suggested']:.1%} ({interval.low:.1%} to {interval.high:.1%})"
    of = f"{counts['suggested']} of {counts['objects']}"
    print(
        f"| {task} | {precision:.0%} | {split} | {of} | {counts['right']} | {share} | {counts['outside']} |",
        flush=True,
    )


def _of_seed(
    work: Path, collection: Path, seed: int, given: argparse.Namespace
) -> dict[tuple[str, float], Counter[str]]:
    with (collection / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    truth = [dict(row) for row in rows]
    hidden = random.Random(seed).sample(range(len(rows)), len(rows) // 2)
    for index in hidden:
        rows[index] |= dict.fromkeys(given.tasks, "")
    catalogue = work / "catalogue.csv"
    with catalogue.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    mapping = {row["found"]: row["wanted"] for row in _synonyms(collection)}
    flags = [
        part.replace("=", f"={collection}/") if "=" in part else part for part in SYNONYMS[collection.name]
    ]
    source = ["--metadata", catalogue, "--images", collection / "images", "--tasks", *given.tasks, *flags]
    _arttl(
        "shards", *source, "--split", "stratified", "--val-share", given.val_share, "--out", work / "shards"
    )
    network = ["--backbone", "tf_efficientnet_lite0", "--weights", "packaged", "--mode", "off-the-shelf"]
    _arttl(
        "train", "--shards", work / "shards", "--tasks", *given.tasks, *network, "--classes", given.classes,
        "--maps", 0, "--out", work / "run",
    )  # fmt: skip
    found = {}
    for precision in given.precision:
        out = work / f"{precision}.csv"
        model = ["--model", work / "run", "--metadata", catalogue, "--images", collection / "images"]
        _arttl("predict", *model, "--precision", precision, "--out", out)
        with out.open(encoding="utf-8", newline="") as file:
            suggested = list(csv.DictReader(file))
        for task in given.tasks:
            found[task, precision] = _counts(task, suggested, truth, hidden, mapping)
    return found


def _counts(
    task: str,
    suggested: list[dict[str, str]],
    truth: list[dict[str, str]],
    hidden: list[int],
    mapping: dict[str, str],
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for index in hidden:
        label = mapping.get(truth[index][task], truth[index][task])
        if not label:
            continue
        assert suggested[index]["object_number"] == truth[index]["object_number"]
        status = suggested[index][f"suggested_{task}_status"]
        counts["objects"] += 1
        counts[status] += 1
        counts["right"] += status == "suggested" and suggested[index][f"suggested_{task}"] == label
    return counts


def _synonyms(collection: Path) -> list[dict[str, str]]:
    path = collection / "synonyms.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _arttl(*arguments: object) -> None:
    command = [str(Path(sys.executable).with_name("arttl")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    main()
