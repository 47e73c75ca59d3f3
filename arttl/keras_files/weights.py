"""Weights that Keras saved, read by the places that a process of its own has found them at."""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.documents import parse_json
from arttl.errors import ArttlError
from arttl.keras_files.listing import Listing, Tensor
from arttl.processes import ProcessDied, output_of

SECONDS = 5
"""Of the processor, that the structure of a file may take; real ones take one, most of it to start."""
_DTYPES = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8")


class KerasWeights:
    """The tensors of a file, by layer.

    Attributes:
        path: of the file.
        listed: names of all layers, those without tensors too.
        layers: name of every layer that has tensors to the names of its tensors, both in Keras's order.
    """

    def __init__(self, path: Path, listing: Listing) -> None:
        """Take the tensors of a listing.

        Raises:
            ArttlError: if a tensor is not within the file.
        """
        self.path = path
        self.listed = tuple(listing.layers)
        self._tensors = {name: tensors for name, tensors in listing.layers.items() if tensors}
        self.layers = {
            name: tuple(tensor.name for tensor in tensors) for name, tensors in self._tensors.items()
        }
        size = path.stat().st_size
        for layer, tensors in self._tensors.items():
            for tensor in tensors:
                if not _is_inside(tensor, size):
                    raise ArttlError(
                        f"{path}: tensor {tensor.name!r} of layer {layer!r} is not within the {size:,} bytes of the"
                        " file: download or save it again"
                    )

    def shape(self, layer: str, index: int) -> tuple[int, ...]:
        """Shape of a layer's tensor."""
        return self._tensors[layer][index].shape

    def read(self, layer: str, index: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """A layer's tensor.

        Args:
            layer: a key of `layers`.
            index: which of its tensors.
            shape: that it must have.

        Returns:
            float32, of that shape.

        Raises:
            ArttlError: if it has another shape.
        """
        tensor = self._tensors[layer][index]
        name = f"tensor {tensor.name!r} of layer {layer!r}"
        if tensor.shape != shape:
            raise ArttlError(f"{self.path}: {name} is {tensor.shape} and should be {shape}")
        count = math.prod(shape)
        try:
            values = np.fromfile(self.path, tensor.dtype, count, offset=tensor.start)
        except OSError as error:
            raise ArttlError(f"{self.path} cannot be read: {error.strerror or error}") from error
        if len(values) != count:
            raise ArttlError(f"{self.path} became shorter while it was read: save the weights anew")
        with np.errstate(over="ignore"):  # infinity is refused once all weights are there
            return values.reshape(shape).astype(np.float32, copy=False)


def open_keras(path: Path) -> KerasWeights:
    """Find the tensors of a file of Keras in either form, told apart by what the file holds.

    Raises:
        ArttlError: if it has neither form, or its structure takes more time or memory than any network's.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise ArttlError(f"{path} cannot be read: it is not a file")
        with path.open("rb"):
            pass
    except OSError as error:
        raise ArttlError(f"{path} cannot be read: {error.strerror or error}") from error
    if not status.st_size:
        raise ArttlError(f"{path} is empty: download or save it again")
    try:
        output = output_of("arttl.keras_files.child", [str(path.absolute())], SECONDS)
    except ProcessDied as died:
        raise ArttlError(
            f"{path} is damaged ({died.event} reading it as HDF5): download or save it again"
        ) from died
    listing = parse_json(output, Listing, path)
    if listing.error:
        raise ArttlError(listing.error)
    return KerasWeights(path, listing)


def _is_inside(tensor: Tensor, size: int) -> bool:
    """Whether the numbers of a tensor are all in a file of so many bytes."""
    if tensor.dtype not in _DTYPES or tensor.start < 0 or any(length < 0 for length in tensor.shape):
        return False
    return tensor.start + math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize <= size
