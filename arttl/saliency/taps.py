"""The taps of VisualBackProp: which modules of a network are tapped, and the layers between one tap and the next.

`TAPS` has the taps of each architecture by the name of its class. To support another network, add a line:

    from arttl.saliency.taps import TAPS, Tap
    TAPS["MyNet"] = lambda net: [Tap("stem.act", ("stem",)), Tap("block1", ("pool", "block1.conv"))]

Networks that are not in the table are tapped at the ends of the stages that timm describes, and the steps between the
stages follow from the sizes of their maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from arttl.errors import ArttlError, did_you_mean
from arttl.models.networks import has_stages, stages_of
from arttl.saliency.geometry import Layer, layer_of

# Attributes that a network may be wrapped in: torch.compile, DistributedDataParallel, MultiTaskModel, Backbone.
_WRAPPERS = ("_orig_mod", "module", "backbone", "network")
# Branches that run beside the trunk of a residual block.
_SHORTCUTS = frozenset({"downsample", "shortcut", "skip"})


@dataclass(frozen=True)
class Tap:
    """A module whose output is reduced to one map, and the path to it from the previous tap."""

    module: str
    """Name of the module, as `named_modules()` has it."""
    through: tuple[str, ...] | None = None
    """Modules on the path from the previous tap (for the first tap, from the image), in forward order. The convolution
    and pooling layers inside each count, in the order they were registered, except for those on a shortcut. None: the
    step follows from the sizes of the two maps."""
    channels: int | None = None
    """Of the output, to tell [B, C, H, W] from [B, H, W, C]; None to take the layout that the network declares
    (without one, the first)."""
    rectify: bool = False
    """Whether the output is from before a ReLU, so that every mode takes max(x, 0)."""


def taps_of(model: nn.Module, taps: Sequence[Tap | str] | None = None) -> tuple[nn.Module, tuple[Tap, ...]]:
    """The network inside a model, and its taps in forward order.

    Args:
        model: a network that `TAPS` knows, any timm network, or a model that wraps one (`MultiTaskModel`, a compiled
            or distributed module); with `taps`, any module.
        taps: instead of the known ones. The path to a plain name goes through every convolution and pooling layer
            that is registered after the previous tap.

    Returns:
        The network that the names of the modules refer to, and the taps.

    Raises:
        ArttlError: if there are no taps, or one names a module that the network does not have.
    """
    network = network_of(model)
    if taps is None:
        if network is None:
            raise _no_taps(model)
        resolved = _known_taps(network)
    else:
        network = model if network is None else network
        names = [tap if isinstance(tap, str) else tap.module for tap in taps]
        _check_names(network, names)
        derived = taps_along(network, names) if any(isinstance(tap, str) for tap in taps) else []
        resolved = [tap if isinstance(tap, Tap) else derived[i] for i, tap in enumerate(taps)]
    if not resolved:
        raise _no_taps(network)
    _check_names(network, [name for tap in resolved for name in (tap.module, *(tap.through or ()))])
    for i, tap in enumerate(resolved):
        if tap.module in (earlier.module for earlier in resolved[:i]):
            raise ArttlError(f"tap {tap.module!r} is named twice: name each module once")
    return network, tuple(resolved)


def layers_through(modules: Mapping[str, nn.Module], names: Iterable[str]) -> list[Layer]:
    """The layers with a window inside the named modules, in order, without those on a shortcut.

    Args:
        modules: all modules of the network by name, as `named_modules()` has them.
        names: of the modules to search.
    """
    return [
        layer
        for name in names
        for inner, module in modules[name].named_modules()
        if (layer := layer_of(module)) is not None and _SHORTCUTS.isdisjoint(inner.split("."))
    ]


def taps_along(network: nn.Module, names: Sequence[str]) -> list[Tap]:
    """Taps of a network whose modules run in the order they are registered in, as those of `nn.Sequential` do.

    Args:
        network: any module.
        names: of the modules to tap, in forward order.

    Returns:
        The taps, each with all the layers registered between it and the previous one.

    Raises:
        ArttlError: if the names are not in that order.
    """
    modules = [name for name, module in network.named_modules() if not next(module.children(), None)]
    taps: list[Tap] = []
    start = 0
    for name in names:
        inside = [i for i, leaf in enumerate(modules) if leaf == name or leaf.startswith(name + ".")]
        if not inside or inside[-1] < start:
            raise ArttlError(
                f"tap {name!r} does not come after {taps[-1].module!r} in the network: order the taps from the image on"
            )
        end = inside[-1] + 1
        through = (leaf for leaf in modules[start:end] if layer_of(network.get_submodule(leaf)) is not None)
        taps.append(Tap(name, tuple(leaf for leaf in through if _SHORTCUTS.isdisjoint(leaf.split(".")))))
        start = end
    return taps


def print_taps(model: nn.Module, taps: Sequence[Tap | str] | None = None) -> None:
    """Print which modules of a model VisualBackProp taps, and how each map is backprojected to the previous one.

    Args:
        model, taps: as for `taps_of`.
    """
    network, resolved = taps_of(model, taps)
    modules = dict(network.named_modules())
    rows = [("tap", "module", "step back through")]
    for i, tap in enumerate(resolved, start=1):
        rows.append((str(i), tap.module, _describe(modules, tap)))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for number, module, through in rows:
        print(f"{number:>{widths[0]}}  {module:<{widths[1]}}  {through}")


def _describe(modules: Mapping[str, nn.Module], tap: Tap) -> str:
    if tap.through is None:
        return "by the sizes of the maps"
    parts = []
    for layer in layers_through(modules, tap.through):
        (ky, kx), (sy, sx) = layer.kernel, layer.stride
        stride = "" if sy == sx == 1 else f" stride {sy}" if sy == sx else f" stride {sy}x{sx}"
        padding = "same" if layer.padding is None else "x".join(str(p) for p in dict.fromkeys(layer.padding))
        parts.append(f"{ky}x{kx}{stride} pad {padding}")
    return ", ".join(parts) or "nothing (same position)"


def network_of(model: nn.Module) -> nn.Module | None:
    """The outermost module in a model's wrappers whose taps are known; None if there is none."""
    module: Any = model
    while isinstance(module, nn.Module):
        # A compiled module forwards attributes of the one inside.
        compiled = "_orig_mod" in dict(module.named_children())
        if not compiled and (table_entry(module) or has_stages(module)):
            return module
        module = next(
            (inner for name in _WRAPPERS if (inner := getattr(module, name, None)) is not None), None
        )
    return None


def table_entry(network: nn.Module) -> Callable[[nn.Module], list[Tap]] | None:
    """The function in `TAPS` for a network's class or a base class."""
    return next((TAPS[kind.__name__] for kind in type(network).__mro__ if kind.__name__ in TAPS), None)


def _known_taps(network: nn.Module) -> list[Tap]:
    if entry := table_entry(network):
        return entry(network)
    return [Tap(stage.name, channels=stage.width, rectify=True) for stage in stages_of(network)]


def _no_taps(model: nn.Module) -> ArttlError:
    return ArttlError(
        f"no taps are known for {type(model).__name__}: name the modules to tap with taps=[...], or add the "
        "network to arttl.saliency.taps.TAPS"
    )


def _check_names(network: nn.Module, names: Iterable[str]) -> None:
    known = dict(network.named_modules())  # faster than get_submodule() per name
    for name in names:
        if name not in known:
            raise ArttlError(f"{type(network).__name__} has no module {name!r}{did_you_mean(name, known)}")


def _children(network: nn.Module, name: str) -> list[str]:
    return [f"{name}.{child}" for child, _ in network.get_submodule(name).named_children()]


def _vgg(network: nn.Module) -> list[Tap]:
    """The ReLU of every convolution."""
    features = network.get_submodule("features").named_children()
    return taps_along(
        network, [f"features.{name}" for name, module in features if isinstance(module, nn.ReLU)]
    )


def _resnet(network: nn.Module) -> list[Tap]:
    """The stem's ReLU and every block's output, which is after the block's last ReLU."""
    stem = "act1" if hasattr(network, "act1") else "relu"  # timm's name, torchvision's
    taps = [Tap(stem, ("conv1",))]
    path = ["maxpool"]
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        for name, block in network.get_submodule(stage).named_children():
            trunk = [child for child in ("conv1", "conv2", "aa", "conv3") if hasattr(block, child)]
            # Blocks with parallel convolutions (Res2Net, selective kernels) have no single path.
            serial = isinstance(getattr(block, "conv2", None), nn.Conv2d)
            path += [f"{stage}.{name}.{child}" for child in trunk]
            taps.append(Tap(f"{stage}.{name}", tuple(path) if serial else None))
            path = []
    return taps


def _inception_v3(network: nn.Module) -> list[Tap]:
    """The stem's convolutions and every mixed block, along one of its branches."""
    branches = {
        "Mixed_5b": ("branch5x5_1", "branch5x5_2"),
        "Mixed_6a": ("branch3x3",),
        "Mixed_6b": ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
        "Mixed_7a": ("branch3x3_1", "branch3x3_2"),
        "Mixed_7b": ("branch3x3_1", "branch3x3_2a", "branch3x3_2b"),  # 1x3 beside 3x1: together they see 3x3
    }
    branches |= dict.fromkeys(("Mixed_5c", "Mixed_5d"), branches["Mixed_5b"])
    branches |= dict.fromkeys(("Mixed_6c", "Mixed_6d", "Mixed_6e"), branches["Mixed_6b"])
    branches |= {"Mixed_7c": branches["Mixed_7b"]}
    taps: list[Tap] = []
    path: list[str] = []
    for name, _ in network.named_children():
        if name in branches:
            path += [f"{name}.{branch}" for branch in branches[name]]
        elif name.startswith(("Conv", "Pool")):
            path.append(name)
        if path and not name.startswith("Pool"):
            taps.append(Tap(name, tuple(path)))
            path = []
    return taps


def _xception(network: nn.Module) -> list[Tap]:
    """The ReLUs of the stem and the exit, and every block's output."""
    first, second, third, fourth = (Tap(f"act{i}", (f"conv{i}",)) for i in range(1, 5))
    blocks = [Tap(f"block{i}", (f"block{i}",), rectify=True) for i in range(1, 13)]
    return [first, second, *blocks, third, fourth]


def _densenet(network: nn.Module) -> list[Tap]:
    """The stem, every dense block and every transition, each after the batch norm and ReLU that follow it.

    The outputs of blocks and transitions are sums before any ReLU; the next layer sees them after the normalisation
    that it begins with. The path through a dense block is its last layer, whose input is the output of all others.
    """
    features = _children(network, "features")
    stem = features[: features.index("features.pool0")]
    blocks = [name for name in features if "denseblock" in name]
    stem_norm, last_norm = ([name for name in names if ".norm" in name][-1] for names in (stem, features))
    taps = [Tap(stem_norm, tuple(name for name in stem if ".conv" in name))]
    path = ["features.pool0"]
    for i, block in enumerate(blocks[:-1], start=1):
        transition = f"features.transition{i}"
        taps.append(Tap(f"{transition}.norm", (*path, _children(network, block)[-1])))
        taps.append(Tap(f"{blocks[i]}.denselayer1.norm1", (f"{transition}.conv", f"{transition}.pool")))
        path = []
    return [*taps, Tap(last_norm, (*path, _children(network, blocks[-1])[-1]))]


TAPS: dict[str, Callable[[nn.Module], list[Tap]]] = {
    "VGG": _vgg,
    "ResNet": _resnet,
    "InceptionV3": _inception_v3,
    "Xception": _xception,
    "DenseNet": _densenet,
}
"""Class name of a network to a function of the network that gives its taps."""
