"""What the experiment costs on this machine: time, from a short measurement, and disk."""

from __future__ import annotations

import platform
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from accelerate import PartialState

from arttl.models import Backbone, default_preprocess
from arttl.reproduction.cells import Run
from arttl.reproduction.running import Experiment
from arttl.shards.manifest import Manifest

_REPEATS = 3
_PICTURES = 8  # in a measured batch
_WEIGHT_BYTES = 4


@dataclass(frozen=True)
class Cost:
    """What one network costs on this machine.

    Attributes:
        forward, step: seconds per picture, of a pass without gradients and of a training step.
        size: side of its input in pixels.
        device: the card's or processor's name.
    """

    forward: float
    step: float
    size: int
    device: str


@lru_cache(maxsize=64)
def network_size(backbone: str) -> tuple[int, int]:
    """The number of parameters of a network without a head, and the width of its features."""
    network = Backbone(backbone)
    return sum(parameter.numel() for parameter in network.parameters()), network.num_features


def measure_cost(backbone: str, size: int | None) -> Cost:
    """Time a network with random weights on random pictures; decoding is not counted.

    Args:
        backbone: its name.
        size: side of its input in pixels; None: its weights' own.
    """
    device = PartialState().device
    network = Backbone(backbone).to(device)
    side = default_preprocess(network, size).size
    pictures = torch.randn(_PICTURES, 3, side, side, device=device)

    def forward() -> None:
        with torch.inference_mode():
            network(pictures)

    def step() -> None:
        network(pictures).sum().backward()
        network.zero_grad()

    network.eval()
    first = _seconds(forward, device)
    network.train()
    second = _seconds(step, device)
    return Cost(first / _PICTURES, second / _PICTURES, side, _name(device))


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} threads, {platform.machine()}"


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    def work_to_the_end() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    # The first repeat also prepares.
    return min(timeit.repeat(work_to_the_end, number=1, repeat=_REPEATS + 1)[1:])


def estimate(
    run: Run, experiment: Experiment, manifest: Manifest, costs: Mapping[str, Cost]
) -> tuple[float, int]:
    """What a run costs at most.

    Args:
        run: of the experiment.
        experiment: its settings.
        manifest: of the run's collection.
        costs: network to its cost.

    Returns:
        Seconds, as if no training stopped early, and bytes of the model.
    """
    cost = costs[run.backbone]
    samples = {split: _labelled(manifest, split, run.tasks) for split in ("train", "val", "test")}
    if run.mode == "off-the-shelf":
        seconds = cost.forward * sum(samples.values())
    else:
        epochs = experiment.settings(run).resolved().optimisation.epochs or 0
        seconds = epochs * (cost.step * samples["train"] + cost.forward * samples["val"])
        seconds += cost.forward * samples["test"]
    return seconds, network_size(run.backbone)[0] * _WEIGHT_BYTES


def _labelled(manifest: Manifest, split: str, tasks: tuple[str, ...]) -> int:
    columns = [manifest.labels(task) for task in tasks]
    return sum(any(column[row] for column in columns) for row in manifest.rows(split).tolist())
