"""HDF5 as Keras writes it: what is found in it, and what is refused before a number is read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
from legacy_files import vgg19_layers, write_empty

from arttl.errors import ArttlError
from arttl.keras_files.child import listing_of
from arttl.keras_files.listing import Listing
from arttl.keras_files.weights import KerasWeights

KERNEL = "block1_conv1/block1_conv1/kernel:0"
SHAPE = (3, 3, 3, 64)


@pytest.fixture
def path(tmp_path) -> Path:
    return write_empty(tmp_path / "w.h5", vgg19_layers())


def replace(path: Path, name: str = KERNEL) -> h5py.File:
    """The file, open, with one of its objects removed."""
    file = h5py.File(path, "r+")
    del file[name]
    return file


def weights(path: Path) -> KerasWeights:
    """The file, its structure read by this process."""
    return KerasWeights(path, listing_of(path))


def read(path: Path) -> np.ndarray:
    return weights(path).read("block1_conv1", 0, SHAPE)


def test_layers_and_tensors_in_order(path) -> None:
    file = weights(path)
    assert list(file.layers)[:2] == ["block1_conv1", "block1_conv2"] and file.listed[0] == "input_1"
    assert file.layers["dense_1"] == ("dense_1/kernel:0", "dense_1/bias:0")
    assert file.shape("dense_1", 0) == (512, 3)
    assert not file.read("block1_conv1", 0, SHAPE).any()


def test_a_list_of_names_in_several_attributes(path) -> None:
    with h5py.File(path, "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:5], names[5:]
    found = weights(path)
    assert len(found.layers) == 17 and list(found.layers)[-1] == "dense_1"


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
def test_numbers_of_any_width(path, dtype: str) -> None:
    values = np.random.default_rng(0).random(SHAPE).astype(dtype)
    with replace(path) as file:
        file[KERNEL] = values
    found = read(path)
    assert found.dtype == np.float32 and np.array_equal(found, values.astype(np.float32))


@pytest.mark.parametrize("where", [KERNEL, "block1_conv1", "block1_conv1/block1_conv1"])
def test_a_link_to_another_file_is_not_followed(tmp_path, path, where: str) -> None:
    write_empty(tmp_path / "secret.h5", vgg19_layers())
    with replace(path, where) as file:
        file[where] = h5py.ExternalLink("secret.h5", where)
    with h5py.File(path) as file:
        assert where in file, "h5py itself follows it"
    with pytest.raises(ArttlError, match=r"is a link to another place, which is refused"):
        read(path)


def test_a_soft_link_is_not_followed(path) -> None:
    with replace(path) as file:
        file[KERNEL] = h5py.SoftLink("/block1_conv2/block1_conv2/kernel:0")
    with pytest.raises(ArttlError, match="is a link to another place"):
        read(path)


def test_storage_in_another_file_is_not_read(tmp_path, path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones(SHAPE, np.float32).tobytes())
    with replace(path) as file:
        file.create_dataset(KERNEL, SHAPE, "float32", external=[(str(secret), 0, secret.stat().st_size)])
    with h5py.File(path) as file:
        assert file[KERNEL][()].all(), "h5py itself reads it"
    with pytest.raises(ArttlError, match="is stored outside the file, which is refused"):
        read(path)


def test_a_virtual_data_set_is_not_read(tmp_path, path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["x"] = np.ones(SHAPE, np.float32)
    layout = h5py.VirtualLayout(SHAPE, "float32")
    layout[...] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", SHAPE)
    with replace(path) as file:
        file.create_virtual_dataset(KERNEL, layout)
    with h5py.File(path) as file:
        assert file[KERNEL][()].all(), "h5py itself reads it"
    with pytest.raises(ArttlError, match="is stored outside the file, which is refused"):
        read(path)


@pytest.mark.parametrize(
    "storage", [{"compression": "gzip"}, {"chunks": SHAPE}, {"chunks": SHAPE, "fletcher32": True}], ids=str
)
def test_chunks_are_not_unpacked(path, storage: dict[str, object]) -> None:
    """Of 366 bytes, gzip after gzip makes gigabytes."""
    with replace(path) as file:
        file.create_dataset(KERNEL, data=np.ones(SHAPE, np.float32), **storage)
    with pytest.raises(
        ArttlError, match=r"kernel:0' of layer 'block1_conv1' is stored in chunks or compressed"
    ):
        read(path)


@pytest.mark.parametrize(
    "change", [{"start": 1 << 40}, {"start": -4}, {"shape": (3, 3, 3, 1 << 40)}, {"dtype": "O"}]
)
def test_places_that_are_not_in_the_file(path, change: dict[str, object]) -> None:
    """A damaged process may print anything."""
    listing = listing_of(path)
    kernel, bias = listing.layers["block1_conv1"]
    wrong = Listing({**listing.layers, "block1_conv1": (dataclasses.replace(kernel, **change), bias)})
    with pytest.raises(
        ArttlError, match=r"kernel:0' of layer 'block1_conv1' is not within the .* bytes of the file"
    ):
        KerasWeights(path, wrong)


def test_a_block_before_the_file(tmp_path) -> None:
    values = np.random.default_rng(0).random(SHAPE, np.float32)
    with h5py.File(tmp_path / "w.h5", "w", userblock_size=512) as file:
        file.attrs["layer_names"] = [b"block1_conv1"]
        file["block1_conv1/kernel:0"] = values
        file["block1_conv1"].attrs["weight_names"] = [b"kernel:0"]
    assert np.array_equal(read(tmp_path / "w.h5"), values)


def test_numbers_that_were_never_written(path) -> None:
    with replace(path) as file:
        file.create_dataset(KERNEL, SHAPE, "float32")
    with pytest.raises(ArttlError, match="kernel:0' of layer 'block1_conv1' has no numbers"):
        read(path)


def test_floats_of_another_kind(path) -> None:
    """16 bits of bfloat16 are not a float16, nor the float32 that h5py makes of them."""
    bfloat16 = h5py.h5t.IEEE_F16LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_ebias(127)
    with replace(path) as file:
        h5py.h5d.create(file.id, KERNEL.encode(), bfloat16, h5py.h5s.create_simple(SHAPE))
        file[KERNEL][...] = 1
    with pytest.raises(ArttlError, match="not floating-point numbers"):
        read(path)


@pytest.mark.parametrize("values", [np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.complex64)])
def test_what_is_no_floating_point_number(path, values: np.ndarray) -> None:
    with replace(path) as file:
        file[KERNEL] = values
    with pytest.raises(ArttlError, match="not floating-point numbers"):
        read(path)


def test_a_group_in_place_of_a_tensor(path) -> None:
    with replace(path) as file:
        file.create_group(KERNEL)
    with pytest.raises(ArttlError, match="is not a dataset of HDF5"):
        read(path)


def test_a_name_that_is_not_there(path) -> None:
    with replace(path):
        pass
    with pytest.raises(ArttlError, match=r"/block1_conv1 has no 'block1_conv1/kernel:0'"):
        read(path)


def test_attributes_that_are_no_names(path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.arange(4)
    with pytest.raises(ArttlError, match="the attribute 'layer_names' of / is not a list of names"):
        listing_of(path)


def test_files_of_other_kinds(tmp_path) -> None:
    (tmp_path / "text.h5").write_text("<html>")
    with pytest.raises(ArttlError, match=r"text.h5 cannot be read as HDF5"):
        listing_of(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(ArttlError, match=r"other.h5 is not in Keras's legacy HDF5 layout"):
        listing_of(tmp_path / "other.h5")
