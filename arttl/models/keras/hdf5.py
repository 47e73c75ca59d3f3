"""Weights that Keras saved as HDF5; and its legacy layout: one group per layer, their order in attributes.

HDF5 can refer to other files, by external links, external storage and virtual data sets, and h5py silently follows all
of them. Here a tensor is read only where it is stored in the file itself, by hard links alone, and only after its shape
was checked, so that a header cannot ask for more memory than the network has.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError, one_line

_LARGEST_ATTRIBUTE = 4 << 20  # bytes; the names of all layers of a network are about ten thousand
_FLOATS = ("float16", "float32", "float64")


class KerasFile(ABC):
    """Weights that Keras saved, open for reading; `LegacyFile` and `KerasArchive` locate the layers.

    Attributes:
        path: of the file.
        layers: name of every layer that has tensors to the names of its tensors, both in Keras's order.
        listed: names of all layers, those without tensors too.
        layout: the name of the file's form.
    """

    layout: str

    def __init__(self, path: Path, source: IO[bytes] | None = None) -> None:
        """Open a file and read its names.

        Args:
            path: of the file.
            source: the HDF5 file itself, where it is inside the file.

        Raises:
            ArttlError: if it is not such a file, or h5py is not installed.
        """
        try:
            import h5py
        except ImportError as error:
            raise ArttlError(
                f"reading {path} needs the extra 'rijks': pip install 'arttl[rijks]' (h5py is missing)"
            ) from error
        self._h5py = h5py
        self.path = path
        try:
            self._file = h5py.File(source or path, "r")
        except Exception as error:  # reading from within a damaged zip raises its errors as well
            raise ArttlError(
                f"{path} cannot be read as HDF5 ({one_line(error)}): download or save it again"
            ) from error
        try:
            with self._errors_in_one_sentence():
                layers = self._find_layers(self._file)
                self.listed = tuple(layers)
                self._groups = {name: group for name, (group, _) in layers.items()}
                self.layers = {name: tensors for name, (_, tensors) in layers.items() if tensors}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> KerasFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @abstractmethod
    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        """Name of every layer, in order, to its group and the names of its tensors there."""

    def shape(self, layer: str, index: int) -> tuple[int, ...]:
        """Shape of a layer's tensor, as the header has it."""
        with self._errors_in_one_sentence():
            return tuple(self._dataset(layer, index).shape)

    def read(self, layer: str, index: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """A layer's tensor.

        Args:
            layer: a key of `layers`.
            index: which of its tensors.
            shape: that it must have.

        Returns:
            float32, of that shape.

        Raises:
            ArttlError: if it has another shape, is not an array of floats, or is stored outside the file.
        """
        name = f"tensor {self.layers[layer][index]!r} of layer {layer!r}"
        with self._errors_in_one_sentence():
            dataset = self._dataset(layer, index)
            if tuple(dataset.shape) != shape:
                raise ArttlError(f"{self.path}: {name} is {tuple(dataset.shape)} and should be {shape}")
            if dataset.dtype.name not in _FLOATS:
                raise ArttlError(f"{self.path}: {name} holds {dataset.dtype}, not floating-point numbers")
            # A chunk is decompressed as a whole, and may be declared larger than the dataset.
            if dataset.chunks is not None and math.prod(dataset.chunks) > 2 * math.prod(shape) + 65_536:
                raise ArttlError(
                    f"{self.path}: {name} is stored in chunks of {dataset.chunks}, far above its own size"
                )
            return np.asarray(dataset[()], dtype=np.float32)

    @contextmanager
    def _errors_in_one_sentence(self) -> Iterator[None]:
        """Report what h5py raises on damaged files in one sentence."""
        try:
            yield
        except ArttlError:
            raise
        except Exception as error:  # h5py, and the zip around it, raise whatever damaged bytes lead to
            raise ArttlError(
                f"{self.path} is damaged or not of Keras ({one_line(error)}): download or save it again"
            ) from error

    def _dataset(self, layer: str, index: int) -> Any:
        return self._inside(self._groups[layer], self.layers[layer][index], self._h5py.Dataset)

    def _inside(self, group: Any, name: str, kind: type) -> Any:
        """The item at a path of the file, if every step to it is a hard link and its bytes are in the file."""
        item = group
        for step in name.split("/"):
            link = item.get(step, getlink=True) if isinstance(item, self._h5py.Group) else None
            if link is None:
                raise ArttlError(f"{self.path} is not in {self.layout}: {group.name} has no {name!r}")
            if not isinstance(link, self._h5py.HardLink):
                raise ArttlError(
                    f"{self.path}: {name!r} is a link to another place, which is refused: save the weights anew"
                )
            item = item[step]
        if not isinstance(item, kind):
            raise ArttlError(f"{self.path}: {name!r} is not a {kind.__name__.lower()} of HDF5")
        if isinstance(item, self._h5py.Dataset) and (item.external or item.is_virtual):
            raise ArttlError(
                f"{self.path}: {name!r} is stored outside the file, which is refused: save the weights anew"
            )
        return item


class LegacyFile(KerasFile):
    """What `save_weights` wrote before Keras 3, and what `save("name.h5")` writes to this day."""

    layout = "Keras's legacy HDF5 layout"

    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
            root = self._inside(root, "model_weights", self._h5py.Group)
        groups = {
            name: self._inside(root, name, self._h5py.Group) for name in self._names(root, "layer_names")
        }
        return {name: (group, self._names(group, "weight_names")) for name, group in groups.items()}

    def _names(self, group: Any, attribute: str) -> tuple[str, ...]:
        """A list of names; Keras splits one that is too long for HDF5 over numbered attributes."""
        if attribute in group.attrs:
            parts = [attribute]
        else:
            numbered = (f"{attribute}{number}" for number in count())
            parts = list(takewhile(group.attrs.__contains__, numbered))
        if not parts:
            raise ArttlError(
                f"{self.path} is not in Keras's legacy HDF5 layout: {group.name} has no attribute {attribute!r}"
            )
        names: list[str] = []
        for part in parts:
            stored = group.attrs.get_id(part)
            length = stored.get_space().get_simple_extent_npoints()
            if not length:
                continue
            if stored.dtype.kind not in "SO" or length * stored.dtype.itemsize > _LARGEST_ATTRIBUTE:
                raise ArttlError(
                    f"{self.path}: the attribute {part!r} of {group.name} is not a list of names"
                )
            names.extend(
                text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
                for text in np.ravel(group.attrs[part])
            )
        return tuple(names)
