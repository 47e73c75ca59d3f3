"""The parts of a run: kernels first, which need no DALI, then the loader, and last what takes longest to compile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Something that a process of its own measures.

    Attributes:
        name: of its files, and in the table.
        title: a heading.
        function: module and function in `card` that take a `Run`.
        seconds: that it may take.
        status: what it is to end with; other than `done` only for the planted ones.
    """

    name: str
    title: str
    function: str
    seconds: float
    status: str = "done"


PARTS = (
    Part("facts", "The machine", "facts:measure", 75),
    Part("build", "Build of the kernels for this card alone", "building:measure", 90),
    Part(
        "kernel-tests", "tests/gpu: kernels, maps and training, TF32 off", "testing:kernels_without_tf32", 90
    ),
    Part("maps", "VisualBackProp, whole and in parts", "maps:measure", 80),
    Part("kernels-by-tap", "Channel mean by shape, layout and type", "maps:by_tap", 40),
    Part("kernel-tests-tf32", "The same tests, TF32 on", "testing:kernels_with_tf32", 80),
    Part("sanitizer", "compute-sanitizer over every kernel", "testing:sanitised", 75),
    Part("packing", "Pictures for the loader", "feeding:packing", 60),
    Part("loader-tests", "tests/gpu: the loader", "testing:loading", 60),
    Part("loader-rates", "Pictures per second", "feeding:rates", 75),
    Part("epochs", "Start of an epoch, and memory", "feeding:epochs", 45),
    Part("training", "Training alone and fed by the loader", "feeding:training", 45),
    Part("compiled", "The rival: torch.compile", "maps:compiled", 150),
)

PLANTED = (
    Part("hangs", "Planted: a part that does not end", "planted:hangs", 3, "out of time"),
    Part("crashes", "Planted: a part that crashes", "planted:crashes", 10, "crashed"),
    Part("fails", "Planted: a part that fails", "planted:fails", 10, "failed"),
    Part("lacks", "Planted: a part that lacks a package", "planted:lacks", 10, "missing"),
)
"""With --emulate, after the others."""
