from __future__ import annotations

import resource
from pathlib import Path

import h5py
import numpy as np
import pytest
from legacy_files import vgg19_layers, write_empty

from arttl.errors import ArttlError
from arttl.models.keras.hdf5 import LegacyFile

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


def read(path: Path) -> np.ndarray:
    with LegacyFile(path) as file:
        return file.read("block1_conv1", 0, SHAPE)


def test_layers_and_tensors_in_order(path) -> None:
    with LegacyFile(path) as file:
        assert list(file.layers)[:2] == ["block1_conv1", "block1_conv2"] and file.listed[0] == "input_1"
        assert file.layers["dense_1"] == ("dense_1/kernel:0", "dense_1/bias:0")
        assert file.shape("dense_1", 0) == (512, 3)
        assert not file.read("block1_conv1", 0, SHAPE).any()


def test_a_list_of_names_in_several_attributes(path) -> None:
    with h5py.File(path, "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:5], names[5:]
    with LegacyFile(path) as found:
        assert len(found.layers) == 17 and list(found.layers)[-1] == "dense_1"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
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


def test_a_header_that_lies_costs_no_memory(path) -> None:
    with replace(path) as file:
        file.create_dataset(KERNEL, (3, 3, 3, 1 << 40), "float32", chunks=(3, 3, 3, 64))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        ArttlError, match=rf"kernel:0' of layer 'block1_conv1' is \(3, 3, 3, {1 << 40}\) and should be"
    ):
        read(path)
    with replace(path) as file:
        file.create_dataset(
            KERNEL, SHAPE, "float32", maxshape=(3, 3, 3, None), chunks=(3, 3, 3, 1 << 22), compression="gzip"
        )
    with pytest.raises(ArttlError, match=r"is stored in chunks of .*, far above its own size"):
        read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


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
        LegacyFile(path)


def test_files_of_other_kinds(tmp_path) -> None:
    with pytest.raises(ArttlError, match=r"no-such.h5 cannot be read as HDF5 .*No such file"):
        LegacyFile(tmp_path / "no-such.h5")
    (tmp_path / "text.h5").write_text("<html>")
    with pytest.raises(ArttlError, match=r"text.h5 cannot be read as HDF5"):
        LegacyFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(ArttlError, match=r"other.h5 is not in Keras's legacy HDF5 layout"):
        LegacyFile(tmp_path / "other.h5")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_that_was_cut_off(path, share: float) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(ArttlError, match=r"w.h5 (cannot be read as HDF5|is damaged)"):
        read(path)
