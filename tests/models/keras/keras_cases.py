"""Keras's networks with random weights, written as Keras of 2018 and Keras 3 write them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when keras is first imported
keras = pytest.importorskip("keras", reason="parity with Keras needs pip install keras")

CLASSES = 7
SEED = 5


def keras_model(network: str, size: int) -> Any:
    """Keras 3's own network with the paper's head, giving logits."""
    keras.backend.clear_session()
    build = {"resnet50": "ResNet50", "vgg19": "VGG19", "inception_v3": "InceptionV3", "xception": "Xception"}
    base = getattr(keras.applications, build[network])(
        weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg"
    )
    model = keras.Model(base.input, keras.layers.Dense(CLASSES, name="dense_1")(base.output))
    randomise(model)
    return model


def resnet50_of_2018(size: int) -> Any:
    """ResNet50 after the description of early 2018's: names, epsilon 1e-3, no padding before the max-pool."""
    keras.backend.clear_session()
    layers = keras.layers

    def convolution(x: Any, name: str, width: int, kernel: int, stride: int = 1) -> Any:
        x = layers.Conv2D(width, kernel, strides=stride, padding="same", name=f"res{name}")(x)
        return layers.BatchNormalization(epsilon=1e-3, name=f"bn{name}")(x)

    image = layers.Input((size, size, 3))
    x = layers.ZeroPadding2D(3, name="zero_padding2d_1")(image)
    x = layers.Conv2D(64, 7, strides=2, name="conv1")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name="bn_conv1")(x)
    x = layers.MaxPooling2D(3, strides=2)(layers.ReLU()(x))
    for stage, (width, letters) in enumerate(((64, "abc"), (128, "abcd"), (256, "abcdef"), (512, "abc")), 2):
        for letter in letters:
            stride = 2 if letter == "a" and stage > 2 else 1
            inner = layers.ReLU()(convolution(x, f"{stage}{letter}_branch2a", width, 1, stride))
            inner = layers.ReLU()(convolution(inner, f"{stage}{letter}_branch2b", width, 3))
            inner = convolution(inner, f"{stage}{letter}_branch2c", 4 * width, 1)
            if letter == "a":
                x = convolution(x, f"{stage}a_branch1", 4 * width, 1, stride)
            x = layers.ReLU()(layers.add([inner, x]))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(CLASSES, name="dense_1")(x))
    randomise(model)
    return model


def randomise(model: Any) -> None:
    """Weights that keep activations near 1 through any depth, with biases and statistics that matter."""
    random = np.random.default_rng(SEED)
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            shape, name = tuple(variable.shape), variable.name
            if "kernel" in name:
                inputs = np.prod(shape[:2]) if "depthwise" in name else np.prod(shape[:-1])
                values.append(random.normal(0, np.sqrt(2 / inputs), shape))
            elif name in ("gamma", "moving_variance"):
                values.append(random.uniform(0.4, 0.9, shape))
            else:
                values.append(random.normal(0, 0.2, shape))
        if values:
            layer.set_weights(values)


def write_legacy(model: Any, path: Path) -> None:
    """Keras 2's `save_weights`: attributes of names in bytes, tensors under `layer/layer/kernel:0`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.5"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)


def logits_of(model: Any, images: np.ndarray) -> np.ndarray:
    """Keras's answer to images [B, H, W, 3] in its own scaling."""
    return keras.ops.convert_to_numpy(model(images, training=False))
