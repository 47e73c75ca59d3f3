"""Which layer of Keras's networks corresponds to which module of timm's, and the copying of tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.keras_files.weights import KerasWeights
from arttl.models.backbones import Backbone

Network = Literal["resnet50", "vgg19", "inception_v3", "xception"]
Era = Literal["2018", "3"]
_RESNET_BLOCKS = (3, 4, 6, 3)
_OLD_NAME, _NEW_NAME = "res2a_branch2a", "conv2_block1_1_conv"


@dataclass(frozen=True)
class Unit:
    """A convolution and the batch normalisation after it.

    Attributes:
        layer: Keras's convolution.
        module: timm's; of a separable one, the pair.
        norm_layer, norm_module: the normalisation; None without one.
        separable: a depthwise and a pointwise convolution in one layer.
        gamma: whether the normalisation has a scale.
    """

    layer: str
    module: str
    norm_layer: str | None = None
    norm_module: str | None = None
    separable: bool = False
    gamma: bool = True


def era_of(file: KerasWeights) -> Era:
    """Which Keras made a ResNet50, by the names of its layers.

    Raises:
        ArttlError: if they are those of neither, or of the years between.
    """
    if _NEW_NAME in file.layers:
        return "3"
    if _OLD_NAME not in file.layers:
        raise ArttlError(
            f"{file.path} is not a ResNet50 of Keras: it has neither a layer {_OLD_NAME!r} (2018) nor {_NEW_NAME!r}"
            " (3)"
        )
    if "pool1_pad" in file.listed:
        raise ArttlError(
            f"{file.path} has early 2018's names and a later Keras's padded max-pool: choose with --keras-era"
        )
    return "2018"


def load_layers(
    file: KerasWeights, network: Network, backbone: Backbone, *, swap_channels: bool
) -> str | None:
    """Load the weights of a file into a backbone.

    Args:
        file: weights of Keras.
        network: whose.
        backbone: in Keras's form, changed in place.
        swap_channels: whether the file's first convolution expects blue, green, red.

    Returns:
        The only layer of the file that the backbone lacks, which is the softmax layer; None if it lacks none or
        several, as those of an ImageNet VGG19.

    Raises:
        ArttlError: if a tensor is missing or of another shape, or a layer is left over that is not a dense one.
    """
    units = list(_UNITS[network](file, backbone.network))
    state = backbone.network.state_dict()
    for unit in units:
        _load_unit(file, unit, state, network)
    if swap_channels:
        first = f"{units[0].module}.weight"
        state[first] = state[first].flip(1)
    backbone.network.load_state_dict(state)
    used = {name for unit in units for name in (unit.layer, unit.norm_layer)}
    rest = [name for name in file.layers if name not in used]
    for name in rest:
        shapes = [file.shape(name, i) for i in range(len(file.layers[name]))]
        if [len(shape) for shape in shapes] not in ([2, 1], [2]):
            raise ArttlError(f"{file.path} is not of {network}: it has no place for the layer {name!r}")
    return rest[0] if len(rest) == 1 else None


def read_head(file: KerasWeights, layer: str, head: nn.Linear) -> None:
    """Load a softmax layer, kernel [D, Q] and bias [Q], into a head.

    Raises:
        ArttlError: if its shape is another.
    """
    kernel = torch.from_numpy(file.read(layer, 0, (head.in_features, head.out_features)))
    bias = torch.zeros(head.out_features)
    if len(file.layers[layer]) > 1:
        bias = torch.from_numpy(file.read(layer, 1, (head.out_features,)))
    head.load_state_dict({"weight": kernel.T.contiguous(), "bias": bias})


def _load_unit(file: KerasWeights, unit: Unit, state: dict[str, torch.Tensor], network: Network) -> None:
    for layer in filter(None, (unit.layer, unit.norm_layer)):
        if layer not in file.layers:
            raise ArttlError(f"{file.path} is not of {network}: it has no tensors of a layer {layer!r}")
    if unit.separable:
        depthwise, pointwise = f"{unit.module}.conv1.weight", f"{unit.module}.pointwise.weight"
        _count(file, unit.layer, (2,), network)
        # Keras [kh, kw, C, 1], timm [C, 1, kh, kw].
        channels, _, *window = state[depthwise].shape
        state[depthwise] = _read(file, unit.layer, 0, (*window, channels, 1)).permute(2, 3, 0, 1)
        state[pointwise] = _kernel(file, unit.layer, 1, state[pointwise])
        bias = None
    else:
        weight = f"{unit.module}.weight"
        _count(file, unit.layer, (1, 2), network)
        state[weight] = _kernel(file, unit.layer, 0, state[weight])
        bias = (
            _read(file, unit.layer, 1, (len(state[weight]),)) if len(file.layers[unit.layer]) == 2 else None
        )
    if unit.norm_layer is None:
        name = f"{unit.module}.bias"
        state[name] = torch.zeros_like(state[name]) if bias is None else bias
        return
    names = ["weight"] * unit.gamma + ["bias", "running_mean", "running_var"]
    _count(file, unit.norm_layer, (len(names),), network)
    for index, name in enumerate(names):
        shape = tuple(state[f"{unit.norm_module}.{name}"].shape)
        state[f"{unit.norm_module}.{name}"] = _read(file, unit.norm_layer, index, shape)
    if not unit.gamma:
        state[f"{unit.norm_module}.weight"] = torch.ones_like(state[f"{unit.norm_module}.bias"])
    if bias is not None:
        # A constant added before a normalisation only shifts the mean that it subtracts.
        state[f"{unit.norm_module}.running_mean"] -= bias


def _count(file: KerasWeights, layer: str, expected: tuple[int, ...], network: Network) -> None:
    count = len(file.layers[layer])
    if count not in expected:
        raise ArttlError(
            f"{file.path} is not of {network}: layer {layer!r} has {count} tensors and should have {expected[-1]}"
        )


def _read(file: KerasWeights, layer: str, index: int, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(file.read(layer, index, shape))


def _kernel(file: KerasWeights, layer: str, index: int, own: torch.Tensor) -> torch.Tensor:
    """Keras [kh, kw, I, O] as timm's [O, I, kh, kw]."""
    outputs, inputs, *window = own.shape
    return _read(file, layer, index, (*window, inputs, outputs)).permute(3, 2, 0, 1)


def _vgg19(file: KerasWeights, network: Any) -> Iterator[Unit]:
    convolutions = iter(i for i, layer in enumerate(network.features) if isinstance(layer, nn.Conv2d))
    for block, depth in enumerate((2, 2, 4, 4, 4), 1):
        for number in range(1, depth + 1):
            yield Unit(f"block{block}_conv{number}", f"features.{next(convolutions)}")


def _resnet50(file: KerasWeights, network: Any) -> Iterator[Unit]:
    old = _OLD_NAME in file.layers
    yield Unit(*(("conv1", "conv1", "bn_conv1") if old else ("conv1_conv", "conv1", "conv1_bn")), "bn1")
    convolutions = [(f"conv{number}", f"bn{number}", f"2{'abc'[number - 1]}", number) for number in (1, 2, 3)]
    shortcut = ("downsample.0", "downsample.1", "1", 0)
    for stage, blocks in enumerate(_RESNET_BLOCKS, 2):
        for block in range(blocks):
            for module, norm_module, branch, number in convolutions if block else (*convolutions, shortcut):
                if old:
                    name = f"{stage}{'abcdef'[block]}_branch{branch}"
                    layer, norm = f"res{name}", f"bn{name}"
                else:
                    name = f"conv{stage}_block{block + 1}_{number}"
                    layer, norm = f"{name}_conv", f"{name}_bn"
                ours = f"layer{stage - 1}.{block}"
                yield Unit(layer, f"{ours}.{module}", norm, f"{ours}.{norm_module}")


def _inception_v3(file: KerasWeights, network: Any) -> Iterator[Unit]:
    # Both build the same branches in the same order, and Keras numbers its layers as they are built.
    blocks = [name.removesuffix(".conv") for name, _ in network.named_modules() if name.endswith(".conv")]
    layers = _numbered(file, "conv2d", len(blocks), "inception_v3")
    norms = _numbered(file, "batch_normalization", len(blocks), "inception_v3")
    for layer, norm, block in zip(layers, norms, blocks, strict=True):
        yield Unit(layer, f"{block}.conv", norm, f"{block}.bn", gamma=False)


def _xception(file: KerasWeights, network: Any) -> Iterator[Unit]:
    for number in (1, 2):
        yield Unit(f"block1_conv{number}", f"conv{number}", f"block1_conv{number}_bn", f"bn{number}")
    shortcuts = (1, 2, 3, 12)
    layers = iter(_numbered(file, "conv2d", len(shortcuts), "xception"))
    norms = iter(_numbered(file, "batch_normalization", len(shortcuts), "xception"))
    for block in range(1, 13):
        parts = network.get_submodule(f"block{block}.rep")
        separable = [i for i, part in enumerate(parts) if hasattr(part, "pointwise")]
        for number, i in enumerate(separable, 1):
            layer = f"block{block + 1}_sepconv{number}"
            yield Unit(layer, f"block{block}.rep.{i}", f"{layer}_bn", f"block{block}.rep.{i + 1}", True)
        if block in shortcuts:
            yield Unit(next(layers), f"block{block}.skip", next(norms), f"block{block}.skipbn")
    for number in (3, 4):
        layer = f"block14_sepconv{number - 2}"
        yield Unit(layer, f"conv{number}", f"{layer}_bn", f"bn{number}", True)


def _numbered(file: KerasWeights, kind: str, count: int, network: Network) -> list[str]:
    """Layers without a name of their own, in the order in which they were built."""
    pattern = re.compile(rf"{kind}(?:_(\d{{1,9}}))?")
    matches = {name: match for name in file.layers if (match := pattern.fullmatch(name))}
    if len(matches) != count:
        raise ArttlError(
            f"{file.path} is not of {network}: it has {len(matches)} layers {kind!r} with a number and should have"
            f" {count}"
        )
    return sorted(matches, key=lambda name: int(matches[name][1] or 0))


_UNITS: dict[Network, Callable[[KerasWeights, Any], Iterator[Unit]]] = {
    "vgg19": _vgg19,
    "resnet50": _resnet50,
    "inception_v3": _inception_v3,
    "xception": _xception,
}
