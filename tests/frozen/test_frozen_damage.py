"""Arrays of a feature store that are damaged, of another kind or no numbers: a sentence each."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from frozen_features import features_of

from arttl.errors import ArttlError
from arttl.frozen import store as store_module
from arttl.frozen.store import FeatureStore
from arttl.models.stages import LAST_LAYER


def zipped() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


def of_objects() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}, None], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def header(text: str) -> bytes:
    raw = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw


CONTENTS = {
    "empty": b"",
    "text": b"<html></html>",
    "zip": zipped(),
    "pickle": of_objects(),
    "magic alone": b"\x93NUMPY",
    "no header": header("("),
    "not a dictionary": header("[1, 2]"),
    "unknown type": header("{'descr': 'zz', 'fortran_order': False, 'shape': (160, 8), }"),
    "huge": header("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999, 99999), }"),
    "beyond 64 bits": header("{'descr': '<f4', 'fortran_order': False, 'shape': (9" + "9" * 30 + ", 1), }"),
    "negative": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8), }"),
    "deep": header("(" * 90),
}


@pytest.fixture(scope="module")
def made(small_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return features_of(small_shards, tmp_path_factory.mktemp("f") / "f", stages="last").directory


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "f"))


@pytest.mark.parametrize("kind", CONTENTS)
def test_arrays_that_are_none(folder: Path, kind: str) -> None:
    (folder / "stage-0.npy").write_bytes(CONTENTS[kind])
    check(folder, "is damaged or not an array of features; remove the folder and run `arttl features` again")


def test_a_file_that_is_gone_and_a_folder_in_its_place(folder: Path) -> None:
    (folder / "stage-0.npy").unlink()
    check(folder, "cannot be read: No such file or directory; remove the folder")
    (folder / "stage-0.npy").mkdir()
    check(folder, "cannot be read: Is a directory; remove the folder")


def check(folder: Path, reason: str) -> None:
    with pytest.raises(ArttlError) as error:
        FeatureStore.open(folder)
    message = str(error.value)
    assert message.startswith(f"{folder / 'stage-0.npy'} ") and reason in message and "\n" not in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_features_that_are_no_numbers(folder: Path, value: float) -> None:
    path = folder / "stage-0.npy"
    values = np.load(path)
    values[5, 1] = value
    np.save(path, values)
    description = json.loads((folder / "features.json").read_text())
    blocks = [slice(first, first + 64) for first in range(0, len(values), 64)]
    description["blocks"] = [store_module._block_digest([values], part) for part in blocks]
    (folder / "features.json").write_text(json.dumps(description))
    with pytest.raises(
        ArttlError,
        match=r"stage-0.npy holds NaN, infinity or .* above 1e\+15 in 1 of 159 rows, row 5 first",
    ):
        FeatureStore.open(folder).values(LAST_LAYER)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_an_unfinished_pass_whose_array_is_damaged_begins_anew(
    small_shards: Path, made: Path, tmp_path: Path, monkeypatch, damage: Callable[[Path], object]
) -> None:
    def stop(writer: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store_module.StoreWriter, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            features_of(small_shards, tmp_path / "f", stages="last")
    damage(tmp_path / ".f.unfinished" / "stage-0.npy")
    store = features_of(small_shards, tmp_path / "f", stages="last")
    assert (store.directory / "stage-0.npy").read_bytes() == (made / "stage-0.npy").read_bytes()
    FeatureStore.open(store.directory)
