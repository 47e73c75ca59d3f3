"""Keras 3's own format: a zip of `config.json`, which names the layers, and `model.weights.h5`, which numbers them.

Inside the weights a layer is called after its class, with a number where several of a class are siblings
(`keras.src.saving.saving_lib`); which is which follows from the order of the layers in the configuration. Nothing of
the configuration is ever built or executed: only names, classes and nesting are taken from it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arttl.documents import parse_json
from arttl.errors import ArttlError, one_line
from arttl.keras_files.hdf5 import KerasFile
from arttl.keras_files.listing import Listing

_CONFIGURATION, _WEIGHTS = "config.json", "model.weights.h5"
_LARGEST_CONFIGURATION = 16 << 20  # bytes; that of a large network has about a hundred thousand
_MEMBER_HEADER = (
    30  # bytes before the name in the header of a zip's member; the lengths of name and extra end it
)


class KerasArchive(KerasFile):
    """What `save("name.keras")` writes; models inside the model are taken as part of it."""

    layout = "the layout of Keras 3"

    def __init__(self, path: Path) -> None:
        """Name the file; see `KerasFile`."""
        super().__init__(path)
        self._group_names: dict[str, str] = {}

    def listing(self) -> Listing:
        """See `KerasFile.listing`."""
        try:
            archive = zipfile.ZipFile(self.path)
        except Exception as error:  # zipfile raises whatever a damaged directory leads to
            raise _not_keras(self.path, error) from error
        with archive:
            self._group_names = self._read_group_names(archive)
            try:
                weights = archive.open(_WEIGHTS)
                self._start = _start(self.path, archive.getinfo(_WEIGHTS))
            except Exception as error:
                raise _not_keras(self.path, error) from error
            with weights as self._source:
                return super().listing()

    def _read_group_names(self, archive: zipfile.ZipFile) -> dict[str, str]:
        try:
            members = {name: archive.getinfo(name) for name in (_CONFIGURATION, _WEIGHTS)}
        except KeyError as error:
            raise _not_keras(self.path, error) from error
        for name, member in members.items():
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise ArttlError(f"{self.path}: {name} is compressed or encrypted, which Keras does not do")
        if members[_CONFIGURATION].file_size > _LARGEST_CONFIGURATION:
            raise ArttlError(f"{self.path}: {_CONFIGURATION} is too large for that of a network")
        try:
            configuration = parse_json(
                archive.read(_CONFIGURATION), dict[str, Any], _CONFIGURATION, finite=False
            )
            return _layer_groups(configuration["config"]["layers"], "layers")
        except Exception as error:
            raise ArttlError(
                f"{self.path}: {_CONFIGURATION} does not describe a network of layers"
            ) from error

    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        layers: dict[str, tuple[Any, tuple[str, ...]]] = {}
        for name, path in self._group_names.items():
            container, _, own = path.rpartition("/")
            parent = self._inside(root, container, self._h5py.Group)
            # A layer that is used twice is stored where it is used first.
            if parent.get(own, getlink=True) is not None:
                group = self._inside(root, f"{path}/vars", self._h5py.Group)
                layers[name] = (group, tuple(map(str, range(len(group)))))
        return layers


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """The first byte of a stored member's data in the file (APPNOTE.TXT of PKWARE, 4.3.7)."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_MEMBER_HEADER)
    lengths = int.from_bytes(header[-4:-2], "little") + int.from_bytes(header[-2:], "little")
    return member.header_offset + _MEMBER_HEADER + lengths


def _not_keras(path: Path, error: Exception) -> ArttlError:
    return ArttlError(
        f"{path} is damaged or not a model that Keras 3 saved ({one_line(error)}): download or save it again"
    )


def _layer_groups(layers: Sequence[Any], inside: str) -> dict[str, str]:
    """Name of every layer, in order, to its group in the weights.

    Raises:
        ValueError: if two layers have one name.
    """
    groups: dict[str, str] = {}
    used: dict[str, int] = {}
    for layer in layers:
        kind, config = str(layer["class_name"]), layer["config"]
        group = _snake_case(kind)
        number = used[group] = used.get(group, -1) + 1
        path = f"{inside}/{group}" if number == 0 else f"{inside}/{group}_{number}"
        nested = kind in ("Functional", "Sequential")
        own = _layer_groups(config["layers"], f"{path}/layers") if nested else {str(config["name"]): path}
        if twice := groups.keys() & own.keys():
            raise ValueError(f"two layers are called {min(twice)!r}")
        groups |= own
    return groups


def _snake_case(name: str) -> str:
    """As Keras writes it: `BatchNormalization` is `batch_normalization`, `Conv2D` is `conv2d`."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
