from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_cases import multi, numbers, single, task
from scipy.special import softmax

from arttl.errors import ArttlError
from arttl.inference.predictions import TASKS, Predictions
from arttl.tasks import Task, TaskSet, is_labelled

N = 20


@pytest.fixture
def saved() -> Predictions:
    """A task of each kind, every third label missing, one label that no vocabulary has."""
    logits = {
        "type": single(0, N, 3)[0].astype(np.float32),
        "material": multi(0, N, 4)[0].astype(np.float32),
        "year": numbers(0, N)[0].astype(np.float32),
    }
    labels = {
        "type": [("class 1", "class 0")] * N,
        "material": [("class 1", "class 3")] * N,
        "year": [("ca. 1642",)] * N,
    }
    catalogued = {
        name: [None if place % 3 == 0 else one for place, one in enumerate(found)]
        for name, found in labels.items()
    }
    catalogued["type"][1] = ("stranger",)
    tasks = TaskSet(
        [
            Task("type", "single-label", task("single-label", 3).training),
            Task("material", "multi-label", task("multi-label", 4).training),
            Task("year", "number", task("number").training),
        ]
    )
    return Predictions(
        tasks=tasks,
        rows=np.arange(7, 7 + N),
        keys=[f"key{place}" for place in range(N)],
        object_numbers=[f"A.{place}" for place in range(N)],
        catalogued=catalogued,
        logits=logits,
        temperatures={"type": 2.0},
    )


def test_what_is_read_is_what_was_written(saved, tmp_path) -> None:
    saved.write(tmp_path / "predictions.parquet")
    for path in (tmp_path, tmp_path / "predictions.parquet"):
        found = Predictions.read(path)
        assert found.tasks == saved.tasks and found.temperatures == saved.temperatures
        assert (found.keys, found.object_numbers) == (saved.keys, saved.object_numbers)
        assert found.catalogued == saved.catalogued
        np.testing.assert_array_equal(found.rows, saved.rows)
        for name, logits in saved.logits.items():
            np.testing.assert_array_equal(found.logits[name], logits)  # bit for bit
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]


def test_targets_come_from_the_labels(saved) -> None:
    assert is_labelled(saved.targets["type"]).sum() == 12  # one is of a class without a name
    assert saved.targets["type"][2] == 1 and saved.targets["year"][2] == 1642
    assert saved.targets["material"][2].tolist() == [0, 1, 0, 1]


def test_the_table_is_readable(saved, tmp_path) -> None:
    saved.write(tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet").to_pydict()
    assert table["key"] == saved.keys and table["type.catalogued"][2] == ["class 1", "class 0"]
    best = saved.logits["type"].argmax(1)
    assert table["type.predicted"] == [[f"class {place}"] for place in best]
    probability = softmax(saved.logits["type"].astype(np.float64) / 2, axis=1).max(1)
    assert table["type.probability"] == pytest.approx(probability.tolist())
    assert table["material.probability"] == pytest.approx(
        (1 / (1 + np.exp(-saved.logits["material"].max(1).astype(np.float64)))).tolist()
    )
    assert table["year.probability"] == [None] * N
    answers = saved.logits["year"][:, 0] * 100 + 1600
    assert [float(one[0]) for one in table["year.predicted"]] == pytest.approx(answers.tolist(), abs=0.5)


def test_no_samples(saved, tmp_path) -> None:
    nothing = Predictions(
        tasks=saved.tasks,
        rows=np.zeros(0, dtype=np.int64),
        keys=[],
        object_numbers=[],
        catalogued={name: [] for name in saved.tasks.names},
        logits={name: logits[:0] for name, logits in saved.logits.items()},
        temperatures={},
    )
    nothing.write(tmp_path / "p.parquet")
    found = Predictions.read(tmp_path / "p.parquet")
    assert found.keys == [] and found.logits["material"].shape == (0, 4)


def with_metadata(path: Path, changed: dict[bytes, bytes]) -> None:
    pq.write_table(pq.read_table(path).replace_schema_metadata(changed), path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "holds no predictions.parquet; name a run's folder"),
        (lambda path: path.write_bytes(b"no table"), "cannot be read"),
        (lambda path: with_metadata(path, {}), "holds labels and no logits, as earlier versions wrote it"),
        (lambda path: with_metadata(path, {TASKS: b"{"}), "cannot be read"),
        (lambda path: with_metadata(path, {TASKS: b'{"tasks": 1}'}), "'tasks' must be a list, not 1"),
        (
            lambda path: pq.write_table(pq.read_table(path).drop_columns(["year.logits"]), path),
            "cannot be read",
        ),
        (
            lambda path: pq.write_table(
                pq.read_table(path).set_column(3, "type.logits", pa.array([[1.0]] * N)), path
            ),
            "cannot be read",
        ),
    ],
)
def test_files_that_are_no_predictions(saved, tmp_path, spoil: Callable[[Path], object], reason: str) -> None:
    path = tmp_path / "predictions.parquet"
    saved.write(path)
    spoil(path)
    with pytest.raises(ArttlError, match=reason) as caught:
        Predictions.read(path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_tasks_of_strangers_are_data(saved, tmp_path) -> None:
    """A width that the logits do not have is refused, not believed."""
    path = tmp_path / "predictions.parquet"
    saved.write(path)
    described = saved.tasks.to_dict()
    described["tasks"][0]["classes"].append("more")
    described["tasks"][0]["train_counts"].append(1)
    with_metadata(path, {TASKS: json.dumps(described).encode()})
    with pytest.raises(ArttlError, match="cannot be read"):
        Predictions.read(path)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_logits_that_are_no_numbers_are_refused(saved, tmp_path, value: float) -> None:
    """A network of NaN predicted its first class, with an accuracy."""
    path = tmp_path / "predictions.parquet"
    saved.write(path)
    flat = saved.logits["type"].copy().reshape(-1)
    flat[[3, 5, 9]] = value
    spoilt = pa.FixedSizeListArray.from_arrays(pa.array(flat), 3)
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("type.logits"), "type.logits", spoilt), path)
    with pytest.raises(
        ArttlError,
        match=r"cannot be read: the logits of type are not finite for 2 of 20 samples, of key1 first; write",
    ):
        Predictions.read(tmp_path)
