"""What a VisualBackProp map costs: beside the forward pass, plain torch, torch.compile, Grad-CAM, saliency and LRP.

    python benchmarks/visual_backprop.py --networks resnet50 --batches 1 --rounds 5      # a short run
    python benchmarks/visual_backprop.py --json visual_backprop.json                     # all of it, about an hour
    python benchmarks/visual_backprop.py --table visual_backprop.json                    # as Markdown

Every round runs each contestant once, in turn and in the other direction than the round before, so that a slow moment
meets all; figures are medians over the rounds, and ratios are medians of the rounds' ratios. The methods of captum and
pytorch-grad-cam have rounds of their own, with the forward pass among them, and fewer, since they cost much more.
Networks have random weights, which cost what trained ones do.

`own work` is everything but the network: the channel means of the kept activations, the backprojection and the min-max.
The other rows are whole calls, the network included. `network and twin, torch.compile` is the network and the map in
plain torch, compiled as one module, in which the means are taken where the activations are made; beside it is the
network alone under torch.compile.

On a machine that others use, `--clock cpu --threads 1` counts the processor time of this thread, on which other
programs have less influence than on elapsed time. With `--device cuda` calls are timed by events on the card, one at a
time, and take arrays in turn that have four times the bytes of its L2 cache; `scripts/on_a_card.sh` measures more.

Needs `pip install captum grad-cam`; the row of a method that is missing, or does not support a network, says so.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from clocks import Call, EventClock, HostClock
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from visual_backprop_calls import Classifier, Subject, in_plain_torch

NETWORKS = {"vgg19": 224, "resnet50": 224, "inception_v3": 299, "xception": 299, "densenet121": 224}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class LiveBytes(TorchDispatchMode):
    """The most bytes that arrays made under it held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, then count."""
        made = function(*args, **(kwargs or {}))
        for array in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(array, Tensor):
                storage = array.untyped_storage()
                self._alive[StorageWeakRef(storage)] = storage.nbytes()
        self._alive = {reference: size for reference, size in self._alive.items() if not reference.expired()}
        self.peak = max(self.peak, sum(self._alive.values()))
        return made


def peak_bytes(call: Call) -> int:
    """The most bytes that a call's arrays held at once."""
    with LiveBytes() as live:
        call()
    return live.peak


def peers(model: Classifier, images: Tensor, last: nn.Module) -> dict[str, Call]:
    """The methods of captum and pytorch-grad-cam, each explaining class 0 of every picture."""
    calls: dict[str, Call] = {}
    try:
        from captum.attr import LRP, LayerGradCam, Saliency

        calls["Grad-CAM (captum)"] = lambda: LayerGradCam(model, last).attribute(images, target=0)
        calls["saliency (captum)"] = lambda: Saliency(model).attribute(images.clone(), target=0)
        calls["LRP (captum)"] = lambda: LRP(model).attribute(images.clone(), target=0)
    except ImportError:
        print("captum is not installed: without its rows")
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        def grad_cam() -> object:
            with GradCAM(model, [last]) as cam:
                return cam(images, [ClassifierOutputTarget(0)] * len(images))

        calls["Grad-CAM (grad-cam)"] = grad_cam
    except ImportError:
        print("pytorch-grad-cam is not installed: without its row")
    return calls


def in_rounds(calls: dict[str, Call], rounds: int, clock: HostClock | EventClock) -> dict[str, list[float]]:
    """Milliseconds of each call in each round."""
    times: dict[str, list[float]] = {title: [] for title in calls}
    gc.disable()
    for number in range(rounds):
        for title, call in list(calls.items())[:: -1 if number % 2 else 1]:
            times[title].append(clock.milliseconds(call))
        gc.collect()
    gc.enable()
    return times


def measure(subject: Subject, rounds: int, peer_rounds: int, clock: HostClock | EventClock) -> dict[str, Any]:
    """One network at one batch size: medians in milliseconds, ratios, memory."""
    batch = len(subject.images[0])
    calls: dict[str, Call] = {
        "forward": subject.forward,
        "VisualBackProp": subject.map,
        "own work": subject.own_work,
        "own work, plain torch": partial(in_plain_torch, subject.own_work),
        "own work, torch.compile": subject.compiled_twin(),
    }
    refused = {}
    for title, compiled in {
        "forward, torch.compile": subject.compiled_forward,
        "network and twin, torch.compile": subject.compiled_map,
    }.items():
        try:
            calls[title] = compiled()
        except Exception as error:  # of what torch.compile does not support
            refused[title] = short(error)
    last = subject.network.get_submodule(subject.taps[-1].module)
    others = peers(subject.model, subject.images[0], last) if peer_rounds else {}
    for title, call in [*calls.items(), *others.items()]:  # warm up
        try:
            call()
        except Exception as error:  # of captum's rules for layers, mostly
            refused[title] = short(error)
            del others[title]
    times = in_rounds(calls, rounds, clock)
    peer_times = in_rounds({"forward": subject.forward, **others}, peer_rounds, clock) if others else {}

    def ratio(over: str, under: str) -> float | None:
        if over not in times or under not in times:
            return None
        return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))

    measured: dict[str, Any] = {
        "batch": batch,
        "rounds": rounds,
        "milliseconds": {
            title: statistics.median(values) for title, values in [*peer_times.items(), *times.items()]
        },
        "forward_spread": (max(times["forward"]) - min(times["forward"]))
        / statistics.median(times["forward"]),
        "map_over_forward": ratio("VisualBackProp", "forward"),
        "own_work_over_forward": ratio("own work", "forward"),
        "twin_over_kernel": ratio("own work, plain torch", "own work"),
        "compiled_over_kernel": ratio("own work, torch.compile", "own work"),
        "compiled_map_over_compiled_forward": ratio(
            "network and twin, torch.compile", "forward, torch.compile"
        ),
        "compiled_map_over_map": ratio("network and twin, torch.compile", "VisualBackProp"),
        "own_bytes_per_image": peak_bytes(subject.own_work) / batch,
        "added_bytes_per_image": (peak_bytes(subject.map) - peak_bytes(subject.forward)) / batch,
        "refused": refused,
    }
    for title in others:
        added = statistics.median(
            whole - alone for whole, alone in zip(peer_times[title], peer_times["forward"], strict=True)
        )
        measured[f"{title} added over own work"] = added / measured["milliseconds"]["own work"]
    return measured


def short(error: Exception) -> str:
    """The first line of an error."""
    return f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"


def show(measured: dict[str, Any]) -> None:
    """Print one measurement."""
    print(
        f"\n{measured['network']}, batch {measured['batch']} (forward varies by {measured['forward_spread']:.0%})"
    )
    for title, value in measured["milliseconds"].items():
        print(f"  {title:<32}{value:10.2f} ms")
    for title, reason in measured["refused"].items():
        print(f"  {title:<32} not supported: {reason}")
    for title, value in measured.items():
        if "_over_" in title and value is not None:
            print(f"  {title.replace('_', ' '):<40}{value:8.3f}")
    for title, value in measured.items():
        if title.endswith("over own work"):
            print(f"  {title:<40}{value:8.0f}")
    print(
        f"  memory per image: own work {measured['own_bytes_per_image'] / 1e6:.2f} MB, beyond the forward's peak "
        f"{measured['added_bytes_per_image'] / 1e6:.2f} MB",
        flush=True,
    )


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "network": lambda row: row["network"],
    "batch": lambda row: str(row["batch"]),
    "forward, ms": lambda row: f"{row['milliseconds']['forward']:.0f}",
    "map over forward": lambda row: _added(row["map_over_forward"]),
    "own work, ms": lambda row: f"{row['milliseconds']['own work']:.2f}",
    "of forward": lambda row: f"{row['own_work_over_forward']:.1%}",
    "eager twin": lambda row: f"{row['twin_over_kernel']:.1f}x",
    "compiled twin": lambda row: f"{row['compiled_over_kernel']:.2f}x",
    "compiled forward, ms": lambda row: _milliseconds(row, "forward, torch.compile"),
    "compiled network and twin over it": lambda row: _added(row["compiled_map_over_compiled_forward"]),
    "Grad-CAM (captum)": lambda row: _times(row, "Grad-CAM (captum)"),
    "Grad-CAM (grad-cam)": lambda row: _times(row, "Grad-CAM (grad-cam)"),
    "saliency": lambda row: _times(row, "saliency (captum)"),
    "LRP": lambda row: _times(row, "LRP (captum)"),
    "MB per image": lambda row: f"{row['own_bytes_per_image'] / 1e6:.2f}",
}


def _added(ratio: float | None) -> str:
    return "not supported" if ratio is None else f"{ratio - 1:+.1%}"


def _milliseconds(row: dict[str, Any], title: str) -> str:
    value = row["milliseconds"].get(title)
    return "not supported" if value is None else f"{value:.0f}"


def _times(row: dict[str, Any], title: str) -> str:
    value = row.get(f"{title} added over own work")
    if value is None:
        return "not supported" if title in row["refused"] else "-"
    return f"{value:.0f}x" if value >= 1 else "below 1x"


def print_table(files: Sequence[Path]) -> None:
    """Print the measurements of earlier runs as a Markdown table."""
    rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    rows.sort(key=lambda row: (list(NETWORKS).index(row["network"]), row["batch"]))
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in rows:
        print(f"| {' | '.join(column(row) for column in COLUMNS.values())} |")


def main() -> None:
    """Measure and print; write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, help="by default 40 at batch 1, 10 at 8, 4 at 32 and more")
    parser.add_argument("--peer-rounds", type=int, default=3, help="0 for VisualBackProp and its twins alone")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="of --device cpu")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: timed by events")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--channels-last", action="store_true", help="layout of the network and its images")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--table", nargs="+", type=Path, help="print the figures of these files, and stop")
    settings = parser.parse_args()
    if settings.table:
        print_table(settings.table)
        return
    torch.set_num_threads(settings.threads)
    clock: HostClock | EventClock = HostClock(
        time.perf_counter if settings.clock == "wall" else time.process_time
    )
    machine, cache = f"{settings.threads} threads, {platform.processor() or platform.machine()}", 0
    if settings.device == "cuda":
        if not torch.cuda.is_available():
            sys.exit("--device cuda: torch sees no card on this machine")
        torch.backends.cudnn.benchmark = True  # for the fastest forward pass to compare with
        clock, cache = EventClock(), torch.cuda.get_device_properties(0).L2_cache_size
        machine = torch.cuda.get_device_name()
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    print(f"torch {torch.__version__}, {machine}, {settings.dtype}, {str(layout).removeprefix('torch.')}")
    results = []
    for name in settings.networks:
        for batch in settings.batches:
            rounds = settings.rounds or max(4, 40 if batch == 1 else 80 // batch)
            torch.compiler.reset()
            subject = Subject(
                name, NETWORKS[name], batch, settings.device, DTYPES[settings.dtype], layout, cache
            )
            results.append({"network": name, **measure(subject, rounds, settings.peer_rounds, clock)})
            show(results[-1])
            if settings.json:
                settings.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
