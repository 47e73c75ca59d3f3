"""`.keras` files: what is found in them, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from arttl.errors import ArttlError
from arttl.keras_files.child import listing_of
from arttl.keras_files.weights import open_keras

Config = dict[str, object]


def layer(kind: str, name: str, layers: list[Config] | None = None) -> Config:
    config: Config = {"name": name} if layers is None else {"name": name, "layers": layers}
    return {"class_name": kind, "config": config}


INNER = [
    layer("InputLayer", "in"),
    layer("Conv2D", "first"),
    layer("BatchNormalization", "norm"),
    layer("Conv2D", "c"),
]
OUTER = [layer("Functional", "base", INNER), layer("Dense", "hidden"), layer("Dense", "softmax")]
TENSORS = {
    "layers/functional/layers/conv2d/vars/0": np.full((3, 3, 1, 2), 1.0, np.float32),
    "layers/functional/layers/conv2d/vars/1": np.full(2, 2.0, np.float32),
    "layers/functional/layers/conv2d_1/vars/0": np.full((3, 3, 2, 2), 3.0, np.float32),
    "layers/functional/layers/batch_normalization/vars/0": np.full(2, 4.0, np.float32),
    "layers/dense/vars/0": np.full((2, 5), 5.0, np.float32),
    "layers/dense_1/vars/0": np.full((5, 7), 6.0, np.float32),
}


def weights() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("layers/functional/layers/input_layer/vars")
        for name, value in TENSORS.items():
            file[name] = value
    return buffer.getvalue()


def write(path: Path, layers: object = OUTER, compression: int = zipfile.ZIP_STORED, **other: bytes) -> Path:
    members = {
        "config.json": json.dumps({"config": {"layers": layers}}).encode(),
        "model.weights.h5": weights(),
    }
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in {**members, **other}.items():
            archive.writestr(name, data)
    return path


def test_layers_are_found_by_their_class_and_place(tmp_path: Path) -> None:
    file = open_keras(write(tmp_path / "m.keras"))
    assert file.listed == ("in", "first", "norm", "c", "hidden", "softmax")
    assert {name: len(tensors) for name, tensors in file.layers.items()} == {
        "first": 2,
        "norm": 1,
        "c": 1,
        "hidden": 1,
        "softmax": 1,
    }
    assert file.shape("c", 0) == (3, 3, 2, 2)
    for name, value in (("first", 1), ("c", 3), ("norm", 4), ("hidden", 5), ("softmax", 6)):
        assert np.all(file.read(name, 0, file.shape(name, 0)) == value)


def test_the_form_is_told_by_what_the_file_holds(tmp_path: Path) -> None:
    assert "softmax" in listing_of(write(tmp_path / "named.h5")).layers
    with h5py.File(tmp_path / "named.keras", "w") as file:
        file.attrs["layer_names"] = np.array([], dtype="S1")
    assert listing_of(tmp_path / "named.keras").layers == {}


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (3, "does not describe a network of layers"),
        ([{"class_name": "Dense"}], "does not describe a network of layers"),
        ([layer("Dense", "d"), layer("Dense", "d")], "does not describe a network of layers"),
        ([layer("Functional", "f")], "does not describe a network of layers"),
        ([layer("Conv2D", "c")], None),
    ],
)
def test_configurations_that_do_not_fit(tmp_path: Path, layers: object, said: str | None) -> None:
    path = write(tmp_path / "m.keras", layers)
    if said is None:  # not in the weights: there is such a layer, and it has no tensors
        assert not any(listing_of(path).layers.values())
        return
    with pytest.raises(ArttlError, match=said):
        listing_of(path)


def test_deep_nesting_is_no_traceback(tmp_path: Path) -> None:
    text = '{"config": {"layers": ' + "[" * 100_000 + "]" * 100_000 + "}}"
    with pytest.raises(ArttlError, match="does not describe a network"):
        listing_of(write(tmp_path / "m.keras", **{"config.json": text.encode()}))


def test_archives_that_keras_does_not_make_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="compressed or encrypted"):
        listing_of(write(tmp_path / "bomb.keras", compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ArttlError, match=r"not a model that Keras 3 saved .*model\.weights\.h5"):
        with zipfile.ZipFile(tmp_path / "half.keras", "w") as archive:
            archive.writestr("config.json", "{}")
        listing_of(tmp_path / "half.keras")
    with pytest.raises(ArttlError, match="cannot be read as HDF5"):
        listing_of(write(tmp_path / "text.keras", **{"model.weights.h5": b"weights"}))
    huge = b" " * (17 << 20)
    with pytest.raises(ArttlError, match="too large"):
        listing_of(write(tmp_path / "huge.keras", **{"config.json": huge}))


def test_links_out_of_the_file_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["vars/0"] = np.zeros(3, np.float32)
    for inner in (False, True):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file["layers/dense/vars/x"] = np.zeros(3, np.float32)
            place = "layers/dense/vars" if inner else "layers"
            del file[place]
            file[place] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/vars")
        path = write(tmp_path / "m.keras", [layer("Dense", "d")], **{"model.weights.h5": buffer.getvalue()})
        with pytest.raises(ArttlError, match="is a link to another place, which is refused"):
            listing_of(path)
