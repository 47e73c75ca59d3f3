"""What memory formats, `torch.compile` and bfloat16 give on a CPU: processor time of a training step and of inference.

    python benchmarks/cpu_modes.py                                   # the networks of the recipes, about ten minutes
    python benchmarks/cpu_modes.py --rounds 1 --networks resnet50:64:4

Each network is built with random weights and a head of 100 classes, once per mode, and steps through a batch of random
images. `channels last` is what arttl trains with: images and weights channels last in memory, in float32. `contiguous`
has both in the order of planes. `compiled` is `torch.compile` with its defaults, and `bfloat16` autocast, as
`--mixed-precision bf16` sets it, both channels last. A training step is forward, cross-entropy, backward and SGD with
momentum; inference is a forward pass without gradients.

Rounds are interleaved: each mode has one step in turn, in the other direction every second round, after two steps that
are not counted. Times are of the processor, over all threads, so that other programs disturb them less; figures are
medians, and ratios medians of the rounds' ratios. `first` is what the first step of a mode takes more than a later one:
what compiling costs, to be had back within a run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from timm import create_model
from torch import nn

NETWORKS = (
    *("tf_efficientnet_lite0:128:16", "tf_efficientnet_lite0:224:16", "resnet50:224:16"),
    *("inception_v3:299:8", "densenet121:224:8"),
)
MODES = ("channels last", "contiguous", "compiled", "bfloat16", "compiled, bfloat16")


def step_of(network: nn.Module, mode: str, images: torch.Tensor, training: bool) -> Callable[[], object]:
    """A step of a mode, with weights of its own."""
    if mode == "contiguous":
        images = images.contiguous()
    else:
        network = network.to(memory_format=torch.channels_last)
    network.train(training)
    forward = torch.compile(network) if mode.startswith("compiled") else network
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=mode.endswith("bfloat16"))
    labels = torch.arange(len(images)) % 100
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def train() -> None:
        with autocast:
            loss = nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    def infer() -> None:
        with torch.no_grad(), autocast:
            forward(images)

    return train if training else infer


def seconds(call: Callable[[], object]) -> float:
    """Of the processor, over all threads."""
    started = time.process_time()
    call()
    return time.process_time() - started


def main() -> None:
    """Measure every network, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME:SIZE:BATCH")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(
        f"{given.threads} thread(s), torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}\n"
    )
    print("| network, size, batch | | " + " | ".join(given.modes) + " | first step of compiled |")
    print("|---|---|" + "---:|" * (len(given.modes) + 1))
    for network in given.networks:
        name, size, batch = network.split(":")
        images = torch.rand(int(batch), 3, int(size), int(size)).to(memory_format=torch.channels_last)
        for training in (True, False):
            torch._dynamo.reset()
            steps, first = {}, {}
            for mode in given.modes:
                torch.manual_seed(0)
                built = create_model(name, num_classes=100)
                steps[mode] = step_of(built, mode, images, training)
                first[mode] = seconds(steps[mode])
                seconds(steps[mode])
            taken: dict[str, list[float]] = {mode: [] for mode in given.modes}
            for number in range(given.rounds):
                for mode in list(given.modes)[:: 1 if number % 2 == 0 else -1]:
                    taken[mode].append(seconds(steps[mode]))
            cells = []
            for times in taken.values():
                ratios = [base / other for base, other in zip(taken[given.modes[0]], times, strict=True)]
                cells.append(f"{statistics.median(times):.2f} s, {statistics.median(ratios):.2f}x")
            compiled = [mode for mode in given.modes if mode.startswith("compiled")]
            extra = [f"{first[mode] - statistics.median(taken[mode]):.0f} s" for mode in compiled]
            what = "training" if training else "inference"
            print(f"| {network} | {what} | {' | '.join(cells)} | {', '.join(extra)} |", flush=True)


if __name__ == "__main__":
    main()
