"""What a VisualBackProp map costs: beside the forward pass, plain torch, torch.compile, Grad-CAM, saliency and LRP.

    python benchmarks/visual_backprop.py --networks resnet50 --batches 1 --rounds 5      # a short run
    python benchmarks/visual_backprop.py --json visual_backprop.json                     # all of it, about an hour
    python benchmarks/visual_backprop.py --table visual_backprop.json                    # as Markdown

Every round runs each contestant once, in turn and in the other direction than the round before, so that a slow moment
meets all; figures are medians over the rounds, and ratios are medians of the rounds' ratios. The methods of captum and
pytorch-grad-cam have rounds of their own, with the forward pass among them, and fewer, since they cost much more.
Networks have random weights, which cost what trained ones do.

`own work` is everything but the network: the channel means of the kept activations, the backprojection and the min-max.
The other rows are whole calls, the network included. On a machine that others use, `--clock cpu --threads 1` counts the
processor time of this thread, on which other programs have less influence than on elapsed time.

Needs `pip install captum grad-cam`; the row of a method that is missing, or does not support a network, says so.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from arttl.explain import _torch_twin as twin
from arttl.explain import ops, visual_backprop
from arttl.explain.plan import plan_of
from arttl.explain.taps import Tap
from arttl.models import Backbone

NETWORKS = {"vgg19": 224, "resnet50": 224, "inception_v3": 299, "xception": 299, "densenet121": 224}
IN_PLAIN_TORCH = {
    f"run_{name}": getattr(twin, name) for name in ("channel_mean", "minmax_normalise", "backproject")
}


class Classifier(nn.Module):
    """A backbone and a linear head, which the methods that explain a class need."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone = Backbone(name)
        self.head = nn.Linear(self.backbone.num_features, 100)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, 100]."""
        logits: Tensor = self.head(self.backbone(images))
        return logits


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


def peak_bytes(call: Callable[[], object]) -> int:
    """The most bytes that a call's arrays held at once."""
    with LiveBytes() as live:
        call()
    return live.peak


def kept_activations(network: nn.Module, taps: Sequence[Tap], images: Tensor) -> list[Tensor]:
    """What the taps see, copied, since later layers work in place."""
    kept: list[Tensor] = []
    hooks = [
        network.get_submodule(tap.module).register_forward_hook(lambda m, i, out: kept.append(out.clone()))
        for tap in taps
    ]
    with torch.inference_mode():
        network.forward_features(images)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    return kept


def own_work(activations: list[Tensor], steps: list[int]) -> Tensor:
    """All that VisualBackProp does besides running the network, by whatever `ops` holds."""
    with torch.no_grad():
        return ops.run_backproject([ops.run_channel_mean(maps, True) for maps in activations], steps)


def in_plain_torch(call: Callable[[], Tensor]) -> Tensor:
    """A call with the kernels replaced by their plain-torch twins."""
    with mock.patch.multiple(ops, **IN_PLAIN_TORCH):
        return call()


def compiled_twin(activations: list[Tensor], steps: list[int]) -> Callable[[], Tensor]:
    """The twin's own work under torch.compile, warm."""

    @torch.compile(fullgraph=True, dynamic=False)
    def whole(activations: list[Tensor]) -> Tensor:
        return twin.backproject([twin.channel_mean(maps, True) for maps in activations], steps)

    def call() -> Tensor:
        with torch.no_grad():
            maps: Tensor = whole(activations)
            return maps

    torch.testing.assert_close(call(), own_work(activations, steps), rtol=1e-3, atol=1e-3)
    return call


def peers(model: Classifier, images: Tensor, last: nn.Module) -> dict[str, Callable[[], object]]:
    """The methods of captum and pytorch-grad-cam, each explaining class 0 of every picture."""
    calls: dict[str, Callable[[], object]] = {}
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


def in_rounds(
    calls: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Milliseconds of each call in each round."""
    times: dict[str, list[float]] = {title: [] for title in calls}
    gc.disable()
    for number in range(rounds):
        for title, call in list(calls.items())[:: -1 if number % 2 else 1]:
            begin = clock()
            call()
            times[title].append(1e3 * (clock() - begin))
        gc.collect()
    gc.enable()
    return times


def measure(
    name: str, batch: int, rounds: int, peer_rounds: int, clock: Callable[[], float]
) -> dict[str, Any]:
    """One network at one batch size: medians in milliseconds, ratios, memory."""
    torch.manual_seed(0)
    model = Classifier(name).eval()
    size = NETWORKS[name]
    images = torch.randn(batch, 3, size, size)
    network, _, plan = plan_of(model)
    activations = kept_activations(network, plan.taps, images)
    sizes = [(maps.shape[2], maps.shape[3]) for maps in activations]
    steps = plan.backprojection(network, "bojarski", (size, size), sizes)

    def forward() -> Tensor:
        with torch.no_grad():
            maps: Tensor = network.forward_features(images)  # type: ignore[operator]
            return maps

    own = partial(own_work, activations, steps)
    calls: dict[str, Callable[[], object]] = {
        "forward": forward,
        "VisualBackProp": partial(visual_backprop, model, images),
        "own work": own,
        "own work, plain torch": partial(in_plain_torch, own),
        "own work, torch.compile": compiled_twin(activations, steps),
    }
    others = peers(model, images, network.get_submodule(plan.taps[-1].module)) if peer_rounds else {}
    refused = {}
    for title, call in [*calls.items(), *others.items()]:  # warm up
        try:
            call()
        except Exception as error:  # of captum's rules for layers, mostly
            refused[title] = f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"
            del others[title]
    times = in_rounds(calls, rounds, clock)
    peer_times = in_rounds({"forward": forward, **others}, peer_rounds, clock) if others else {}

    def ratio(over: str, under: str) -> float:
        return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))

    measured: dict[str, Any] = {
        "network": name,
        "batch": batch,
        "rounds": rounds,
        "milliseconds": {
            title: statistics.median(values) for title, values in [*peer_times.items(), *times.items()]
        },
        "forward_spread": (max(times["forward"]) - min(times["forward"]))
        / statistics.median(times["forward"]),
        "added_percent": 100 * (ratio("VisualBackProp", "forward") - 1),
        "own_work_percent": 100 * ratio("own work", "forward"),
        "twin_over_kernel": ratio("own work, plain torch", "own work"),
        "compiled_over_kernel": ratio("own work, torch.compile", "own work"),
        "own_bytes_per_image": peak_bytes(own) / batch,
        "added_bytes_per_image": (peak_bytes(calls["VisualBackProp"]) - peak_bytes(forward)) / batch,
        "refused": refused,
    }
    for title in others:
        added = statistics.median(
            whole - alone for whole, alone in zip(peer_times[title], peer_times["forward"], strict=True)
        )
        measured[f"{title} added over own work"] = added / measured["milliseconds"]["own work"]
    return measured


def show(measured: dict[str, Any]) -> None:
    """Print one measurement."""
    print(
        f"\n{measured['network']}, batch {measured['batch']} (forward varies by {measured['forward_spread']:.0%})"
    )
    for title, value in measured["milliseconds"].items():
        print(f"  {title:<26}{value:10.2f} ms")
    for title, reason in measured["refused"].items():
        print(f"  {title:<26} not supported: {reason}")
    print(f"  whole map over forward    {measured['added_percent']:+9.2f} %")
    print(f"  own work of the forward   {measured['own_work_percent']:9.2f} %")
    print(f"  plain torch / kernel      {measured['twin_over_kernel']:9.2f}")
    print(f"  torch.compile / kernel    {measured['compiled_over_kernel']:9.2f}")
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
    "map over forward": lambda row: f"{row['added_percent']:+.1f}%",
    "own work, ms": lambda row: f"{row['milliseconds']['own work']:.2f}",
    "of forward": lambda row: f"{row['own_work_percent']:.1f}%",
    "eager twin": lambda row: f"{row['twin_over_kernel']:.1f}x",
    "compiled twin": lambda row: f"{row['compiled_over_kernel']:.2f}x",
    "Grad-CAM (captum)": lambda row: _times(row, "Grad-CAM (captum)"),
    "Grad-CAM (grad-cam)": lambda row: _times(row, "Grad-CAM (grad-cam)"),
    "saliency": lambda row: _times(row, "saliency (captum)"),
    "LRP": lambda row: _times(row, "LRP (captum)"),
    "MB per image": lambda row: f"{row['own_bytes_per_image'] / 1e6:.2f}",
}


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
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--table", nargs="+", type=Path, help="print the figures of these files, and stop")
    settings = parser.parse_args()
    if settings.table:
        print_table(settings.table)
        return
    torch.set_num_threads(settings.threads)
    clock = time.perf_counter if settings.clock == "wall" else time.process_time
    print(
        f"torch {torch.__version__}, {settings.threads} thread(s), {platform.processor() or platform.machine()}"
    )
    results = []
    for name in settings.networks:
        for batch in settings.batches:
            rounds = settings.rounds or max(4, 40 if batch == 1 else 80 // batch)
            results.append(measure(name, batch, rounds, settings.peer_rounds, clock))
            show(results[-1])
            if settings.json:
                settings.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
