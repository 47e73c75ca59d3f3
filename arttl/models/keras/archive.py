"""Keras 3's own format: a zip of `config.json`, which names the layers, and `model.weights.h5`, which numbers them.

Inside the weights a layer is called after its class, with a number where several of a class are siblings
(`keras.src.saving.saving_lib`); which is which follows from the order of the layers in the configuration. Nothing of
the configuration is ever built or executed: only names, classes and nesting are taken from it.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arttl.errors import ArttlError, one_line
from arttl.models.keras.hdf5 import KerasFile, LegacyFile

_CONFIGURATION, _WEIGHTS = "config.json", "model.weights.h5"
_ZIP = b"PK\x03\x04"
_LARGEST_CONFIGURATION = 16 << 20  # bytes; that of a large network has about a hundred thousand


class KerasArchive(KerasFile):
    """What `save("name.keras")` writes; models inside the model are taken as part of it."""

    layout = "the layout of Keras 3"

    def __init__(self, path: Path) -> None:
        """Open a file and read its names.

        Raises:
            ArttlError: if it is not such a file, or h5py is not installed.
        """
        try:
            self._zip = zipfile.ZipFile(path)
        except Exception as error:  # zipfile raises whatever a damaged directory leads to
            raise _not_keras(path, error) from error
        try:
            self._group_names = self._read_group_names(path)
            try:
                weights = self._zip.open(_WEIGHTS)
            except Exception as error:
                raise _not_keras(path, error) from error
            super().__init__(path, weights)
        except BaseException:
            self._zip.close()
            raise

    def _read_group_names(self, path: Path) -> dict[str, str]:
        try:
            members = {name: self._zip.getinfo(name) for name in (_CONFIGURATION, _WEIGHTS)}
        except KeyError as error:
            raise _not_keras(path, error) from error
        for name, member in members.items():
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise ArttlError(f"{path}: {name} is compressed or encrypted, which Keras does not do")
        if members[_CONFIGURATION].file_size > _LARGEST_CONFIGURATION:
            raise ArttlError(f"{path}: {_CONFIGURATION} is too large for that of a network")
        try:
            configuration = json.loads(self._zip.read(_CONFIGURATION))
            return _layer_groups(configuration["config"]["layers"], "layers")
        except Exception as error:
            raise ArttlError(f"{path}: {_CONFIGURATION} does not describe a network of layers") from error

    def _find_layers(self, root: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
        layers = {}
        for name, path in self._group_names.items():
            container, _, own = path.rpartition("/")
            parent = self._inside(root, container, self._h5py.Group)
            # A layer that is used twice is stored where it is used first.
            if parent.get(own, getlink=True) is not None:
                group = self._inside(root, f"{path}/vars", self._h5py.Group)
                layers[name] = (group, tuple(map(str, range(len(group)))))
        return layers

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._zip.close()


def _not_keras(path: Path, error: Exception) -> ArttlError:
    return ArttlError(
        f"{path} is damaged or not a model that Keras 3 saved ({one_line(error)}): download or save it again"
    )


def open_keras(path: Path) -> KerasFile:
    """Open weights of Keras in either form, told apart by what the file holds.

    Raises:
        ArttlError: if it holds neither, or h5py is not installed.
    """
    try:
        with path.open("rb") as file:
            first = file.read(len(_ZIP))
    except OSError as error:
        raise ArttlError(f"{path} cannot be read: {error.strerror or error}") from error
    if not first:
        raise ArttlError(f"{path} is empty: download or save it again")
    # By its first bytes: a zip that was cut off has lost the directory at its end.
    return KerasArchive(path) if first == _ZIP else LegacyFile(path)


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
