"""The network that is exported gives what a person reads, from RGB between 0 and 1."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from export_cases import TASKS, assert_close, by_hand, drawn, fused_model, small_model, squares_of

from arttl.errors import ArttlError
from arttl.export.comparison import compare, expected_outputs
from arttl.export.description import describe, last_part
from arttl.export.network import ExportedNetwork, distinct_squares
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.models.calibration import Calibration
from arttl.tasks import Task, TaskSet, Vocabulary


@torch.no_grad()
def test_its_outputs_are_calibrated_probabilities_and_numbers_in_their_unit() -> None:
    model = small_model()
    network = ExportedNetwork(model)
    squares = squares_of(network, 5)
    assert_close({name: of.numpy() for name, of in network(*squares).items()}, by_hand(model, squares))


@torch.no_grad()
def test_what_commands_show_is_the_same() -> None:
    model = small_model()
    pictures = drawn(ExportedNetwork(model))
    assert_close(expected_outputs(model, pictures), by_hand(model, pictures.squares))


@torch.no_grad()
def test_networks_that_differ_in_their_normalisation_alone_share_an_input() -> None:
    first = Preprocess(size=32)
    second, third = replace(first, mean=(0.5,) * 3), replace(first, size=48)
    assert len(distinct_squares([first, second, third])) == 2
    model = fused_model(first, second)
    network = ExportedNetwork(model)
    (images,) = squares_of(network, 3)
    assert_close({name: of.numpy() for name, of in network(images).items()}, by_hand(model, [images] * 2))


def test_inputs_have_names_that_no_task_has() -> None:
    preprocess = Preprocess(size=32)
    assert "image" in TASKS
    assert [each.name for each in ExportedNetwork(small_model()).inputs] == ["image_"]
    model = fused_model(preprocess, replace(preprocess, size=48))
    assert [each.name for each in ExportedNetwork(model).inputs] == ["image_1", "image_2"]


@pytest.mark.parametrize(("names", "sentence"), [((), "has no tasks"), (("a", ""), "an empty name")])
def test_models_without_outputs_are_refused(names: tuple[str, ...], sentence: str) -> None:
    tasks = TaskSet([Task(name, "single-label", Vocabulary(("x", "y"), (1, 1), (0,))) for name in names])
    with pytest.raises(ArttlError, match=sentence):
        ExportedNetwork(MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=32)))


@pytest.mark.parametrize("task", ["type/größe", "image", "year made"])
def test_a_difference_beyond_the_limit_is_refused(task: str) -> None:
    model = small_model()
    pictures = drawn(ExportedNetwork(model))
    right = expected_outputs(model, pictures)

    def run(factor: float):
        return lambda squares: {
            name: of[: len(squares[0])] * (factor if name == task else 1) for name, of in right.items()
        }

    assert compare(model, pictures, run(1), "file") == 0
    assert 0 < compare(model, pictures, run(1 + 2e-6), "file") < 1e-4
    with pytest.raises(ArttlError, match=f"'{task}' differs from the model's by 0.00"):
        compare(model, pictures, run(1 + 2e-4), "file")
    with pytest.raises(ArttlError, match="by nan"):
        compare(model, pictures, run(float("nan")), "file")


def test_an_export_for_one_size_of_batch_alone_is_refused() -> None:
    model = small_model()
    pictures = drawn(ExportedNetwork(model))
    with pytest.raises(ArttlError, match="differs from the model's by nan"):
        compare(model, pictures, lambda _: expected_outputs(model, pictures), "file")


def test_the_description_needs_no_model_beside_it() -> None:
    model = small_model()
    described = describe(ExportedNetwork(model))
    kind, image, year, artist = described["outputs"]
    assert kind["classes"] == ["vase", "a|b", "<i>*c*"] and kind["temperature"] == 0.6
    assert image["kind"] == "multi-label" and artist["temperature"] is None and "classes" not in year
    assert described["inputs"] == [
        {
            "name": "image_",
            "colours": "RGB",
            "range": [0, 1],
            "size": 32,
            "resize_to": 37,
            "fit": "crop",
            "filter": "bilinear",
            "steps": "decode | resize shorter side to 37 bilinear | centre crop 32",
        }
    ]
    assert described["provenance"]["weights"] == "backbone of first/best"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("backbone of /home/someone/runs/a/best", "backbone of a/best"),
        ("C:\\Users\\me\\shards\\mine", "mine"),
        (
            "weights of mine.pth, the moving average model_ema",
            "weights of mine.pth, the moving average model_ema",
        ),
        ("ImageNet weights from timm (a1_in1k)", "ImageNet weights from timm (a1_in1k)"),
        ("best", "best"),
    ],
)
def test_folders_are_left_out_of_texts(text: str, rest: str) -> None:
    assert last_part(text) == rest


def test_a_model_without_a_calibration() -> None:
    model = small_model()
    model.calibration = None
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        plain = ExportedNetwork(model)(images)["artist"]
        model.calibration = Calibration("val", {})
        assert torch.equal(plain, ExportedNetwork(model)(images)["artist"])
