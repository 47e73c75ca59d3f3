"""The taps of a network, and the backprojection between maps of given sizes, kept from call to call.

Deriving both takes one to three milliseconds of Python, which is several per cent of a small network's forward pass
over one picture. They are therefore kept for as long as the network has the same modules.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

from arttl.errors import ArttlError
from arttl.saliency._torch_twin import AVERAGES, MULTIPLIES
from arttl.saliency.geometry import Size, Step, published_steps, step_between, steps_through
from arttl.saliency.taps import Tap, layers_through, network_of, table_entry, taps_of

Mode = Literal["overlap-normalised", "bojarski", "sabatelli"]
DEFAULT_MODE: Mode = "overlap-normalised"

_MOST_KEPT = 16  # backprojections per plan, to bound the memory when every picture has another size


class Plan:
    """The taps of a network and its backprojections for the sizes so far; it does not keep the network alive."""

    def __init__(self, network: nn.Module, taps: Sequence[Tap]) -> None:
        """Make the plan of a network with the given taps."""
        self.taps = tuple(taps)
        self._entry = table_entry(network)
        self._modules = [weakref.ref(module) for module in modules_of(network)]
        self._backprojections: dict[tuple[Mode, Size, tuple[Size, ...]], list[int]] = {}

    def fits(self, network: nn.Module, modules: list[nn.Module]) -> bool:
        """Whether a network, whose `modules_of` are given, is unchanged since the plan was made for it."""
        return [module() for module in self._modules] == modules and self._entry is table_entry(network)

    def backprojection(self, network: nn.Module, mode: Mode, image: Size, sizes: Sequence[Size]) -> list[int]:
        """The steps of the backprojection, in the form that `ops.backproject` takes.

        Args:
            network: the one that the plan was made for.
            mode: of `visual_backprop`.
            image: size of the images.
            sizes: of the taps' maps, from the image on.

        Returns:
            Nine numbers per step, the deepest first.

        Raises:
            ArttlError: if the taps do not fit the sizes.
        """
        key = (mode, image, tuple(sizes))
        if key not in self._backprojections:
            if len(self._backprojections) == _MOST_KEPT:
                self._backprojections.clear()
            numbers: list[int] = []
            for index, steps in reversed(list(enumerate(self.steps(network, mode, image, sizes)))):
                for i, step in reversed(list(enumerate(steps))):
                    # Only the first step of a list, the last to be taken, reaches the shallower map.
                    flags = MULTIPLIES if index > 0 and i == 0 else 0
                    flags |= AVERAGES if mode == "overlap-normalised" else 0
                    numbers += (flags, *step.size, *step.kernel, *step.stride, *step.padding)
            self._backprojections[key] = numbers
        return self._backprojections[key]

    def steps(self, network: nn.Module, mode: Mode, image: Size, sizes: Sequence[Size]) -> list[list[Step]]:
        """For each map the steps, in forward order, that lead from the size before it (the image's) to its own.

        Args:
            network, mode, image, sizes: as for `backprojection`.

        Raises:
            ArttlError: as `backprojection`.
        """
        modules = dict(network.named_modules())
        steps = []
        for tap, (before, size) in zip(self.taps, pairwise([image, *sizes]), strict=True):
            if mode == "sabatelli":
                _refuse_growth(mode, before, size)
                between = published_steps(before, size)
            elif tap.through is None:
                _refuse_growth(tap.module, before, size)
                between = [step_between(before, size)]
            else:
                between, reached = steps_through(layers_through(modules, tap.through), before)
                if reached != size:
                    raise ArttlError(
                        f"the layers on the way to tap {tap.module!r} ({', '.join(tap.through)}) turn {_by(before)} "
                        f"into {_by(reached)}, but its map is {_by(size)}: give Tap({tap.module!r}, through=(...)) "
                        "with the layers between the taps, or through=None to go by the sizes"
                    )
            steps.append(between or [Step(before)])
        return steps


_plans: weakref.WeakKeyDictionary[nn.Module, Plan] = weakref.WeakKeyDictionary()


def plan_of(
    model: nn.Module, taps: Sequence[Tap | str] | None = None
) -> tuple[nn.Module, list[nn.Module], Plan]:
    """The network inside a model, its modules, and its plan, which is kept unless `taps` are given.

    Args:
        model, taps: as for `taps_of`.

    Raises:
        ArttlError: as `taps_of`.
    """
    network = network_of(model)
    if taps is not None or network is None:
        network, resolved = taps_of(model, taps)
        return network, modules_of(network), Plan(network, resolved)
    modules = modules_of(network)
    plan = _plans.get(network)
    if plan is None or not plan.fits(network, modules):
        plan = _plans[network] = Plan(network, taps_of(network)[1])
    return network, modules, plan


def modules_of(network: nn.Module) -> list[nn.Module]:
    """Every module of a network, itself first; a shared module may be listed more than once.

    `network.modules()` takes six times as long, half a millisecond for a DenseNet.
    """
    modules = [network]
    for module in modules:
        modules.extend(child for child in module._modules.values() if child is not None)
    return modules


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _refuse_growth(source: str, shallow: Size, deep: Size) -> None:
    if deep[0] > shallow[0] or deep[1] > shallow[1]:
        raise ArttlError(
            f"{source}: a map of {_by(deep)} comes after one of {_by(shallow)}: list the taps from the image to the "
            "head"
        )
