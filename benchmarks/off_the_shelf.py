"""Off-the-shelf for all tasks and a whole grid of heads, beside the published way: a full forward every epoch and task.

    python scripts/make_shards.py --metadata objects.csv --images images --object-number object_number --image file \
        --tasks type subject --split stratified --near-duplicates together --seed 0 --out shards/gallery
    python benchmarks/off_the_shelf.py --shards shards/gallery --json off_the_shelf.json

Ours is `arttl features --stages last` and `arttl probe` with its default grid, from shards to the saved model, on
every split. The published way (Sabatelli et al. 2018) trains one head a task, with the paper's recipe and no grid:
every epoch sends the training split through the frozen network, with RMSprop on the head, and then the validation
split. Its first epoch is run and timed here, and multiplied by the epochs that its early stopping takes, which the same
recipe on the cached features tells: the frozen features are the same each time. Both read the same shards with the same
loader.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arttl.cpu import usable_cores
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.grid import BATCH_SIZE, EPSILON, PAPER, RHO
from arttl.frozen.probe import Candidate, ProbeSettings, best_heads, probe
from arttl.loading import open_loader
from arttl.models import Backbone, load_weights
from arttl.models.losses import summed_loss
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskSet


def published_epoch(
    manifest: Manifest, task: Task, backbone: Backbone, size: int, weights: str, steps: int | None
) -> float:
    """Seconds of one epoch of the published way for one task; over `steps` batches a split, scaled up, if given."""
    preprocess = load_weights(backbone, weights, size).preprocess
    loaders = {
        split: open_loader(
            manifest, split, TaskSet([task]), preprocess=preprocess, batch_size=BATCH_SIZE, device="cpu"
        )
        for split in ("train", "val")
    }
    head = nn.Linear(backbone.num_features, task.outputs)
    optimizer = torch.optim.RMSprop(head.parameters(), lr=PAPER.learning_rate, alpha=RHO, eps=EPSILON)
    backbone.to(memory_format=torch.channels_last).eval()
    seconds = 0.0
    for split, loader in loaders.items():
        started, done = time.perf_counter(), 0
        for batch in loader:
            with torch.no_grad():
                features = backbone(batch.images)
            places = batch.labelled[task.name]
            loss = summed_loss(task, head(features[places]), batch.targets[task.name][places]) / len(places)
            if split == "train":
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            done += 1
            if done == steps:
                break
        seconds += (time.perf_counter() - started) * len(loader) / done
    return seconds


def ours(
    shards: Path, backbone: str, weights: str, size: int, folder: Path
) -> tuple[float, float, list[Candidate]]:
    """Seconds of the pass and of all heads, and the heads."""
    started = time.perf_counter()
    compute_features(
        FeatureSettings(
            shards=shards,
            out=folder / "features",
            backbone=backbone,
            weights=weights,
            stages="last",
            input_size=size,
        )
    )
    passed = time.perf_counter()
    candidates = probe(ProbeSettings(features=(folder / "features",), out=folder / "probe"))
    return passed - started, time.perf_counter() - passed, candidates


def main() -> None:
    """Time both ways and print what came out."""
    parser = argparse.ArgumentParser(description="Off-the-shelf beside the published way")
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", default="packaged")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, help="batches of a published epoch to time; by default all")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(usable_cores())
    manifest = Manifest.read(arguments.shards)
    tasks = TaskSet.from_manifest(manifest, manifest.task_names)
    with tempfile.TemporaryDirectory() as folder:
        pass_seconds, head_seconds, candidates = ours(
            arguments.shards, arguments.backbone, arguments.weights, arguments.size, Path(folder)
        )
    chosen = best_heads(candidates, tasks)
    result: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "ours": {"pass_seconds": pass_seconds, "heads_seconds": head_seconds, "heads": len(candidates)},
        "published": {},
    }
    total = 0.0
    for task in tasks:
        paper = next(one for one in candidates if one.recipe == "paper" and one.task == task.name)
        assert paper.epochs is not None
        epoch = published_epoch(
            manifest, task, Backbone(arguments.backbone), arguments.size, arguments.weights, arguments.steps
        )
        total += epoch * paper.epochs
        result["published"][task.name] = {
            "epoch_seconds": epoch,
            "epochs": paper.epochs,
            "accuracy": paper.test["accuracy"],
            "ours_accuracy": chosen[task.name].test["accuracy"],
            "ours_recipe": chosen[task.name].recipe,
        }
        print(
            f"{task.name}: published {epoch:.1f} s per epoch x {paper.epochs} epochs, accuracy"
            f" {100 * paper.test['accuracy']:.1f}; ours {100 * chosen[task.name].test['accuracy']:.1f}"
            f" ({chosen[task.name].recipe})"
        )
    mine = pass_seconds + head_seconds
    result["published"]["seconds"], result["ratio"] = total, total / mine
    print(
        f"published {total:.0f} s for one head a task; ours {pass_seconds:.1f} s + {head_seconds:.1f} s for all"
    )
    print(f"{total / mine:.1f} times as fast")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
