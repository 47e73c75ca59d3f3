from __future__ import annotations

import json
import math
from typing import get_args

import numpy as np
import pytest
import torch
from evaluation_cases import of_kind, single, task
from scipy.stats import binomtest

from arttl.evaluation.bootstrap import bootstrap_intervals
from arttl.evaluation.measures import majority_logits, measures_of, values_of
from arttl.evaluation.metrics import measure_task, metrics_to_json
from arttl.inference.calibration import calibration_error
from arttl.tasks import TaskKind


@pytest.mark.parametrize("kind", get_args(TaskKind))
def test_every_figure_stands_beside_its_baseline_and_interval(kind: TaskKind) -> None:
    one, logits, targets = of_kind(kind, 0, 60)
    found = measure_task(one, torch.from_numpy(logits), torch.from_numpy(targets), 3, temperature=2.0)
    measures = measures_of(one, logits, targets)
    assert {name: found.values[name] for name in measures} == values_of(measures, 60)
    assert found.baseline == values_of(measures_of(one, majority_logits(one, 60), targets), 60)
    assert found.intervals == bootstrap_intervals(measures, 60)
    assert (found.n, found.unknown_class, found.temperature) == (60, 3, 2.0)
    assert found.classes == (0 if kind == "number" else 4)
    if kind == "number":
        assert "ece" not in found.values and found.bands == ()
        assert math.isnan(found.accuracy) and math.isnan(found.majority)
    else:
        assert found.values["ece"] == calibration_error(one, logits, targets)
        assert found.values["calibrated_ece"] == calibration_error(one, logits / 2, targets)
        assert found.accuracy == found.values["accuracy"] and found.majority == found.baseline["accuracy"]
        assert [band.name for band in found.bands] == ["few"]


def test_groups_widen_the_intervals() -> None:
    one, logits, targets = of_kind("single-label", 0, 30)
    logits, targets, groups = np.repeat(logits, 4, 0), np.repeat(targets, 4), np.repeat(np.arange(30), 4)
    alone, grouped = (
        measure_task(one, torch.from_numpy(logits), torch.from_numpy(targets), groups=some)
        for some in (None, groups)
    )
    widths = [high - low for found in (alone, grouped) for low, high in [found.intervals["accuracy"]]]
    assert widths[1] > 1.5 * widths[0] and alone.values == grouped.values


@pytest.mark.parametrize("count", [1, 6, 200])
@pytest.mark.parametrize("kind", get_args(TaskKind))
def test_where_all_is_right_or_wrong_the_interval_is_the_binomial_one(kind: TaskKind, count: int) -> None:
    one, logits, targets = of_kind(kind, 0, count)
    if kind == "number":
        targets = one.statistics.restore(logits[:, 0])
    elif kind == "single-label":
        logits = np.eye(logits.shape[1])[targets]
    else:
        logits = 20 * targets - 10
    right = measure_task(one, logits, targets)
    name = "within_50" if kind == "number" else "accuracy"
    expected = binomtest(count, count).proportion_ci(0.95, "exact")
    assert right.values[name] == 1 and right.intervals[name] == pytest.approx((expected.low, 1))
    for measure, (low, high) in right.intervals.items():  # balanced accuracy, mAP, ...; and errors of nothing
        assert (low, high) == ((0, 0) if "error" in measure else right.intervals[name]), measure
    pairs = measure_task(one, logits, targets, groups=np.arange(count) // 2)
    alone = binomtest((count + 1) // 2, (count + 1) // 2).proportion_ci(0.95, "exact")
    assert pairs.intervals[name] == pytest.approx((alone.low, 1))
    if kind == "single-label":
        wrong = measure_task(one, logits, (targets + 1) % logits.shape[1])
        assert wrong.intervals[name] == pytest.approx((0, 1 - expected.low))


@pytest.mark.parametrize("kind", get_args(TaskKind))
def test_nothing_to_measure_is_not_a_number(kind: TaskKind) -> None:
    one, logits, targets = of_kind(kind, 0, 5)
    found = measure_task(one, torch.from_numpy(logits[:0]), torch.from_numpy(targets[:0]), 2)
    assert found.n == 0 and all(map(math.isnan, found.values.values())) and math.isnan(found.accuracy)
    described = found.to_dict()
    assert described["unknown_class"] == 2 and "accuracy" not in described and described["intervals"] == {}
    assert json.loads(json.dumps(described, allow_nan=False)) == described


def test_json_leaves_out_what_a_kind_of_task_does_not_have() -> None:
    found = measure_task(task("single-label", 2), torch.eye(2), torch.tensor([0, 1]), replicates=0)
    assert metrics_to_json({"type": found}) == {
        "tasks": {
            "type": {
                "kind": "single-label",
                "accuracy": 1.0,
                "balanced_accuracy": 1.0,
                "macro_f1": 1.0,
                "confidence": pytest.approx(math.e / (1 + math.e)),
                "ece": pytest.approx(1 - math.e / (1 + math.e)),
                "majority": 0.5,
                "n": 2,
                "classes": 2,
                "unknown_class": 0,
                "baseline": {"accuracy": 0.5, "balanced_accuracy": 0.5, "macro_f1": pytest.approx(1 / 3)},
                "intervals": {},
                "bands": [
                    {
                        "name": "few",
                        "classes": 2,
                        "n": 2,
                        "accuracy": 1.0,
                        "balanced_accuracy": 1.0,
                        "training_samples": "fewer than 20",
                    }
                ],
            }
        }
    }


def test_json_survives_json() -> None:
    one, (logits, targets) = task("single-label", 7, counts=(500, 100, 20, 19, 5, 2, 1)), single(0, 90, 7)
    found = measure_task(one, torch.from_numpy(logits), torch.from_numpy(targets), temperature=1.5).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [(band["name"], band["classes"]) for band in found["bands"]] == [
        ("many", 1),
        ("medium", 2),
        ("few", 4),
    ]
