from __future__ import annotations

import json

import pytest

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel, load_trained_model
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.models.stages import PooledStages, stage_widths
from arttl.tasks import Task, TaskSet, Vocabulary

CALIBRATION = Calibration("val", {"type": TaskCalibration(2.5, 0.3, 0.1, 50)})


def a_model(fused: bool) -> MultiTaskModel | FusedModel:
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
    backbone, preprocess = Backbone("test_resnet"), Preprocess(size=32)
    if not fused:
        return MultiTaskModel(backbone, tasks, preprocess)
    stages = PooledStages(backbone, stage_widths(backbone, 32))
    return FusedModel([stages], [preprocess], tasks, {"type": "gates"})


@pytest.mark.parametrize("fused", [False, True])
def test_a_calibration_is_saved_and_loaded_with_its_model(tmp_path, fused) -> None:
    model = a_model(fused)
    model.save(tmp_path / "m")
    assert load_trained_model(tmp_path / "m").calibration is None
    CALIBRATION.save(tmp_path / "m")  # beside the weights, as folders saved earlier have it
    assert load_trained_model(tmp_path / "m").calibration == CALIBRATION
    model.calibration = CALIBRATION
    model.save(tmp_path / "again")
    loaded = load_trained_model(tmp_path / "again")
    assert loaded.calibration == CALIBRATION
    assert (tmp_path / "again" / "calibration.json").read_bytes() == (
        tmp_path / "m" / "calibration.json"
    ).read_bytes()
    loaded.calibration = None
    loaded.save(tmp_path / "again")
    assert not (tmp_path / "again" / "calibration.json").exists()


def test_a_model_trained_further_does_not_keep_the_temperatures_of_the_old_one() -> None:
    model = a_model(fused=True)
    model.calibration = CALIBRATION
    further, _ = model.for_training(model.tasks, model.preprocesses, model.provenance)
    assert further.calibration is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format_version": 2, "split": "val", "tasks": {}}']
    + [
        json.dumps({"format_version": 1, "split": "val", "tasks": {"t": found}})
        for found in (
            {},
            {"temperature": 0, "error_before": 0, "error_after": 0, "n": 1},
            {"temperature": float("inf"), "error_before": 0, "error_after": 0, "n": 1},
            {"temperature": "hot", "error_before": 0, "error_after": 0, "n": 1},
        )
    ],
)
def test_files_that_are_no_calibration(tmp_path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(ArttlError, match="; without the file the model is used uncalibrated"):
        Calibration.load(tmp_path)


def test_a_model_with_a_damaged_calibration_is_refused_in_a_sentence(tmp_path) -> None:
    a_model(fused=False).save(tmp_path / "m")
    (tmp_path / "m" / "calibration.json").write_text("{")
    with pytest.raises(ArttlError, match="without the file the model is used uncalibrated"):
        load_trained_model(tmp_path / "m")
