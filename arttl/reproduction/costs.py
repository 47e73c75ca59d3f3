"""What the experiment costs on this machine: time, from short measurements, and disk."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import torch
from accelerate import PartialState
from torch.nn.functional import cross_entropy

from arttl.inference.precision import device_name
from arttl.inference.promises import MOST_REFERENCES
from arttl.loading import Augment, Preprocess, open_loader
from arttl.models import Backbone, default_preprocess
from arttl.reproduction.cells import Run
from arttl.reproduction.experiment import Plan
from arttl.shards.manifest import Manifest

_REPEATS = 10
_ENOUGH = 5.0  # seconds of measured work, after which it is not repeated
_BATCHES_READ = 8
_WEIGHT_BYTES = 4
_ROWS = 4096  # of features in a measured evaluation of a head
# Evaluations of the loss and its gradient that the solver needs for a head and all values of C; measured between 130
# (7 classes) and 410 (200 classes).
EVALUATIONS = 300


@dataclass(frozen=True)
class Cost:
    """What one network costs on this machine.

    Attributes:
        forward, step: seconds per picture, of a pass without gradients and of a training step.
        size: side of its input in pixels.
        device: the card's or processor's name, as of `device_name`.
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


def measure_cost(backbone: str, size: int | None, batch_size: int) -> Cost:
    """Time a network with random weights on random pictures, laid out in memory as training does; no decoding.

    Args:
        backbone: its name.
        size: side of its input in pixels; None: its weights' own.
        batch_size: pictures in a batch, which the time per picture depends on.
    """
    device = PartialState().device
    network = Backbone(backbone).to(device).to(memory_format=torch.channels_last)
    side = default_preprocess(network, size).size
    pictures = torch.randn(batch_size, 3, side, side, device=device)
    pictures = pictures.to(memory_format=torch.channels_last)

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
    return Cost(first / batch_size, second / batch_size, side, device_name(device))


def measure_reading(manifest: Manifest, size: int, threads: int | None, batch_size: int) -> float:
    """Seconds per picture of reading, decoding and resizing a collection's pictures, on the device that trains.

    Args:
        manifest: of shards.
        size: side of the network's input in pixels.
        threads: of decoding.
        batch_size: pictures in a batch.

    Raises:
        ArttlError: for shards that cannot be read.
    """
    preprocess = Preprocess(size=size, augment=Augment())
    device = PartialState().device
    loader = open_loader(
        manifest,
        "train",
        labelled=False,
        preprocess=preprocess,
        batch_size=batch_size,
        rank=0,
        world_size=1,
        threads=threads,
        device=device,
    )
    batches = min(_BATCHES_READ, len(loader))

    def read() -> None:
        for _ in islice(iter(loader), batches):
            pass

    return _seconds(read, device) / min(batches * batch_size, len(loader.rows))


def measure_head(width: int, outputs: int) -> float:
    """Seconds per sample of solving for a head of Q outputs on features of width D, the search for C included."""
    device = PartialState().device
    features = torch.randn(_ROWS, width, device=device)
    targets = torch.arange(_ROWS, device=device) % outputs
    weight = torch.zeros(width, outputs, device=device, requires_grad=True)

    def evaluate() -> None:
        cross_entropy(features @ weight, targets).backward()

    return EVALUATIONS * _seconds(evaluate, device) / _ROWS


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """The shortest of some repeats, which was disturbed least."""

    def work_to_the_end() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    first = timeit.timeit(work_to_the_end, number=1)  # which also prepares
    repeats = min(_REPEATS, max(1, int(_ENOUGH / max(first, 1e-9))))
    return min(timeit.repeat(work_to_the_end, number=1, repeat=repeats))


@dataclass(frozen=True)
class Rates:
    """What was measured on this machine.

    Attributes:
        networks: network to its cost.
        reading: collection and side of the input to seconds per picture.
        heads: width of the features and number of classes to seconds per training sample.
        beside: whether pictures are read beside the computation, as for a card; else the two share the cores.
    """

    networks: Mapping[str, Cost]
    reading: Mapping[tuple[str, int], float]
    heads: Mapping[tuple[int, int], float]
    beside: bool

    def seen(self, computation: float, collection: str, size: int) -> float:
        """Seconds per picture that is read and computed on."""
        reading = self.reading[collection, size]
        return max(computation, reading) if self.beside else computation + reading


def measure_rates(plan: Plan, runs: Sequence[Run]) -> Rates:
    """Measure all that `estimate` needs for some runs of a plan.

    Raises:
        ArttlError: for shards that cannot be read.
    """
    base = plan.experiment.fine_tuning
    batch_size, size = base.optimisation.batch_size, base.model.input_size
    networks = {
        name: measure_cost(name, size, batch_size) for name in dict.fromkeys(run.backbone for run in runs)
    }
    reading = {
        (name, side): measure_reading(plan.shards(name), side, base.data.threads, batch_size)
        for name, side in dict.fromkeys((run.collection, networks[run.backbone].size) for run in runs)
    }
    heads = {
        (width, outputs): measure_head(width, outputs)
        for width, outputs in dict.fromkeys(
            (network_size(run.backbone)[1], outputs)
            for run in runs
            if run.mode == "off-the-shelf"
            for outputs in plan.classes(run).values()
        )
    }
    return Rates(networks, reading, heads, PartialState().device.type != "cpu")


def estimate(run: Run, plan: Plan, rates: Rates) -> tuple[float, int]:
    """What a run costs at most.

    Counted are the pictures that are read and computed on, in training, validation, tests and, for what a prediction
    promises, as references; and solving for heads. Not counted are starting, saving and measuring, about a second each.

    Args:
        run: of the plan.
        plan: of the experiment.
        rates: of the machine.

    Returns:
        Seconds, as if no training stopped early, and bytes of the model.
    """
    cost = rates.networks[run.backbone]
    parameters, width = network_size(run.backbone)
    samples = plan.samples(run)
    passes = samples["val"] + samples["test"]  # of the saved model
    seconds = 0.0
    if run.mode == "off-the-shelf":
        passes += samples["train"] + samples["val"]
        seconds += sum(
            rates.heads[width, outputs] * samples["train"] for outputs in plan.classes(run).values()
        )
    else:
        epochs = plan.experiment.settings(run).resolved().optimisation.epochs or 0
        passes += epochs * samples["val"] + min(samples["train"], MOST_REFERENCES)
        seconds += epochs * samples["train"] * rates.seen(cost.step, run.collection, cost.size)
    seconds += passes * rates.seen(cost.forward, run.collection, cost.size)
    return seconds, parameters * _WEIGHT_BYTES
