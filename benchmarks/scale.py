r"""The paper's whole experiment on one, four and eight cards and without one: a simulation, see benchmarks/scale.md.

    python benchmarks/scale.py --measure rates.json     # processor time of each network on this machine, ten minutes
    python benchmarks/scale.py --rates rates.json       # the tables of benchmarks/scale.md
    python benchmarks/scale.py --check shards/gallery   # the estimate of a dry run beside small real runs

The runs, their order and what each waits for are those of `arttl reproduce` (`build_matrix`), and what each costs is
what its dry run says (`estimate`), with the numbers of pictures, classes and epochs that the paper has published in
place of a collection's, and rates in place of a measurement.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import timeit
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from arttl.models import Backbone, default_preprocess
from arttl.reproduction import costs
from arttl.reproduction.cells import IMAGENET, Collection, Matrix, Run, build_matrix
from arttl.reproduction.published import published
from arttl.reproduction.running import run_matrix
from arttl.reproduction.settings import PAPER_NETWORKS, ReproduceSettings
from arttl.reproduction.tonkes2022 import plan_tonkes2022
from arttl.settings import read_recipe
from arttl.training.settings import TrainSettings

PATIENCE, MOST_EPOCHS = 7, 100  # of the paper's recipe
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
TASKS = {"rijksmuseum": ("material", "type", "artist"), "antwerp": ("type", "artist")}
# Pictures per second and core, packed at 512 pixels, to 224: 0.61 to 0.67 ms of processor time, benchmarks/loading.md.
READ_PER_CORE = 1500.0
CORES_PER_CARD = 8
# ResNet50 in training and in inference, pictures per second, 224 pixels: NVIDIA's DeepLearningExamples, ResNet50 v1.5
# for PyTorch, README, one A100. Other networks: in proportion to their multiplications, which is a guess.
A100 = {"A100, TF32": (938.0, 1261.0), "A100, mixed precision": (2470.0, 3382.0)}
A100_HEADS = 10e12  # operations per second in solving for heads: half of the peak of float32, a guess
CPU_HEADS = 60e9  # of one core, measured with 50 to 200 classes


@dataclass(frozen=True)
class Machine:
    """A kind of worker: a card with its share of the cores, or some cores.

    Attributes:
        name: as the tables call it.
        step, forward: network to seconds per picture.
        read: seconds per picture.
        heads: operations per second in solving for heads.
        beside: whether pictures are read beside the computation.
    """

    name: str
    step: Mapping[str, float]
    forward: Mapping[str, float]
    read: float
    heads: float
    beside: bool


@cache
def side_of(network: str) -> int:
    """The side of a network's own input in pixels."""
    return default_preprocess(Backbone(network)).size


@cache
def operations(network: str) -> int:
    """Of one forward pass of one picture."""
    with torch.device("meta"):
        backbone = Backbone(network).eval()
        picture = torch.zeros(1, 3, side_of(network), side_of(network))
    with FlopCounterMode(display=False) as counter:
        backbone(picture)
    return int(counter.get_total_flops())


def card(name: str) -> Machine:
    """One A100 and its cores."""
    train, infer = A100[name]
    relative = {network: operations(network) / operations("resnet50") for network in PAPER_NETWORKS}
    return Machine(
        name,
        {network: share / train for network, share in relative.items()},
        {network: share / infer for network, share in relative.items()},
        1 / (CORES_PER_CARD * READ_PER_CORE),
        A100_HEADS,
        beside=True,
    )


def processor(name: str, cores: int, rates: Mapping[str, Mapping[str, float]]) -> Machine:
    """Some cores, as if their number divided the time of one."""
    return Machine(
        name,
        {network: rate["step"] / cores for network, rate in rates.items()},
        {network: rate["forward"] / cores for network, rate in rates.items()},
        1 / (cores * READ_PER_CORE),
        cores * CPU_HEADS,
        beside=False,
    )


def paper_matrix() -> Matrix:
    """All runs on the paper's two collections: table 1, table 2, from scratch, classes in common, joint."""
    classes = {
        name: {line.task: line.classes for line in _datasets(name)} for name in ("rijksmuseum", "antwerp")
    }
    common = {line.task: round(line.overlap / 100 * line.classes) for line in _datasets("antwerp")}
    return build_matrix(
        Collection("rijksmuseum", classes["rijksmuseum"]),
        [Collection("antwerp", classes["antwerp"], common)],
        PAPER_NETWORKS,
        scratch="inception_v3",
        missing_weights={},
        pairs={},
        seeds=(0,),
    )


def _datasets(collection: str) -> list[Any]:
    found = [
        line
        for line in published().datasets
        if line.source == "sabatelli2018" and line.collection == collection
    ]
    return sorted(found, key=lambda line: TASKS[collection].index(line.task))


def epochs_of(run: Run) -> int:
    """As many as the paper's curve of the network and task, or else the mean of its curves, and the patience.

    Of a joint network the longest of its tasks.
    """
    best = []
    for task in run.tasks:
        mode = "scratch" if run.mode == "scratch" else "fine-tune"
        weights = "none" if run.mode == "scratch" else IMAGENET
        curves = published().find(
            source="sabatelli2018", split="val", collection="rijksmuseum", mode=mode, weights=weights
        )
        own = [curve for curve in curves if (curve.task, curve.network) == (task, run.backbone)]
        known = [curve.epoch + 1 for curve in own or curves if curve.epoch is not None]
        best.append(round(sum(known) / len(known)))
    return min(MOST_EPOCHS, max(best) + PATIENCE)


class PaperPlan:
    """What `estimate` asks a plan for, from the paper's numbers."""

    def __init__(self, matrix: Matrix) -> None:
        self._recipe = read_recipe("paper", TrainSettings)
        self._lines = {(line.collection, line.task): line for line in published().datasets[:5]}
        self.matrix = matrix
        self.experiment = SimpleNamespace(settings=self._settings)

    def _settings(self, run: Run) -> TrainSettings:
        return self._recipe.replace(epochs=epochs_of(run))

    def classes(self, run: Run) -> dict[str, int]:
        """See `Plan.classes`."""
        found = {task: self._lines[run.collection, task] for task in run.tasks}
        return {
            task: round(line.classes * (line.overlap / 100 if run.common else 1))
            for task, line in found.items()
        }

    def samples(self, run: Run) -> dict[str, int]:
        """See `Plan.samples`; of several tasks the largest, and of common classes half of the pictures, a guess."""
        images = max(self._lines[run.collection, task].images for task in run.tasks)
        return {split: round(images * share * (0.5 if run.common else 1)) for split, share in SHARES.items()}


def seconds_of_runs(plan: PaperPlan, machine: Machine) -> dict[str, float]:
    """Run name to what `estimate` says of it on a machine."""
    networks = {
        name: costs.Cost(machine.forward[name], machine.step[name], side_of(name), machine.name)
        for name in PAPER_NETWORKS
    }
    reading = {(name, side_of(network)): machine.read for name in TASKS for network in PAPER_NETWORKS}
    heads = {}
    for run in plan.matrix.runs:
        width = costs.network_size(run.backbone)[1]
        for outputs in plan.classes(run).values():
            heads[width, outputs] = costs.EVALUATIONS * 4 * width * outputs / machine.heads
    rates = costs.Rates(networks, reading, heads, machine.beside)
    return {run.name: costs.estimate(run, plan, rates)[0] for run in plan.matrix.runs}


def schedule(
    runs: Sequence[Run], seconds: Mapping[str, float], workers: int, key: Callable[[Run], float]
) -> float:
    """When the last run ends, if every free worker takes the first run by a key whose donor is done."""
    open_runs = sorted(runs, key=key)
    ends: dict[str, float] = {}  # of the runs that have begun
    free = [0.0] * workers
    while open_runs:
        now = min(free)
        ready = [run for run in open_runs if run.donor is None or ends.get(run.donor, now + 1) <= now]
        worker = free.index(now)
        if not ready:  # until another worker ends a run
            free[worker] = min(end for end in ends.values() if end > now)
            continue
        run = ready[0]
        open_runs.remove(run)
        ends[run.name] = free[worker] = now + seconds[run.name]
    return max(ends.values())


def _part(run: Run) -> str:
    if run.mode in ("scratch", "joint"):
        return f"{run.collection}, {run.mode}"
    common = ", classes in common" if run.common else ""
    weights = (
        "" if run.collection == "rijksmuseum" else f", {'Rijksmuseum' if run.donor else 'ImageNet'} weights"
    )
    return f"{run.collection}{common}, {run.mode}{weights}"


def simulate(machines: Sequence[Machine], workers: Mapping[str, Sequence[int]]) -> None:
    """Print the tables."""
    plan = PaperPlan(paper_matrix())
    runs = plan.matrix.runs
    order = {run.name: number for number, run in enumerate(runs)}
    seconds = {machine.name: seconds_of_runs(plan, machine) for machine in machines}
    print(f"{len(runs)} runs\n\n| hours | runs | {' | '.join(seconds)} |\n|---|---|{'---|' * len(seconds)}")
    parts = defaultdict(list)
    for run in runs:
        parts[_part(run)].append(run)
    for part, of_part in {**parts, "all": list(runs)}.items():
        hours = [sum(of_machine[run.name] for run in of_part) / 3600 for of_machine in seconds.values()]
        print(f"| {part} | {len(of_part)} | {' | '.join(f'{value:,.1f}' for value in hours)} |")
    print(
        "\n| machine | workers | hours, runs in order | busy | longest first | busy |\n|---|---|---|---|---|---|"
    )
    for name, of_machine in seconds.items():
        for count in workers[name]:
            total = sum(of_machine.values())
            spans = (
                schedule(runs, of_machine, count, lambda run: order[run.name]),
                schedule(runs, of_machine, count, lambda run: -of_machine[run.name]),  # noqa: B023
            )
            text = " | ".join(f"{span / 3600:,.1f} | {100 * total / span / count:.0f}%" for span in spans)
            print(f"| {name} | {count} | {text} |")
    print(
        "\n| network | operations, 10^9 | "
        + " | ".join(f"{machine.name}: step/s, forward/s" for machine in machines),
        "|",
    )
    print("|---|---|" + "---|" * len(machines))
    for network in PAPER_NETWORKS:
        rates = " | ".join(
            f"{1 / each.step[network]:,.0f}, {1 / each.forward[network]:,.0f}" for each in machines
        )
        print(f"| {network} | {operations(network) / 1e9:.1f} | {rates} |")
    print(
        "\n| network | "
        + " | ".join(f"{each.name}: cores for training, for frozen" for each in machines if each.beside),
        "|",
    )
    print("|---|" + "---|" * sum(each.beside for each in machines))
    for network in PAPER_NETWORKS:
        cores = " | ".join(
            f"{1 / each.step[network] / READ_PER_CORE:.1f}, {1 / each.forward[network] / READ_PER_CORE:.1f}"
            for each in machines
            if each.beside
        )
        print(f"| {network} | {cores} |")


def _processor_time(work: Callable[[], object]) -> None:
    """Measure by processor time, which other programs do not lengthen as they do the time on the wall."""
    torch.set_num_threads(1)
    for name in ("timeit", "repeat"):
        function = getattr(timeit, name)
        setattr(timeit, name, lambda *a, function=function, **k: function(*a, timer=time.process_time, **k))
    work()


def measure(file: Path) -> None:
    """Write what each network costs on one core."""
    rates = {}
    for network in PAPER_NETWORKS:
        cost = costs.measure_cost(network, None, 8)
        rates[network] = {"step": cost.step, "forward": cost.forward}
        print(network, rates[network], flush=True)
    file.write_text(json.dumps(rates, indent=1))


def _shorter(first: costs.Rates, second: costs.Rates) -> costs.Rates:
    """Of two measurements the shorter times."""
    networks = {
        name: replace(
            cost,
            forward=min(cost.forward, second.networks[name].forward),
            step=min(cost.step, second.networks[name].step),
        )
        for name, cost in first.networks.items()
    }
    reading = {key: min(value, second.reading[key]) for key, value in first.reading.items()}
    heads = {key: min(value, second.heads[key]) for key, value in first.heads.items()}
    return replace(first, networks=networks, reading=reading, heads=heads)


def check(shards: Path, epochs: int) -> None:
    """Small real runs of EfficientNet-Lite0 beside their estimates, in processor seconds of one thread."""
    with tempfile.TemporaryDirectory() as folder:
        network = "tf_efficientnet_lite0"
        settings = ReproduceSettings(
            protocol="tonkes2022",
            source=shards,
            out=Path(folder) / "out",
            backbones=(network,),
            weights=(f"{network}=packaged",),
            input_size=128,
            epochs=epochs,
            seeds=1,
            panels="",
        )
        plan = plan_tonkes2022(settings)
        rates = costs.measure_rates(plan, plan.matrix.runs)
        begun: dict[str, float] = {}
        took: dict[str, float] = {}

        def on_begin(run: Run, done: int, of: int) -> None:
            begun[run.name] = time.process_time()

        def on_end(run: Run, seconds: float, error: str | None) -> None:
            assert error is None, error
            took[run.name] = time.process_time() - begun[run.name]

        run_matrix(plan.experiment, plan.matrix, on_begin=on_begin, on_end=on_end)
        rates = _shorter(rates, costs.measure_rates(plan, plan.matrix.runs))  # other programs disturb both
        print("\n| run | estimate | real | estimate / real |\n|---|---|---|---|")
        expected = {run.name: costs.estimate(run, plan, rates)[0] for run in plan.matrix.runs}
        lines: Iterable[tuple[str, float, float]] = [
            *((run.name.rpartition("/")[2], expected[run.name], took[run.name]) for run in plan.matrix.runs),
            ("all", sum(expected.values()), sum(took.values())),
        ]
        for name, estimated, real in lines:
            print(f"| {name} | {estimated:.1f} s | {real:.1f} s | {estimated / real:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--measure", type=Path, help="file to write the rates of this machine's cores to")
    what.add_argument("--rates", type=Path, help="file that --measure has written")
    what.add_argument("--check", type=Path, help="shards to run on and to compare with the estimate")
    parser.add_argument("--epochs", type=int, default=2, help="of the runs of --check")
    given = parser.parse_args()
    if given.measure:
        _processor_time(lambda: measure(given.measure))
    elif given.check:
        _processor_time(lambda: check(given.check, given.epochs))
    else:
        of_cores = json.loads(given.rates.read_text())
        cards = [card(name) for name in A100]
        cores = [processor("2 cores", 2, of_cores), processor("16 cores", 16, of_cores)]
        counts = {machine.name: (1, 4, 8) if machine.beside else (1,) for machine in (*cards, *cores)}
        simulate([*cards, *cores], counts)
