"""The paper's networks in Keras's form, where it differs from timm's; registered with timm under names of their own.

They are timm's modules with other settings, so that their tensors have timm's names and VisualBackProp its taps:

- `keras_resnet50`: the stride of a stage is in its first 1x1 convolution, not in the 3x3 one; BatchNorm epsilon
  1.001e-5. Keras 3's.
- `keras2018_resnet50`: besides, epsilon 1e-3 and a max-pool without padding (112 to 55 pixels). Early 2018's.
- `keras_inception_v3`: average pooling leaves the padding out of the mean.
- `keras_xception`: TensorFlow's "same" max-pooling, which pads at the end first; epsilon 1e-3.

Keras's VGG19 without its fully connected layers is timm's, as `Backbone` cuts it.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.layers import create_pool2d
from timm.models import register_model
from torch import nn
from torch.nn import functional as F

CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
"""What Keras's scaling `caffe` subtracts, for red, green and blue on the scale of 0 to 1."""
CAFFE_STD = (1 / 255,) * 3


def _network(name: str, mean: tuple[float, ...], std: tuple[float, ...], **settings: Any) -> Any:
    """Timm's network, with a description that claims no weights."""
    if settings.pop("pretrained", False):
        raise ValueError(f"there are no weights of Keras's {name} to download")
    # What timm looked up for the new name, which is nothing.
    for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
        settings.pop(key, None)
    network = timm.create_model(name, **settings)
    network.pretrained_cfg = {
        "input_size": network.pretrained_cfg["input_size"],
        "num_classes": 0,
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": mean,
        "std": std,
    }
    return network


def _set_epsilon(network: nn.Module, epsilon: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = epsilon


@register_model
def keras_resnet50(pretrained: bool = False, **settings: Any) -> Any:
    """ResNet50 as Keras 3 has it; the biases of its convolutions are part of BatchNorm's running means here."""
    network = _network("resnet50", CAFFE_MEAN, CAFFE_STD, pretrained=pretrained, **settings)
    _set_epsilon(network, 1.001e-5)
    for stage in ("layer2", "layer3", "layer4"):
        block = network.get_submodule(f"{stage}.0")
        block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
    return network


@register_model
def keras2018_resnet50(pretrained: bool = False, **settings: Any) -> Any:
    """ResNet50 as Keras had it in early 2018."""
    network = keras_resnet50(pretrained, **settings)
    _set_epsilon(network, 1e-3)
    network.maxpool = nn.MaxPool2d(3, 2)
    return network


@register_model
def keras_inception_v3(pretrained: bool = False, **settings: Any) -> Any:
    """Inception V3 as Keras has it."""
    network = _network("inception_v3", (0.5,) * 3, (0.5,) * 3, pretrained=pretrained, **settings)
    _set_epsilon(network, 1e-3)
    for name, module in network.named_modules():
        if name.endswith(".branch_pool"):
            # timm's pooling is a function call before this module, not a module that could be replaced.
            module.register_forward_pre_hook(_leave_out_padding)
    return network


def _leave_out_padding(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """From a 3x3 mean over all nine positions, padding included, to the mean over those inside the map.

    Args:
        module: the convolution after the pooling.
        inputs: [B, C, H, W].
    """
    (pooled,) = inputs
    inside = F.avg_pool2d(pooled.new_ones((1, 1, *pooled.shape[2:])), 3, 1, 1)  # [1, 1, H, W]
    return (pooled / inside,)


@register_model
def keras_xception(pretrained: bool = False, **settings: Any) -> Any:
    """Xception as Keras has it."""
    network = _network("legacy_xception", (0.5,) * 3, (0.5,) * 3, pretrained=pretrained, **settings)
    _set_epsilon(network, 1e-3)
    for block in (network.block1, network.block2, network.block3, network.block12):
        block.rep[-1] = create_pool2d("max", 3, 2, padding="same")
    return network
