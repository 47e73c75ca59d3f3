"""Files of Keras's legacy layout whose numbers are holes in the file, which are read as zeros and take no disk."""

from __future__ import annotations

from pathlib import Path

import h5py

Layers = dict[str, list[tuple[str, tuple[int, ...]]]]


def vgg19_layers(classes: int | None = 3, top: bool = False) -> Layers:
    """Layer names to the names and shapes of their tensors."""
    layers: Layers = {"input_1": []}
    width = 3
    for block, (depth, outputs) in enumerate(((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)), 1):
        for number in range(1, depth + 1):
            layers[f"block{block}_conv{number}"] = [
                ("kernel:0", (3, 3, width, outputs)),
                ("bias:0", (outputs,)),
            ]
            width = outputs
    if top:
        layers["fc1"] = [("kernel:0", (25_088, 4096)), ("bias:0", (4096,))]
        layers["fc2"] = [("kernel:0", (4096, 4096)), ("bias:0", (4096,))]
        width = 4096
    if classes:
        layers["dense_1"] = [("kernel:0", (width, classes)), ("bias:0", (classes,))]
    return layers


def write_empty(path: Path, layers: Layers) -> Path:
    """A file with all headers, and room for the numbers."""
    reserved = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    reserved.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    reserved.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, tensors in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}".encode() for name, _ in tensors]
            for name, shape in tensors:
                group.require_group(layer)
                space = h5py.h5s.create_simple(shape)
                h5py.h5d.create(group.id, f"{layer}/{name}".encode(), h5py.h5t.IEEE_F32LE, space, reserved)
    return path
