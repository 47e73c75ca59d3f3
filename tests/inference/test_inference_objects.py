"""Objects with several photographs, and promises of the mean over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from arttl.inference.neighbours import unit_length
from arttl.inference.objects import Objects
from arttl.inference.predictions import Predictions
from arttl.inference.promises import fit_promises
from arttl.inference.suggestions import Suggester
from arttl.tasks import Task, TaskSet, Vocabulary

CLASSES = ("a", "b", "c", "d")
TASK = Task("type", "single-label", Vocabulary(CLASSES, (1,) * 4, (0,)))
TASKS = TaskSet([TASK])
REDRAWN = 200


def test_the_mean_of_logits_is_the_mean_log_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, generator=generator)
    objects = Objects.of(["x", "y", "x", "z", "y", "x", "x"], [f"k{index}" for index in range(7)])
    assert sorted(objects.photographs.tolist()) == [1, 2, 4]
    for name, rows in (("x", [0, 2, 5, 6]), ("y", [1, 4]), ("z", [3])):
        index = objects.of_photograph[rows[0]]
        assert objects.photographs[index] == len(rows) and objects.chosen[index] in rows, name
        log_mean = torch.log_softmax(logits[rows] / 1.7, 1).mean(0)
        np.testing.assert_allclose(
            torch.softmax(objects.mean(logits)[index] / 1.7, 0), torch.softmax(log_mean, 0), rtol=1e-5
        )
        odds = torch.logit(torch.sigmoid(logits[rows] / 1.7)).mean(0)
        np.testing.assert_allclose(
            torch.sigmoid(objects.mean(logits)[index] / 1.7), torch.sigmoid(odds), rtol=1e-5
        )


@dataclass(frozen=True)
class Drawn:
    """Photographs of objects, a part of whose error the photographs of one object have in common."""

    predictions: Predictions
    features: torch.Tensor
    true: np.ndarray


def draw(count: int, generator: np.random.Generator) -> Drawn:
    true = generator.integers(0, 4, count)
    photographs = generator.integers(1, 6, count)
    index = np.repeat(np.arange(count), photographs)
    of_object = 2.0 * np.eye(4)[true] + generator.normal(0, 0.8, (count, 4))
    logits = 2 * (of_object[index] + generator.normal(0, 1.0, (len(index), 4)))
    features = generator.normal(0, 1, (count, 6))[index] + generator.normal(0, 0.7, (len(index), 6)) + 3
    predictions = Predictions(
        TASKS,
        np.arange(len(index)),
        [f"key{photograph}" for photograph in range(len(index))],
        [f"object {each}" for each in index],
        {"type": [(CLASSES[true[each]],) for each in index]},
        {"type": logits.astype(np.float32)},
    )
    return Drawn(predictions, torch.from_numpy(features).float(), true)


@pytest.mark.parametrize("precision", [0.85, 0.93])
def test_promises_of_means_hold_and_suggest_more(precision: float) -> None:
    generator = np.random.default_rng(0)
    references = draw(100, generator).features
    large = draw(4000, generator)
    objects = Objects.of(large.predictions.object_numbers, large.predictions.keys)
    logits = objects.mean(torch.from_numpy(large.predictions.logits["type"])).numpy()
    features = objects.mean(unit_length(large.features))
    true = large.true  # objects come in the order of their first photograph
    assert (objects.of_photograph[objects.chosen] == np.arange(4000)).all()
    right = logits.argmax(1) == true
    broken, suggested, kept, covered, of_single = 0, [], [], [], []
    for _ in range(REDRAWN):
        sample = draw(250, generator)
        promises = fit_promises(sample.predictions, sample.features, references)
        assert promises.of_means is not None
        distances = promises.distance(features)
        outside = promises.of_means.is_outside(TASK, logits, distances)
        kept.append(1 - outside.mean())
        probability = torch.softmax(torch.from_numpy(logits).double(), 1).numpy()
        sets = promises.of_means.sets(TASK, 0.9)
        covered.append(sets.members(TASK, probability)[np.arange(4000), true].mean())
        above = promises.of_means.threshold(TASK, precision).above
        chosen = (probability.max(1) > (2 if above is None else above)) & ~outside
        suggested.append(chosen.mean())
        broken += bool(chosen.any()) and right[chosen].mean() < precision
        above = promises.threshold(TASK, precision).above
        of_single.append(np.mean(probability.max(1) > (2 if above is None else above)))
    assert binomtest(broken, REDRAWN, 0.1, alternative="greater").pvalue > 0.01
    assert np.mean(kept) >= 0.947
    assert 0.895 <= np.mean(covered) <= 0.93
    # A threshold of single photographs would suggest less.
    assert np.mean(suggested) > np.mean(of_single) + 0.05


def test_a_suggester_takes_the_evidence_of_its_unit() -> None:
    sample = draw(400, np.random.default_rng(1))
    promises = fit_promises(sample.predictions, sample.features, sample.features)
    assert promises.of_means is not None
    of_photograph, of_object = (
        Suggester(TASKS, {}, promises, precision=0.85, per_object=per_object) for per_object in (False, True)
    )
    assert of_photograph.thresholds["type"] == promises.threshold(TASK, 0.85)
    assert of_object.thresholds["type"] == promises.of_means.threshold(TASK, 0.85)
    assert of_object.thresholds != of_photograph.thresholds
    assert not any("no validation object" in sentence for sentence in of_object.sentences())


def test_objects_with_one_photograph_each_say_nothing_of_several() -> None:
    sample = draw(400, np.random.default_rng(1))
    chosen = Objects.of(sample.predictions.object_numbers, sample.predictions.keys).chosen
    single = Predictions(
        TASKS,
        np.arange(len(chosen)),
        [sample.predictions.keys[index] for index in chosen],
        [sample.predictions.object_numbers[index] for index in chosen],
        {"type": [sample.predictions.catalogued["type"][index] for index in chosen]},
        {"type": sample.predictions.logits["type"][chosen]},
    )
    references = draw(100, np.random.default_rng(2)).features
    promises = fit_promises(single, sample.features[chosen], references)
    assert promises.of_means is not None
    # Equal but for rounding: the mean of one feature vector is scaled to length one twice.
    np.testing.assert_allclose(promises.of_means.distances, promises.distances, atol=1e-5)
    np.testing.assert_array_equal(promises.of_means.tasks["type"].likeliest, promises.tasks["type"].likeliest)
    suggester = Suggester(TASKS, {}, promises, precision=0.85, per_object=True)
    assert next(suggester.sentences()).startswith("no validation object has more than one photograph")
