"""What class maps add to the forward pass of a network and its heads: whole calls, from images to maps.

    python benchmarks/class_maps.py
    python benchmarks/class_maps.py --networks resnet50 --batches 1 --rounds 5      # a short run

Five tasks of 30 classes each; weights are random, which cost what trained ones do. Every round runs each contestant
once, in turn and in the other direction than the round before; ratios are medians of the rounds' ratios to the same
round's forward pass, with the quartiles, since one forward pass differs from the next by more than what is measured.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from clocks import HostClock
from visual_backprop import in_rounds

from arttl import class_maps, visual_backprop
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.saliency.class_maps import Question, class_maps_of
from arttl.tasks import Task, TaskSet, Vocabulary

SIZE, TASKS, CLASSES = 224, 5, 30
ROUNDS = {1: 60, 8: 20, 32: 8}


def model_of(name: str) -> MultiTaskModel:
    """A network with random weights and its heads."""
    torch.manual_seed(0)
    classes = Vocabulary(tuple(f"{index:02d}" for index in range(CLASSES)), (1,) * CLASSES, (0,))
    tasks = TaskSet([Task(f"task {number}", "single-label", classes) for number in range(TASKS)])
    return MultiTaskModel(Backbone(name), tasks, Preprocess(size=SIZE)).eval()


def row_of(name: str, model: MultiTaskModel, batch: int, rounds: int) -> str:
    """The measurements of a network at one batch size, as a row of the table."""
    images = torch.randn(batch, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    questions = [Question(task.name) for task in model.tasks]
    calls = {
        "forward": torch.no_grad()(lambda: model(images)),
        "one class": lambda: class_maps(model, images, questions[0].task),
        "five tasks": lambda: class_maps_of(model, [images], questions),
        "VisualBackProp": lambda: visual_backprop(model, images),
    }
    in_rounds(calls, 2, HostClock())
    times = in_rounds(calls, rounds, HostClock())
    cells = [name, str(batch), f"{statistics.median(times['forward']):.1f}"]
    for title in list(calls)[1:]:
        ratios = [a / b - 1 for a, b in zip(times[title], times["forward"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells.append(f"{middle:+.1%} [{low:+.0%}, {high:+.0%}]")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--networks", nargs="+", default=["tf_efficientnet_lite0", "resnet50", "densenet121", "vgg19"]
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--rounds", type=int, help="by default 60 at batch 1, 20 at 8, 8 at more")
    given = parser.parse_args()
    columns = ["network", "batch", "forward, ms", "one class", "five tasks", "VisualBackProp"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for name in given.networks:
        model = model_of(name).to(memory_format=torch.channels_last)
        for batch in given.batches:
            print(row_of(name, model, batch, given.rounds or ROUNDS.get(batch, 8)), flush=True)


if __name__ == "__main__":
    main()
