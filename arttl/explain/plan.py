"""What VisualBackProp knows of a network before it runs: the taps, and the backprojection between maps of given sizes.

To find both takes one to three milliseconds of Python, which is several per cent of a small network's forward pass over
one picture. They are therefore kept from call to call, for as long as the network has the same modules.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

from arttl.errors import ArttlError
from arttl.explain.geometry import Size, Step, published_steps, step_between, steps_through
from arttl.explain.taps import Tap, layers_through, network_of, table_entry, taps_of

Mode = Literal["bojarski", "sabatelli"]

_MOST_WALKS = 16  # of a plan: pictures of ever new sizes would fill the memory


class Plan:
    """The taps of a network and the backprojection steps of the sizes met so far; the network may be freed."""

    def __init__(self, network: nn.Module, taps: Sequence[Tap]) -> None:
        """Make the plan of a network with the given taps."""
        self.taps = tuple(taps)
        self._entry = table_entry(network)
        self._modules = [weakref.ref(module) for module in modules_of(network)]
        self._walks: dict[tuple[Mode, Size, tuple[Size, ...]], list[int]] = {}

    def fits(self, network: nn.Module, modules: list[nn.Module]) -> bool:
        """Whether a network, with these `modules_of` it, is still the one that the plan was made for."""
        return [module() for module in self._modules] == modules and self._entry is table_entry(network)

    def walk(self, network: nn.Module, mode: Mode, image: Size, sizes: Sequence[Size]) -> list[int]:
        """The steps back as `ops.backproject` takes them.

        Args:
            network: the plan's.
            mode: of `visual_backprop`.
            image: size of the images.
            sizes: of the taps' maps, from the image on.

        Returns:
            Nine numbers a step, the deepest first.

        Raises:
            ArttlError: if the taps do not fit the sizes.
        """
        key = (mode, image, tuple(sizes))
        if key not in self._walks:
            if len(self._walks) == _MOST_WALKS:
                self._walks.clear()
            self._walks[key] = [
                number
                for index, between in reversed(list(enumerate(self.steps(network, mode, image, sizes))))
                # The last step to be walked, the first of the list, meets the map before it.
                for i, step in reversed(list(enumerate(between)))
                for number in (
                    int(index > 0 and i == 0),
                    *step.size,
                    *step.kernel,
                    *step.stride,
                    *step.padding,
                )
            ]
        return self._walks[key]

    def steps(self, network: nn.Module, mode: Mode, image: Size, sizes: Sequence[Size]) -> list[list[Step]]:
        """For each map the steps, in forward order, that lead from the size before it (the image's) to its own.

        Args:
            network: as for `walk`, and so are the others.
            mode: see `walk`.
            image: see `walk`.
            sizes: see `walk`.

        Raises:
            ArttlError: as `walk`.
        """
        if mode == "sabatelli":
            for before, size in pairwise([image, *sizes]):
                _refuse_growth(mode, before, size)
            steps = [published_steps(before, size) for before, size in pairwise([image, *sizes])]
        else:
            steps = self._own_steps(network, image, sizes)
        return [between or [Step(before)] for between, before in zip(steps, [image, *sizes], strict=False)]

    def _own_steps(self, network: nn.Module, image: Size, sizes: Sequence[Size]) -> list[list[Step]]:
        """The steps of `bojarski`: through the layers that lie between the taps."""
        modules = dict(network.named_modules())
        steps = []
        for tap, before, size in zip(self.taps, [image, *sizes], sizes, strict=False):
            if tap.through is None:
                _refuse_growth(tap.module, before, size)
                steps.append([step_between(before, size)])
                continue
            walked, reached = steps_through(layers_through(modules, tap.through), before)
            if reached != size:
                raise ArttlError(
                    f"the layers on the way to tap {tap.module!r} ({', '.join(tap.through)}) make {_by(reached)} of "
                    f"{_by(before)}, but its map is {_by(size)}: give Tap({tap.module!r}, through=(...)) with the "
                    "layers between the taps, or through=None to go by the sizes"
                )
            steps.append(walked)
        return steps


_plans: weakref.WeakKeyDictionary[nn.Module, Plan] = weakref.WeakKeyDictionary()


def plan_of(
    model: nn.Module, taps: Sequence[Tap | str] | None = None
) -> tuple[nn.Module, list[nn.Module], Plan]:
    """The network inside a model, its modules, and its plan: the one that is kept, where there are no `taps`.

    Args:
        model: as for `taps_of`.
        taps: as for `taps_of`.

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
    """Every module of a network, itself the first; one that is used twice may come twice.

    `network.modules()` takes six times as long, half a millisecond for a DenseNet.
    """
    modules = [network]
    for module in modules:
        modules.extend(child for child in module._modules.values() if child is not None)
    return modules


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _refuse_growth(what: str, shallow: Size, deep: Size) -> None:
    if deep[0] > shallow[0] or deep[1] > shallow[1]:
        raise ArttlError(
            f"{what}: a map of {_by(deep)} comes after one of {_by(shallow)}: list the taps from the image to the head"
        )
