"""The evidence for promises: what is kept of validation objects, saved with the model and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from arttl.errors import ArttlError
from arttl.inference.objects import Objects
from arttl.inference.predictions import Predictions
from arttl.inference.promises import FILE, Promises, fit_promises
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, TaskSet, Vocabulary

OBJECTS = 300
CLASSES = ("a", "b", "c")
TYPE = Task("type", "single-label", Vocabulary(CLASSES, (1, 1, 1), (0,)))
MATERIAL = Task("material", "multi-label", Vocabulary(CLASSES, (1, 1, 1), (0,)))
YEAR = Task("year", "number", NumberStatistics(count=9, mean=1650.0, std=30.0, median=1650.0))
TASKS = TaskSet([TYPE, MATERIAL, YEAR])


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    """Two photographs of each object; the type is right for all but every tenth object."""
    generator = np.random.default_rng(0)
    index = np.repeat(np.arange(OBJECTS), 2)
    true = index % 3
    predicted = np.where(index % 10 == 0, (true + 1) % 3, true)
    logits = 4 * np.eye(3)[predicted] + generator.normal(0, 0.3, (len(index), 3))
    return Predictions(
        TASKS,
        np.arange(len(index)),
        [f"key{photograph}" for photograph in range(len(index))],
        [f"object {each}" for each in index],
        {
            "type": [(CLASSES[each],) for each in true],
            "material": [(CLASSES[each], "unlisted") if each else None for each in true],
            "year": [("1660",)] * len(index),
        },
        {
            "type": logits.astype(np.float32),
            "material": logits.astype(np.float32) - 2,
            "year": np.zeros((len(index), 1), np.float32),
        },
        {"type": 2.0},
    )


@pytest.fixture(scope="module")
def promises(predictions: Predictions) -> Promises:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(predictions.keys), 16, generator=generator) + 5
    return fit_promises(predictions, features, torch.randn(200, 16, generator=generator) + 5)


def test_each_object_counts_once(predictions: Predictions, promises: Promises) -> None:
    assert len(promises.tasks["type"].likeliest) == OBJECTS
    assert len(promises.distances) == OBJECTS
    assert (promises.tasks["material"].known > 0).sum() == 200
    chosen = Objects.of(predictions.object_numbers, predictions.keys).chosen
    assert sorted({index // 2 for index in chosen.tolist()}) == list(range(OBJECTS))
    assert 100 < (chosen % 2).sum() < 200  # not always the first photograph


def test_what_is_kept_is_calibrated_and_right_or_wrong(predictions: Predictions, promises: Promises) -> None:
    chosen = Objects.of(predictions.object_numbers, predictions.keys).chosen
    expected = (
        torch.softmax(torch.from_numpy(predictions.logits["type"][chosen]).double() / 2, 1).max(1).values
    )
    evidence = promises.tasks["type"]
    np.testing.assert_allclose(evidence.likeliest, expected.numpy(), rtol=1e-6)
    wrong = evidence.likeliest_wrong > 0
    np.testing.assert_array_equal(wrong, chosen // 2 % 10 == 0)
    np.testing.assert_array_equal(evidence.likeliest_wrong[wrong], evidence.likeliest[wrong])
    kept = promises.threshold(TYPE, 0.8)
    assert kept.above is not None
    assert 0.95 * OBJECTS <= kept.objects < OBJECTS  # without those that are outside
    assert promises.threshold(TYPE, 0.95).above is None
    assert promises.objects_needed(TYPE, 0.95) is None


def test_a_label_that_is_no_class_makes_any_suggestion_wrong(predictions: Predictions) -> None:
    catalogued = {**predictions.catalogued, "type": [("unlisted",)] * len(predictions.keys)}
    unlisted = Predictions(
        TASKS,
        predictions.rows,
        predictions.keys,
        predictions.object_numbers,
        catalogued,
        predictions.logits,
    )
    promises = fit_promises(unlisted, torch.ones(len(unlisted.keys), 4), torch.ones(5, 4))
    evidence = promises.tasks["type"]
    np.testing.assert_array_equal(evidence.likeliest_wrong, evidence.likeliest)
    assert (evidence.known == 1).all()
    assert promises.sets(TYPE, 0.9).objects == 0


def test_a_year_has_an_interval(promises: Promises) -> None:
    assert promises.sets(YEAR, 0.9).limits.tolist() == [10.0]


def test_nineteen_of_twenty_validation_objects_are_kept_and_strangers_are_not(
    predictions: Predictions, promises: Promises
) -> None:
    chosen = Objects.of(predictions.object_numbers, predictions.keys).chosen
    outside = promises.is_outside(TYPE, predictions.logits["type"][chosen], promises.distances)
    assert 0 < outside.mean() <= 0.05
    generator = torch.Generator().manual_seed(1)
    distances = promises.distance(torch.randn(50, 16, generator=generator) - 5)
    assert promises.is_outside(MATERIAL, predictions.logits["material"][:50], distances).all()
    near = np.zeros(50, np.float32)
    assert promises.is_outside(TYPE, np.zeros((50, 3), np.float32), near).all()  # no class stands out


def test_distances_are_those_to_the_nearest_training_picture(promises: Promises) -> None:
    features = torch.randn(7, 16, generator=torch.Generator().manual_seed(2))
    unit = torch.nn.functional.normalize(features, dim=1)
    references = torch.nn.functional.normalize(promises.references.double(), dim=1)
    expected = torch.cdist(unit.double(), references).min(1).values
    np.testing.assert_allclose(promises.distance(features), expected.numpy(), rtol=1e-4)


def test_what_is_saved_is_read_back(promises: Promises, tmp_path: Path) -> None:
    assert Promises.load(tmp_path, TASKS) is None
    promises.save(tmp_path)
    loaded = Promises.load(tmp_path, TASKS)
    assert loaded is not None
    assert torch.equal(loaded.references, promises.references)
    np.testing.assert_array_equal(loaded.distances, promises.distances)
    for task in TASKS:
        assert loaded.sets(task, 0.9).limits.tolist() == promises.sets(task, 0.9).limits.tolist()
    assert loaded.threshold(TYPE, 0.8) == promises.threshold(TYPE, 0.8)
    written = (tmp_path / FILE).read_bytes()
    for _ in range(20):
        promises.save(tmp_path)
        assert (tmp_path / FILE).read_bytes() == written


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("references", torch.full((3, 4), torch.nan, dtype=torch.float16)),
        ("references", torch.zeros(3, dtype=torch.float16)),
        ("photographs", torch.zeros(OBJECTS)),
        ("photograph.distances", torch.tensor([torch.inf])),
        ("mean.distances", torch.zeros(1)),
        ("photograph.0.true_class", torch.full((OBJECTS,), 3)),
        ("photograph.0.scores", torch.zeros(1)),
        ("mean.0.likeliest", torch.zeros(OBJECTS, dtype=torch.int32)),
        ("photograph.1.likeliest_wrong", torch.zeros(1)),
        ("mean.1.scores", None),
    ],
)
def test_a_damaged_file_is_refused(
    name: str, value: torch.Tensor | None, promises: Promises, tmp_path: Path
) -> None:
    promises.save(tmp_path)
    tensors = load_file(tmp_path / FILE)
    if value is None:
        del tensors[name]
    else:
        tensors[name] = value
    with safe_open(tmp_path / FILE, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, tmp_path / FILE, metadata)
    with pytest.raises(
        ArttlError, match=f"promises in .*{FILE} cannot be read: (?!it is of another version)"
    ):
        Promises.load(tmp_path, TASKS)


def test_promises_of_another_model_are_refused(promises: Promises, tmp_path: Path) -> None:
    promises.save(tmp_path)
    with pytest.raises(ArttlError, match="of other tasks"):
        Promises.load(tmp_path, TaskSet([TYPE]))
