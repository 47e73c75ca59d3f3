"""Weights that Keras saved as HDF5; and its legacy layout: a group a layer, the order of all in attributes.

HDF5 can point out of its file, by external links, external storage and virtual data sets, and h5py follows all of them
without a word. Here a tensor is read only where it lies in the file itself, by hard links alone, and only after its
shape was found to be the expected one, so that a header cannot ask for more memory than the network has.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError

_LARGEST_ATTRIBUTE = 4 << 20  # bytes; the names of all layers of a network are some ten thousand
_FLOATS = ("float16", "float32", "float64")


class KerasFile(ABC):
    """Weights that Keras saved, open for reading; `LegacyFile` and `KerasArchive` know where the layers are.

    Attributes:
        path: of the file.
        layers: name of every layer that has tensors to the names of its tensors, both in Keras's order.
        listed: names of all layers, those without tensors too.
        layout: what the file's form is called.
    """

    layout: str

    def __init__(self, path: Path, source: Path | IO[bytes]) -> None:
        """Open a file and read its names.

        Args:
            path: of the file, for messages.
            source: the HDF5 file itself.

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
            self._file = h5py.File(source, "r")
        except OSError as error:
            reason = "there is no such file" if not path.exists() else " ".join(str(error).split())
            raise ArttlError(f"{path} cannot be read as HDF5: {reason}") from error
        try:
            with self._in_a_sentence():
                there = self._find_layers(self._file)
                self.listed = tuple(there)
                self._groups = {name: group for name, (group, _) in there.items()}
                self.layers = {name: tensors for name, (_, tensors) in there.items() if tensors}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> KerasFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @abstractmethod
    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        """Name of every layer, in order, to its group and the names of its tensors there."""

    def shape(self, layer: str, index: int) -> tuple[int, ...]:
        """Shape of a layer's tensor, as the header has it."""
        with self._in_a_sentence():
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
            ArttlError: if it has another shape, is no array of floats, or lies outside the file.
        """
        name = f"tensor {self.layers[layer][index]!r} of layer {layer!r}"
        with self._in_a_sentence():
            dataset = self._dataset(layer, index)
            if tuple(dataset.shape) != shape:
                raise ArttlError(f"{self.path}: {name} is {tuple(dataset.shape)} and should be {shape}")
            if dataset.dtype.name not in _FLOATS:
                raise ArttlError(f"{self.path}: {name} holds {dataset.dtype}, not floating-point numbers")
            # A chunk is decompressed as a whole, and may be declared larger than what it is a part of.
            if dataset.chunks is not None and math.prod(dataset.chunks) > 2 * math.prod(shape) + 65_536:
                raise ArttlError(
                    f"{self.path}: {name} is stored in chunks of {dataset.chunks}, far above its own size"
                )
            return np.asarray(dataset[()], dtype=np.float32)

    @contextmanager
    def _in_a_sentence(self) -> Iterator[None]:
        """What h5py raises on damaged files, as one sentence."""
        try:
            yield
        except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise ArttlError(f"{self.path} is damaged or not of Keras: {reason}") from error

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
            raise ArttlError(f"{self.path}: {name!r} is no {kind.__name__.lower()} of HDF5")
        if isinstance(item, self._h5py.Dataset) and (item.external or item.is_virtual):
            raise ArttlError(
                f"{self.path}: {name!r} is stored outside the file, which is refused: save the weights anew"
            )
        return item


class LegacyFile(KerasFile):
    """What `save_weights` wrote before Keras 3, and what `save("name.h5")` writes to this day."""

    layout = "Keras's legacy HDF5 layout"

    def __init__(self, path: Path) -> None:
        """Open a file and read its names.

        Raises:
            ArttlError: if it is not such a file, or h5py is not installed.
        """
        super().__init__(path, path)

    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
            root = self._inside(root, "model_weights", self._h5py.Group)
        groups = {
            name: self._inside(root, name, self._h5py.Group) for name in self._names(root, "layer_names")
        }
        return {name: (group, self._names(group, "weight_names")) for name, group in groups.items()}

    def _names(self, group: Any, attribute: str) -> tuple[str, ...]:
        """A list of names; Keras cuts one that is too long for HDF5 into attributes with a number."""
        parts = [attribute] if attribute in group.attrs else []
        while not parts or parts[-1] != attribute:
            numbered = f"{attribute}{len(parts)}"
            if numbered not in group.attrs:
                break
            parts.append(numbered)
        if not parts:
            raise ArttlError(
                f"{self.path} is not in Keras's legacy HDF5 layout: {group.name} has no attribute {attribute!r}"
            )
        names: list[str] = []
        for part in parts:
            stored = group.attrs.get_id(part)
            count = stored.get_space().get_simple_extent_npoints()
            if count and (
                stored.dtype.kind not in "SO" or count * stored.dtype.itemsize > _LARGEST_ATTRIBUTE
            ):
                raise ArttlError(f"{self.path}: the attribute {part!r} of {group.name} is no list of names")
            if count:
                names.extend(
                    text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
                    for text in np.ravel(group.attrs[part])
                )
        return tuple(names)
