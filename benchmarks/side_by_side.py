r"""Two runs of one thread side by side against one run of two threads: training steps per second without a GPU.

    python benchmarks/side_by_side.py --networks tf_efficientnet_lite0:128 resnet50:224

Each arrangement trains for `--seconds`, in processes of its own; they take turns for `--rounds`. Only an otherwise idle
machine tells: where other programs run, threads that wait for each other lose more than processes that do not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time

from arttl.cpu import share_cores

BATCH_SIZE = 32


def train(network: str, size: int, threads: int, seconds: float, begin: object, result: object) -> None:
    """Train on a batch in memory, and report pictures per second."""
    import torch

    from arttl.cpu import prepare_cpu
    from arttl.models import Backbone

    prepare_cpu(threads)
    backbone = Backbone(network).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(backbone.parameters(), lr=1e-4, momentum=0.9)
    pictures = torch.randn(BATCH_SIZE, 3, size, size).to(memory_format=torch.channels_last)

    def step() -> None:
        backbone(pictures).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    begin.wait()  # type: ignore[attr-defined]
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    result.put(BATCH_SIZE * steps / (time.perf_counter() - started))  # type: ignore[attr-defined]


def pictures_per_second(network: str, size: int, processes: int, threads: int, seconds: float) -> float:
    """Of all processes together."""
    context = multiprocessing.get_context("spawn")
    begin, result = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=train, args=(network, size, threads, seconds, begin, result))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    total = sum(result.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", required=True, help="NETWORK:PIXELS")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    share_cores()
    print("| network | one run, two threads | two runs, one thread each | times |\n|---|---|---|---|")
    for item in given.networks:
        name, _, pixels = item.partition(":")
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(given.rounds):
            for count, of_count in rates.items():
                of_count.append(pictures_per_second(name, int(pixels), count, 2 // count, given.seconds))
        medians = {count: statistics.median(of_count) for count, of_count in rates.items()}
        texts = [
            f"{medians[count]:.1f} ({min(each):.1f} to {max(each):.1f})" for count, each in rates.items()
        ]
        print(
            f"| {name}, {pixels} px | {texts[0]} | {texts[1]} | {medians[2] / medians[1]:.2f} |", flush=True
        )
