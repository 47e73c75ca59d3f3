"""Files of Keras that are damaged or of another kind: one sentence each that names the file."""

from __future__ import annotations

import io
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peak_memory import peak_memory
from test_keras_archive import OUTER, write

from arttl.errors import ArttlError
from arttl.keras_files import weights
from arttl.keras_files.child import listing_of
from arttl.keras_files.weights import KerasWeights, open_keras


def refused(path: Path) -> str:
    with pytest.raises(ArttlError) as error:
        open_keras(path)
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    return message


def test_other_kinds(tmp_path: Path) -> None:
    assert "cannot be read: it is not a file" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe.h5")
    assert "cannot be read: it is not a file" in refused(tmp_path / "pipe.h5")
    assert "cannot be read: No such file or directory" in refused(tmp_path / "none.keras")
    (tmp_path / "empty.keras").touch()
    assert "is empty: download or save it again" in refused(tmp_path / "empty.keras")
    (tmp_path / "page.h5").write_text("<html>")
    assert "cannot be read as HDF5" in refused(tmp_path / "page.h5")
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.pth")
    assert "not a model that Keras 3 saved" in refused(tmp_path / "w.pth")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_an_archive_that_was_cut_off(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "m.keras")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    assert "is damaged or not a model that Keras 3 saved" in refused(path)


def test_a_member_whose_own_header_says_another_name(tmp_path: Path) -> None:
    path = write(tmp_path / "m.keras")
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"model.weights.h5", b"model.weighty.h5", 1))
    assert "is damaged or not a model that Keras 3 saved" in refused(path)


@pytest.mark.parametrize("layers", [7, [7], [{"class_name": "Dense", "config": 3}], {"a": 1}, None])
def test_configurations_of_other_types(tmp_path: Path, layers: object) -> None:
    assert "does not describe a network" in refused(write(tmp_path / "m.keras", layers))


def legacy() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        file["a/a/kernel:0"] = np.ones((3, 4), np.float32)
        file["a"].attrs["weight_names"] = [b"a/kernel:0"]
    return buffer.getvalue()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_archives_with_changed_bytes_of_the_zip(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes of HDF5 itself are left alone: libhdf5 may end the process on those."""
    path = write(tmp_path / "m.keras", OUTER)
    raw = bytearray(path.read_bytes())
    inside = raw.index(b"\x89HDF")
    after = raw.index(b"PK\x01\x02")
    where = data.draw(st.one_of(st.integers(0, inside - 1), st.integers(after, len(raw) - 1)))
    raw[where] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        file = KerasWeights(path, listing_of(path))
        for layer, names in file.layers.items():
            for index in range(len(names)):
                file.read(layer, index, file.shape(layer, index))
    except ArttlError as error:
        assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_legacy_file_that_was_cut_off(tmp_path: Path, share: float) -> None:
    raw = legacy()
    (tmp_path / "w.h5").write_bytes(raw[: int(len(raw) * share)])
    message = refused(tmp_path / "w.h5")
    assert "cannot be read as HDF5" in message or "is damaged" in message


def test_a_file_that_crashes_libhdf5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `listing_of` with libhdf5 does on some damaged files, whichever these are for its version."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "h5py.py").write_text("import os\nos.abort()")
    (tmp_path / "w.h5").write_bytes(legacy())
    assert "w.h5 is damaged (a process crashed reading it as HDF5): download" in refused(tmp_path / "w.h5")


def test_a_file_whose_structure_takes_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(weights, "SECONDS", 0.5)
    (tmp_path / "h5py.py").write_text("while True: pass")
    (tmp_path / "w.h5").write_bytes(legacy())
    assert "w.h5 is damaged (a process took more than 0.5 s reading it" in refused(tmp_path / "w.h5")


def test_nothing_is_imported_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "h5py.py").write_text("import os\nos.abort()")
    (tmp_path / "w.h5").write_bytes(legacy())
    assert list(open_keras(Path("w.h5")).layers) == ["a"]


def test_headers_that_lie_cost_no_memory(tmp_path: Path) -> None:
    raw = legacy()
    shape, larger = (np.array((3, size), "<u8").tobytes() for size in (4, 1 << 30))
    assert raw.count(shape) == 2  # the largest too
    (tmp_path / "w.h5").write_bytes(raw.replace(shape, larger))
    before = peak_memory()
    assert "w.h5 is damaged" in refused(tmp_path / "w.h5")
    assert peak_memory() - before < 50_000  # kilobytes


def test_names_that_take_all_memory(tmp_path: Path) -> None:
    """A text that is stored once may be named any number of times: here 400 kB make 1 GB."""
    count, length = 4000, 250_000
    with h5py.File(tmp_path / "w.h5", "w", libver="latest") as file:
        kind = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
        names = h5py.h5a.create(file.id, b"layer_names", kind, h5py.h5s.create_simple((count,)))
        names.write(np.array(["a" * length, *["b"] * (count - 1)], dtype=object))
    raw = (tmp_path / "w.h5").read_bytes()
    first = raw.index(length.to_bytes(4, "little"))
    reference = raw[first : first + 16]
    (tmp_path / "w.h5").write_bytes(raw[:first] + reference * count + raw[first + 16 * count :])
    assert "w.h5 is damaged" in refused(tmp_path / "w.h5")
