"""Between off-the-shelf and fine-tuning: --adapt last-K and lora on two small collections, over several seeds.

    python benchmarks/adaptation.py --data ../shared/data --vit vit_small_dinov2.safetensors --out runs/adaptation

It packs each collection once per seed, with a split of its own, trains what is not trained yet, and prints the table of
`benchmarks/transformers.md`; given again, it resumes. The weights of the transformer: benchmarks/vit_weights.py.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arttl.cli import run_command
from arttl.cpu import share_cores

if TYPE_CHECKING:
    from arttl.training.settings import TrainSettings

TASKS = {"gallery": "subject", "paintings": "artist"}


@dataclass(frozen=True)
class Network:
    """A backbone, its weights and the size of its pictures, and what is compared: way to learning rate."""

    name: str
    weights: str
    size: int
    rates: dict[str, float]


def shards_of(data: Path, collection: str, pictures: int, seed: int, out: Path) -> Path:
    """The shards of a collection's first pictures, packed where they are not there yet."""
    shards = out / "shards" / f"{collection}-{seed}"
    if not (shards / "dataset.json").is_file():
        folder, metadata = data / collection, out / f"{collection}.csv"
        out.mkdir(parents=True, exist_ok=True)
        lines = (folder / "objects.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        metadata.write_text("".join(lines[: 1 + pictures]), encoding="utf-8")
        given = ["--metadata", metadata, "--images", folder / "images"]
        given += ["--object-number", "object_number", "--image", "file", "--split", "stratified"]
        given += ["--tasks", TASKS[collection], "--seed", seed, "--workers", 1, "--out", shards]
        if collection == "paintings":
            given += ["--mapping", f"artist={folder / 'synonyms.csv'}"]
        if run_command("shards", [str(each) for each in given]):
            raise SystemExit(f"{shards} was not packed")
    return shards


def settings_of(
    network: Network, way: str, shards: Path, task: str, seed: int, out: Path, epochs: int
) -> TrainSettings:
    """Those of one run."""
    from arttl.training.settings import TrainSettings

    common = {
        "shards": shards,
        "tasks": (task,),
        "classes": "min-count=9",
        "backbone": network.name,
        "weights": network.weights,
        "input_size": network.size,
        "seed": seed,
        "out": out,
        "maps": 0,
    }
    if way not in network.rates:
        return TrainSettings.of(mode="off-the-shelf", **common)
    return TrainSettings.of(
        mode="fine-tune",
        adapt=way,
        epochs=epochs,
        batch_size=16,
        learning_rate=network.rates[way],
        batchnorm="frozen",
        **common,
    )


def accuracies(out: Path) -> dict[str, float]:
    """Accuracy and balanced accuracy of the test split, per cent."""
    ((_, figures),) = json.loads((out / "test.json").read_text())["tasks"].items()
    return {name: 100 * figures[name] for name in ("accuracy", "balanced_accuracy")}


def main() -> None:
    """Train, and print the table."""
    share_cores()  # before anything imports torch
    from arttl.training.train import train

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the collections gallery and paintings"
    )
    parser.add_argument("--vit", required=True, help="weights of vit_small_patch14_dinov2, .safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--collections", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--pictures", type=int, default=2000, help="of each collection, the first ones")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--vit-size", type=int, default=126, help="pixels, a multiple of 14")
    parser.add_argument("--lite-size", type=int, default=128, help="pixels")
    given = parser.parse_args()
    networks = [
        Network(
            "vit_small_patch14_dinov2",
            given.vit,
            given.vit_size,
            {"last-2": 1e-4, "lora": 1e-3, "full": 2e-5},
        ),
        Network("tf_efficientnet_lite0", "packaged", given.lite_size, {"last-4": 3e-4, "full": 1e-4}),
    ]
    print("| collection | network | what learns | accuracy | balanced |\n|---|---|---|---|---|")
    for collection, network in itertools.product(given.collections, networks):
        for way in ("off-the-shelf", *network.rates):
            found = []
            for seed in range(given.seeds):
                shards = shards_of(given.data, collection, given.pictures, seed, given.out)
                out = given.out / f"{collection}-{network.name}-{way}-{seed}"
                if not (out / "test.json").is_file():
                    settings = settings_of(network, way, shards, TASKS[collection], seed, out, given.epochs)
                    train(settings.replace(resume=True))
                found.append(accuracies(out))
            cells = [
                f"{statistics.mean(values):.1f} ({min(values):.0f}–{max(values):.0f})"
                for values in zip(*(each.values() for each in found), strict=True)
            ]
            print(
                f"| {collection} | {network.name}, {network.size} px | {way} | {' | '.join(cells)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
