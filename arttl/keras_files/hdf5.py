"""HDF5 as Keras writes it, and its legacy layout: one group per layer, their order in attributes.

HDF5 can refer to other files, by external links, external storage and virtual data sets, and h5py silently follows all
of them; a chunk of a few hundred bytes can unpack to gigabytes; and damaged bytes can end the process. So this module
only finds out where in the file each tensor is, stored as plain numbers, and runs in a process of its own
(`arttl.keras_files.child`).
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

from arttl.errors import ArttlError, one_line
from arttl.keras_files.listing import Listing, Tensor

_LARGEST_ATTRIBUTE = 4 << 20  # bytes; the names of all layers of a network are about ten thousand
_MOST_TENSORS = 20_000  # which take three seconds
_FLOATS = ("float16", "float32", "float64")


class KerasFile(ABC):
    """Weights that Keras saved; `LegacyFile` and `KerasArchive` locate the layers.

    Attributes:
        path: of the file.
        layout: the name of the file's form.
    """

    layout: str

    def __init__(self, path: Path, source: IO[bytes] | None = None, start: int = 0) -> None:
        """Name the file.

        Args:
            path: of the file.
            source: the HDF5 file itself, where it is inside the file.
            start: its first byte there.

        Raises:
            ArttlError: if h5py is not installed.
        """
        try:
            import h5py
        except ImportError as error:
            raise ArttlError(
                f"reading {path} needs the extra 'rijks': pip install 'arttl[rijks]' (h5py is missing)"
            ) from error
        self._h5py = h5py
        self.path, self._source, self._start = path, source, start

    def listing(self) -> Listing:
        """All layers, in Keras's order, and where their tensors are.

        Raises:
            ArttlError: if it is not such a file, or a tensor is not an array of floats that is stored in the file as it
                is, by hard links alone.
        """
        try:
            file = self._h5py.File(self._source or self.path, "r")
        except Exception as error:  # reading from within a damaged zip raises its errors as well
            raise ArttlError(
                f"{self.path} cannot be read as HDF5 ({one_line(error)}): download or save it again"
            ) from error
        with file, self._errors_in_one_sentence():
            layers = self._find_layers(file)
            if sum(len(names) for _, names in layers.values()) > _MOST_TENSORS:
                raise ArttlError(f"{self.path} has more than {_MOST_TENSORS:,} tensors, which no network has")
            return Listing(
                {
                    layer: tuple(self._tensor(group, name, layer) for name in names)
                    for layer, (group, names) in layers.items()
                }
            )

    @abstractmethod
    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        """Name of every layer, in order, to its group and the names of its tensors there."""

    def _tensor(self, group: Any, name: str, layer: str) -> Tensor:
        dataset = self._inside(group, name, self._h5py.Dataset)
        where = f"{self.path}: tensor {name!r} of layer {layer!r}"
        creation = dataset.id.get_create_plist()
        if dataset.is_virtual or creation.get_external_count():
            raise ArttlError(f"{where} is stored outside the file, which is refused: save the weights anew")
        if creation.get_layout() != self._h5py.h5d.CONTIGUOUS or creation.get_nfilters():
            raise ArttlError(
                f"{where} is stored in chunks or compressed, which Keras does not do: load the file with Keras and save"
                " it again"
            )
        kind = dataset.dtype
        if kind.name not in _FLOATS or dataset.id.get_type() != self._h5py.h5t.py_create(kind):
            raise ArttlError(f"{where} holds {kind}, not floating-point numbers")
        shape, start = dataset.shape, dataset.id.get_offset()
        if shape is None or (start is None and math.prod(shape)):
            raise ArttlError(f"{where} has no numbers: save the weights anew")
        return Tensor(name, shape, kind.str, self._start + (start or 0))

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

    def _inside(self, group: Any, name: str, kind: type) -> Any:
        """The item at a path of the file, if every step to it is a hard link."""
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
