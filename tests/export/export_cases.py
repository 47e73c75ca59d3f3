"""Small models whose predictions differ from picture to picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from arttl.export.comparison import Pictures
from arttl.export.network import ExportedNetwork
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel, Provenance
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.models.folders import TrainedModel
from arttl.models.stages import PooledStages, stage_widths
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, TaskSet, Vocabulary

# Names and classes that files, languages and tables dislike.
TASKS = TaskSet(
    [
        Task("type/größe", "single-label", Vocabulary(("vase", "a|b", "<i>*c*"), (30, 20, 5), (0,))),
        Task("image", "multi-label", Vocabulary(("oil", "wood"), (9, 4), (0,))),
        Task("year made", "number", NumberStatistics(12, 1650.0, 80.0, 1642.0)),
        Task("artist", "single-label", Vocabulary(("x", "y"), (2, 2), (0,))),
    ]
)
TEMPERATURES = {"type/größe": 0.6, "image": 2.5}
"""`artist` has none."""


OLD_TORCH = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7)


def need_onnx() -> None:
    """Skip the test, or the module, where ONNX files cannot be written."""
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason="the extra `export` is not installed")
    if OLD_TORCH:
        pytest.skip("the exporter of torch 2.6 writes files that ONNX refuses", allow_module_level=True)


def calibration() -> Calibration:
    return Calibration("val", {name: TaskCalibration(of, 0.2, 0.1, 40) for name, of in TEMPERATURES.items()})


def drawn(network: ExportedNetwork) -> Pictures:
    return Pictures.drawn(network.inputs, network.model.preprocesses)


def squares_of(network: ExportedNetwork, count: int) -> list[torch.Tensor]:
    """The first drawn pictures, for each input [N, 3, size, size] between 0 and 1."""
    return [square[:count] for square in drawn(network).squares]


@torch.no_grad()
def spread(model: TrainedModel) -> None:
    """Make a model's logits differ by about two from picture to picture."""
    features = model.features(*drawn(ExportedNetwork(model)).normalised)
    heads = model.heads.layers if isinstance(model, MultiTaskModel) else model.heads
    for task, head in zip(model.tasks, heads, strict=True):
        logits = model.logits(features)[task.name]
        head.weight.mul_(2 / (logits - logits.mean(0)).std().clamp_min(1e-12))
        head.bias.sub_(model.logits(features)[task.name].mean(0))


def small_model(size: int = 32, backbone: str = "test_resnet") -> MultiTaskModel:
    torch.manual_seed(0)
    preprocess = Preprocess(size=size, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), filter="bilinear")
    provenance = Provenance("fine-tune", "backbone of /home/someone/runs/first/best")
    model = MultiTaskModel(Backbone(backbone), TASKS, preprocess, provenance).eval()
    spread(model)
    model.calibration = calibration()
    return model


def fused_model(*preprocesses: Preprocess) -> FusedModel:
    torch.manual_seed(0)
    names = ("test_resnet", "test_efficientnet", "test_vit")
    networks = [Backbone(name) for name, _ in zip(names, preprocesses, strict=False)]
    stages = [
        PooledStages(network, stage_widths(network, preprocess.size))
        for network, preprocess in zip(networks, preprocesses, strict=True)
    ]
    model = FusedModel(stages, preprocesses, TASKS, dict.fromkeys(TASKS.names, "gates")).eval()
    for head in model.heads:
        torch.nn.init.normal_(head.weight)  # type: ignore[arg-type]
    spread(model)
    model.calibration = calibration()
    return model


@torch.no_grad()
def by_hand(model: TrainedModel, squares: Sequence[torch.Tensor]) -> dict[str, npt.NDArray[Any]]:
    """What an export of a model for `TASKS` is to give, in NumPy's double precision from the logits on.

    Args:
        model: to export.
        squares: for each of its preprocesses [N, 3, size, size] between 0 and 1.
    """
    images = [
        torch.from_numpy(
            (square.double().numpy() - np.reshape(each.mean, (3, 1, 1))) / np.reshape(each.std, (3, 1, 1))
        )
        for square, each in zip(squares, model.preprocesses, strict=True)
    ]
    logits = {name: of.double().numpy() for name, of in model(*[image.float() for image in images]).items()}
    kind, artist = (np.exp(logits[name] / of) for name, of in (("type/größe", 0.6), ("artist", 1.0)))
    return {
        "type/größe": kind / kind.sum(1, keepdims=True),
        "image": 1 / (1 + np.exp(-logits["image"] / 2.5)),
        "year made": 1650 + 80 * logits["year made"][:, 0],
        "artist": artist / artist.sum(1, keepdims=True),
    }


def assert_close(actual: Mapping[str, npt.NDArray[Any]], expected: Mapping[str, npt.NDArray[Any]]) -> None:
    """In order, to 1e-4 of a probability, and of a year to a hundredth; and not since all pictures are alike."""
    assert list(actual) == list(expected)
    for name, values in expected.items():
        assert actual[name].shape == values.shape
        np.testing.assert_allclose(actual[name], values, atol=1e-2 if name == "year made" else 1e-4, rtol=0)
        if len(values) > 1:
            assert values.std(0).max() > (1 if name == "year made" else 0.01)
