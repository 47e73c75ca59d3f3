"""The table of docs/explanations.md: networks are trained, their maps scored, and the figures printed as Markdown.

    python benchmarks/explanations.py --data ../shared/data --out runs/explanations
    python benchmarks/explanations.py --data ../shared/data --out runs/explanations --networks vgg16 \
        --vgg vgg16.safetensors
    python benchmarks/explanations.py --data ../shared/data --out runs/explanations --networks vit-mean vit-both \
        --vit vit_small_dinov2.safetensors
    python benchmarks/explanations.py --data ../shared/data --out runs/try --small        # mechanics only

The first command is of the two EfficientNets. Weights of the others: benchmarks/vgg_weights.py and vit_weights.py. What
is there already, shards, runs and scores (one JSON file per network and task), is taken: given again, it resumes.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arttl.cli import run_command
from arttl.cpu import share_cores

COLUMNS = ("object_number", "file", "type", "subject", "artist", "material")
GALLERY, ALL = ("subject", "type"), ("subject", "type", "artist", "material")


@dataclass(frozen=True)
class Network:
    """A network of the table.

    Attributes:
        title: in the table.
        weights: of --weights, or the option of this program that names their file.
        tasks: to train on at once, and to score one by one.
        size: of the pictures, in pixels.
        small: of them, for a try.
        settings: of training, beside those of all.
        methods: to score.
    """

    title: str
    weights: str
    tasks: tuple[str, ...]
    size: int
    small: int
    settings: Mapping[str, Any]
    methods: tuple[str, ...] = ("class-map", "grad-cam", "visual-backprop, bojarski", "visual-backprop")


_LITE = {"backbone": "tf_efficientnet_lite0", "mode": "fine-tune", "epochs": 6}
_VIT = {"backbone": "vit_small_patch14_dinov2", "mode": "off-the-shelf"}
_OF_VIT = ("class-map", "attention-gradients", "attention-rollout", "grad-cam", "visual-backprop, bojarski")
NETWORKS = {
    "lite0-128": Network("EfficientNet-Lite0, 128 px", "packaged", GALLERY, 128, 64, _LITE),
    "lite0-160": Network("EfficientNet-Lite0, 160 px", "packaged", ALL, 160, 64, _LITE),
    "vgg16": Network(
        "VGG16, frozen, 128 px", "vgg", GALLERY, 128, 64, {"backbone": "vgg16", "mode": "off-the-shelf"}
    ),
    "vit-mean": Network(
        "ViT-S, frozen, patch-mean, 126 px",
        "vit",
        GALLERY,
        126,
        56,
        {**_VIT, "pooling": "patch-mean"},
        _OF_VIT,
    ),
    "vit-both": Network(
        "ViT-S, frozen, both, 126 px", "vit", GALLERY, 126, 56, {**_VIT, "pooling": "both"}, _OF_VIT
    ),
}


def shards_of(data: Path, tasks: tuple[str, ...], pictures: int, out: Path) -> Path:
    """The shards of both collections or of the gallery alone, packed where they are not there yet."""
    collections = ("gallery", "paintings") if tasks == ALL else ("gallery",)
    shards = out / "shards" / "-".join(collections)
    if not (shards / "dataset.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        metadata = out / f"{shards.name}.csv"
        with metadata.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            for collection in collections:
                writer.writerows(list(_rows(data, collection))[:pictures])
        given = [
            "--metadata",
            metadata,
            "--images",
            data,
            "--object-number",
            "object_number",
            "--image",
            "file",
        ]
        given += ["--tasks", *tasks, "--split", "stratified", "--near-duplicates", "off", "--out", shards]
        if "artist" in tasks:
            given += ["--mapping", f"artist={data / 'paintings' / 'synonyms.csv'}"]
        if run_command("shards", [str(each) for each in given]):
            raise SystemExit(f"{shards} was not packed")
    return shards


def _rows(data: Path, collection: str) -> Iterator[dict[str, str]]:
    """The objects of a collection, with their files below the folder of all."""
    with (data / collection / "objects.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {**row, "file": f"{collection}/images/{row['file']}"}


def scores_of(
    name: str, network: Network, weights: str, shards: Path, out: Path, small: bool
) -> dict[str, dict[str, Any]]:
    """Task to the figures of `arttl explain score`, measured where they are not there yet."""
    from arttl.training.settings import TrainSettings
    from arttl.training.train import train

    run = out / name
    if not (run / "test.json").is_file():
        common = {"shards": shards, "tasks": network.tasks, "classes": "min-count=9", "weights": weights}
        common |= {"input_size": network.small if small else network.size, "out": run, "maps": 0}
        fewer = {"epochs": 1} if small and "epochs" in network.settings else {}
        train(TrainSettings.of(**{**common, **network.settings, **fewer}).replace(resume=True))
    figures = {}
    for task in network.tasks:
        scores = out / f"{name}-{task}.json"
        if not scores.is_file():
            sizes = (2, 2, 2, 1, 2) if small else (32, 20, 32, 8, 6)
            given = ["score", "--model", run, "--shards", shards, "--tasks", task, "--json", scores]
            for flag, size in zip(("count", "steps", "drawn", "randomised", "seeds"), sizes, strict=True):
                given += [f"--{flag}", size]
            if run_command("explain", [str(each) for each in (*given, "--methods", *network.methods)]):
                raise SystemExit(f"{scores} was not made")
        figures[task] = json.loads(scores.read_text())
    return figures


def rows_of(title: str, figures: Mapping[str, Any]) -> Iterator[str]:
    """The rows of one network and task."""
    from arttl.explain.score_maps import SHARES

    deviations = figures["randomised_deviation"]
    for number, method in enumerate(figures["curves"]):
        cells = [title if number == 0 else "", figures["forms"].get(method, method)]
        if method in figures["forms"] and "," in method:
            cells[1] += f" ({method.partition(', ')[2]})"
        curves = figures["curves"][method]
        for curve in ("deletion", "insertion"):
            low, high = curves[f"{curve}_interval"]
            cells.append(f"{curves[curve]:.3f} [{low:.3f}, {high:.3f}]")
        other, halves = (figures[key].get(method) for key in ("other_class", "side_by_side"))
        # Of a map that is the same for every class there are none.
        cells.append("1" if other is None else f"{other['correlation']:.2f} ({100 * other['empty']:.0f}%)")
        for share in (0.0, 0.75):
            index = SHARES.index(share)
            cells.append(f"{figures['randomised'][method][index]:.2f} ± {deviations[method][index]:.2f}")
        cells.append(f"{100 * figures['pointing'][method]['mass_inside']:.0f}%")
        if not figures["side_by_side"]["pairs"]:
            cells.append("")
        elif halves is None:
            cells.append("50%")
        else:
            low, high = (100 * end for end in halves["own_half_interval"])
            cells.append(
                f"{100 * halves['own_half']:.0f}% [{low:.0f}, {high:.0f}] ({100 * halves['empty']:.0f}%)"
            )
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Train, score, and print the table."""
    share_cores()  # before anything imports torch
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the collections gallery and paintings"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=["lite0-128", "lite0-160"], choices=NETWORKS)
    parser.add_argument("--vgg", help="weights of vgg16, .safetensors")
    parser.add_argument("--vit", help="weights of vit_small_patch14_dinov2, .safetensors")
    parser.add_argument(
        "--small", action="store_true", help="few small pictures, one epoch: figures that mean nothing"
    )
    given = parser.parse_args()
    chosen = {name: NETWORKS[name] for name in given.networks}
    files = {"packaged": "packaged", "vgg": given.vgg, "vit": given.vit}
    for name, network in chosen.items():
        if files[network.weights] is None:
            parser.error(f"--networks {name} needs --{network.weights}")
    table = [
        "| network, task | method | deletion | insertion | other (no map) | heads | 75% | inside | own half (no map) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, network in chosen.items():
        shards = shards_of(given.data, network.tasks, 200 if given.small else 2000, given.out)
        scores = scores_of(name, network, files[network.weights], shards, given.out, given.small)
        for task, figures in scores.items():
            table += rows_of(f"{network.title}, {task}", figures)
    print("\n".join(table))


if __name__ == "__main__":
    main()
